"""Hold the limits of accounts and trunks together with the other engines of a database.

What it is: a place asked for when a call needs one, and once a second what this engine uses told, and what the others
use and have recorded heard. What it is not: counting (`masking/usage_shared.py`), or the judgement on a call
(`check_limits.py`, which runs this). One engine alone has none of it.

Of an account's limit on calls at a time an engine holds places, and gives back within a second what it does not need:
never more calls than the limit, and for that second a place may be free on one engine and lacking on another. Minutes
and money are late by that second, and so are a trunk's limits, which are asked about while an INVITE is read and can
wait for nobody: engines tell each other what they carry.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from maskline.clock import Clock
from maskline.masking.permit import Permit
from maskline.masking.trunk_state import TrunkState
from maskline.masking.usage_book import UsageBook
from maskline.masking.usage_shared import Running, Share, SharedUsage
from maskline.storage.store import Store
from maskline.storage.usage_store import ShareElsewhere

HELD_FOR = 15.0
"""Seconds that what an engine told holds when it says nothing more."""
RENEWED_AFTER = 5.0
FULL_FOR = 0.5
"""Seconds after which a limit that was full is asked for again."""
_PAGE = 500
_TRUNK = "trunk:"
"""Stands before the id of a trunk, where what is told names an account."""


class ShareUsage:
    __slots__ = (
        "_begun", "_clock", "_cursor", "_engine_id", "_full_until", "_heard", "_lock", "_recall", "_store", "_told",
        "_trunks", "book",
    )  # fmt: skip

    def __init__(
        self, store: Store, clock: Clock, engine_id: str, book: UsageBook, trunks: TrunkState,
        recall: Callable[[str, str], Awaitable[None]],
    ) -> None:  # fmt: skip
        """`recall` counts one call, by its account and id, that another engine carried and that is recorded."""
        self._store = store
        self._clock = clock
        self._engine_id = engine_id
        self._recall = recall
        self._trunks = trunks
        self.book = book
        self._lock = asyncio.Lock()
        self._cursor: int | None = None
        self._full_until: dict[tuple[str, str], float] = {}
        self._told: dict[tuple[str, str], tuple[Share, float]] = {}
        """What was told last, and when."""
        self._begun: dict[tuple[str, str, str], int] = {}
        """By engine, account and number: calls begun as last heard."""
        self._heard: set[str] = set()
        """Accounts of which something was heard last."""

    async def place(self, usage: SharedUsage, permit: Permit) -> None:
        """Ask for what one more call lacks. Raises `StoreUnavailable`."""
        async with self._lock:
            now, wall = self._clock.now(), self._clock.wall()
            wishes = usage.wishes(permit, now)
            if not wishes or any(self._full_until.get((one.account_id, one.number), 0.0) > now for one in wishes):
                return
            given = await self._store.take_places(self._engine_id, wishes, now=wall, until=wall + HELD_FOR)
            for wish, places in zip(wishes, given, strict=True):
                usage.give(wish.number, places)
                # The row says so now, and is told anew when the places are not needed any more.
                self._told[wish.account_id, wish.number] = Share(wish.account_id, wish.number, places, -1), now
                if places < wish.least:
                    self._full_until[wish.account_id, wish.number] = now + FULL_FOR

    async def begin(self) -> None:
        """Before the day's records are read: follow those that are written from now on."""
        self._cursor, _ = await self._store.ended_calls(None, 0)

    async def exchange(self) -> None:
        """Once a second. Raises `StoreUnavailable`; what was not told is told the next time."""
        async with self._lock:
            await self._tell()
        await self._hear()
        await self.follow()

    async def _tell(self) -> None:
        now, wall = self._clock.now(), self._clock.wall()
        self._full_until = {key: until for key, until in self._full_until.items() if until > now}
        shares = [
            share for account_id, usage in self.book.shared().items() for share in usage.shares(account_id, now, wall)
        ]
        shares += [Share(_TRUNK + one.trunk_id, "", one.calls, one.begun) for one in self._trunks.carried()]
        news = [share for share in shares if self._is_news(share, now)]
        if news:
            await self._store.tell_usage(self._engine_id, news, now=wall, until=wall + HELD_FOR)
            for share in news:
                self._told[share.account_id, share.number] = share, now

    def _is_news(self, share: Share, now: float) -> bool:
        told, at = self._told.get((share.account_id, share.number), (None, now))
        if told is None:
            return bool(share.begun) or not share.is_nothing
        return share != told or (now - at >= RENEWED_AFTER and not share.is_nothing)

    async def _hear(self) -> None:
        found = await self._store.usage_elsewhere(self._engine_id, self._clock.wall())
        now, wall = self._clock.now(), self._clock.wall()
        running: dict[str, list[Running]] = {account_id: [] for account_id in self._heard}
        on_trunks = Counter[str]()
        for one in found:
            account_id = one.share.account_id
            if one.share.running is not None:
                running.setdefault(account_id, []).append(one.share.running)
            if account_id.startswith(_TRUNK):
                on_trunks[account_id.removeprefix(_TRUNK)] += one.share.places
            self._note_begun(one, now)
        self._trunks.hear(on_trunks)
        for account_id, lines in running.items():
            usage = self.book.find(account_id)
            if isinstance(usage, SharedUsage):
                usage.hear(lines, now, wall)
        self._heard = {account_id for account_id, lines in running.items() if lines}

    def _note_begun(self, one: ShareElsewhere, now: float) -> None:
        share = one.share
        key = (one.engine_id, share.account_id, share.number)
        before = self._begun.get(key)
        self._begun[key] = share.begun
        # An engine that is heard of anew, or began anew, may have begun its calls at any time.
        if before is None or share.begun <= before:
            return
        usage = self.book.find(share.account_id)
        if share.account_id.startswith(_TRUNK):
            self._trunks.begun_elsewhere(share.account_id.removeprefix(_TRUNK), share.begun - before, now)
        elif isinstance(usage, SharedUsage):
            usage.begun_elsewhere(share.number, share.begun - before, now)

    async def follow(self) -> None:
        """Count calls that other engines recorded since the last time."""
        more = self._cursor is not None
        while more:
            self._cursor, ended = await self._store.ended_calls(self._cursor, _PAGE)
            for account_id, call_id in ended:
                if call_id in self.own:
                    self.own.discard(call_id)
                else:
                    await self._recall(account_id, call_id)
            more = len(ended) == _PAGE

    @property
    def own(self) -> set[str]:
        own = self.book.own
        assert own is not None, "it is shared"
        return own
