"""Decide what a call is: forwarded inside a session, asked for a PIN first, left to the customer's application, started
by us, or refused.

What it is: the routing order (`masking/match.py`) with the store's answers, and a trunk for whom it names. What it is
not: that order itself, or SIP. Who uses it: `engine/runner.py` through `engine/ports.CallRouter`; `start_call.py`.
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.engine.ports import NOBODY, Incoming
from maskline.masking.call_flow import ActionDone
from maskline.masking.decision import (
    AskPin,
    Decision,
    Forward,
    NextDecision,
    PinDecision,
    Refuse,
    RunFlow,
    StartCall,
    StartDecision,
    VirtualNumber,
)
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.match import Matched, ToApplication, match_call, match_request
from maskline.masking.pin import PinLimits
from maskline.masking.prompt import Prompt, before_bridge
from maskline.masking.routing_rules import RoutingRules
from maskline.masking.session import RequestedCall, Role
from maskline.masking.trunk import Trunk
from maskline.storage.store import Store
from maskline.webhooks.formats.eight_action import CallFacts
from maskline.workflows.ask_action import AskAction
from maskline.workflows.check_pin import CheckPin
from maskline.workflows.plan_flow import PlanFlow
from maskline.workflows.routing_answers import answered
from maskline.workflows.trunk_table import TrunkTable


class RouteCall:
    """Fulfils `CallRouter`. `refresh()` once before the first call; `app.py` repeats it every second, so that
    calls from a new trunk are not taken for a stranger's."""

    __slots__ = ("_asks", "_rules", "_store", "_trunks", "pins", "plan")

    def __init__(
        self, store: Store, clock: Clock, rules: RoutingRules | None = None, limits: PinLimits | None = None
    ) -> None:
        self._store = store
        self._rules = rules or RoutingRules()
        self._trunks = TrunkTable(store, clock)
        self._asks: AskAction | None = None
        self.plan = PlanFlow(store, self._trunks, self._rules)
        """For whoever else has a call flow."""
        self.pins = CheckPin(store, clock, self._rules, limits or PinLimits())

    def ask_by(self, asks: AskAction) -> None:
        """Ask customers' applications from now on; before, nobody has one."""
        self._asks = asks

    def trunks(self) -> tuple[Trunk, ...]:
        return self._trunks.all

    async def refresh(self) -> bool:
        """Read the trunks again if anything was configured since; tells whether it did. Raises
        `StoreUnavailable`, and then keeps those it has."""
        return await self._trunks.refresh()

    async def route(
        self, caller: Number | None, called: Number, trunk: Trunk, wall: float, call: Incoming = NOBODY
    ) -> Decision:
        """Decide at wall second `wall`; `trunk` is where the call came from. Raises `StoreUnavailable`."""
        await self._trunks.look()
        virtual = await self._store.number(called)
        # One tenant's carrier must not be able to ring another tenant's numbers.
        if virtual is None or trunk.account_id not in (None, virtual.account_id):
            return Refuse(Cause.UNKNOWN_NUMBER, None)
        steps = match_call(caller, virtual, wall, self._rules)
        found = await answered(steps, self._store, caller, virtual.number, wall, self._has_application)
        if isinstance(found, ToApplication):
            if call.left:
                return Refuse(Cause.CANCELED, virtual)
            facts = CallFacts(call.call_id, call.leg_id, True, caller, virtual.number, virtual.reference_id, wall)
            return await self._ask(facts, virtual)
        return await self._forward(found, virtual) if isinstance(found, Matched) else found

    async def check_pin(self, asked: AskPin, caller: Number | None, pin: str, wall: float) -> PinDecision:
        """Whose PIN this is, at wall second `wall`; counts a wrong one. Raises `StoreUnavailable`."""
        await self._trunks.look()
        found = await self.pins(asked, caller, pin, wall)
        return await self._forward(found, asked.virtual_number) if isinstance(found, Matched) else found

    async def next_action(self, done: ActionDone, wall: float) -> NextDecision:
        """What is to be done next with a call whose flow left that open, at wall second `wall`. Where there is nobody
        to ask any more, nothing. Raises `StoreUnavailable`."""
        await self._trunks.look()
        virtual = await self._store.number(done.number)
        if virtual is None:
            return Refuse(Cause.UNKNOWN_NUMBER, None)
        facts = CallFacts(
            done.call_id, done.leg_id, done.inbound, done.party, virtual.number, virtual.reference_id, wall, done
        )
        return await self._ask(facts, virtual)

    async def _has_application(self, virtual: VirtualNumber) -> bool:
        return self._asks is not None and await self._asks.application(virtual) is not None

    async def _ask(self, facts: CallFacts, virtual: VirtualNumber) -> NextDecision:
        asks = self._asks
        application = None if asks is None else await asks.application(virtual)
        if asks is None or application is None:
            return RunFlow(virtual, (), self._rules.fallback, asks_again=False)
        return await asks(application, facts, virtual)

    async def start(self, request: RequestedCall, wall: float) -> StartDecision:
        """How to carry out a requested call at wall second `wall`. Raises `StoreUnavailable`, and `NotFound` when the
        session is there no more."""
        await self._trunks.look()
        session = await self._store.session(request.account_id, request.session_id)
        virtual = await self._store.number(session.number_of(Role.FIRST))
        if virtual is None or virtual.account_id != session.account_id:
            return Refuse(Cause.UNKNOWN_NUMBER, None, session)
        steps = match_request(session, virtual, wall)
        found = await answered(steps, self._store, session.first_party, virtual.number, wall)
        if isinstance(found, Refuse):
            return found
        forward = await self._forward(found, virtual)
        if isinstance(forward, Refuse):
            return forward
        assert session.first_party is not None, "match_request refuses a session that lacks a party"
        trunk = await self._trunks.carrier(virtual.account_id, session.first_party)
        if trunk is None:
            return Refuse(Cause.NO_ROUTE, virtual, session)
        return StartCall(forward, session.first_party, trunk)

    async def _forward(self, found: Matched, virtual: VirtualNumber) -> Forward | Refuse:
        trunk = await self._trunks.carrier(virtual.account_id, found.callee)
        if trunk is None:
            return Refuse(Cause.NO_ROUTE, virtual, found.session)
        session, role, options, consent = found.session, found.caller_role, found.options, self._rules.consent
        heard: tuple[Prompt, ...] = ()
        other_hears: tuple[Prompt, ...] = ()
        if role is not None:
            heard = before_bridge(options, role, consent)
            other_hears = before_bridge(options, role.other, consent)
        return Forward(
            session, role, found.callee, virtual, trunk, found.shown, options, found.matched_by, heard, other_hears,
            await self._label(found.shown, virtual),
        )  # fmt: skip

    async def _label(self, shown: Number, virtual: VirtualNumber) -> str:
        if shown == virtual.number:
            return virtual.reference_id
        other = await self._store.number(shown)
        return "" if other is None else other.reference_id
