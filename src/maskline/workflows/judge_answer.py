"""Say what a real call would make of an application's answer: whether it is a flow, and whether it can be carried out.

What it is: the reading of `ask_action.py` and the look-ups of `plan_flow.py`, told in one sentence with the code of the
session summary. What it is not: a call, or a test of whether texts are spoken and files fetched. Who uses it:
`trigger_event.py`.
"""

from __future__ import annotations

from dataclasses import field

from maskline.masking.call_flow import CallFlow, Capture
from maskline.masking.decision import Dial, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.net.egress import EgressError, Failure
from maskline.values import dataclass
from maskline.webhooks.ask import Budget
from maskline.webhooks.formats import eight_action, wavecell_handle
from maskline.webhooks.formats.eight import ERROR_CODES
from maskline.webhooks.formats.eight_fault import FlowFault
from maskline.webhooks.formats.eight_flow import read_reply
from maskline.webhooks.formats.eight_params import FlowRules
from maskline.workflows.ask_action import cause_of
from maskline.workflows.plan_flow import PlanFlow

QUESTIONS = {eight_action.KIND: "callflow", wavecell_handle.KIND: "commands"}
"""Kinds whose answer is a call flow, and its key."""
_WHY = {
    Cause.CALLER_ID_NOT_ALLOWED: "source is no number that this account may show",
    Cause.LOOP: "destination is a virtual number, or the caller itself",
    Cause.NO_ROUTE: "destination is no number that a trunk may call",
}


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """As a server has them."""

    budget: Budget = field(default_factory=Budget)
    flow: FlowRules = field(default_factory=FlowRules)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose call it would be."""

    plan: PlanFlow
    number: VirtualNumber
    caller: Number


async def answer_fault(kind: str, status: int, answer: bytes, rules: AnswerRules, asked: Asked | None) -> str:
    """Why the answer to a question of this kind would not do, in a sentence; empty: it would. `asked` None: nobody's
    call, and what is dialled is not looked up. Raises `StoreUnavailable`."""
    if status != 200:
        again = "ask once more, and " if status >= 500 else ""
        return f"HTTP {status}: a real call would {again}end with {ERROR_CODES[Cause.CALL_ACTION_FAILED]}."
    key = QUESTIONS[kind]
    try:
        flow = read_reply(answer, rules.flow, key=key).flow
    except FlowFault as fault:
        return f"A real call would end with {ERROR_CODES[cause_of(fault)]}: {fault}"
    return "" if asked is None else await _plan_fault(flow, key, asked)


async def _plan_fault(flow: CallFlow, key: str, asked: Asked) -> str:
    planned = await asked.plan(flow, asked.number, asked.caller)
    for index, step in enumerate(planned.steps):
        if isinstance(step, Capture):
            return ""  # what stands behind it is not run: the application is asked
        if isinstance(step, Dial) and step.refused is not None:
            place = f"$.{key}[{index}].params.{_WHY[step.refused]}"
            return f"A real call would end with {ERROR_CODES[step.refused]}: {place}"
    return ""


def no_answer_fault(error: EgressError, budget: Budget) -> str:
    """The same when there was no answer in time, or one that is too large."""
    cause = Cause.CALL_FLOW_INVALID if error.failure is Failure.TOO_LARGE else Cause.CALL_ACTION_FAILED
    return (
        f"No answer: {error}. A real call would end with {ERROR_CODES[cause]}; it waits {budget.connect:g} s for the "
        f"connection and {budget.total:g} s in all (MASKLINE_CALL_ACTION_CONNECT, _TOTAL)."
    )
