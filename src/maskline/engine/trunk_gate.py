"""What the calls of this engine tell of the trunks, and the places they take on them.

What it is: the bridge between the agent's events and `masking/trunk_state.py`: a call enters its trunks and leaves
them, one that failed for the network marks the address, and OPTIONS ask whether addresses live. What it is not: the
choice of a trunk, or failover. Who uses it: `core.py`. A trunk without limits costs a call one look at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from maskline.engine import inputs as i
from maskline.engine.account_gate import AccountGate
from maskline.engine.call import Call
from maskline.engine.call_book import CallBook
from maskline.masking.decision import Forward, Refuse
from maskline.masking.facts import Cause, LegName
from maskline.masking.trunk import Trunk
from maskline.masking.trunk_state import TrunkState
from maskline.sip import events as sip
from maskline.sip.agent import Agent
from maskline.sip.flow import Flow
from maskline.sip.uri import bracketed

_SILENCE, _UNAVAILABLE = 408, 503


class TrunkGate:
    __slots__ = ("_agent", "_limited", "_places", "_state", "notes")

    def __init__(self, state: TrunkState, agent: Agent) -> None:
        self._state = state
        self._agent = agent
        self._places: dict[str, dict[LegName, str]] = {}
        """By call: which of its legs has a place on which trunk with limits."""
        self._limited: frozenset[str] = frozenset()
        """Ids of trunks with limits, all of whose calls have places."""
        self.notes: dict[type, Callable[[Any, float], None]] = {
            sip.InviteFailed: self._failed,
            sip.InviteAnswered: self._answered,
            sip.RequestFinished: self._checked,
        }
        """What the agent's events tell of trunks."""

    # -- places -------------------------------------------------------------------------------------------------

    def has_room(self, trunk: Trunk, now: float) -> bool:
        return self._state.has_room(trunk, now)

    def take(self, call_id: str, leg: LegName, trunk: Trunk, now: float) -> bool:
        """A place for this leg, instead of the one it has; False when the trunk is full."""
        limits = trunk.limits
        held = self._places.get(call_id)
        if not limits.concurrent and not limits.calls_per_second and held is None:
            return True
        if held is not None and leg in held:
            if held[leg] == trunk.id:
                return True
            self._state.leave(held.pop(leg))
        if not self._state.enter(trunk, now):
            return False
        self._places.setdefault(call_id, {})[leg] = trunk.id
        return True

    def restore(self, call_id: str, leg: LegName, trunk: Trunk) -> None:
        """The place of a leg that an engine before this one had."""
        if trunk.limits.concurrent or trunk.limits.calls_per_second:
            self._state.restore(trunk)
            self._places.setdefault(call_id, {})[leg] = trunk.id

    def admit(self, call_id: str, forwarded: i.Forwarded, now: float) -> i.Input:
        """The same without the ways whose trunks are full by now: between the choice and this moment other calls may
        have taken the last place."""
        decision = forwarded.decision
        ways = decision.ways
        for at, way in enumerate(ways):
            if self.take(call_id, LegName.B, way.trunk, now):
                return forwarded if not at else i.Forwarded(replace(decision, trunk=way.trunk, ways=ways[at:]))
        return forwarded if not ways else _full(decision)

    def leave(self, call_id: str) -> None:
        """The call is over."""
        if self._places:
            for trunk_id in self._places.pop(call_id, {}).values():
                self._state.leave(trunk_id)

    # -- what calls tell ----------------------------------------------------------------------------------------

    def _failed(self, event: sip.InviteFailed, now: float) -> None:
        """An INVITE of ours failed: for silence, or a server that says it cannot, its address is avoided."""
        response = event.response
        if (event.status == _SILENCE and response is None) or event.status == _UNAVAILABLE:
            self._state.failed(event.usage.flow, now, None if response is None else response.retry_after)

    def _answered(self, event: sip.InviteAnswered, now: float) -> None:
        self._state.worked(event.usage.flow)

    def targets(self, trunk: Trunk) -> tuple[Flow, ...]:
        """Its addresses, as far as they are known."""
        return self._state.targets(trunk, _first)

    # -- health checks ------------------------------------------------------------------------------------------

    def watch(self, trunks: Sequence[Trunk], calls: Mapping[str, Call], now: float) -> None:
        """Send the OPTIONS that are due, and count calls on trunks that have limits now; about once a second."""
        self._count_in(trunks, calls)
        watched = [trunk for trunk in trunks if trunk.options_seconds]
        for trunk in watched:
            for target in self._state.due(trunk, now):
                far = f"sip:{bracketed(target.host)}:{target.port}"
                if trunk.named:  # as in its calls
                    far = f"sip:{trunk.host}:{trunk.port}" if trunk.port else f"sip:{trunk.host}"
                here = f"sip:{bracketed(self._agent.host_for(target))}"
                self._agent.options(target, far, here, far, now)
        self._state.check_only(watched, now)

    def _count_in(self, trunks: Iterable[Trunk], calls: Mapping[str, Call]) -> None:
        """Calls that were there before their trunk had a limit get their places."""
        limited = {trunk.id: trunk for trunk in trunks if trunk.limits.concurrent or trunk.limits.calls_per_second}
        new, self._limited = limited.keys() - self._limited, frozenset(limited)
        if not new:
            return
        for call in calls.values():
            for leg in (call.leg_a, call.leg_b):
                trunk_id = call.record.trunk_of(leg.name)
                if trunk_id in new and leg.name not in self._places.get(call.id, {}):
                    self.restore(call.id, leg.name, limited[trunk_id])

    def _checked(self, event: sip.RequestFinished, now: float) -> None:
        """What came back to OPTIONS. Any answer but 503 tells that somebody is there, also one that refuses them."""
        if event.usage is None and event.response is not None:
            self._state.checked(event.flow, event.status, event.status not in (_SILENCE, _UNAVAILABLE), now)


