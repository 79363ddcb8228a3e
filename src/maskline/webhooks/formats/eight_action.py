"""8x8 Voice Call Action (VCA), the question posted to a customer's application: what is to be done with this call?

What it is: the facts of a call → `CALL_ACTION` as in 8x8-wavecell.md §3. What it is not: the answer (`eight_flow.py`)
or the asking (`webhooks/ask.py`). Who uses it: `workflows/ask_action.py`.

Numbers are in full whatever redaction is chosen, since the application looks its own table up by them: the shape's
redactor is `IN_FULL`. Absent values have no key (C9): `source` of a withheld caller, the ref id of a number without
one, `clientActionId` on the first question. After a capture `eventData` is always there, with no digits in it when all
tries failed; that is how an application tells it from the end of a bridge.
"""

from __future__ import annotations

from maskline.masking.call_flow import ActionDone
from maskline.masking.e164 import Number
from maskline.values import dataclass
from maskline.webhooks.formats.eight_parts import StepLeg, envelope, leg_payload
from maskline.webhooks.formats.shape import Shape
from maskline.webhooks.formats.summary import rounded

KIND = "eight.call_action"
"""Endpoint kind that is asked."""
EVENT = "CALL_ACTION"
DESCRIPTION = "Action request of a call"


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What an application is told of a call."""

    call_id: str
    """8x8 `sessionId`."""
    leg_id: str
    """Of leg A; 8x8 `callId`."""
    inbound: bool
    """Leg A is a caller's; False: we dialled it."""
    party: Number | None
    """Who is on leg A; None: a caller that withholds the number."""
    number: Number
    """The virtual number of leg A."""
    reference_id: str
    at: float
    """Wall seconds."""
    done: ActionDone | None = None
    """What came to its end; None: the call has just come."""

    @property
    def seconds(self) -> int:
        """Of leg A so far, rounded as summaries round; 0 before its answer."""
        return 0 if self.done is None else rounded(self.done.duration)

    @property
    def source_and_destination(self) -> tuple[Number | None, Number]:
        """As leg A has them."""
        if self.inbound:
            return self.party, self.number
        assert self.party is not None, "we dialled it"
        return self.number, self.party


def call_action(event_id: str, facts: CallFacts, shape: Shape) -> bytes:
    """The body. `event_id` is the question's own, and the same when it is repeated."""
    done = facts.done
    leg = StepLeg(facts.leg_id, facts.inbound, *facts.source_and_destination, facts.reference_id)
    payload = leg_payload(
        event_id, facts.call_id, leg, "CALL_RECEIVED" if done is None else "ACTION_COMPLETED", at=facts.at,
        seconds=facts.seconds,
        sip_code=200,  # as in the vendor's sample, where leg A is not answered yet either
        digits=None if done is None else done.digits, shape=shape,
    )  # fmt: skip
    if done is not None and done.client_action_id:
        payload["clientActionId"] = done.client_action_id
    return envelope(EVENT, DESCRIPTION, payload)
