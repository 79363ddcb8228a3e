"""Look up what a call flow dials: whose numbers it shows, whether somebody can be reached, and by which trunk.

What it is: `CallFlow` → `RunFlow`. A `MakeCall` that cannot be carried out stays in the flow with its cause, since the
actions before it are heard first. What it is not: reading (`webhooks/formats`) or asking (`ask_action.py`). Who uses
it: `ask_action.py`; `start_flow.py` for flows that the API took.

- Shown may be any number of the (sub)account's own (`owns.py`), also one that rests: it gets no new bookings, but the
  application's table may still have old ones on it.
- Called may be anybody but us and whoever is on the line already: a call to a virtual number would come back as a
  stranger's (`match.py`), one to the caller itself finds its own line busy.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.masking.call_flow import CallFlow, MakeCall
from maskline.masking.decision import Dial, RunFlow, Step, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName
from maskline.masking.routing_rules import RoutingRules
from maskline.masking.trunk import Trunk
from maskline.storage.store import Store
from maskline.workflows.check_limits import CheckLimits, ToDial
from maskline.workflows.owns import owner_of, owns
from maskline.workflows.trunk_table import TrunkTable


class PlanFlow:
    __slots__ = ("_limits", "_rules", "_store", "_trunks")

    def __init__(self, store: Store, trunks: TrunkTable, rules: RoutingRules, limits: CheckLimits) -> None:
        """`rules`: time limits, and what is heard before a recording."""
        self._store = store
        self._trunks = trunks
        self._rules = rules
        self._limits = limits

    async def __call__(
        self, flow: CallFlow, virtual: VirtualNumber, party: Number | None, *, asks_again: bool = True
    ) -> RunFlow:
        """The flow for a call on leg A's number `virtual`, whose (sub)account it is. `party` is on leg A; None: nobody
        yet, or somebody who withholds the number. Raises `StoreUnavailable`."""
        steps: list[Step] = []
        seconds = float("inf")
        for action in flow.actions:
            if isinstance(action, MakeCall):
                dial = await self._dial(action, virtual, party)
                if dial.trunk is not None:
                    dial, left = await self._allow(dial, dial.trunk, virtual)
                    seconds = min(seconds, left)
                steps.append(dial)
                party = party or action.destination
            else:
                steps.append(action)
        options = self._rules.fallback
        if seconds < options.call_time_limit:
            options = replace(options, call_time_limit=int(seconds))
        return RunFlow(virtual, tuple(steps), options, flow.client_action_id, asks_again)

    async def _allow(self, dial: Dial, trunk: Trunk, virtual: VirtualNumber) -> tuple[Dial, float]:
        """The step as its account's limits leave it, and how many seconds it may talk."""
        allowed = await self._limits(virtual, "", [ToDial(LegName.B, dial.callee, trunk.id)])
        if isinstance(allowed, Cause):
            return replace(dial, trunk=None, ways=(), refused=allowed), float("inf")
        return (dial if allowed.permit is None else replace(dial, permit=allowed.permit)), allowed.seconds

    async def _dial(self, call: MakeCall, virtual: VirtualNumber, party: Number | None) -> Dial:
        shown = await self._store.number(call.source)
        if shown is None or not owns(owner_of(virtual), shown):
            return Dial(call.destination, call.source, refused=Cause.CALLER_ID_NOT_ALLOWED)
        label, called = shown.reference_id, call.destination
        if called == party or await self._store.number(called) is not None:
            return Dial(called, shown.number, label, refused=Cause.LOOP)
        ways = await self._trunks.ways(virtual.account_id, called)
        if isinstance(ways, Cause):
            return Dial(called, shown.number, label, refused=ways)
        consent = self._rules.consent
        prompts = (consent,) if call.record and consent is not None else ()
        return Dial(called, shown.number, label, ways[0].trunk, None, call.record, prompts, ways)
