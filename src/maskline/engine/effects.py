"""What a call may ask for: the closed list of effects that `Call.handle` returns.

What it is: frozen values, performed in order. What it is not: performance; `core.py` does the SIP ones on the
agent and the timer, `runner.py` asks the router, the media driver and the recorder. The simulation performs
them in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskline.engine.inputs import Ready
from maskline.masking.call_record import CallRecord
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact, LegName
from maskline.masking.trunk import Trunk
from maskline.media.port import FarMedia
from maskline.sdp.session import Codec


class Effect:
    """Base of all effects."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Route(Effect):
    """Ask the router; comes back as `Forwarded`, `Refused` or `RouteFailed`."""

    caller: Number | None
    called: Number
    trunk: Trunk


@dataclass(frozen=True, slots=True)
class OpenMedia(Effect):
    """Open both legs, A first; comes back as `MediaOpened` or `MediaFailed`."""

    far: FarMedia | None
    """The caller's side; None with a late offer."""
    codecs: tuple[Codec, ...]


@dataclass(frozen=True, slots=True)
class AttachMedia(Effect):
    """Set a leg's far side, then relay if `bridge`; comes back as `then`, or as `MediaFailed(then)`."""

    leg: LegName
    far: FarMedia
    bridge: bool
    then: Ready


@dataclass(frozen=True, slots=True)
class CloseMedia(Effect):
    """Free the call's media after all steps before it; comes back as `MediaClosed`."""


@dataclass(frozen=True, slots=True)
class SendInvite(Effect):
    """Dial the callee, showing the virtual number; every header is written by `identity.py`."""

    callee: Number
    virtual_number: Number
    trunk: Trunk
    max_forwards: int
    body: bytes


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
    """ACK the callee's 2xx."""


@dataclass(frozen=True, slots=True)
class Cancel(Effect):
    """CANCEL our INVITE to the callee."""


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
class StartTimer(Effect):
    """(Re)start the call's one timer; comes back as `TimerFired`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class StopTimer(Effect):
    """Stop it."""


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
