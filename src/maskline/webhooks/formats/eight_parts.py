"""What the bodies of 8x8's webhooks have in common: the envelope, the keys of a leg's numbers, times in milliseconds.

What it is: 8x8-wavecell.md §2. What it is not: a body. Who uses it: the modules `eight*.py`.
"""

from __future__ import annotations

from typing import Any

from maskline.masking.e164 import Number
from maskline.webhooks.formats.shape import Shape
from maskline.webhooks.formats.summary import compact_json, iso_seconds, shown_numbers

CONTENT_TYPE = "application/json"


def envelope(event: str, description: str, payload: dict[str, Any], version: int | None = None) -> bytes:
    """The body as sent. Key order carries no meaning; it is the one of the published sample."""
    body: dict[str, Any] = {
        "payload": payload, "namespace": "VOICE", "eventType": event, "description": description,
    }  # fmt: skip
    if version is not None:
        body["version"] = version
    return compact_json(body)


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
