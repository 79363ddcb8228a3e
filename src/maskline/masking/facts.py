# budget: one closed list, and every reader of the fact log wants it in one place
"""Facts: what happened, immutable, numbered per call or per session.

What it is: the closed list of facts, the vocabulary of outcomes and hangup causes, and their JSON form for
the fact log. What it is not: an event bus, or a place for real numbers: a fact names legs and roles, never
parties, so that the log can be read by an operator. Who uses it: the engine and workflows emit, storage
keeps, webhook formats translate (together with the call record, which holds the numbers).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from enum import StrEnum
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from maskline.values import dataclass


class Outcome(StrEnum):
    """How a leg or a call ended, in the product's words; dialects map it to their statuses."""

    COMPLETED = "completed"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"
    CANCELED = "canceled"
    REJECTED = "rejected"
    """Refused by us before any leg B: unknown number, unknown caller, expired session, no media."""
    ERROR = "error"


class Cause(StrEnum):
    """Why it ended. One per row of the hangup tables that masking can produce (plivo-vts.md §8)."""

    NORMAL = "normal"
    CANCELED = "canceled"
    BUSY = "busy"
    BUSY_EVERYWHERE = "busy_everywhere"
    NO_ANSWER = "no_answer"
    RING_TIMEOUT = "ring_timeout"
    CALL_TIME_LIMIT = "call_time_limit"
    DECLINED = "declined"
    FORBIDDEN = "forbidden"
    UNALLOCATED = "unallocated"
    INVALID_DESTINATION = "invalid_destination"
    OUT_OF_SERVICE = "out_of_service"
    NOT_ACCEPTABLE = "not_acceptable"
    REDIRECTED = "redirected"
    REQUEST_TIMEOUT = "request_timeout"
    CARRIER_ERROR = "carrier_error"
    CONGESTION = "congestion"
    DOES_NOT_EXIST = "does_not_exist"
    NETWORK_ERROR = "network_error"
    NO_ROUTE = "no_route"
    TRUNK_FULL = "trunk_full"
    """Every trunk that may call the destination carries as many calls as its limits allow."""
    COUNTRY_BARRED = "country_barred"
    """The account may not call numbers of this country."""
    DESTINATION_BARRED = "destination_barred"
    """It may not call this number: premium rate, satellite or the like, or a prefix that is denied."""
    ACCOUNT_FULL = "account_full"
    """The account, or its virtual number, has as many calls at a time or a second as its limits allow."""
    ACCOUNT_SPENT = "account_spent"
    """The account's minutes or money of the day, or the session's attempts, are used up."""
    ACCOUNT_STOPPED = "account_stopped"
    """Its calls were stopped by an alarm or an operator, until an operator lifts that."""
    LOOP = "loop"
    UNKNOWN_NUMBER = "unknown_number"
    UNKNOWN_CALLER = "unknown_caller"
    WITHHELD_CALLER = "withheld_caller"
    SESSION_EXPIRED = "session_expired"
    SESSION_BUSY = "session_busy"
    PIN_REQUIRED = "pin_required"
    """No PIN was given."""
    WRONG_PIN = "wrong_pin"
    """All tries were used, or too many were wrong before."""
    NO_OTHER_PARTY = "no_other_party"
    """The one party of a single-party session calls, and nobody has called it yet."""
    ENDED_BY_REQUEST = "ended_by_request"
    """Somebody asked by API or at the command line that it end."""
    FLOW_ENDED = "flow_ended"
    """The customer's application hung up, or had nothing more to do."""
    CALL_ACTION_FAILED = "call_action_failed"
    """The customer's application could not be asked: unreachable, too slow, or not a 200."""
    CALL_FLOW_INVALID = "call_flow_invalid"
    """It answered with something that is no call flow."""
    SPEECH_FAILED = "speech_failed"
    """A text of a call flow could not be spoken."""
    FILE_FAILED = "file_failed"
    """A file of a call flow could not be had."""
    FLOW_EXPIRED = "flow_expired"
    """A requested call flow was not begun before its `validUntil`."""
    CALLER_ID_NOT_ALLOWED = "caller_id_not_allowed"
    """A call flow dials with a number that is not the subaccount's."""
    SCENARIO_UNKNOWN = "scenario_unknown"
    """A call flow names a scenario, and there are none here."""
    STORE_UNAVAILABLE = "store_unavailable"
    """Whom to call was to be looked up, and the store could not be asked."""
    MEDIA_UNAVAILABLE = "media_unavailable"
    MEDIA_TIMEOUT = "media_timeout"
    ACK_TIMEOUT = "ack_timeout"
    SESSION_NOT_RENEWED = "session_not_renewed"
    """A party's side no longer answers, or did not renew its SIP session in time (RFC 4028)."""
    SHUTDOWN = "shutdown"
    ENGINE_RESTARTED = "engine_restarted"
    """The engine died before the two were connected; a call whose parties talked goes on."""
    INTERNAL_ERROR = "internal_error"


