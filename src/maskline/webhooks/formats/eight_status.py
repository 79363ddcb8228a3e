"""8x8 Voice Call Status (VCS), the body posted at each step of each leg.

What it is: one step of a leg → `CALL_STATUS` by the timeline of 8x8-wavecell.md §5, which the vendor leaves open: it
is in docs/topics/webhooks.md. What it is not: which facts are steps, and of which leg (`workflows/status_outbox.py`),
which uses it.

Values as the vendor's current page has them: `callDuration` and `sipCode` are numbers, the ref id is that of the leg's
own virtual number, `eventData` is there with digits only. The second generation writes `eventData` as text and times in
whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from maskline.masking.e164 import Number
from maskline.webhooks.formats.eight_parts import CONTENT_TYPE, add_numbers, add_reference, envelope, iso_milliseconds
from maskline.webhooks.formats.shape import Generation, Shape
from maskline.webhooks.formats.summary import iso_seconds, rounded

__all__ = ["CONTENT_TYPE", "EVENT", "KIND", "CallStatus", "Step", "StepLeg", "call_status"]

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
class StepLeg:
    """Whose step it is."""

    id: str
    inbound: bool
    source: Number | None
    """None: withheld."""
    destination: Number
    reference_id: str
    """Label of its virtual number; empty: none."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happened on it."""

    status: CallStatus
    at: float
    """Wall seconds."""
    seconds: float = 0.0
    """Since the leg was answered; 0 when it was not."""
    sip_code: int = 200
    digits: str = field(default="", repr=False)


def call_status(event_id: str, session_id: str, leg: StepLeg, step: Step, shape: Shape) -> bytes:
    """The body of one step; `event_id` is new for each and the same for its retries."""
    payload: dict[str, Any] = {
        "eventId": event_id,
        "sessionId": session_id,
        "callId": leg.id,
        "subAccountId": shape.sub_account_id,
        "callStatus": step.status,
        "callDirection": "INBOUND" if leg.inbound else "OUTBOUND",
        "callType": "PSTN",
    }
    add_numbers(payload, leg.inbound, leg.source, leg.destination, shape)
    add_reference(payload, leg.inbound, leg.reference_id)
    payload["callDuration"] = rounded(step.seconds)
    if step.status is CallStatus.DIGITS:
        payload["eventData"] = step.digits if shape.data_as_text else {"dtmf": step.digits}
    payload["sipCode"] = step.sip_code
    second_generation = shape.generation is Generation.G2
    payload["timestamp"] = iso_seconds(step.at) if second_generation else iso_milliseconds(step.at)
    return envelope(EVENT, DESCRIPTION, payload)
