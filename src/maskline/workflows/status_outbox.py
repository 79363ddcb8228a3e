"""From a call's facts to what is told while it goes on: 8x8's call statuses, digits to Wavecell's call handle. Pure;
called by `build_outbox.py`.

What it is: which facts are steps of which leg, for every call of a (sub)account that has such an endpoint, those of
masking sessions included. What it is not: bodies (`webhooks/formats`). A call of a (sub)account that has none costs one
look-up per commit.

A leg's steps come in the order of its facts: leg B is connected, then leg A, unless the caller heard us before.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskline.engine.ports import CallContext
from maskline.ids import Ids
from maskline.masking.call_flow import ActionDone
from maskline.masking.facts import (
    CallReceived,
    DigitsCaptured,
    Fact,
    LegAnswered,
    LegChanged,
    LegDialed,
    LegEnded,
    LegName,
)
from maskline.storage.store import OutboxRow
from maskline.webhooks.formats import eight_status, wavecell_handle
from maskline.webhooks.formats.eight_action import CallFacts
from maskline.webhooks.formats.eight_parts import StepLeg
from maskline.webhooks.formats.eight_status import CallStatus, Step
from maskline.workflows.call_progress import CallProgress
from maskline.workflows.receivers import Receiver, call_row

STATUSES: dict[type[Fact], CallStatus] = {
    CallReceived: CallStatus.RECEIVED,
    LegDialed: CallStatus.INITIATED,
    LegAnswered: CallStatus.CONNECTED,
    LegEnded: CallStatus.DISCONNECTED,
    DigitsCaptured: CallStatus.DIGITS,
    LegChanged: CallStatus.UPDATED,
}
"""Facts that are steps of a leg. What is not here has no word in the vendor's pages: ringing, prompts, recordings."""

_NOTHING_SENT = 480
"""Code of a leg that ended before anything was exchanged: the reason why we answer a caller so (`engine/causes.py`)."""


def append_steps(
    fact: Fact, context: CallContext, progress: CallProgress, followers: Sequence[Receiver], now: float, ids: Ids,
    rows: list[OutboxRow],
) -> None:  # fmt: skip
    """Append what one fact tells each follower; `progress` has taken the fact already."""
    status = STATUSES.get(type(fact))
    if status is None or (isinstance(fact, DigitsCaptured) and not fact.count):
        return
    name = getattr(fact, "leg", LegName.A)
    leg = _leg(name, context, progress.requested)
    if leg is None:
        return
    step = _step(status, fact, progress.answered.get(name))
    for receiver in followers:
        event_id = ids.uuid()
        if receiver.kind == eight_status.KIND:
            if status is CallStatus.UPDATED and not receiver.shape.updates:
                continue
            event, body = (
                eight_status.EVENT, eight_status.call_status(event_id, context.call_id, leg, step, receiver.shape),
            )  # fmt: skip
        elif status is CallStatus.DIGITS:
            event, body = wavecell_handle.EVENT, _handle(context, leg, step, receiver)
        else:
            continue
        rows.append(call_row(receiver, context, event_id, event, body, progress.next_row(), now))


def _handle(context: CallContext, leg: StepLeg, step: Step, receiver: Receiver) -> bytes:
    """Digits as Wavecell's call handle is told of them; they come from leg A."""
    party, number = context.caller, context.virtual_number.number
    done = ActionDone(context.call_id, leg.id, leg.inbound, party, number, "", step.seconds, step.digits)
    facts = CallFacts(context.call_id, leg.id, leg.inbound, party, number, leg.reference_id, step.at, done)
    return wavecell_handle.call_handle(facts, receiver.shape.redactor)


def _leg(name: str, context: CallContext, requested: bool) -> StepLeg | None:
    """The leg with its numbers; `requested`: we dialled leg A too. None: nobody knows whom it called."""
    number = context.virtual_number
    if name == LegName.A:
        if not requested:
            return StepLeg(context.leg_a_id, True, context.caller, number.number, number.reference_id)
        party, shown, leg_id, reference = context.caller, number.number, context.leg_a_id, number.reference_id
    else:
        party, shown, leg_id = context.callee, context.shown, context.leg_b_id
        reference = context.shown_reference_id
    return None if party is None else StepLeg(leg_id, False, shown, party, reference)


def _step(status: CallStatus, fact: Fact, answered_at: float | None) -> Step:
    if isinstance(fact, LegAnswered):
        return Step(status, fact.at)
    seconds = 0.0 if answered_at is None else fact.at - answered_at
    if isinstance(fact, LegEnded):
        return Step(status, fact.at, seconds, fact.sip_status or _NOTHING_SENT)
    digits = fact.digits if isinstance(fact, DigitsCaptured) else ""
    return Step(status, fact.at, seconds, digits=digits)
