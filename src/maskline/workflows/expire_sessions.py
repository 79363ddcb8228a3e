"""End the masking sessions whose time is over: one step of the sweeper.

What it is: the fact, the released claims and the SessionTimeout webhook of each due session. What it is not:
what keeps a call from an expired session; matching looks at the time itself (`masking/match.py`), so the
second is exact however late this runs. Who uses it: `app.py`, every second or sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from maskline.clock import Clock
from maskline.errors import NotFound, SessionEnded
from maskline.ids import Ids
from maskline.masking.session import Session
from maskline.storage.store import OutboxRow, Store
from maskline.webhooks.formats import native
from maskline.workflows.build_outbox import session_timeout_outbox
from maskline.workflows.hooks import SessionHook, nobody_asks
from maskline.workflows.native_outbox import native_session_rows

TimeoutOutbox = Callable[[Session, float, Ids], Sequence[OutboxRow]]
"""Webhooks of a session that timed out at a wall second."""


class ExpireSessions:
    """Call it to end one batch; it answers how many ended, so the owner calls again while it equals `batch`."""

    __slots__ = ("_clock", "_ended", "_ids", "_outbox", "_store", "batch")

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        *,
        outbox: TimeoutOutbox = session_timeout_outbox,
        ended: SessionHook = nobody_asks,
        batch: int = 50,
    ) -> None:
        """`ended` is called for each session once it is over."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._ended = ended
        self.batch = batch
        """Sessions per step: small enough that requests and calls get their turn between steps. Measured on SQLite with
        5,000 that end in one second: the loop's thread works for 3 ms at a time with 50, 5 ms with 100, 8 ms with 200;
        all are ended within 3 s."""

    async def __call__(self) -> int:
        """Raises `StoreUnavailable`; nothing is lost then, since a session stays due until it is ended."""
        now = self._clock.wall()
        due = await self._store.sessions_due(now, self.batch)
        # Side by side, so that the store can write them as a group; one that fails does not stop the others.
        ended = await asyncio.gather(*(self._end(session, now) for session in due), return_exceptions=True)
        for failure in ended:
            if isinstance(failure, BaseException):
                raise failure
        return ended.count(True)

    async def _end(self, session: Session, now: float) -> bool:
        try:
            # The webhook tells the planned end, not the moment the sweeper came by.
            rows = [*self._outbox(session, session.expires_at, self._ids)]
            expired = replace(session, ended_at=session.expires_at)
            rows += await native_session_rows(
                self._store, expired, native.SESSION_EXPIRED, session.expires_at, self._ids
            )
            over = await self._store.end_session(
                session.account_id, session.id, now=now, by_request=False, outbox=rows
            )  # fmt: skip
        except (SessionEnded, NotFound):
            return False  # ended by request, or deleted, between the two reads: nothing is left to do
        self._ended(over)
        return True
