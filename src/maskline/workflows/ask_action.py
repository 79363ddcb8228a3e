"""Ask the customer's application what is to be done with a call: when it comes, and when a flow left that open.

What it is: whom to ask (one endpoint of a (sub)account, read again when anything was configured), the question and its
answer as a decision, and what the operator hears of failures. What it is not: HTTP (`webhooks/ask.py`), JSON
(`webhooks/formats`) or look-ups (`plan_flow.py`). Who uses it: `route_call.py`.

8x8's call action comes before Wavecell's call handle where both are set. An application that cannot be asked, or
answers with something that is no flow, ends the call, and nothing else is tried: a fallback could connect people whom
the application wanted apart (docs/decisions/0042-five-seconds-for-an-application.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field, replace
from typing import Any

import structlog

from maskline.clock import Clock
from maskline.errors import NotFound
from maskline.ids import Ids
from maskline.masking.call_flow import CallFlow, MakeCall, third_leg
from maskline.masking.decision import Refuse, RunFlow, VirtualNumber
from maskline.masking.facts import Cause
from maskline.masking.prompt import Prompt
from maskline.storage.store import Endpoint, Store
from maskline.values import dataclass
from maskline.webhooks.ask import AnswerFault, Asker, Question
from maskline.webhooks.formats import eight_action, wavecell_handle
from maskline.webhooks.formats.eight_action import CallFacts, call_action
from maskline.webhooks.formats.eight_fault import FlowFault
from maskline.webhooks.formats.eight_flow import WARNINGS_TOLD, FlowReply, read_reply
from maskline.webhooks.formats.eight_params import FlowRules
from maskline.webhooks.formats.shape import Shape, read_shape
from maskline.webhooks.formats.wavecell_handle import call_handle, read_commands
from maskline.webhooks.lanes import lane_of
from maskline.workflows.plan_flow import PlanFlow

_log = structlog.get_logger("maskline.ask_action")
_SAY_EVERY = 10.0
"""Seconds between two lines on the same fault of the same (sub)account's application."""
_KINDS = frozenset({eight_action.KIND, wavecell_handle.KIND})
_VOICES_EVERY = 60.0
"""Seconds between two looks for voices while there are none."""
Voices = Callable[[], Awaitable[frozenset[str]]]
"""Their codes in small letters."""
_CAUSES = {
    -1014: Cause.CALLER_ID_NOT_ALLOWED,
    -1018: Cause.SCENARIO_UNKNOWN,
    -1019: Cause.SCENARIO_UNKNOWN,
    -1020: Cause.SCENARIO_UNKNOWN,
}
"""Faults of a flow that end a call with something more special than `CALL_FLOW_INVALID`."""


def cause_of(fault: FlowFault) -> Cause:
    """What a call ends with whose flow has this fault."""
    return _CAUSES.get(fault.code, Cause.CALL_FLOW_INVALID)


@dataclass(frozen=True, slots=True)
class Application:
    """Who is asked."""

    endpoint: Endpoint
    shape: Shape
    """How it wants to be asked; always with numbers in full."""

    def question(self, event_id: str, facts: CallFacts) -> Question:
        endpoint = self.endpoint
        if endpoint.kind == wavecell_handle.KIND:
            body = call_handle(facts)
        else:
            body = call_action(event_id, facts, self.shape)
        return Question(event_id, endpoint.url, body, endpoint.authorization, endpoint.secret)

    def read(self, body: bytes, rules: FlowRules) -> FlowReply:
        """Raises `FlowFault`."""
        return read_commands(body, rules) if self.endpoint.kind == wavecell_handle.KIND else read_reply(body, rules)


@dataclass(slots=True)
class _Said:
    """Lines on one application that were not written."""

    at: float = float("-inf")
    unsaid: int = 0


@dataclass(frozen=True, slots=True)
class AskRules:
    """How answers are judged, and what a caller hears when there was none."""

    flow: FlowRules = field(default_factory=FlowRules)
    """Without the voices, which are asked for when the first answer has come."""
    failed_prompt: Prompt | None = None


async def no_voices() -> frozenset[str]:
    return frozenset()


