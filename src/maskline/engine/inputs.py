"""What can happen to a call: the closed list of inputs of `Call.handle`.

What it is: small frozen values. What it is not: SIP messages; `core.py` reads those and keeps what may cross,
so a call never holds a header of either side. Bodies are bytes of SDP, read by `call_media.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum, auto
from typing import Any

from maskline.engine.attestation import UNSAID, Vouched
from maskline.masking.call_record import Quality
from maskline.masking.decision import AskPin, Forward, Refuse, RunFlow, StartCall, StartFlow, WrongPin
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName
from maskline.masking.trunk import Reading, Trunk
from maskline.media.port import LocalMedia, Spool
from maskline.values import dataclass


class TimerName(Enum):
    CALL = auto()
    """Ring time-out before the answer, call time limit after it."""
    DIGITS = auto()
    """Between two digits, and overall while a PIN or an entry that a call flow asks for is awaited."""
    PIN = auto()
    """The wait before the next try; a prompt's longest wait; a tone before the end."""

    __hash__ = object.__hash__


class Input:
    """Base of all inputs."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Received(Input):
    """An INVITE for a number came from a known trunk."""

    caller: Number | None
    """None: withheld, or not a number."""
    called: Number
    trunk: Trunk
    body: bytes
    """SDP offer; empty: the caller wants our offer (late offer)."""
    max_forwards: int
    looped: bool = False
    """The INVITE carries our own loop token."""
    vouched: Vouched = UNSAID
    reliable: bool = False
    """The caller acknowledges what we say before the answer (RFC 3262)."""
    others: tuple[Reading, ...] = ()
    """It may have come by one of these as well: whose number it is will say (`trunk_settled.py`)."""


@dataclass(frozen=True, slots=True)
class Requested(Input):
    """First input of a call that we start ourselves (click-to-call)."""

    decision: StartCall


@dataclass(frozen=True, slots=True)
class FlowRequested(Input):
    """First input of a call that the API asked for."""

    decision: StartFlow


@dataclass(frozen=True, slots=True)
class FlowGiven(Input):
    """The customer's application says what is to be done: with a call that came in, or next."""

    decision: RunFlow


@dataclass(frozen=True, slots=True)
class PinAsked(Input):
    """The router wants a PIN first."""

    decision: AskPin


@dataclass(frozen=True, slots=True)
class PinRefused(Input):
    """The PIN was wrong."""

    decision: WrongPin


@dataclass(frozen=True, slots=True)
class SessionEnded(Input):
    """The session was ended while the call was on its way; a conversation goes on."""


@dataclass(frozen=True, slots=True)
class Forwarded(Input):
    """The router found the session, by number or by PIN."""

    decision: Forward


@dataclass(frozen=True, slots=True)
class Refused(Input):
    """The router refused."""

    decision: Refuse


@dataclass(frozen=True, slots=True)
class RouteFailed(Input):
    """The router could not decide: the store is away, or a bug."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class MediaOpened(Input):
    """The legs that were asked for have ports."""

    a: LocalMedia | None = None
    b: LocalMedia | None = None


@dataclass(frozen=True, slots=True)
class EarlyMediaReady(Input):
    """The callee's early media reaches the caller."""


@dataclass(frozen=True, slots=True)
class AnswerMediaReady(Input):
    """The callee's answered media is attached."""


@dataclass(frozen=True, slots=True)
class LateMediaReady(Input):
    """The answer to an offer of ours in a 2xx is attached."""

    first: bool
    """The call had no media before."""


@dataclass(frozen=True, slots=True)
class ChangeReady(Input):
    """A leg's new media address is attached; answer the request that brought it."""

    leg: LegName
    key: object
    body: bytes
    """SDP of our answer."""
    before: tuple[Any, ...] = ()
    """How the leg was (`call_media_change.keep`), of a change that nobody else was asked for."""


@dataclass(frozen=True, slots=True)
class Bridged(Input):
    """The two parties hear each other."""


Ready = EarlyMediaReady | AnswerMediaReady | LateMediaReady | ChangeReady | Bridged


@dataclass(frozen=True, slots=True)
class PlayBegun(Input):
    """The leg hears it from here on; before, its audio was still being fetched."""

    leg: LegName
    play_id: int


@dataclass(frozen=True, slots=True)
class PlayDone(Input):
    """A clip was heard to its end."""

    leg: LegName
    play_id: int


