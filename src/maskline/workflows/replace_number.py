"""Take a virtual number out of use: it gets no new sessions, and its live ones get other numbers. Called by the CLI.

What it is: the walk over the number's sessions, in batches, and the webhook each of them sends. What it is not: the
choice of the other number (`masking/pool.reallocate`, inside the store's transaction), or a judge of a number's
health: an operator, or a script that watches figures, calls this.

A session for which no number is left keeps the old one and goes on working there, if calls still come in. Calls in
progress are not touched. The walk may be repeated at any time: it takes up what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from maskline.clock import Clock
from maskline.errors import NotFound, PoolExhausted, SessionEnded
from maskline.ids import Ids
from maskline.masking.decision import NumberState, VirtualNumber
from maskline.masking.session import Session
from maskline.storage.store import OutboxRow, Store
from maskline.webhooks.formats import native
from maskline.webhooks.formats.plivo import DEFAULT_STYLE, Style
from maskline.workflows.build_outbox import number_replaced_outbox
from maskline.workflows.native_outbox import session_receiver, session_row
from maskline.workflows.receivers import Receiver
from maskline.workflows.set_number import NumberChange, find_number, set_number

_BATCH = 100


@dataclass(slots=True)
class Replacement:
    """What became of the number's sessions."""

    number: VirtualNumber
    replaced: int = 0
    kept: dict[str, str] = field(default_factory=dict)
    """Session id → why it keeps the number."""


class ReplaceNumber:
    """Call it with the number as text."""

    __slots__ = ("_clock", "_ids", "_store", "_style")

    def __init__(self, store: Store, clock: Clock, ids: Ids, style: Style = DEFAULT_STYLE) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._style = style

    async def __call__(self, text: str) -> Replacement:
        """Rest the number (one that is retired stays so) and move its sessions. Raises `NotFound`."""
        number = await find_number(self._store, text)
        if number.state is NumberState.ACTIVE:
            number = await set_number(self._store, self._clock, text, NumberChange(state=NumberState.RESTING))
        done = Replacement(number)
        while batch := await self._next(number, done.kept):
            # Side by side, so that the store can write them as a group.
            for session_id, reason in await asyncio.gather(*(self._replace(session) for session in batch)):
                if reason is None:
                    done.replaced += 1
                elif reason:
                    done.kept[session_id] = reason
        return done

    async def _next(self, number: VirtualNumber, kept: Iterable[str]) -> list[Session]:
        """Sessions not tried yet: those that kept the number are still on it, so that many more are asked for."""
        tried = set(kept)
        found = await self._store.sessions_on(
            number.number, now=self._clock.wall(), limit=_BATCH + len(tried)
        )  # fmt: skip
        return [session for session in found if session.id not in tried]

    async def _replace(self, session: Session) -> tuple[str, str | None]:
        """The session's id, and why it keeps its number: None when it does not, empty when it is over meanwhile."""
        now = self._clock.wall()
        hears = await session_receiver(self._store, session)
        try:
            await self._store.replace_numbers(
                session.account_id, session.id, now=now, outbox=partial(self._outbox, session, now, hears)
            )
        except PoolExhausted as error:
            return session.id, error.detail or error.sentence
        except (SessionEnded, NotFound):
            return session.id, ""
        return session.id, None

    def _outbox(self, before: Session, now: float, hears: Receiver | None, after: Session) -> Sequence[OutboxRow]:
        rows = number_replaced_outbox(before, after, now, self._ids, self._style)
        if hears is None:
            return rows
        return [*rows, session_row(hears, after, native.SESSION_NUMBERS_REPLACED, now, self._ids)]