class AskAction:
    """`application()` tells whether anybody is to be asked; calling it asks."""

    __slots__ = (
        "_applications", "_asker", "_clock", "_failed_prompt", "_flow_rules", "_ids", "_off", "_plan", "_said",
        "_store", "_version", "_voices", "_voices_at", "invalid",
    )  # fmt: skip

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        asker: Asker,
        plan: PlanFlow,
        rules: AskRules,
        voices: Voices = no_voices,
    ) -> None:
        """`voices` are all that can be spoken with; none: nobody can tell, and speaking fails when it is tried."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._asker = asker
        self._plan = plan
        self._failed_prompt = rules.failed_prompt
        self._flow_rules = rules.flow
        self._voices = voices
        self._voices_at = float("-inf")
        self._applications: dict[str, Application | None] = {}
        """By the subaccount's id, or the account's for numbers without a subaccount."""
        self._off: dict[str, Endpoint] = {}
        """Those that are disabled, where there is no other; by the same ids."""
        self._version: int | None = None
        self._said: dict[str, _Said] = {}
        self.invalid = 0
        """Answers that were no call flow; for metrics."""

    async def application(self, virtual: VirtualNumber) -> Application | None:
        """Of the (sub)account that has the number. Never suspends on SQLite. Raises `StoreUnavailable`."""
        version = await self._store.configuration_version()
        if version != self._version:
            # Anew, and not cleared: who still reads by the former version puts what it finds into the former ones.
            self._applications, self._off = {}, {}
            self._version = version
        owner, known, disabled = virtual.subaccount_id or virtual.account_id, self._applications, self._off
        if owner not in known:
            known[owner] = await self._read(owner, disabled)
        if (off := disabled.get(owner)) and (line := self._line(off, "off")):
            _log.warning("call_action_off", **line)
        return known[owner]

    async def _read(self, owner: str, disabled: dict[str, Endpoint]) -> Application | None:
        known = [one for one in await self._store.endpoints(owner) if one.kind in _KINDS]
        enabled = {one.kind: one for one in known if one.enabled}
        endpoint = enabled.get(eight_action.KIND) or enabled.get(wavecell_handle.KIND)
        if endpoint is None:
            disabled.update((owner, one) for one in known)
            return None
        try:
            name = (await self._store.account(owner)).shown_id
        except NotFound:  # its numbers go to its account's pool in the same moment
            return None
        return Application(endpoint, read_shape(endpoint.external_id or name, endpoint.options))

    async def __call__(self, application: Application, facts: CallFacts, virtual: VirtualNumber) -> RunFlow | Refuse:
        """What is to be done. Raises `StoreUnavailable`."""
        question = application.question(self._ids.uuid(), facts)
        try:
            body = await self._asker.ask(question)
            if self._flow_rules.voices is None:
                await self._learn_voices()
            reply = application.read(body, self._flow_rules)
        except AnswerFault as fault:
            return self._refused(application, virtual, fault.cause, fault.sentence, fault.result)
        except FlowFault as fault:
            self.invalid += 1
            return self._refused(application, virtual, cause_of(fault), fault.sentence, str(fault.code))
        if reply.warnings and (line := self._line(application.endpoint, "ignored")):
            _log.info("call_flow_ignored", places=list(reply.warnings[:WARNINGS_TOLD]), **line)
        if facts.done is not None and facts.done.bridged:
            self._tell_of_third_leg(application, reply.flow)
        return await self._plan(reply.flow, virtual, facts.party)

    async def _learn_voices(self) -> None:
        now = self._clock.now()
        if now - self._voices_at >= _VOICES_EVERY:
            self._voices_at = now
            self._flow_rules = replace(self._flow_rules, voices=await self._voices() or None)

    def _refused(
        self, application: Application, virtual: VirtualNumber, cause: Cause, sentence: str, fault: str
    ) -> Refuse:
        self._tell_of_fault(application, cause, sentence, fault)
        return Refuse(cause, virtual, None, self._failed_prompt, detail=sentence)

    def _tell_of_third_leg(self, application: Application, flow: CallFlow) -> None:
        """It ends a call that was connected, when its turn comes, and the summary cannot tell (0041)."""
        for index, action in enumerate(flow.actions):
            if isinstance(action, MakeCall):
                self._tell_of_fault(application, Cause.CALL_FLOW_INVALID, third_leg(index), "third leg")

    def _tell_of_fault(self, application: Application, cause: Cause, sentence: str, fault: str) -> None:
        if line := self._line(application.endpoint, f"{cause.value} {fault}"):
            _log.warning("call_action_failed", cause=cause.value, reason=sentence, **line)

    def _line(self, endpoint: Endpoint, about: str) -> dict[str, Any]:
        """What a line on this application begins with; empty when the last one about the same is too young."""
        said = self._said.setdefault(f"{endpoint.account_id} {about}", _Said())
        said.unsaid += 1
        now = self._clock.now()
        if now - said.at < _SAY_EVERY:
            return {}
        line = {"account": endpoint.account_id, "receiver": lane_of(endpoint.url), "calls": said.unsaid}
        said.at, said.unsaid = now, 0
        return line
