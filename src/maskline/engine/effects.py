"""What a call may ask for: the closed list of effects that `Call.handle` returns.

What it is: frozen values, performed in order. What it is not: performance; `core.py` does the SIP ones on the
agent and the timer, `runner.py` asks the router, the media driver and the recorder. The simulation performs
them in memory.
"""

from __future__ import annotations

from dataclasses import field

from maskline.engine.inputs import Ready, TimerName
from maskline.masking.call_flow import ActionDone
from maskline.masking.call_record import CallRecord
from maskline.masking.decision import AskPin
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact, LegName
from maskline.masking.prompt import Prompt
from maskline.masking.trunk import Reading, Trunk
from maskline.media.port import FarMedia, HeldMedia
from maskline.sdp.session import Codec
from maskline.sip.flow import Flow
from maskline.values import dataclass


class Effect:
    """Base of all effects."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Route(Effect):
    """Ask the router; comes back as `Forwarded`, `Refused` or `RouteFailed`."""

    caller: Number | None
    called: Number
    trunk: Trunk
    leg_id: str = ""
    """Of the caller's leg, for whoever is asked about this call."""
    others: tuple[Reading, ...] = ()
    """As in `Received`."""


@dataclass(frozen=True, slots=True)
class AskNext(Effect):
    """Ask the customer's application what comes next; comes back as `FlowGiven`, `Refused` or `RouteFailed`."""

    done: ActionDone


@dataclass(frozen=True, slots=True)
class StopAsking(Effect):
    """The caller has gone, so the question that waits is withdrawn. Whose call it was has still to be known: a `Route`
    comes back as said there, without the application; an `AskNext` does not come back."""


@dataclass(frozen=True, slots=True)
class OpenMedia(Effect):
    """Open legs, A first; comes back as `MediaOpened` or `MediaFailed`."""

    far: FarMedia | None
    """Leg A's far side; None with a late offer, or when we dial leg A ourselves."""
    codecs: tuple[Codec, ...]
    legs: tuple[LegName, ...] = (LegName.A, LegName.B)
    encrypted: tuple[LegName, ...] = ()
    """Of these, those we dial and offer keys to."""
    ipv6: tuple[LegName, ...] = ()
    """Of these, those whose far side is reached over IPv6."""


@dataclass(frozen=True, slots=True)
class AttachMedia(Effect):
    """Set a leg's far side, then relay if `bridge`; comes back as `then`, or as `MediaFailed(then)`."""

    leg: LegName
    far: FarMedia
    bridge: bool
    then: Ready


@dataclass(frozen=True, slots=True)
class AdoptMedia(Effect):
    """Take over the media of a call that a process before this one had; comes back as `Stopped` when it is gone."""

    held: HeldMedia


@dataclass(frozen=True, slots=True)
class BridgeMedia(Effect):
    """Connect the attached legs; comes back as `Bridged` or `MediaFailed(Bridged())`."""


@dataclass(frozen=True, slots=True)
class UnbridgeMedia(Effect):
    """Leg B is over and leg A goes on: the two are apart again, and nothing goes to where B was; nothing comes back."""


@dataclass(frozen=True, slots=True)
class Play(Effect):
    """Get the prompt's clip, then play it to a leg; comes back as `PlayDone` when it is over, or `PlayFailed`. Getting
    it does not hold up other media steps of the call; a `StopPlaying` meanwhile means that it is not played at all,
    and then nothing comes back."""

    leg: LegName
    prompt: Prompt
    play_id: int
    """New for each play of the call."""
    repeat: int = 1
    """Passes; 0: until stopped."""


@dataclass(frozen=True, slots=True)
class StopPlaying(Effect):
    leg: LegName


@dataclass(frozen=True, slots=True)
class Collect(Effect):
    """Report digits of this leg as `Digit`, or stop doing so."""

    leg: LegName
    on: bool


@dataclass(frozen=True, slots=True)
class SendDigit(Effect):
    """A digit that came by SIP INFO crosses as a telephone event to this leg's far side."""

    leg: LegName
    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StartRecording(Effect):
    """Comes back as `RecordingOn`, or `RecordingOff`."""

    recording_id: str


@dataclass(frozen=True, slots=True)
class StopRecording(Effect):
    """After it the spool is complete; nothing comes back. `CloseMedia` does the same."""


@dataclass(frozen=True, slots=True)
class CheckPin(Effect):
    """Ask the router whose PIN this is; comes back as `Forwarded`, `PinRefused`, `Refused` or `RouteFailed`."""

    asked: AskPin
    caller: Number | None
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CloseMedia(Effect):
    """Free the call's media after all steps before it; comes back as `MediaClosed`."""


@dataclass(frozen=True, slots=True)
class SendInvite(Effect):
    """Dial a party, showing the virtual number; every header is written by `identity.py`."""

    leg: LegName
    callee: Number
    virtual_number: Number
    trunk: Trunk
    max_forwards: int
    body: bytes
    target: Flow | None = None
    """Which address of the trunk; None: its own."""
    has_next: bool = False
    """There is another place, so that nobody waits long for one that is silent."""
    moved: bool = False
    """A 3xx named the address."""


@dataclass(frozen=True, slots=True)
class Progress(Effect):
    """180 or 183 to the caller."""

    status: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer(Effect):
    """200 to the caller's INVITE."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Reject(Effect):
    """Final refusal of the caller's INVITE, under the standard's own reason phrase."""

    status: int


@dataclass(frozen=True, slots=True)
class Ack(Effect):
    """ACK a 2xx to an INVITE of ours."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class Cancel(Effect):
    """CANCEL an INVITE of ours."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class Bye(Effect):
    leg: LegName


@dataclass(frozen=True, slots=True)
class RespondRequest(Effect):
    """Answer a request inside a leg."""

    leg: LegName
    key: object
    status: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class SendOffer(Effect):
    """Re-INVITE inside a leg that was answered; comes back as `OfferAnswered`. An UPDATE would have to be answered at
    once, and a person may have to be asked (RFC 3311 §5.1)."""

    leg: LegName
    body: bytes


@dataclass(frozen=True, slots=True)
class StartTimer(Effect):
    """(Re)start one of the call's timers; comes back as `TimerFired`."""

    seconds: float
    timer: TimerName = TimerName.CALL


@dataclass(frozen=True, slots=True)
class StopTimer(Effect):
    """Stop it; nothing if it does not run."""

    timer: TimerName = TimerName.CALL


@dataclass(frozen=True, slots=True)
class Emit(Effect):
    """A fact for the log and the webhooks."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Finish(Effect):
    """The record; comes once, right after the `CallEnded` fact, and not for numbers that are not ours."""

    record: CallRecord


@dataclass(frozen=True, slots=True)
class Forget(Effect):
    """Both legs are over and nothing is left to do: drop the call."""
