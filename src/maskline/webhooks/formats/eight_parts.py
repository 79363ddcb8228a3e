"""What the bodies of 8x8's webhooks have in common: the envelope, the keys of a leg and of what happened on it.

What it is: 8x8-wavecell.md §2. What it is not: a body. Who uses it: the modules `eight*.py`.
"""

from __future__ import annotations

from typing import Any

from maskline.masking.e164 import Number
from maskline.values import dataclass
from maskline.webhooks.formats.shape import Generation, Shape
from maskline.webhooks.formats.summary import compact_json, iso_seconds, rounded, shown_numbers


def envelope(event: str, description: str, payload: dict[str, Any], version: int | None = None) -> bytes:
    """The body as sent. Key order carries no meaning; it is the one of the published sample."""
    body: dict[str, Any] = {
        "payload": payload, "namespace": "VOICE", "eventType": event, "description": description,
    }  # fmt: skip
    if version is not None:
        body["version"] = version
    return compact_json(body)


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


def leg_payload(
    event_id: str, session_id: str, leg: StepLeg, status: str, *, at: float, seconds: float, sip_code: int,
    digits: str | None, shape: Shape,
) -> dict[str, Any]:  # fmt: skip
    """What questions and statuses say alike. `at`: wall seconds; `seconds`: since the leg's answer, 0 before;
    `digits`: None where there is no word of any. The second generation writes times in whole seconds."""
    payload: dict[str, Any] = {
        "eventId": event_id,
        "sessionId": session_id,
        "callId": leg.id,
        "subAccountId": shape.sub_account_id,
        "callStatus": status,
        "callDirection": direction(leg.inbound),
        "callType": "PSTN",
    }
    add_numbers(payload, leg.inbound, leg.source, leg.destination, shape)
    add_reference(payload, leg.inbound, leg.reference_id)
    payload["callDuration"] = rounded(seconds)
    if digits is not None:
        payload["eventData"] = digits if shape.data_as_text else {"dtmf": digits}
    payload["sipCode"] = sip_code
    payload["timestamp"] = iso_seconds(at) if shape.generation is Generation.G2 else iso_milliseconds(at)
    return payload


def direction(inbound: bool) -> str:
    return "INBOUND" if inbound else "OUTBOUND"


def add_numbers(body: dict[str, Any], inbound: bool, source: Number | None, destination: Number, shape: Shape) -> None:
    """Both numbers, their formats and countries. What there is not has no key (C9): a withheld number, the country of
    a number that no plan knows."""
    shown_source, shown_destination = shown_numbers(inbound, source, destination, shape.redactor)
    _add(body, "source", shown_source)
    _add(body, "destination", shown_destination)
    body["sourceFormat"] = body["destinationFormat"] = "MSISDN"
    _add(body, "sourceCountryCode", None if source is None else source.country)
    _add(body, "destinationCountryCode", destination.country)


def add_reference(body: dict[str, Any], inbound: bool, reference_id: str) -> None:
    """Label of the virtual number: the one that an inbound leg dialled, or that an outbound leg shows (C3)."""
    _add(body, "destinationRefId" if inbound else "sourceRefId", reference_id or None)


def _add(body: dict[str, Any], key: str, value: str | None) -> None:
    if value is not None:
        body[key] = value


def iso_milliseconds(at: float) -> str:
    """`2024-03-25T06:01:30.123Z`, of wall seconds (§2 "Time, VCA/VCS")."""
    second, rest = divmod(round(at * 1000), 1000)
    return f"{iso_seconds(second)[:-1]}.{rest:03d}Z"
