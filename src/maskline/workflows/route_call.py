"""Decide what a call is: forwarded inside a session, asked for a PIN first, left to the customer's application, started
by us, or refused.

What it is: the routing order (`masking/match.py`) with the store's answers, and a trunk for whom it names. What it is
not: that order itself, or SIP. Who uses it: `engine/runner.py` through `engine/ports.CallRouter`; `start_call.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from maskline.clock import Clock
from maskline.engine.ports import NOBODY, Incoming, Shared
from maskline.ids import Ids
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
from maskline.masking.facts import Cause, LegName
from maskline.masking.match import Matched, ToApplication, match_call, match_nowhere, match_request
from maskline.masking.pin import PinLimits
from maskline.masking.prompt import Prompt, before_bridge
from maskline.masking.routing_rules import RoutingRules
from maskline.masking.session import RequestedCall, Role
from maskline.masking.trunk import Reading, Trunk, of_account
from maskline.storage.store import Store
from maskline.webhooks.formats.eight_action import CallFacts
from maskline.workflows.ask_action import AskAction
from maskline.workflows.check_limits import CheckLimits, ToDial
from maskline.workflows.check_pin import CheckPin
from maskline.workflows.guard_accounts import GuardAccounts
from maskline.workflows.plan_flow import PlanFlow
from maskline.workflows.routing_answers import answered
from maskline.workflows.trunk_table import TrunkTable

Found = Matched | ToApplication | AskPin | Refuse
F = TypeVar("F")


async def _all_written() -> bool:
    """Nobody records calls here."""
    return False


class RouteCall:
    """Fulfils `CallRouter`. `refresh()` once before the first call; `app.py` repeats it every second, so that
    calls from a new trunk are not taken for a stranger's."""

    __slots__ = ("_asks", "_rules", "_store", "_written", "guard", "limits", "pins", "plan", "table")

    def __init__(
        self, store: Store, clock: Clock, rules: RoutingRules | None = None, limits: PinLimits | None = None,
        ids: Ids | None = None,
    ) -> None:  # fmt: skip
        """`ids`: the source of chance between equal trunks."""
        self._store = store
        self._rules = rules or RoutingRules()
        self.table = TrunkTable(store, clock, ids)
        self._asks: AskAction | None = None
        self._written: Callable[[], Awaitable[bool]] = _all_written
        self.limits = CheckLimits(store, clock, self.table)
        self.guard = GuardAccounts(store, clock, self.limits.book)
        self.plan = PlanFlow(store, self.table, self._rules, self.limits)
        """For whoever else has a call flow."""
        self.pins = CheckPin(store, clock, self._rules, limits or PinLimits())

    def ask_by(self, asks: AskAction) -> None:
        """Ask customers' applications from now on; before, nobody has one."""
        self._asks = asks

    def wait_by(self, written: Callable[[], Awaitable[bool]]) -> None:
        """`written`: waits until what is recorded of calls so far is in the store; False when it was already."""
        self._written = written

    async def prepare(self, engine_id: str = "") -> None:
        """Before the first call: read the trunks, and count what accounts with limits have used of the day, which a
        restart must not give back. `engine_id`: of this engine, where others use the same database. Raises
        `StoreUnavailable`."""
        if engine_id:
            self.limits.share(engine_id)
        await self.refresh()
        await self.limits.recall()

    async def watch(self) -> None:
        """Once a second: tell the operator of accounts' alarms, and hold limits together with the other engines. Raises
        `StoreUnavailable`."""
        await self.guard()
        if self.limits.sharing is not None:
            await self.limits.sharing.exchange()

    @property
    def shared(self) -> Shared:
        """For the engine of this process."""
        return Shared(self.table.state, self.limits.book)

    def trunks(self) -> tuple[Trunk, ...]:
        return self.table.all

    async def refresh(self) -> bool:
        """Read the trunks again if anything was configured since; tells whether it did. Raises
        `StoreUnavailable`, and then keeps those it has."""
        return await self.table.refresh()

    async def route(
        self, caller: Number | None, called: Number, trunk: Trunk, wall: float, call: Incoming = NOBODY
    ) -> Decision:
        """Decide at wall second `wall`; `trunk` is where the call came from, unless `call.others` say more. Raises
        `StoreUnavailable`."""
        await self.table.look()
        meant = await self._meant(Reading(trunk, caller, called), call.others)
        if meant is None:
            return match_nowhere(caller, self._rules)
        virtual, caller = meant
        found = await self._match(caller, virtual, wall)
        if _hears_busy(found):
            found = await self._again(found, partial(self._match, caller, virtual, wall))
        if isinstance(found, ToApplication):
            if call.left:
                return Refuse(Cause.CANCELED, virtual)
            facts = CallFacts(call.call_id, call.leg_id, True, caller, virtual.number, virtual.reference_id, wall)
            return await self._ask(facts, virtual)
        return await self._forward(found, virtual) if isinstance(found, Matched) else found

    async def _match(self, caller: Number | None, virtual: VirtualNumber, wall: float) -> Found:
        steps = match_call(caller, virtual, wall, self._rules)
        return await answered(steps, self._store, caller, virtual.number, wall, self._has_application)

    async def _again(self, found: F, decide: Callable[[], Awaitable[F]]) -> F:
        """Who hangs up and dials again at once is not to hear busy because the end of the first call is still on its
        way to the disk: the answer once that is written. Twice, since the record of a call follows its end by what its
        relay takes to tell what it counted."""
        for _ in range(2):
            if not _hears_busy(found) or not await self._written():
                break
            found = await decide()
        return found

    async def _meant(self, first: Reading, others: tuple[Reading, ...]) -> tuple[VirtualNumber, Number | None] | None:
        """Whose number was dialled, and who calls. Each trunk reads for itself: what is one tenant's number as its own
        carrier writes may be another's as that of the other does. None: nobody's, or two readings fit, of which one
        would connect with a stranger. One tenant's carrier must not be able to ring another tenant's numbers."""
        if not others:
            virtual = await self._store.number(first.called)
            ours = virtual is not None and of_account((first.trunk,), virtual.account_id) is not None
            return (virtual, first.caller) if virtual is not None and ours else None
        found: tuple[VirtualNumber, Number | None] | None = None
        read: dict[tuple[Number | None, Number], list[Trunk]] = {}
        for one in (first, *others):
            read.setdefault((one.caller, one.called), []).append(one.trunk)
        for (caller, called), trunks in read.items():
            virtual = await self._store.number(called)
            if virtual is not None and of_account(tuple(trunks), virtual.account_id) is not None:
                if found is not None:
                    return None
                found = virtual, caller
        return found

    async def check_pin(self, asked: AskPin, caller: Number | None, pin: str, wall: float) -> PinDecision:
        """Whose PIN this is, at wall second `wall`; counts a wrong one. Raises `StoreUnavailable`."""
        await self.table.look()
        found = await self.pins(asked, caller, pin, wall)
        return await self._forward(found, asked.virtual_number) if isinstance(found, Matched) else found

    async def next_action(self, done: ActionDone, wall: float) -> NextDecision:
        """What is to be done next with a call whose flow left that open, at wall second `wall`. Where there is nobody
        to ask any more, nothing. Raises `StoreUnavailable`."""
        await self.table.look()
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
        await self.table.look()
        found = await self._match_request(request, wall)
        if _hears_busy(found):
            found = await self._again(found, partial(self._match_request, request, wall))
        if isinstance(found, Refuse):
            return found
        matched, virtual = found
        session = matched.session
        assert session is not None and session.first_party is not None, "match_request refuses what lacks a party"
        ways = await self.table.ways(virtual.account_id, session.first_party)
        if isinstance(ways, Cause):
            return Refuse(ways, virtual, session)
        first = ToDial(LegName.A, session.first_party, ways[0].trunk.id)
        forward = await self._forward(matched, virtual, first)
        if isinstance(forward, Refuse):
            return forward
        return StartCall(forward, session.first_party, ways[0].trunk, ways)

    async def _match_request(self, request: RequestedCall, wall: float) -> tuple[Matched, VirtualNumber] | Refuse:
        session = await self._store.session(request.account_id, request.session_id)
        virtual = await self._store.number(session.number_of(Role.FIRST))
        if virtual is None or virtual.account_id != session.account_id:
            return Refuse(Cause.UNKNOWN_NUMBER, None, session)
        steps = match_request(session, virtual, wall)
        found = await answered(steps, self._store, session.first_party, virtual.number, wall)
        return found if isinstance(found, Refuse) else (found, virtual)

    async def _forward(self, found: Matched, virtual: VirtualNumber, *others: ToDial) -> Forward | Refuse:
        """`others`: who is dialled beside the callee."""
        ways = await self.table.ways(virtual.account_id, found.callee)
        if isinstance(ways, Cause):
            return Refuse(ways, virtual, found.session)
        session, role, options, consent = found.session, found.caller_role, found.options, self._rules.consent
        dials = (*others, ToDial(LegName.B, found.callee, ways[0].trunk.id))
        allowed = await self.limits(virtual, session.id if session else "", dials)
        if isinstance(allowed, Cause):
            return Refuse(allowed, virtual, session)
        if allowed.seconds < options.call_time_limit:
            options = replace(options, call_time_limit=int(allowed.seconds))
        heard: tuple[Prompt, ...] = ()
        other_hears: tuple[Prompt, ...] = ()
        if role is not None:
            heard = before_bridge(options, role, consent)
            other_hears = before_bridge(options, role.other, consent)
        return Forward(
            session, role, found.callee, virtual, ways[0].trunk, found.shown, options, found.matched_by, heard,
            other_hears, await self._label(found.shown, virtual), ways, allowed.permit,
        )  # fmt: skip

    async def _label(self, shown: Number, virtual: VirtualNumber) -> str:
        if shown == virtual.number:
            return virtual.reference_id
        other = await self._store.number(shown)
        return "" if other is None else other.reference_id


def _hears_busy(found: object) -> bool:
    return type(found) is Refuse and found.cause is Cause.SESSION_BUSY