class LegName(StrEnum):
    A = "a"
    B = "b"


class HungUpBy(StrEnum):
    """Whose act ended a leg or call: a party's, a carrier's failure, or ours (limits, refusals)."""

    CALLER = "caller"
    CALLEE = "callee"
    PLATFORM = "platform"
    CARRIER = "carrier"


@dataclass(frozen=True, slots=True)
class Fact:
    """Common to all: the subject (a call's or a session's id), its running number from 1, wall seconds."""

    subject: str
    sequence: int
    at: float
    name: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class CallReceived(Fact):
    """An INVITE for a number came from a known trunk."""

    name: ClassVar[str] = "CallReceived"
    trunk_id: str
    virtual_number: str
    """The dialled number; masked when it is not ours, since it may be a person's."""
    verification: str = ""
    """What the carrier says of its check of the caller's number (STIR/SHAKEN): `passed`, `failed` or `none`."""
    attestation: str = ""
    """`A`, `B` or `C`: how far the caller's own carrier vouches for that number."""


@dataclass(frozen=True, slots=True)
class CallRouted(Fact):
    """The caller was matched with a session, the number's fallback takes the call, or a call flow dials somebody."""

    name: ClassVar[str] = "CallRouted"
    session_id: str
    """Empty for a fallback and for a call flow."""
    caller: str
    """`first_party` or `second_party`; empty for a fallback and for a call flow."""
    matched_by: str = "party"
    """`party`, `pin`, `open`, `request`, `call_action` or `fallback`."""


@dataclass(frozen=True, slots=True)
class CallRequested(Fact):
    """First fact of a call that the platform starts itself: a session asked for it, or a call flow by API."""

    name: ClassVar[str] = "CallRequested"
    session_id: str
    """Empty for a call flow."""
    virtual_number: str


@dataclass(frozen=True, slots=True)
class CallNotStarted(Fact):
    """The only fact of a call that a session asked for and that nobody could start."""

    name: ClassVar[str] = "CallNotStarted"
    session_id: str
    cause: Cause
    """`shutdown`: no engine took it within `REQUEST_AGE`."""


@dataclass(frozen=True, slots=True)
class PromptPlayed(Fact):
    """Somebody heard audio of ours: before being connected or refused, or because a call flow says so."""

    name: ClassVar[str] = "PromptPlayed"
    leg: str
    prompt: str
    """Name of the option, such as `first_party_play_url`."""
    completed: bool
    """False: a digit, the end of the leg or of the wait cut it short."""


@dataclass(frozen=True, slots=True)
class PromptNotPlayed(Fact):
    """Audio that was asked for could not be had or played; the call went on without, unless a flow asked for it."""

    name: ClassVar[str] = "PromptNotPlayed"
    leg: str
    prompt: str
    """Name of the option, such as `unknown_caller_play`."""
    reason: str
    """A code: `timeout`, `too_large`, `not_audio`, `forbidden_address`, `media_unavailable`, `stopped` (before it
    began), `left` …"""


@dataclass(frozen=True, slots=True)
class PinChecked(Fact):
    """The caller was asked for a PIN, and gave one or none."""

    name: ClassVar[str] = "PinChecked"
    session_id: str
    """Whose PIN it was, or the session the caller's number names; empty when nobody can tell."""
    accepted: bool
    failures: int
    """Wrong PINs of this call so far."""
    given: bool
    """False: nothing was entered in time."""


@dataclass(frozen=True, slots=True)
class FlowGiven(Fact):
    """The customer's application said what is to be done with the call."""

    name: ClassVar[str] = "FlowGiven"
    actions: str
    """Names of the actions in order, by comma: `PLAY_TTS,HANGUP`."""


@dataclass(frozen=True, slots=True)
class CallActionFailed(Fact):
    """The customer's application could not say what is to be done with the call."""

    name: ClassVar[str] = "CallActionFailed"
    reason: str
    """One sentence, with the JSONPath of what is wrong in its answer; names no number."""


