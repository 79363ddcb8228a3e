"""8x8 Voice Call Action (VCA), the question posted to a customer's application: what is to be done with this call?

What it is: the facts of a call → `CALL_ACTION` as in 8x8-wavecell.md §3. What it is not: the answer (`eight_flow.py`)
or the asking (`webhooks/ask.py`). Who uses it: `workflows/ask_action.py`.

Numbers are in full whatever redaction is chosen: the application looks its own table up by them. Absent values have no
key (C9): `source` of a withheld caller, the ref id of a number without one, `clientActionId` on the first question.
After a capture `eventData` is always there, with no digits in it when all tries failed; that is how an application
tells it from the end of a bridge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from maskline.masking.call_flow import ActionDone
from maskline.masking.e164 import Number
from maskline.webhooks.formats.summary import compact_json

KIND = "eight.call_action"
"""Endpoint kind that is asked."""
EVENT = "CALL_ACTION"
CONTENT_TYPE = "application/json"


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
    """Who is on leg A; None: withheld."""
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
        return 0 if self.done is None else math.floor(self.done.duration + 0.5)


def call_action(event_id: str, facts: CallFacts, sub_account_id: str, *, digits_as_text: bool = False) -> bytes:
    """The body. `event_id` is the question's own, and the same when it is repeated; `digits_as_text`: the option
    `string` for eventData (C6)."""
    done = facts.done
    payload: dict[str, Any] = {
        "eventId": event_id,
        "sessionId": facts.call_id,
        "callId": facts.leg_id,
        "subAccountId": sub_account_id,
        "callStatus": "CALL_RECEIVED" if done is None else "ACTION_COMPLETED",
        "callDirection": "INBOUND" if facts.inbound else "OUTBOUND",
        "callType": "PSTN",
    }
    source, destination = (facts.party, facts.number) if facts.inbound else (facts.number, facts.party)
    _add_number(payload, "source", source)
    _add_number(payload, "destination", destination)
    if facts.reference_id:
        # The virtual number is what an inbound leg dialled and what an outbound leg shows (C3).
        payload["destinationRefId" if facts.inbound else "sourceRefId"] = facts.reference_id
    payload["callDuration"] = facts.seconds
    if done is not None and done.digits is not None:
        payload["eventData"] = done.digits if digits_as_text else {"dtmf": done.digits}
    # 200 as in the vendor's sample, where leg A is not answered yet either.
    payload["sipCode"] = 200
    payload["timestamp"] = iso_milliseconds(facts.at)
    if done is not None and done.client_action_id:
        payload["clientActionId"] = done.client_action_id
    return compact_json(
        {"namespace": "VOICE", "eventType": EVENT, "description": "Action request of a call", "payload": payload}
    )


def _add_number(payload: dict[str, Any], key: str, number: Number | None) -> None:
    payload[key + "Format"] = "MSISDN"
    if number is not None:
        payload[key] = number.e164
        if country := number.country:
            payload[key + "CountryCode"] = country


def iso_milliseconds(at: float) -> str:
    """`2024-03-25T06:01:30.123Z`, of wall seconds."""
    moment = datetime.fromtimestamp(round(at * 1000) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
