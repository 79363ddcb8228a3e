"""8x8 Voice Session Summary (VSS), the body posted when a call is over.

What it is: call record → `SESSION_SUMMARY` as in 8x8-wavecell.md §6, key order of the published sample (leg B
before leg A). What it is not: call actions (`eight_action.py`) or call status (`eight_status.py`). Who uses it:
`workflows/build_outbox.py`, once per call, for endpoints of kind `eight.session_summary`.

8x8's "sessionId" is our call's id (architecture.md §1). Absent values: the key is left out (C9), among them
`source` of a withheld caller and the country of a number that no plan knows. `lastAction` is always there, and what it
says of calls without a call flow is in docs/decisions/0038-last-action.md.

`errorDetails` of calls that we refuse: unknown or withheld caller and expired session all say -2008, the text
that names the caller's number as the reason (-2007 is for `validUntil` alone, C26). No route says -2004, media,
store or application away -2002, own limits -2010, faults of ours -2001.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from maskline.json_text import quoted
from maskline.masking.call_record import CallRecord, LegRecord, Quality
from maskline.masking.facts import Cause, LegName
from maskline.webhooks.formats.eight_parts import direction, envelope
from maskline.webhooks.formats.shape import Generation, Shape
from maskline.webhooks.formats.summary import (
    Status,
    compact_json,
    last_action,
    leg_times,
    session_times,
    shown_numbers,
    summarize,
)

KIND = "eight.session_summary"
"""Endpoint kind that receives this body."""
EVENT = "SESSION_SUMMARY"
DESCRIPTION = "Summary of a completed call session"

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
    Cause.ENGINE_RESTARTED: -2001,
    Cause.STORE_UNAVAILABLE: -2002,
    Cause.MEDIA_UNAVAILABLE: -2002,
    Cause.MEDIA_TIMEOUT: -2002,
    Cause.SESSION_NOT_RENEWED: -2002,
    Cause.NETWORK_ERROR: -2002,
    Cause.NO_ROUTE: -2004,
    Cause.LOOP: -2004,
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
    Cause.SCENARIO_UNKNOWN: -2009,
    Cause.NO_OTHER_PARTY: -2009,
    Cause.CONGESTION: -2010,
    Cause.TRUNK_FULL: -2010,
    Cause.COUNTRY_BARRED: -2004,
    Cause.DESTINATION_BARRED: -2004,
    Cause.ACCOUNT_FULL: -2010,
    Cause.ACCOUNT_SPENT: -2010,
    Cause.ACCOUNT_STOPPED: -2010,
}
"""Cause of the failing leg → code; anything else is -9999."""


_VERSIONS: dict[Generation, int | None] = {Generation.G2: None, Generation.G3: None, Generation.G3V5: 5}


def session_summary(record: CallRecord, shape: Shape) -> bytes:
    """The body for one finished call, as its receiver wants it. Written as text, since every call has one: as
    dictionaries it took 76,000 instructions."""
    summary = summarize(record)
    start, end = session_times(record)
    leg_a, leg_b = record.legs[0], record.leg(LegName.B)
    more, told_b = "", ""
    if shape.generation is not Generation.G2:
        if record.flow is not None and record.flow.client_request_id:
            more = f',"clientRequestId":{quoted(record.flow.client_request_id)}'
        if summary.error is not None:
            code = ERROR_CODES.get(summary.error, _UNKNOWN_ERROR)
            more += f',"errorDetails":{{"errorMsg":{quoted(ERRORS[code])},"errorCode":{code}}}'
    if leg_b is not None and summary.b is not None:
        told_b = f'"callB":{_leg(leg_b, summary.b, shape)},'
    text = (
        f'{{"payload":{{"sessionId":"{record.id}","subAccountId":{quoted(shape.sub_account_id)},'
        f'"sessionStatus":"{_word(summary.session, shape)}","startTime":"{start}","endTime":"{end}",'
        f'"lastAction":"{last_action(record)._value_}","callCount":{len(record.legs)}{more},'
        f'"details":{{{told_b}"callA":{_leg(leg_a, summary.a, shape)}}}}},{_ending(_VERSIONS[shape.generation])}'
    )
    return text.encode()


@lru_cache(maxsize=4)
def _ending(version: int | None) -> str:
    """What stands behind the payload."""
    return envelope(EVENT, DESCRIPTION, {}, version).decode().removeprefix('{"payload":{},')


def _leg(leg: LegRecord, status: Status, shape: Shape) -> str:
    times = leg_times(leg)
    source, destination = shown_numbers(leg.inbound, leg.source, leg.destination, shape.redactor)
    connected = "" if times.connected is None else f'"connectedTimestamp":"{times.connected}",'
    label = ""
    if leg.reference_id:
        key = "destinationRefId" if leg.inbound else "sourceRefId"
        label = f'"{key}":{quoted(leg.reference_id)},'
    quality = ""
    if leg.quality is not None and times.connected is not None and shape.generation is not Generation.G2:
        quality = f',"callQuality":{compact_json(_quality(leg.quality)).decode()}'
    return (
        f'{{"callId":"{leg.id}","callDirection":"{direction(leg.inbound)}","callType":"PSTN",'
        f'"initiatedTimestamp":"{times.initiated}",{connected}"disconnectedTimestamp":"{times.disconnected}",'
        f"{_plain('source', source)}{_plain('destination', destination)}"
        f'"sourceFormat":"MSISDN","destinationFormat":"MSISDN",'
        f"{_plain('sourceCountryCode', None if leg.source is None else leg.source.country)}"
        f"{_plain('destinationCountryCode', leg.destination.country)}{label}"
        f'"callStatus":"{_word(status, shape)}","callDuration":{times.duration}{quality}}}'
    )


def _plain(key: str, value: str | None) -> str:
    """What there is not has no key (C9): a withheld number, the country of a number that no plan knows. Of characters
    that mean nothing in JSON, like ids."""
    return "" if value is None else f'"{key}":"{value}",'


def _word(status: Status, shape: Shape) -> str:
    """The second generation knew no ERROR, and wrote a blank (C15)."""
    if shape.generation is not Generation.G2:
        return status._value_  # plain text, which the encoder writes in a tenth of the time
    return "FAILED" if status is Status.ERROR else status.replace("_", " ")


def _quality(quality: Quality) -> dict[str, Any]:
    # The sample writes a loss of nothing as 0, not 0.0, and jitter as whole milliseconds.
    loss = round(quality.packet_loss, 4)
    return {"mos": round(quality.mos, 2), "packetLossRate": loss or 0, "jitter": round(quality.jitter_ms)}