@dataclass(frozen=True, slots=True)
class DigitsCaptured(Fact):
    """A call flow asked for digits, and they came; or all tries failed."""

    name: ClassVar[str] = "DigitsCaptured"
    leg: str
    count: int
    """How many; 0: all tries failed."""
    digits: str = dataclasses.field(default="", repr=False)
    """For the customer's application alone: not in the fact log, since they may be a card's or a PIN's."""


@dataclass(frozen=True, slots=True)
class LegChanged(Fact):
    """A re-INVITE or UPDATE inside a leg changed its media: hold, resume, another address or codec."""

    name: ClassVar[str] = "LegChanged"
    leg: str


@dataclass(frozen=True, slots=True)
class RecordingStarted(Fact):
    """Both parties are connected and what they say is kept."""

    name: ClassVar[str] = "RecordingStarted"
    recording_id: str
    spool: str
    """`media.port.Spool` as JSON, so that it can be found after a crash."""


@dataclass(frozen=True, slots=True)
class RecordingStopped(Fact):
    """The recording of the call ended; its file is made afterwards."""

    name: ClassVar[str] = "RecordingStopped"
    recording_id: str
    lost: bool
    """Ended before the call did."""


@dataclass(frozen=True, slots=True)
class RecordingNotStarted(Fact):
    """The session asks for a recording and there is none."""

    name: ClassVar[str] = "RecordingNotStarted"
    recording_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordingCompleted(Fact):
    """The file is there. The subject is the recording's id."""

    name: ClassVar[str] = "RecordingCompleted"
    call_id: str
    duration_ms: int
    partial: bool
    """A full disk or a crash cut it: only what was spooled is in it."""


@dataclass(frozen=True, slots=True)
class RecordingFailed(Fact):
    """No file could be made or stored, or it was pushed in vain. The subject is the recording's id."""

    name: ClassVar[str] = "RecordingFailed"
    call_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class LegDialed(Fact):
    """INVITE sent to the other party."""

    name: ClassVar[str] = "LegDialed"
    leg: str
    trunk_id: str


@dataclass(frozen=True, slots=True)
class LegRedialed(Fact):
    """The leg could not be reached, and is tried at another place: of the same trunk, or of another one."""

    name: ClassVar[str] = "LegRedialed"
    leg: str
    trunk_id: str
    status: int
    """SIP status of the try before; 408 and 503 also stand for no response at all, 503 for a trunk without room."""


@dataclass(frozen=True, slots=True)
class LegRinging(Fact):
    """First 180 or 183 of the leg."""

    name: ClassVar[str] = "LegRinging"
    leg: str
    early_media: bool


@dataclass(frozen=True, slots=True)
class LegAnswered(Fact):
    """The leg has a 200: for B received, for A sent."""

    name: ClassVar[str] = "LegAnswered"
    leg: str


@dataclass(frozen=True, slots=True)
class LegEnded(Fact):
    """The leg is over, answered or not."""

    name: ClassVar[str] = "LegEnded"
    leg: str
    outcome: Outcome
    cause: Cause
    sip_status: int
    """Final SIP status that ended it: 200 for a normal end, 487 for a cancel, 0 when nothing was exchanged."""
    hung_up_by: HungUpBy


@dataclass(frozen=True, slots=True)
class CallRecovered(Fact):
    """The engine was restarted during the call, and the call went on, or got its end from what was kept of it."""

    name: ClassVar[str] = "CallRecovered"
    goes_on: bool
    """False: the two were not connected."""


@dataclass(frozen=True, slots=True)
class CallEnded(Fact):
    """The last fact of every call, exactly once."""

    name: ClassVar[str] = "CallEnded"
    outcome: Outcome
    cause: Cause
    hung_up_by: HungUpBy


@dataclass(frozen=True, slots=True)
class AccountAlarmed(Fact):
    """An account's calls look like fraud, or have used up the day. The subject is the account's id."""

    name: ClassVar[str] = "AccountAlarmed"
    alarm: str
    """`new_country`, `night_peak`, `short_calls` or `day_spent`."""
    country: str
    """Of a new country, ISO 3166-1 alpha-2 or `unknown`; else empty."""


@dataclass(frozen=True, slots=True)
class AccountStopped(Fact):
    """All calls of an account are refused from now on. The subject is the account's id."""

    name: ClassVar[str] = "AccountStopped"
    reason: str
    """An alarm's name, or `operator`."""


