"""8x8 Virtual Number Updated (VNU): the body posted when virtual numbers of a (sub)account changed, or are all told.

What it is: 8x8-wavecell.md §10 in the envelope of §2, and our states in the vendor's words. What it is not: the number
list of the API, whose states know no Unhealthy (`api/eight/numbers.py`). Who uses it: `workflows/number_outbox.py`, for
endpoints of kind `eight.number`.

Nobody rents numbers here, so prices are 0, and health is what the operator says, so there is no check of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from maskline.masking.decision import NumberState, VirtualNumber
from maskline.webhooks.formats.eight_parts import envelope

KIND = "eight.number"
"""Endpoint kind that receives this body."""
EVENT = "VIRTUAL_NUMBER_UPDATE"
DESCRIPTION = "Status of account virtual number(s) updated"
PRICE = 0.0
BILLING_UNIT = "PER_MINUTE"
CURRENCY = "USD"

STATUS: dict[NumberState, str] = {
    NumberState.ACTIVE: "Active",
    NumberState.RESTING: "Expiring",
    NumberState.UNHEALTHY: "Unhealthy",
    NumberState.RETIRED: "Inactive",
}
"""`operationalStatus`. Expiring: no new sessions, what was allocated may still ring."""
GONE = "Inactive"
"""Of a number that is another (sub)account's now."""


def numbers_updated(sub_account_id: str, numbers: Iterable[tuple[VirtualNumber, str]]) -> bytes:
    """Of numbers that changed, each with its `operationalStatus` for the receiver."""
    entries = [_entry(number, status, "UPDATED") for number, status in numbers]
    return _body(sub_account_id, "UPDATES", len(entries), entries)


def number_snapshot(sub_account_id: str, total: int, numbers: Iterable[VirtualNumber]) -> bytes:
    """Of numbers as they are; `total`: how many there are, in this body and those beside it."""
    entries = [_entry(number, STATUS[number.state], "NO_CHANGE") for number in numbers]
    return _body(sub_account_id, "SNAPSHOT", total, entries)


def _body(sub_account_id: str, kind: str, total: int, entries: list[dict[str, Any]]) -> bytes:
    payload = {
        "subAccountId": sub_account_id, "totalNumbers": total, "updateEventType": kind, "virtualNumbers": entries,
    }  # fmt: skip
    return envelope(EVENT, DESCRIPTION, payload)


def _entry(number: VirtualNumber, status: str, update: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "msisdn": number.number.e164,
        "updatedTimestamp": round(number.changed_at * 1000),
        "operationalStatus": status,
        "rentalPrice": PRICE,
        "incomingRate": PRICE,
        "billingUnit": BILLING_UNIT,
        "billingCurrency": CURRENCY,
        "numberHealthCheckEnabled": False,
        "updateStatus": update,
    }
    if number.country is not None:
        entry["countryCode"] = number.country
    if number.reference_id:
        entry["referenceId"] = number.reference_id
    return entry
