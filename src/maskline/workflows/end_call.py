"""End one call by request: keep the wish, and have the engine that has the call carry it out.

What it is: `end_call`, for the API and the command line, and `EndCalls`, the task of an engine that looks for wishes of
others. What it is not: the end itself (`engine/call_end.py`), or that of a session (`expire_session.py`), which leaves
a call in progress alone. Who uses it: `api/native/routes.py`, `cli/call.py`, and `app.py`, which runs the task.

The wish is in the store before anybody hears of it, with the call, so it outlives whoever has the call: the engine that
takes it over finds it. An engine is told at once in its own process and by PostgreSQL, and looks for itself every
second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import structlog

from maskline.clock import Clock
from maskline.errors import NotFound
from maskline.masking.call_record import CallRecord
from maskline.storage.store import NO_CALL, Store
from maskline.workflows.hooks import CallHook, nobody_carries
from maskline.workflows.request_loop import RequestLoop
from maskline.workflows.scope import Scope

_log = structlog.get_logger("maskline.end_call")


class EndedCall(NamedTuple):
    """What became of a wish."""

    call_id: str
    record: CallRecord | None
    """Of a call that was over already; None: it is being ended."""


async def end_call(
    store: Store, clock: Clock, scope: Scope, call_id: str, asked: CallHook = nobody_carries
) -> EndedCall:
    """Raises `NotFound` where the scope has no such call. Asked again it says the same, until the call is over and has
    its record. `asked` is told of a wish that is kept."""
    if "\0" in call_id:  # which PostgreSQL takes in no text
        raise NotFound(NO_CALL)
    if await store.ask_call_end(scope.account_id, scope.subaccount_id, call_id, now=clock.wall()):
        asked(call_id)
        return EndedCall(call_id, None)
    record = await store.call(scope.account_id, call_id)
    if scope.subaccount_id not in (None, record.subaccount_id):
        raise NotFound(NO_CALL)
    return EndedCall(call_id, record)


class EndCalls:
    """Run `run()` as a task, also while the engine drains."""

    __slots__ = ("_end", "_loop", "_store", "owner")

    def __init__(self, store: Store, end: Callable[[str], None]) -> None:
        """`end` takes the id of a call that is ours, and nothing happens when it is ending already."""
        self._store = store
        self._end = end
        self.owner = ""
        """The engine's id; set it before the start."""
        self._loop = RequestLoop(self, _say_delayed)

    def stop(self) -> None:
        """`run()` returns; what is left is for whoever takes the calls."""
        self._loop.stop()

    async def run(self) -> None:
        """Look every second until `stop()`."""
        await self._loop.run()

    async def __call__(self) -> bool:
        """One look. Raises `StoreUnavailable`."""
        for call_id in await self._store.calls_to_end(self.owner):
            self._end(call_id)
        return False


def _say_delayed(reason: str) -> None:
    _log.warning("ends_delayed", reason=reason)
