"""Wavecell aggregated call status, the older flat body of the 8x8 session summary.

What it is: call record → body as in 8x8-wavecell.md §7.1: no envelope, words in title case, one
`numberReferenceId` on both legs, `callA` before `callB`. What it is not: the call-handle callback of the same
product. Who uses it: `workflows/build_outbox.py`, once per call, for endpoints of kind `wavecell.call_status`.

This dialect has no ERROR: such sessions and legs are "Failed", without an error object. A caller who gives up
while leg B is being called is told as leg A Completed, leg B Canceled (C14).
"""

from __future__ import annotations

from typing import Any

from maskline.masking.call_record import CallRecord, LegRecord
from maskline.masking.facts import LegName
from maskline.webhooks.formats.summary import Status, compact_json, leg_times, session_times, summarize

KIND = "wavecell.call_status"
"""Endpoint kind that receives this body."""
EVENT = "AGGREGATED_CALL_STATUS"
"""Name in our outbox; the body itself carries none."""
CONTENT_TYPE = "application/json"

WORDS: dict[Status, str] = {
    Status.COMPLETED: "Completed",
    Status.NO_ANSWER: "No Answer",
    Status.BUSY: "Busy",
    Status.CANCELED: "Canceled",
    Status.FAILED: "Failed",
    Status.ERROR: "Failed",
}


def call_status(record: CallRecord, sub_account_id: str) -> bytes:
    """The body for one finished call; `sub_account_id` is what the receiver knows the (sub)account as."""
    summary = summarize(record)
    start, end = session_times(record)
    leg_b = record.leg(LegName.B)
    status_a = summary.a
    details: dict[str, Any] = {}
    if leg_b is not None and status_a is Status.CANCELED:
        status_a = Status.COMPLETED
    details["callA"] = _leg(record.legs[0], status_a, record.reference_id)
    if leg_b is not None and summary.b is not None:
        details["callB"] = _leg(leg_b, summary.b, record.reference_id)
    return compact_json(
        {
            "sessionId": record.id,
            "subAccountId": sub_account_id,
            "status": WORDS[summary.session],
            "startTime": start,
            "endTime": end,
            "lastAction": "Hangup" if leg_b is None and record.legs[0].inbound else "MakeCall",
            "callCount": len(record.legs),
            "details": details,
        }
    )


def _leg(leg: LegRecord, status: Status, reference_id: str) -> dict[str, Any]:
    times = leg_times(leg)
    source_country = None if leg.source is None else leg.source.country
    body = {
        "id": leg.id,
        "direction": "Inbound" if leg.inbound else "Outbound",
        "type": "PSTN",
        "numberReferenceId": reference_id or None,
        "initiatedTimestamp": times.initiated,
        "connectedTimestamp": times.connected,
        "disconnectedTimestamp": times.disconnected,
        "source": None if leg.source is None else leg.source.e164,
        "target": leg.destination.e164,
        "sourceCountryCode": source_country,
        "targetCountryCode": leg.destination.country,
        "status": WORDS[status],
        "duration": times.duration,
    }
    return {key: value for key, value in body.items() if value is not None}
