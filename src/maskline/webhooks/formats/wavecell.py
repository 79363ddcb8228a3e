"""Wavecell aggregated call status, the older flat body of the 8x8 session summary.

What it is: call record → body as in 8x8-wavecell.md §7.1: no envelope, words in title case, one
`numberReferenceId` on both legs, `callA` before `callB`. What it is not: the call handle callback of the same
product (`wavecell_handle.py`). Who uses it: `workflows/build_outbox.py`, once per call, for endpoints of kind
`wavecell.call_status`.

This dialect has no ERROR: such sessions and legs are "Failed", without an error object. A caller who gives up
while leg B is being called is told as leg A Completed, leg B Canceled (C14).
"""

from __future__ import annotations

from typing import Any

from maskline.masking.call_flow import ActionName
from maskline.masking.call_record import CallRecord, LegRecord
from maskline.masking.facts import LegName
from maskline.webhooks.formats.shape import Shape
from maskline.webhooks.formats.summary import (
    Status,
    Summary,
    compact_json,
    last_action,
    leg_times,
    session_times,
    shown_numbers,
    summarize,
)

KIND = "wavecell.call_status"
"""Endpoint kind that receives this body."""
EVENT = "AGGREGATED_CALL_STATUS"
"""Name in our outbox; the body itself carries none."""

_C, _N, _B, _X, _F, _E = Status  # as in summary.py

MATRIX: dict[tuple[Status, Status | None], Status] = {
    (_C, _C): _C,
    (_C, _N): _N,
    (_C, _B): _B,
    (_C, _F): _F,
    (_C, _X): _X,
    (_C, None): _C,
    # What follows is ours: a first leg that nobody took, a caller who left before leg B was dialled, an error on leg A.
    (_N, None): _N,
    (_B, None): _B,
    (_X, None): _X,
    **{(_F, b): _F for b in (_C, _N, _B, _F, _X, None)},
}
"""Leg A's and leg B's status as this dialect tells them (None: never dialled) → status of the whole; the first six are
the vendor's."""

WORDS: dict[Status, str] = {
    Status.COMPLETED: "Completed",
    Status.NO_ANSWER: "No Answer",
    Status.BUSY: "Busy",
    Status.CANCELED: "Canceled",
    Status.FAILED: "Failed",
}

ACTIONS: dict[ActionName, str] = {
    ActionName.MAKE_CALL: "MakeCall",
    ActionName.SAY: "PlayTTS",
    ActionName.PLAY_FILE: "PlayFile",
    ActionName.CAPTURE: "SayAndCapture",
    ActionName.HANGUP: "Hangup",
}


def call_status(record: CallRecord, shape: Shape) -> bytes:
    """The body for one finished call, as its receiver wants it."""
    a, b = leg_statuses(summarize(record))
    start, end = session_times(record)
    leg_b = record.leg(LegName.B)
    details = {"callA": _leg(record.legs[0], a, shape)}
    if leg_b is not None and b is not None:
        details["callB"] = _leg(leg_b, b, shape)
    return compact_json(
        {
            "sessionId": record.id,
            "subAccountId": shape.sub_account_id,
            "status": _word(MATRIX[a, b], shape),
            "startTime": start,
            "endTime": end,
            "lastAction": ACTIONS[last_action(record)],
            "callCount": len(record.legs),
            "details": details,
        }
    )


def leg_statuses(summary: Summary) -> tuple[Status, Status | None]:
    """Both legs' in the words of this dialect: what ended by an error has failed; who leaves while leg B is called has
    completed a call that was canceled."""
    a, b = summary.a, summary.b
    if a is _X and b is not None:
        return _C, _F if b is _E else _X
    return _F if a is _E else a, _F if b is _E else b


def _word(status: Status, shape: Shape) -> str:
    return WORDS[status].upper() if shape.upper else WORDS[status]


def _leg(leg: LegRecord, status: Status, shape: Shape) -> dict[str, Any]:
    times = leg_times(leg)
    source, target = shown_numbers(leg.inbound, leg.source, leg.destination, shape.redactor)
    body = {
        "id": leg.id,
        "direction": _direction(leg.inbound, shape),
        "type": "PSTN",
        "numberReferenceId": leg.reference_id or None,
        "initiatedTimestamp": times.initiated,
        "connectedTimestamp": times.connected,
        "disconnectedTimestamp": times.disconnected,
        "source": source,
        "target": target,
        "sourceCountryCode": None if leg.source is None else leg.source.country,
        "targetCountryCode": leg.destination.country,
        "status": _word(status, shape),
        "duration": times.duration,
    }
    return {key: value for key, value in body.items() if value is not None}


def _direction(inbound: bool, shape: Shape) -> str | int:
    if shape.direction_as_int:
        return 0 if inbound else 1
    return "Inbound" if inbound else "Outbound"
