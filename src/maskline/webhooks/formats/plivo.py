"""Plivo masking session events, form-encoded, for `callback_url`; VTS publishes the same page.

What it is: the form bodies of plivo-vts.md §7.2, and the hangup table §8. What it is not: the choice of events
(`plivo_events.py`), or the request; URL, fragment, GET query and signature headers are made at each try (`sign.py`).
Who uses it: `workflows/build_outbox.py`.

Every event carries all attributes of the page ("for each event, the below attributes will be posted"), empty where
they do not apply, never null: official validators disagree on how null is signed (§7.5). Numbers are digits without
`+` for the same reason (docs/decisions/0005-plivo-event-parties.md).
"""

from __future__ import annotations

import math
from dataclasses import field
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote_plus

from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.price import Charge, amount_text
from maskline.masking.session import Session
from maskline.values import dataclass
from maskline.webhooks.formats.plivo_events import PIN_STATUS, EventTable, Generation

CONTENT_TYPE = "application/x-www-form-urlencoded"

HANGUP_CAUSES: dict[Cause, tuple[str, int]] = {
    Cause.NORMAL: ("Normal Hangup", 4000),
    Cause.CANCELED: ("Canceled", 1000),
    Cause.ENDED_BY_REQUEST: ("Normal Hangup", 4000),
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
    Cause.TRUNK_FULL: ("Network congestion from carrier", 3090),
    Cause.COUNTRY_BARRED: ("Destination Country Barred", 2030),
    Cause.DESTINATION_BARRED: ("Destination Number Barred", 2040),
    Cause.ACCOUNT_FULL: ("Canceled (Simultaneous dial limit reached)", 1020),
    Cause.ACCOUNT_SPENT: ("Canceled (Out Of Credits)", 1010),
    Cause.ACCOUNT_STOPPED: ("Forbidden", 3040),
    Cause.LOOP: ("Loop Detected", 2060),
    Cause.UNKNOWN_NUMBER: ("Invalid Destination Address", 2000),
    Cause.UNKNOWN_CALLER: ("Unknown Caller ID", 3030),
    Cause.WITHHELD_CALLER: ("Unknown Caller ID", 3030),
    Cause.SESSION_EXPIRED: ("Rejected", 3020),
    Cause.SESSION_BUSY: ("Busy Line", 3010),
    Cause.PIN_REQUIRED: ("Rejected", 3020),
    Cause.WRONG_PIN: ("Confirm Key Challenge Failed", 9110),
    Cause.NO_OTHER_PARTY: ("Invalid Destination Address", 2000),
    # Of calls that an application steers; they belong to no session, so nobody is told this.
    Cause.FLOW_ENDED: ("Normal Hangup", 4000),
    Cause.CALL_ACTION_FAILED: ("Internal Error", 5010),
    Cause.CALL_FLOW_INVALID: ("Internal Error", 5010),
    Cause.SPEECH_FAILED: ("Internal Error", 5010),
    Cause.FILE_FAILED: ("Internal Error", 5010),
    Cause.FLOW_EXPIRED: ("Rejected", 3020),
    Cause.CALLER_ID_NOT_ALLOWED: ("Unknown Caller ID", 3030),
    Cause.SCENARIO_UNKNOWN: ("Rejected", 3020),
    Cause.STORE_UNAVAILABLE: ("Internal Error", 5010),
    Cause.MEDIA_UNAVAILABLE: ("Internal Error", 5010),
    Cause.MEDIA_TIMEOUT: ("Media Timeout", 6020),
    Cause.ACK_TIMEOUT: ("Network Error", 5000),
    Cause.SESSION_NOT_RENEWED: ("Network Error", 5000),
    Cause.SHUTDOWN: ("Internal Error", 5010),
    Cause.ENGINE_RESTARTED: ("Internal Error", 5010),
    Cause.INTERNAL_ERROR: ("Internal Error", 5010),
}
"""Cause → (PlivoHangupCause, PlivoHangupCauseCode), all names and codes from the vendor's page (§8)."""
UNANSWERED_CAUSES: dict[Cause, tuple[str, int]] = {Cause.ENDED_BY_REQUEST: ("Canceled", 1000)}
"""The same of what was not answered, where the page tells the two apart: "canceled using the Hangup Call API before it
was answered"."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who an interaction is between, as form values; made once per call."""

    session_id: str
    from_: str = field(repr=False)
    """Digits of the real number that dialled the virtual number."""
    to: str = field(repr=False)
    """Digits of the real number dialled from it; empty when none was."""
    virtual_number: str


