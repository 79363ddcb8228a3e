"""Start the calls that sessions asked for at their creation (click-to-call).

What it is: takes requests, decides on each, hands what can be started to the engine, and ends the others with a fact
and a webhook. What it is not: the call. Who runs it: `app.py`, beside the engine.

A request is leased for as long as it may be started at all. The call's first commit removes it; a process that dies
between the lease and that commit leaves a request which is too old by the time somebody else may take it. So a
session's first party is rung once at most, and whoever asked hears of it when it was not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from maskline.clock import Clock
from maskline.errors import NotFound
from maskline.ids import Ids
from maskline.masking.decision import StartCall, StartDecision
from maskline.masking.facts import CallNotStarted, Cause
from maskline.masking.session import REQUEST_AGE, RequestedCall, Session
from maskline.storage.store import OutboxRow, Store
from maskline.webhooks.formats.plivo import DEFAULT_STYLE, Style
from maskline.workflows.build_outbox import not_started_outbox
from maskline.workflows.request_loop import RequestLoop

_log = structlog.get_logger("maskline.start_call")
_AT_ONCE = 16


class StartRouter(Protocol):
    async def start(self, request: RequestedCall, wall: float) -> StartDecision:
        """How to carry it out. Raises `StoreUnavailable`, and `NotFound` when the session is there no more."""
        ...


class StartCalls:
    """Run `run()` as a task; `notify()` after each create that asked for a call."""

    __slots__ = (
        "_begin", "_clock", "_committed", "_ended", "_held", "_ids", "_loop", "_on_the_way", "_router", "_store",
        "_style", "owner",
    )  # fmt: skip

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, router: StartRouter, begin: Callable[[StartCall], Cause | None],
        committed: Callable[[], None], *, on_the_way: Callable[[], Sequence[Session]],
        ended: Callable[[str], None], style: Style = DEFAULT_STYLE,
    ) -> None:  # fmt: skip
        """`begin` starts the call and returns at once, with a cause when it does not, such as a session in a call.
        `committed` is called when there are webhooks to deliver. `ended` takes the id of a session among those
        `on_the_way` that is over."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._router = router
        self._begin = begin
        self._committed = committed
        self._on_the_way = on_the_way
        self._ended = ended
        self._style = style
        self.owner = ids.uuid()
        """Set it before the start: by it is known whose leases these are when the process dies."""
        self._held: dict[str, RequestedCall] = {}
        """By session what is ours by lease and not decided, in order."""
        self._loop = RequestLoop(self._step, _say_delayed)

    def notify(self) -> None:
        """There is a request to look at."""
        self._loop.notify()

    def stop(self) -> None:
        """Take no more requests: what others or the next process find is theirs. `run()` returns."""
        self._loop.stop()

    async def run(self) -> None:
        """Take requests until `stop()`."""
        await self._loop.run()

    async def _step(self) -> bool:
        taken = await self()
        await self._cancel_ended()
        return taken == _AT_ONCE

    async def __call__(self) -> int:
        """One step; returns how many requests were taken. Raises `StoreUnavailable`; what is ours by then and not
        decided is decided in the next step."""
        now = self._clock.wall()
        await self._decide(now)
        leased = await self._store.lease_requested_calls(
            self.owner, now=now, until=now + REQUEST_AGE, limit=_AT_ONCE
        )  # fmt: skip
        self._held.update({request.session_id: request for request in leased})
        await self._decide(now)
        return len(leased)

    async def _decide(self, now: float) -> None:
        for request in list(self._held.values()):
            await self._take(request, now)
            del self._held[request.session_id]

    async def _cancel_ended(self) -> None:
        """Who ends a session in this process tells the engine at once; what another one did, such as the command line,
        is seen here."""
        for session in self._on_the_way():
            try:
                over = (await self._store.session(session.account_id, session.id)).ended_at is not None
            except NotFound:
                over = True
            if over:
                self._ended(session.id)

    async def _take(self, request: RequestedCall, now: float) -> None:
        if now - request.requested_at >= REQUEST_AGE:
            return await self._drop(request, Cause.SHUTDOWN, now)
        try:
            decision = await self._router.start(request, now)
        except NotFound:
            return await self._drop(request, Cause.SESSION_EXPIRED, now)
        cause = self._begin(decision) if isinstance(decision, StartCall) else decision.cause
        return None if cause is None else await self._drop(request, cause, now)

    async def _drop(self, request: RequestedCall, cause: Cause, now: float) -> None:
        fact = CallNotStarted(self._ids.uuid(), 1, now, request.session_id, cause)
        rows = await self._rows(request, fact)
        await self._store.drop_requested_call(self.owner, request.session_id, fact, rows)
        _log.warning("call_not_started", session=request.session_id, cause=cause.value)
        if rows:
            self._committed()

    async def _rows(self, request: RequestedCall, fact: CallNotStarted) -> Sequence[OutboxRow]:
        try:
            session: Session = await self._store.session(request.account_id, request.session_id)
        except NotFound:
            return ()
        return not_started_outbox(session, fact, self._ids, self._style)


def _say_delayed(reason: str) -> None:
    _log.warning("requested_calls_delayed", reason=reason)