def enter(
    book: CallBook, gate: TrunkGate, accounts: AccountGate, call: Call, inp: i.Forwarded | i.FlowGiven, now: float
) -> i.Input:
    """What the router said, unless the call cannot go on by it. Before a customer's application has its way with a
    caller, a call that came round by it ends."""
    if isinstance(inp, i.Forwarded):
        return _enter_session(book, gate, accounts, call, inp, now)
    if call.flow is None and not call.record.closed and book.has_come_back(call):
        return i.Refused(Refuse(Cause.LOOP, inp.decision.virtual_number))
    if call.record.closed:
        return inp
    flow = accounts.admit_flow(call.id, inp.decision, now)
    return inp if flow is inp.decision else i.FlowGiven(flow)


def _enter_session(
    book: CallBook, gate: TrunkGate, accounts: AccountGate, call: Call, forwarded: i.Forwarded, now: float
) -> i.Input:
    """A session carries one call at a time: the second one hears busy (plivo-vts.md §6). So does a trunk that is full,
    or an account at its limits, in other words."""
    decision = forwarded.decision
    session = decision.session
    # A call may have ended while its PIN was looked up; and a fallback takes any number of calls.
    if call.record.closed:
        return forwarded
    if session is None and book.has_come_back(call):
        return i.Refused(Refuse(Cause.LOOP, decision.virtual_number))
    if session is None or book.enter(call, session.id):
        allowed = accounts.admit(call.id, forwarded, now)
        return gate.admit(call.id, allowed, now) if isinstance(allowed, i.Forwarded) else allowed
    return i.Refused(Refuse(Cause.SESSION_BUSY, decision.virtual_number, session))


def _first() -> float:
    return 0.0


def _full(decision: Forward) -> i.Refused:
    return i.Refused(Refuse(Cause.TRUNK_FULL, decision.virtual_number, decision.session))
