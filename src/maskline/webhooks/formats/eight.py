"""8x8 Voice Session Summary (VSS), the body posted when a masked call is over.

What it is: call record → `SESSION_SUMMARY` as in 8x8-wavecell.md §6, key order of the published sample (leg B
before leg A). What it is not: call actions or call status, which are not there. Who uses it:
`workflows/build_outbox.py`, once per call, for endpoints of kind `eight.session_summary`.

8x8's "sessionId" is our call's id (architecture.md §1). Absent values: the key is left out (C9), among them
`source` of a withheld caller and the country of a number that no plan knows. `lastAction` is always there:
MAKE_CALL once leg B was dialled, else HANGUP, the only thing a refused or abandoned call was answered with.

`errorDetails` of calls that we refuse: unknown or withheld caller and expired session all say -2008, the text
that names the caller's number as the reason (-2007 is for `validUntil` alone, C26). No route says -2004, media
or store away -2002, own limits -2010, faults of ours -2001.
"""

from __future__ import annotations

from typing import Any

from maskline.masking.call_record import CallRecord, LegRecord, Quality
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName
from maskline.webhooks.formats.summary import Status, compact_json, leg_times, session_times, summarize

KIND = "eight.session_summary"
"""Endpoint kind that receives this body."""
EVENT = "SESSION_SUMMARY"
CONTENT_TYPE = "application/json"

ERRORS: dict[int, str] = {
    -2001: "An internal error has occurred",
    -2002: "An internal connectivity error has occurred",
    -2003: "The call flow provided is invalid",
    -2004: "No coverage available for requested area",
    -2005: "Unable to synthesize text to speech",
    -2006: "Unable to download file for playback",
    -2007: "The validity period of the call flow request has expired",
    -2008: "The provided source MSISDN or caller ID is not whitelisted",
    -2009: "The scenario parameters provided is invalid",
    -2010: "The trunk capacity has been exceeded",
    -9999: "An unknown error has occurred",
}
"""The vendor's codes and texts (8x8-wavecell.md §6.2), numbers on the wire (C8), no final periods."""

_UNKNOWN_ERROR = -9999

ERROR_CODES: dict[Cause, int] = {
    Cause.INTERNAL_ERROR: -2001,
    Cause.SHUTDOWN: -2001,
    Cause.MEDIA_UNAVAILABLE: -2002,
    Cause.MEDIA_TIMEOUT: -2002,
    Cause.NETWORK_ERROR: -2002,
    Cause.NO_ROUTE: -2004,
    Cause.UNKNOWN_NUMBER: -2004,
    Cause.UNKNOWN_CALLER: -2008,
    Cause.WITHHELD_CALLER: -2008,
    Cause.SESSION_EXPIRED: -2008,
    Cause.PIN_REQUIRED: -2008,
    Cause.WRONG_PIN: -2008,
    Cause.CALL_ACTION_FAILED: -2002,
    Cause.CALL_FLOW_INVALID: -2003,
    Cause.SPEECH_FAILED: -2005,
    Cause.FILE_FAILED: -2006,
    Cause.FLOW_EXPIRED: -2007,
    Cause.CALLER_ID_NOT_ALLOWED: -2008,
    Cause.NO_OTHER_PARTY: -2009,
    Cause.CONGESTION: -2010,
}
"""Cause of the failing leg → code; anything else is -9999."""


def session_summary(record: CallRecord, sub_account_id: str) -> bytes:
    """The body for one finished call; `sub_account_id` is what the receiver knows the (sub)account as."""
    summary = summarize(record)
    start, end = session_times(record)
    leg_a, leg_b = record.legs[0], record.leg(LegName.B)
    payload: dict[str, Any] = {
        "sessionId": record.id,
        "subAccountId": sub_account_id,
        "sessionStatus": summary.session,
        "startTime": start,
        "endTime": end,
        "lastAction": "HANGUP" if leg_b is None and leg_a.inbound else "MAKE_CALL",
        "callCount": len(record.legs),
    }
    if summary.error is not None:
        code = ERROR_CODES.get(summary.error, _UNKNOWN_ERROR)
        payload["errorDetails"] = {"errorMsg": ERRORS[code], "errorCode": code}
    details: dict[str, Any] = {}
    if leg_b is not None and summary.b is not None:
        details["callB"] = _leg(leg_b, summary.b, record.reference_id)
    details["callA"] = _leg(leg_a, summary.a, record.reference_id)
    payload["details"] = details
    return compact_json(
        {
            "payload": payload,
            "namespace": "VOICE",
            "eventType": EVENT,
            "description": "Summary of a completed call session",
        }
    )


def _leg(leg: LegRecord, status: Status, reference_id: str) -> dict[str, Any]:
    times = leg_times(leg)
    body: dict[str, Any] = {
        "callId": leg.id,
        "callDirection": "INBOUND" if leg.inbound else "OUTBOUND",
        "callType": "PSTN",
        "initiatedTimestamp": times.initiated,
    }
    if times.connected is not None:
        body["connectedTimestamp"] = times.connected
    body["disconnectedTimestamp"] = times.disconnected
    if leg.source is not None:
        body["source"] = leg.source.e164
    body["destination"] = leg.destination.e164
    body["sourceFormat"] = body["destinationFormat"] = "MSISDN"
    _add_country(body, "sourceCountryCode", leg.source)
    _add_country(body, "destinationCountryCode", leg.destination)
    if reference_id:
        # The virtual number is what an inbound leg dialled and what an outbound leg shows (C3).
        body["destinationRefId" if leg.inbound else "sourceRefId"] = reference_id
    body["callStatus"] = status
    body["callDuration"] = times.duration
    if leg.quality is not None and times.connected is not None:
        body["callQuality"] = _quality(leg.quality)
    return body


def _add_country(body: dict[str, Any], key: str, number: Number | None) -> None:
    country = None if number is None else number.country
    if country is not None:
        body[key] = country


def _quality(quality: Quality) -> dict[str, Any]:
    # The sample writes a loss of nothing as 0, not 0.0, and jitter as whole milliseconds.
    loss = round(quality.packet_loss, 4)
    return {"mos": round(quality.mos, 2), "packetLossRate": loss or 0, "jitter": round(quality.jitter_ms)}
