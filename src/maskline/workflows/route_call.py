"""Decide what an incoming call is: forwarded inside a session, or refused.

What it is: the look-ups that the routing order asks for (`masking/match.py`), and the trunks as last read. What it is
not: the order itself, or SIP. Who uses it: `engine/runner.py` through `engine/ports.CallRouter`.
"""

from __future__ import annotations

from typing import Any

from maskline.clock import Clock
from maskline.masking.decision import Decision, Forward, Refuse, StartCall, StartDecision, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.match import Ask, AskLastOutside, AskOurs, Matched, Question, Steps, match_call, match_request
from maskline.masking.prompt import before_bridge
from maskline.masking.routing_rules import RoutingRules
from maskline.masking.session import RequestedCall, Role, Session
from maskline.masking.trunk import Trunk
from maskline.storage.store import Store
from maskline.workflows.trunk_table import TrunkTable

_PROMPTS_LOOKED_AT = 16
"""Sessions of a number that are looked at for a prompt; a number may hold thousands, and strangers call often."""


class RouteCall:
    """Fulfils `CallRouter`. `refresh()` once before the first call; `app.py` repeats it every second, so that
    calls from a new trunk are not taken for a stranger's."""

    __slots__ = ("_rules", "_store", "_trunks")

    def __init__(self, store: Store, clock: Clock, rules: RoutingRules | None = None) -> None:
        self._store = store
        self._rules = rules or RoutingRules()
        self._trunks = TrunkTable(store, clock)

    def trunks(self) -> tuple[Trunk, ...]:
        return self._trunks.all

    async def refresh(self) -> bool:
        """Read the trunks again if anything was configured since; tells whether it did. Raises
        `StoreUnavailable`, and then keeps those it has."""
        return await self._trunks.refresh()

    async def route(self, caller: Number | None, called: Number, trunk: Trunk, wall: float) -> Decision:
        """Decide at wall second `wall`; `trunk` is where the call came from. Raises `StoreUnavailable`."""
        await self._trunks.look()
        virtual = await self._store.number(called)
        # One tenant's carrier must not be able to ring another tenant's numbers.
        if virtual is None or trunk.account_id not in (None, virtual.account_id):
            return Refuse(Cause.UNKNOWN_NUMBER, None)
        found = await self._match(caller, virtual, wall)
        return found if isinstance(found, Refuse) else self._forward(found, virtual)

    async def start(self, request: RequestedCall, wall: float) -> StartDecision:
        """How to carry out a requested call at wall second `wall`. Raises `StoreUnavailable`, and `NotFound` when the
        session is there no more."""
        await self._trunks.look()
        session = await self._store.session(request.account_id, request.session_id)
        virtual = await self._store.number(session.number_of(Role.FIRST))
        if virtual is None or virtual.account_id != session.account_id:
            return Refuse(Cause.UNKNOWN_NUMBER, None, session)
        found = await self._answered(match_request(session, virtual, wall), session.first_party, virtual.number, wall)
        if isinstance(found, Refuse):
            return found
        forward = self._forward(found, virtual)
        if isinstance(forward, Refuse):
            return forward
        assert session.first_party is not None, "match_request refuses a session that lacks a party"
        trunk = self._trunks.carrier(virtual.account_id, session.first_party)
        if trunk is None:
            return Refuse(Cause.NO_ROUTE, virtual, session)
        return StartCall(forward, session.first_party, trunk)

    def _forward(self, found: Matched, virtual: VirtualNumber) -> Forward | Refuse:
        trunk = self._trunks.carrier(virtual.account_id, found.callee)
        if trunk is None:
            return Refuse(Cause.NO_ROUTE, virtual, found.session)
        session, role, options, consent = found.session, found.caller_role, found.options, self._rules.consent
        heard: tuple[Any, ...] = ((), ())
        if role is not None:
            heard = before_bridge(options, role, consent), before_bridge(options, role.other, consent)
        return Forward(
            session, role, found.callee, virtual, trunk, found.shown, options, found.matched_by, *heard
        )  # fmt: skip

    async def _match(self, caller: Number | None, virtual: VirtualNumber, wall: float) -> Matched | Refuse:
        steps = match_call(caller, virtual, wall, self._rules.fallback)
        return await self._answered(steps, caller, virtual.number, wall)

    async def _answered(self, steps: Steps, caller: Number | None, number: Number, wall: float) -> Matched | Refuse:
        """Answer the questions of the routing order from the store, as many as it asks."""
        answer: Any = None
        while True:
            try:
                question = steps.send(answer)
            except StopIteration as decided:
                found: Matched | Refuse = decided.value
                return found
            answer = await self._answer(question, caller, number, wall)

    async def _answer(
        self, question: Question, caller: Number | None, number: Number, wall: float
    ) -> Session | Number | list[Session] | bool | None:
        match question:
            case Ask.PARTY:
                return None if caller is None else await self._store.session_for_call(caller, number)
            case Ask.PIN:
                return await self._store.pin_session(number, wall)
            case Ask.OPEN:
                return await self._store.open_session(number)
            case Ask.ON_NUMBER:
                return await self._store.sessions_on(number, now=wall, limit=_PROMPTS_LOOKED_AT)
            case AskLastOutside(session):
                return await self._store.last_outside_party(session)
            case AskOurs(asked):
                return await self._store.number(asked) is not None
