"""Begin the call flows that were acknowledged (`POST callflows`).

What it is: takes them from the store in order, decides whether it is too late, has them looked up, and hands them to
the engine. What it is not: the call, or the rules on what may be asked for (`request_flow.py`). Who runs it: `app.py`,
beside the engine.

No flow is lost, and none is dialled twice. It stays in the store until its call's first commit. One that somebody took
and never gave back may have been dialled by a process that died: its call ends without dialling, and so does the call
of one that nobody took in time. The customer hears of both as of any other call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import structlog

from maskline.clock import Clock
from maskline.errors import StoreUnavailable
from maskline.ids import Ids
from maskline.masking.call_flow import CallFlow, MakeCall
from maskline.masking.decision import RunFlow, StartFlow, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import CallEnded, CallRequested, Cause, HungUpBy, Outcome
from maskline.masking.session import REQUEST_AGE
from maskline.storage.kept import RequestedFlow
from maskline.storage.store import RecordedCall, Store
from maskline.webhooks.formats.eight_fault import FlowFault
from maskline.webhooks.formats.eight_flow import read_request
from maskline.workflows.request_loop import RequestLoop

_AT_ONCE = 16
_LEASE = REQUEST_AGE
"""Seconds after which a flow is known to be nobody's; from lease to first commit it is a moment."""
_log = structlog.get_logger("maskline.start_flow")


class Planner(Protocol):
    async def __call__(self, flow: CallFlow, virtual: VirtualNumber, party: Number | None) -> RunFlow:
        """Look up what the flow dials; `PlanFlow`. Raises `StoreUnavailable`."""
        ...


class StartFlows:
    """Run `run()` as a task; `notify()` after each flow that was acknowledged here."""

    __slots__ = ("_begin", "_clock", "_held", "_loop", "_plan", "_store", "owner")

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, plan: Planner, begin: Callable[[StartFlow], Cause | None]
    ) -> None:
        """`begin` starts the call and returns at once, with a cause when it does not: the process is about to end, or
        has too much to do."""
        self._store = store
        self._clock = clock
        self._plan = plan
        self._begin = begin
        self.owner = ids.uuid()
        """Set it before the start: by it is known whose leases these are when the process dies."""
        self._held: dict[str, None] = {}
        """Flows that are ours by lease and not begun, in order."""
        self._loop = RequestLoop(self._step, _say_delayed)

    def notify(self) -> None:
        """There is a flow to look at."""
        self._loop.notify()

    def stop(self) -> None:
        """Take no more: what is acknowledged from now on is the next process's. `run()` returns."""
        self._loop.stop()

    async def run(self) -> None:
        """Take flows until `stop()`, and keep none that is not begun."""
        await self._loop.run()
        with suppress(StoreUnavailable):  # then the customer hears that it was not begun
            await self._give_back()

    async def _step(self) -> bool:
        begun = await self()
        return begun == _AT_ONCE

    async def __call__(self) -> int:
        """One step; returns how many flows were begun. Raises `StoreUnavailable`; what is ours by then and not begun is
        given back in the next step."""
        await self._give_back()
        now = self._clock.wall()
        leased = await self._store.lease_requested_flows(self.owner, now=now, until=now + _LEASE, limit=_AT_ONCE)
        self._held.update(dict.fromkeys(flow.id for flow in leased))
        for flow in leased:
            await self._take(flow, now)
        begun = len(leased) - len(self._held)
        await self._give_back()
        return begun

    async def _give_back(self) -> None:
        for flow_id in list(self._held):
            await self._store.release_requested_flow(self.owner, flow_id)
            del self._held[flow_id]

    async def _take(self, flow: RequestedFlow, now: float) -> None:
        try:
            asked = read_request(flow.body.encode())
        except FlowFault as fault:
            return await self._drop(flow, now, fault)
        expired = flow.leased_before or now >= _deadline(flow)
        virtual = await self._number(flow, asked.flow)
        plan = await self._plan(asked.flow, virtual, None)
        start = StartFlow(flow.id, plan, flow.client_request_id, expired, flow.unwanted)
        if self._begin(start) is None:
            del self._held[flow.id]
        return None

    async def _number(self, flow: RequestedFlow, asked: CallFlow) -> VirtualNumber:
        """Leg A's number as the property of whoever asked: its webhooks are told of the call, wherever the number has
        been moved meanwhile."""
        first = asked.actions[0]
        assert isinstance(first, MakeCall), "such a flow is not acknowledged"
        number = await self._store.number(first.source) or VirtualNumber(first.source, flow.account_id, None)
        return replace(number, subaccount_id=None if flow.account_id == number.account_id else flow.account_id)

    async def _drop(self, flow: RequestedFlow, now: float, fault: FlowFault) -> None:
        """Another version of Maskline took it: this one has no idea whom to call."""
        facts = (
            CallRequested(flow.id, 1, now, "", ""),
            CallEnded(flow.id, 2, now, Outcome.ERROR, Cause.INTERNAL_ERROR, HungUpBy.PLATFORM),
        )
        await self._store.commit_calls([RecordedCall(facts, flow.account_id)])
        del self._held[flow.id]
        _log.error("call_flow_unreadable", call=flow.id, account=flow.account_id, reason=fault.sentence)


def _deadline(flow: RequestedFlow) -> float:
    """Wall second from which it is not begun any more."""
    return flow.requested_at + REQUEST_AGE if flow.valid_until is None else flow.valid_until


def _say_delayed(reason: str) -> None:
    _log.warning("requested_flows_delayed", reason=reason)