class Ended(NamedTuple):
    """What a hangup event tells of a leg, or of a whole call."""

    duration: int
    """Whole seconds talked."""
    charge: Charge
    cause: Cause
    answered: bool = False

    @property
    def hangup(self) -> tuple[str, int]:
        """Name and code."""
        said = HANGUP_CAUSES[self.cause]
        return said if self.answered else UNANSWERED_CAUSES.get(self.cause, said)


class Style:
    """How one installation tells its events: the generation, and the prefix of the two hangup keys."""

    __slots__ = ("_code", "_name", "_no_hangup", "_twice", "events")

    def __init__(self, generation: Generation = Generation.SECOND, prefix: str = "Plivo") -> None:
        self.events = EventTable(generation)
        self._name = f"&{prefix}HangupCause="
        self._code = f"&{prefix}HangupCauseCode="
        self._no_hangup = f"&Amount=&BilledDuration=&Duration={self._name}{self._code}"
        # The first edition had FirstParty and SecondParty in place of From and To (§7.2).
        self._twice = generation in (Generation.FIRST, Generation.ALL)

    def call_event(self, who: Parties, event: str, at: float, sequence: int, ended: Ended | None = None) -> bytes:
        """One event of a call at wall second `at`, the `sequence`-th of it."""
        hangup = self._no_hangup if ended is None else self._hangup(ended)
        return f"{self._form(event, at, who, '', '')}{hangup}&SequenceNumber={sequence}".encode()

    def pin_event(self, who: Parties, at: float, status: str, wrong: int) -> bytes:
        """The PIN status of a call: `status` is success, failed or AuthorizedCaller; `wrong` PINs were tried."""
        return f"{self._form(PIN_STATUS, at, who, status, str(wrong))}{self._no_hangup}&SequenceNumber=".encode()

    def session_event(self, who: Parties, event: str, at: float) -> bytes:
        """An event that belongs to no call; its SequenceNumber is null by the page, sent empty."""
        return f"{self._form(event, at, who, '', '')}{self._no_hangup}&SequenceNumber=".encode()

    def _form(self, event: str, at: float, who: Parties, pin_status: str, wrong_pins: str) -> str:
        # Written out instead of urlencode(): 5 µs against 24 µs, five times in each call (measured).
        twice = f"&FirstParty={who.from_}&SecondParty={who.to}" if self._twice else ""
        return (
            f"EventName={event}&EventTimestamp={_quoted(session_time(at))}&SessionUUID={who.session_id}"
            f"&From={who.from_}&To={who.to}{twice}&VirtualNumber={who.virtual_number}"
            f"&PinAuthenticationStatus={pin_status}&PinRetryCounter={wrong_pins}"
        )

    def _hangup(self, ended: Ended) -> str:
        cause, code = ended.hangup
        return (
            f"&Amount={amount_text(ended.charge.amount)}&BilledDuration={ended.charge.billed_duration}"
            f"&Duration={ended.duration}{self._name}{_quoted(cause)}{self._code}{code}"
        )


DEFAULT_STYLE = Style()


def parties(session: Session, caller: Number | None, callee: Number | None, virtual_number: Number) -> Parties:
    """`virtual_number`: the one that was dialled, or the session's own where there was no call."""
    return Parties(
        quote_plus(session.id),
        "" if caller is None else caller.digits,
        "" if callee is None else callee.digits,
        virtual_number.digits,
    )


def whole_seconds(answered_at: float | None, ended_at: float) -> int:
    """`Duration`: seconds from answer to end, rounded half up; 0 when never answered."""
    return 0 if answered_at is None else math.floor(max(0.0, ended_at - answered_at) + 0.5)


def session_time(at: float) -> str:
    """`2024-03-25 06:01:30 +0000 UTC`, the session object's time format (§5)."""
    return _session_second(math.floor(at))


@lru_cache(maxsize=1024)  # many calls have something to tell of the same second
def _session_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


_quoted = lru_cache(maxsize=256)(quote_plus)  # cause names, and a second shared by many calls