@dataclass(frozen=True, slots=True)
class AccountResumed(Fact):
    """An operator lifted the stop of an account. The subject is the account's id."""

    name: ClassVar[str] = "AccountResumed"
    reason: str
    """Why it had been stopped."""


class ClaimNote(NamedTuple):
    """One claim of a session, as the fact log tells it: enough to replay who held what, without any number."""

    key: str
    """Keyed hash in hex: useless without the installation's key."""
    kind: str
    """`party`, `pin` or `anyone`."""
    role: str
    virtual_number: str
    held_until: float


@dataclass(frozen=True, slots=True)
class SessionFact(Fact):
    """Common to the facts of a session: what it holds from then on."""

    live_until: float
    """Wall seconds: planned end, or the moment of the end."""
    claims: tuple[ClaimNote, ...]


@dataclass(frozen=True, slots=True)
class SessionCreated(SessionFact):
    """A masking session was made and holds its virtual number."""

    name: ClassVar[str] = "SessionCreated"
    mode: str
    """`shared`, `split`, `pin` or `open`."""


@dataclass(frozen=True, slots=True)
class SessionUpdated(SessionFact):
    """A request changed the session."""

    name: ClassVar[str] = "SessionUpdated"
    parameters: tuple[str, ...]
    """Names of what changed, not the values."""
    released: tuple[ClaimNote, ...] = ()
    """Claims of a party that was changed, in quarantine from now on."""


@dataclass(frozen=True, slots=True)
class SessionExpired(SessionFact):
    """The session's time was over, or it was ended by request; its claims stay until their cool-off is over."""

    name: ClassVar[str] = "SessionExpired"
    by_request: bool


@dataclass(frozen=True, slots=True)
class VirtualNumberReplaced(SessionFact):
    """A live session got another number, because one of its own is not to be used any more."""

    name: ClassVar[str] = "VirtualNumberReplaced"
    released: tuple[ClaimNote, ...]
    """Its claims on the old number, in quarantine from now on."""


FACTS: dict[str, type[Fact]] = {
    cls.name: cls
    for cls in (
        CallReceived, CallRequested, CallNotStarted, CallRouted, PromptPlayed, PromptNotPlayed, PinChecked, LegDialed,
        LegRedialed, LegRinging, LegAnswered, FlowGiven, CallActionFailed, DigitsCaptured, LegChanged, RecordingStarted,
        RecordingStopped, RecordingNotStarted, CallRecovered, LegEnded, CallEnded, RecordingCompleted, RecordingFailed,
        SessionCreated, SessionUpdated, SessionExpired, VirtualNumberReplaced, AccountAlarmed, AccountStopped,
        AccountResumed,
    )
}  # fmt: skip

_LEFT_OUT = {"subject", "sequence", "at", "digits"}
FACT_FIELDS: dict[str, list[str]] = {
    name: [f.name for f in dataclasses.fields(cls) if f.name not in _LEFT_OUT] for name, cls in FACTS.items()
}
"""Names of each fact's own fields, by the fact's name."""
_ENUMS = {"outcome": Outcome, "cause": Cause, "hung_up_by": HungUpBy}


def _reader(names: list[str]) -> Callable[[Fact], Any]:
    return attrgetter(*names)


_READERS = {name: _reader(names) for name, names in FACT_FIELDS.items()}
_OF_ONE_FIELD = frozenset(name for name, names in FACT_FIELDS.items() if len(names) == 1)


def fact_values(fact: Fact) -> tuple[Any, ...]:
    """The fact's own fields as JSON values, in the order of `FACT_FIELDS`."""
    found: Any = _READERS[fact.name](fact)
    values: tuple[Any, ...] = (found,) if fact.name in _OF_ONE_FIELD else found
    return values


def fact_details(fact: Fact) -> dict[str, Any]:
    """The fact's own fields as JSON values."""
    return dict(zip(FACT_FIELDS[fact.name], fact_values(fact), strict=True))


def restore_fact(name: str, subject: str, sequence: int, at: float, details: dict[str, Any]) -> Fact:
    """The reverse of `fact_details`; raises `KeyError` for a fact this version does not know."""
    values = {key: _ENUMS[key](value) if key in _ENUMS else value for key, value in details.items()}
    if "parameters" in values:
        values["parameters"] = tuple(values["parameters"])
    for key in ("claims", "released"):
        if key in values:
            values[key] = tuple(ClaimNote(*note) for note in values[key])
    return FACTS[name](subject, sequence, at, **values)
