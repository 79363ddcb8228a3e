"""Plivo masking session events, form-encoded, for `callback_url`; VTS publishes the same page.

What it is: fact → form body of plivo-vts.md §7.2, and the hangup table §8. What it is not: the request; URL,
fragment, GET query and signature headers are made at each try (`sign.py`). Who uses it:
`workflows/record_call.py` per fact of a call, and `session_timeout_outbox` there for the end of a session.

Decisions (docs/decisions/0005-plivo-event-parties.md): in event names "FirstParty" is the party that
started the call (leg A) and "SecondParty" the one dialled (leg B), whichever role they have in the session.
Every event carries all attributes of the page ("for each event, the below attributes will be posted"), empty
where they do not apply, never null: official validators disagree on how null is signed (§7.5). Numbers are
digits without `+` for the same reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote_plus

from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, Fact, LegAnswered, LegEnded, LegName, LegRinging
from maskline.masking.session import Session

CONTENT_TYPE = "application/x-www-form-urlencoded"
SESSION_TIMEOUT = "SessionTimeout"

EVENTS: dict[tuple[type[Fact], str], str] = {
    (LegAnswered, LegName.A): "SessionFirstPartyAnswer",
    (LegRinging, LegName.B): "SessionSecondPartyRing",
    (LegAnswered, LegName.B): "SessionSecondPartyAnswer",
    (LegEnded, LegName.B): "SessionSecondPartyHangup",
    (LegEnded, LegName.A): "SessionFirstPartyHangup",
}
"""(fact, leg) → event. A leg that was dialled and never answered ends with its Hangup event too; the cause tells."""

HANGUP_CAUSES: dict[Cause, tuple[str, int]] = {
    Cause.NORMAL: ("Normal Hangup", 4000),
    Cause.CANCELED: ("Canceled", 1000),
    Cause.BUSY: ("Busy Line", 3010),
    Cause.BUSY_EVERYWHERE: ("Busy everywhere", 3100),
    Cause.NO_ANSWER: ("No Answer", 3000),
    Cause.RING_TIMEOUT: ("Ring Timeout Reached", 6010),
    Cause.CALL_TIME_LIMIT: ("Scheduled Hangup", 6000),
    Cause.DECLINED: ("Declined", 3110),
    Cause.FORBIDDEN: ("Forbidden", 3040),
    Cause.UNALLOCATED: ("Unallocated number", 3050),
    Cause.INVALID_DESTINATION: ("Invalid Destination Address", 2000),
    Cause.OUT_OF_SERVICE: ("Destination Out Of Service", 2010),
    Cause.NOT_ACCEPTABLE: ("Rejected", 3020),
    Cause.REDIRECTED: ("Routing Error", 5020),
    Cause.REQUEST_TIMEOUT: ("Request timeout", 3070),
    Cause.CARRIER_ERROR: ("Internal server error from carrier", 3080),
    Cause.CONGESTION: ("Network congestion from carrier", 3090),
    Cause.DOES_NOT_EXIST: ("User does not exist anywhere", 3120),
    Cause.NETWORK_ERROR: ("Network Error", 5000),
    Cause.NO_ROUTE: ("Routing Error", 5020),
    Cause.LOOP: ("Loop Detected", 2060),
    Cause.UNKNOWN_NUMBER: ("Invalid Destination Address", 2000),
    Cause.UNKNOWN_CALLER: ("Unknown Caller ID", 3030),
    Cause.WITHHELD_CALLER: ("Unknown Caller ID", 3030),
    Cause.SESSION_EXPIRED: ("Rejected", 3020),
    Cause.SESSION_BUSY: ("Busy Line", 3010),
    Cause.PIN_REQUIRED: ("Rejected", 3020),
    Cause.MEDIA_UNAVAILABLE: ("Internal Error", 5010),
    Cause.MEDIA_TIMEOUT: ("Media Timeout", 6020),
    Cause.ACK_TIMEOUT: ("Network Error", 5000),
    Cause.SHUTDOWN: ("Internal Error", 5010),
    Cause.INTERNAL_ERROR: ("Internal Error", 5010),
}
"""Cause → (PlivoHangupCause, PlivoHangupCauseCode), all names and codes from the vendor's page (§8)."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who an interaction is between, as form values; made once per call."""

    session_id: str
    from_: str = field(repr=False)
    """Digits of the real number that dialled the virtual number."""
    to: str = field(repr=False)
    """Digits of the real number dialled from it; empty when none was."""
    virtual_number: str


def parties(session: Session, caller: Number | None, callee: Number | None) -> Parties:
    return Parties(
        quote_plus(session.id),
        "" if caller is None else caller.digits,
        "" if callee is None else callee.digits,
        session.virtual_number.digits,
    )


def event_name(fact: Fact) -> str | None:
    """The event this fact of a session's call is told as, or None.

    Nothing is told of a call after its session ended: such a call is no longer the session's (§6.1, "no active
    session: not forwarded"), though its record is kept.
    """
    if not isinstance(fact, (LegAnswered, LegRinging, LegEnded)):
        return None
    if isinstance(fact, LegEnded) and fact.cause is Cause.SESSION_EXPIRED:
        return None
    return EVENTS.get((type(fact), fact.leg))


def call_event(who: Parties, fact: Fact, event: str, sequence: int, answered_at: float | None) -> bytes:
    """Form body of one call event; `answered_at` is when this leg was answered, None for never."""
    return (_form(event, fact.at, who) + _hangup(fact, answered_at) + f"&SequenceNumber={sequence}").encode()


def timeout_event(session: Session, at: float) -> bytes:
    """Form body of `SessionTimeout`; its SequenceNumber is null by the page, sent empty."""
    body = _form(SESSION_TIMEOUT, at, parties(session, None, None))
    return (body + _NO_HANGUP + "&SequenceNumber=").encode()


def leg_seconds(answered_at: float | None, ended_at: float) -> tuple[int, int]:
    """(Duration, BilledDuration) in whole seconds: rounded half up, and rounded up as a bill does."""
    exact = 0.0 if answered_at is None else max(0.0, ended_at - answered_at)
    # Times are floats of seconds since 1970, good to about 1 µs: 13 s must not become 14 by such dust.
    return math.floor(exact + 0.5), math.ceil(round(exact, 3))


def session_time(at: float) -> str:
    """`2024-03-25 06:01:30 +0000 UTC`, the session object's time format (§5)."""
    return _session_second(math.floor(at))


@lru_cache(maxsize=1024)  # many calls have something to tell of the same second
def _session_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


_NO_HANGUP = "&Amount=&BilledDuration=&Duration=&PlivoHangupCause=&PlivoHangupCauseCode="
_quoted = lru_cache(maxsize=256)(quote_plus)  # cause names, and a second shared by many calls


def _form(event: str, at: float, who: Parties) -> str:
    # Written out instead of urlencode(): 5 µs against 24 µs, five times in each call (measured).
    return (
        f"EventName={event}&EventTimestamp={_quoted(session_time(at))}&SessionUUID={who.session_id}&From={who.from_}"
        f"&To={who.to}&VirtualNumber={who.virtual_number}&PinAuthenticationStatus=&PinRetryCounter="
    )


def _hangup(fact: Fact, answered_at: float | None) -> str:
    if not isinstance(fact, LegEnded):
        return _NO_HANGUP
    cause, code = HANGUP_CAUSES[fact.cause]
    duration, billed = leg_seconds(answered_at, fact.at)
    return (
        f"&Amount=0&BilledDuration={billed}&Duration={duration}"
        f"&PlivoHangupCause={_quoted(cause)}&PlivoHangupCauseCode={code}"
    )