@dataclass(frozen=True, slots=True)
class PlayFailed(Input):
    """A prompt could not be had, or not played."""

    leg: LegName
    play_id: int
    reason: str
    """Code, as in the fact `PromptNotPlayed`."""


@dataclass(frozen=True, slots=True)
class Digit(Input):
    """A key was pressed on this leg: in the audio or by telephone event while collecting, by SIP INFO at any time."""

    leg: LegName
    digit: str = field(repr=False)
    """Part of a PIN, or whatever else somebody tells a machine by keys."""
    by_info: bool = False
    """Came by SIP INFO, so the other side has not heard it."""


@dataclass(frozen=True, slots=True)
class RecordingOn(Input):
    """The driver keeps what is said."""

    recording_id: str
    spool: Spool


@dataclass(frozen=True, slots=True)
class RecordingOff(Input):
    """The recording did not start, or ended before it was stopped."""

    reason: str


@dataclass(frozen=True, slots=True)
class MediaFailed(Input):
    """A media step failed because the driver is away."""

    step: Ready | None = None
    """What would have come; None: `MediaOpened`."""


@dataclass(frozen=True, slots=True)
class MediaClosed(Input):
    """Everything of the call is freed, or the driver is away and will free it by its own time-out."""

    quality: Mapping[LegName, Quality]
    """Last figures of each leg that sent a packet; empty when the driver is away."""


@dataclass(frozen=True, slots=True)
class Stopped(Input):
    """We end the call: the media driver reports silence (`MEDIA_TIMEOUT`) or lost it (`MEDIA_UNAVAILABLE`), the
    account's day is used up (`ACCOUNT_SPENT`), somebody asked for its end (`ENDED_BY_REQUEST`), or the engine shuts
    down (`SHUTDOWN`)."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class Cancelled(Input):
    """The caller gave up before the answer."""


@dataclass(frozen=True, slots=True)
class Progressed(Input):
    """180 or 183 to an INVITE of ours."""

    status: int
    fork: str
    """To tag: tells forks apart."""
    body: bytes = b""
    leg: LegName = LegName.B


@dataclass(frozen=True, slots=True)
class Answered(Input):
    """2xx to an INVITE of ours."""

    body: bytes
    leg: LegName = LegName.B
    offered: bool = False
    """The body is an offer that its far side made since an answer in an 18x."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A place that a 3xx names."""

    user: str = field(repr=False)
    """As it stands there, a real number as the trunk writes it."""
    host: str
    port: int
    """0: the usual one."""
    transport: str = ""
    """That it asks for, in lower case; empty: none."""


@dataclass(frozen=True, slots=True)
class Failed(Input):
    """An INVITE of ours got a final failure, or nothing."""

    status: int
    q850: int | None = None
    """Cause of a `Reason: Q.850` header."""
    network: bool = False
    """No response at all, the transport failed."""
    leg: LegName = LegName.B
    silent: bool = False
    """No response at all for 64*T1 (RFC 3261 §17.1.1.2)."""
    contacts: tuple[Elsewhere, ...] = ()
    """Of a 3xx."""
    full: bool = False
    """It was not sent, since its trunk has no room for one more call."""


@dataclass(frozen=True, slots=True)
class Acked(Input):
    """ACK for a 2xx of ours, or PRACK for an 18x; `body` is the answer when that carried our offer."""

    leg: LegName
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Renewed(Input):
    """The far side answered a renewal of its session, which repeats what we said last, otherwise than before."""

    leg: LegName
    body: bytes


@dataclass(frozen=True, slots=True)
class AckMissing(Input):
    """64*T1 without an ACK for a 2xx of ours."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class HungUp(Input):
    """BYE received (200 is on its way)."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class ByeDone(Input):
    """Our BYE was answered, or given up."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class Offered(Input):
    """Re-INVITE or UPDATE inside a leg; an empty body of a re-INVITE asks for our offer."""

    leg: LegName
    key: object
    """Names the request in `RespondRequest`."""
    body: bytes
    update: bool = False
    fork: str = ""
    """Which of the far sides there may be before the answer, as in `Progressed`."""


@dataclass(frozen=True, slots=True)
class OfferWithdrawn(Input):
    """The far side cancelled its re-INVITE before we had answered it; 487 has been sent."""

    leg: LegName
    key: object
    """As in `Offered`."""


@dataclass(frozen=True, slots=True)
class OfferAnswered(Input):
    """The final response to an offer of ours inside a leg, or 408 when none came."""

    leg: LegName
    status: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class TimerFired(Input):
    """One of the call's timers."""

    timer: TimerName = TimerName.CALL
