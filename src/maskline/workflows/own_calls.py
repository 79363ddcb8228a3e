"""Say that this process lives, have the calls of engines that do not, and know when our own are another one's.

What it is: the lease of a process, renewed every few seconds by the database's clock, and what follows from it: whoever
sees that another one's is over frees the rows that it had taken, such as webhooks to send. An engine takes over a dead
engine's calls, a few at a time; one that could not renew in time takes no new calls until it has looked which are still
its own. What it is not: how a call goes on (`engine/revival.py`). Who uses it: `app.py` calls `prepare()` first of all
and `begin()` before the engine hears anything, and runs `run()` as a task.

An engine whose database is away keeps its calls: so may all others have lost it, and then nobody takes anything. When
it is there again, whoever asks first finds all others silent, who had as little chance to speak: for `WATCHED` seconds
nobody is held for dead but those who said that they end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

import structlog

from maskline.clock import Clock
from maskline.engine.call_kept import VERSION
from maskline.engine.ports import CutOff
from maskline.errors import StoreUnavailable
from maskline.storage.kept import LiveCall, Owner
from maskline.storage.live_store import LEASE, Renewal
from maskline.storage.store import Store
from maskline.workflows.record_call import CallRecording
from maskline.workflows.recover_calls import recover_calls
from maskline.workflows.wait_for_namesake import wait_for_namesake

_log = structlog.get_logger("maskline.own_calls")

RENEW_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
"""After a renewal that failed."""
WATCHED = 10.0
"""For which a process must have seen the database answer before it holds others for dead: one whose renewal hung when
the database came back tries again after `RENEW_SECONDS` and a second, and needs some time for it."""
AT_ONCE = 20
"""Calls taken over in one transaction, between which calls in progress have their turn."""
_ALL = 10_000_000
UNREAD_SECONDS = 60.0
"""For which a dead engine's call that we cannot read is left to one that can, such as an upgrade's next start."""
ENGINES = ("engine", "serve")
"""Kinds of owners that carry calls."""


class Carrier(Protocol):
    """The engine, as far as it is asked here."""

    def take_over(self, past: Sequence[CutOff]) -> None: ...
    def let_go(self, calls: Sequence[str]) -> None: ...


class OwnCalls:
    def __init__(
        self, store: Store, clock: Clock, recorder: CallRecording, carrier: Carrier | None,
        suspend: Callable[[bool], None], know: Callable[[Iterable[str]], Awaitable[None]],
    ) -> None:  # fmt: skip
        """`carrier` None: a process without an engine. `suspend` is told that new calls must not be taken, or may be
        again; `know` of whose accounts calls come."""
        self._store = store
        self._clock = clock
        self._recorder = recorder
        self._carrier = carrier
        self._suspend = suspend
        self._know = know
        self.owner = Owner("", "", "", "")
        """Set it before the start."""
        self.lapsed = False
        """Our lease is over, as far as we know, and what we have may be another engine's."""
        self._renewed_at = clock.now()
        self._heard_at = 0.0
        """The last renewal, by the database's clock as the next."""
        self._watching_since: float | None = None
        """None: the database was away at our last look."""
        self._said: float | None = None
        """Until when we live, as we wrote it; None: whether that was written is not known."""
        self._has_namesake = False
        self._others: list[Owner] = []
        self._read: list[LiveCall] = []
        """Taken over, and not in the engine yet."""
        self._unread: dict[str, float] = {}
        """Calls of dead engines that we cannot read, by since when we know of them."""
        self._freed: set[tuple[str, float]] = set()
        """The dead, and when they died, whose rows are free."""
        self._wake = asyncio.Event()
        self._leaving = False
        self._stopping = False

    @property
    def has_heirs(self) -> bool:
        """Whether another engine would take what we leave."""
        return bool(self._others)

    def leave(self) -> None:
        """Nobody should leave calls to us any more, since this process is about to end."""
        self._leaving = True
        self.owner = self.owner._replace(kind="draining")
        self._wake.set()

    def notify(self) -> None:
        """An engine has left its calls."""
        self._wake.set()

    def stop(self) -> None:
        """Take no more, and return."""
        self._stopping = True
        self._wake.set()

    async def prepare(self) -> None:
        """Before anything is leased: an earlier process of our name is dead. Raises `ConfigurationError` when it is
        not, and `StoreUnavailable`."""
        await wait_for_namesake(self._store, self._clock, self.owner)
        await self._free([self.owner.id])

    async def begin(self) -> list[CutOff]:
        """From now on this process lives; what an earlier one of its name left is its own. Raises
        `StoreUnavailable`."""
        renewal = await self._store.renew_owner(self.owner, now=self._clock.wall())
        self._watch(renewal)
        self._note(renewal, self._clock.now())
        if self._carrier is None:
            return []
        left = await self._store.take_live_calls(
            self.owner.id, now=self._clock.wall(), limit=_ALL, own=True, form=VERSION
        )  # fmt: skip
        return await recover_calls(self._store, self._recorder, left)

    async def end(self) -> None:
        """Whoever wants what is left may have it. The last thing, once all is written."""
        with contextlib.suppress(StoreUnavailable):
            await self._store.end_owner(self.owner.id)

    async def run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            pause = RENEW_SECONDS if await self._step() else _AGAIN_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _step(self) -> bool:
        """Whether the store could be asked."""
        begun = self._clock.now()
        try:
            # A renewal that is late is none, and a server that went away without a word is noticed in time.
            async with asyncio.timeout(RENEW_SECONDS):
                renewal = await self._store.renew_owner(self.owner, now=self._clock.wall())
            ended_only = not self._watch(renewal)
            await self._free_of_dead(renewal, ended_only)
            if self._carrier is not None:
                await self._settle(renewal, self._carrier, ended_only)
        except (StoreUnavailable, TimeoutError):
            self._watching_since = self._said = None
            if not self.lapsed and self._clock.now() - self._renewed_at >= LEASE:
                self._lapse()
            return False
        self._note(renewal, begun)
        return True

    def _watch(self, renewal: Renewal) -> bool:
        """Whether others have had time to say that they live, for as long as we know."""
        if not renewal.in_time or self._watching_since is None or renewal.now - self._heard_at > WATCHED:
            self._watching_since = renewal.now
        self._heard_at = renewal.now
        return renewal.now - self._watching_since >= WATCHED

    def _note(self, renewal: Renewal, at: float) -> None:
        self._renewed_at = at
        self._others = renewal.living(*ENGINES)
        self._look_for_namesake(renewal)
        if self.lapsed:
            self.lapsed = False
            self._suspend(False)

    def _look_for_namesake(self, renewal: Renewal) -> None:
        """Who alone has its id finds what it said itself, or less where the database has lost that."""
        mine, said = renewal.mine, self._said
        self._said = renewal.until
        has_namesake = mine is not None and said is not None and mine.until > said
        if mine is not None and has_namesake and not self._has_namesake:
            _log.error("engine_id_shared", engine_id=mine.id, host=mine.name, address=mine.address)
        self._has_namesake = has_namesake

    def _lapse(self) -> None:
        self.lapsed = True
        self._suspend(True)
        _log.warning("lease_over", calls=self._recorder.open_calls)

    async def _free_of_dead(self, renewal: Renewal, ended_only: bool) -> None:
        dead = {(one.id, one.until) for one in renewal.others if one.until <= (0.0 if ended_only else renewal.now)}
        if fresh := dead - self._freed:
            await self._free(sorted(owner_id for owner_id, _ in fresh))
        self._freed = dead

    async def _free(self, owners: Sequence[str]) -> None:
        if count := await self._store.free_leases(owners, now=self._clock.wall()):
            _log.warning("leases_freed", count=count)

    async def _settle(self, renewal: Renewal, carrier: Carrier, ended_only: bool) -> None:
        if self.lapsed or not renewal.in_time:
            tenures = self._recorder.tenures()
            if lost := await self._store.lost_calls(tenures):
                self._recorder.let_go(lost)
                carrier.let_go(lost)
                _log.warning("calls_lost", count=len(lost))
        while not (self._leaving or self._stopping):
            if not self._read:
                self._read = await self._take(ended_only)
            if not self._read:
                return
            await self._know({live.account_id for live in self._read})
            past = await recover_calls(self._store, self._recorder, self._read)
            self._read = []
            carrier.take_over(past)

    async def _take(self, ended_only: bool) -> list[LiveCall]:
        me, wall = self.owner.id, self._clock.wall()
        taken = await self._store.take_live_calls(me, now=wall, limit=AT_ONCE, ended_only=ended_only, form=VERSION)
        return taken if taken or ended_only else await self._take_unread(me, wall)

    async def _take_unread(self, me: str, wall: float) -> list[LiveCall]:
        """What a newer engine left is for others of its kind; when none came in time, it gets its end from us."""
        now = self._clock.now()
        unread = await self._store.unread_calls(me, now=wall, form=VERSION)
        if any(call_id not in self._unread for call_id in unread):
            _log.warning("calls_unread", count=len(unread), seconds=UNREAD_SECONDS)
        self._unread = {call_id: self._unread.get(call_id, now) for call_id in unread}
        over = [call_id for call_id, since in self._unread.items() if now - since >= UNREAD_SECONDS][:AT_ONCE]
        return await self._store.take_unread_calls(me, over, now=wall, form=VERSION) if over else []
