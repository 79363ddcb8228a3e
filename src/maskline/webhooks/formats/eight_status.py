"""8x8 Voice Call Status (VCS), the body posted at each step of each leg.

What it is: one step of a leg → `CALL_STATUS` by the timeline of 8x8-wavecell.md §5, which the vendor leaves open: it
is in docs/topics/webhooks.md. What it is not: which facts are steps, and of which leg (`workflows/status_outbox.py`),
which uses it.

Values as the vendor's current page has them: `callDuration` and `sipCode` are numbers, the ref id is that of the leg's
own virtual number, `eventData` is there with digits only. The second generation writes `eventData` as text and times in
whole seconds.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from maskline.values import dataclass
from maskline.webhooks.formats.eight_parts import StepLeg, envelope, leg_payload
from maskline.webhooks.formats.shape import Shape

KIND = "eight.call_status"
"""Endpoint kind that receives this body."""
EVENT = "CALL_STATUS"
DESCRIPTION = "Status update of a call"


class CallStatus(StrEnum):
    RECEIVED = "CALL_RECEIVED"
    INITIATED = "CALL_INITIATED"
    CONNECTED = "CALL_CONNECTED"
    DISCONNECTED = "CALL_DISCONNECTED"
    UPDATED = "CALL_UPDATED"
    DIGITS = "DTMF_RECEIVED"


@dataclass(frozen=True, slots=True)
class Step:
    """What happened on a leg."""

    status: CallStatus
    at: float
    """Wall seconds."""
    seconds: float = 0.0
    """Since the leg was answered; 0 when it was not."""
    sip_code: int = 200
    digits: str = field(default="", repr=False)


def call_status(event_id: str, session_id: str, leg: StepLeg, step: Step, shape: Shape) -> bytes:
    """The body of one step; `event_id` is new for each and the same for its retries."""
    payload = leg_payload(
        event_id, session_id, leg, step.status, at=step.at, seconds=step.seconds, sip_code=step.sip_code,
        digits=step.digits if step.status is CallStatus.DIGITS else None, shape=shape,
    )  # fmt: skip
    return envelope(EVENT, DESCRIPTION, payload)
