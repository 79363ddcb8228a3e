"""The media port: what the engine asks of a media driver, and what a driver tells the engine.

What it is: the interface that `media/embedded` and `media/rtpengine` both fulfil, held to one contract suite
(tests/contract/test_media_port.py). What it is not: SDP; the engine writes all SDP itself, drivers get codec,
address and port. Who uses it: `engine/outside.py` calls, `app.py` picks the driver.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import field
from typing import Protocol

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.masking.prompt import Prompt
from maskline.sdp.secure import Secure
from maskline.sdp.session import Codec
from maskline.values import dataclass


@dataclass(frozen=True, slots=True)
class FarMedia:
    """Where one leg's far side says it receives RTP, and what it speaks."""

    address: str
    port: int
    rtcp_port: int
    codecs: tuple[Codec, ...]
    nat: bool = False
    """True: latch to the first source that sends from another port or address; False: SDP address only."""
    secure: Secure | None = None
    """Of an encrypted leg; only for drivers that encrypt."""
    direction: str = "sendrecv"
    """As its SDP says; of a call one of whose legs is on hold, silence is no `MediaTimedOut`."""


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """Where we receive RTP for one leg; goes into the SDP we write to that leg."""

    address: str
    port: int
    rtcp_port: int
    secure: Secure | None = None
    """Our keys, certificate and candidates for this leg, if it is encrypted."""


@dataclass(frozen=True, slots=True)
class HeldLeg:
    """A leg as it was asked for by a process that is gone."""

    leg: LegName
    local: LocalMedia
    far: FarMedia | None
    codecs: tuple[Codec, ...]
    encrypted: bool = False
    """We dialled it and offered it RTP/SAVP."""
    ipv6: bool = False


@dataclass(frozen=True, slots=True)
class HeldMedia:
    """The media of a call that such a process had; its legs are bridged if both have a far side."""

    legs: tuple[HeldLeg, ...]
    recording_id: str = ""
    """Of the recording that runs; empty: none does."""

    @property
    def bridged(self) -> bool:
        return len(self.legs) > 1 and all(leg.far is not None for leg in self.legs)


@dataclass(frozen=True, slots=True)
class Clip:
    """Audio ready to be played: a WAV file, 8 kHz, 16 bit, mono, that never changes (media/prompts)."""

    path: str
    """Absolute; the name is a hash, never a number."""
    duration: float
    """Seconds of one pass."""


@dataclass(frozen=True, slots=True)
class SpoolLeg:
    """What one party's packets in a spool are: whose they are, and by which payload types."""

    leg: LegName
    port: int
    """Ours, which this leg's far side sends to: tells the parties apart in a pcap."""
    codecs: tuple[Codec, ...]


@dataclass(frozen=True, slots=True)
class Spool:
    """Where a driver keeps what each party of a call says, with arrival times, until it is converted."""

    path: str
    """Absolute."""
    format: str
    """`maskline` (media/spool.py) or `pcap`."""
    legs: tuple[SpoolLeg, ...]

    def to_json(self) -> str:
        """As it is kept until the converter reads it, perhaps a later version's: all by name, also the codecs."""
        legs = [
            {"leg": one.leg.value, "port": one.port, "codecs": [codec._asdict() for codec in one.codecs]}
            for one in self.legs
        ]
        return json.dumps({"path": self.path, "format": self.format, "legs": legs}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class MediaTimedOut:
    """No packet from either side of a bridged call for the driver's timeout; the call should end."""

    call_id: str


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The driver lost this call's media (worker or daemon restarted without it); the call should end."""

    call_id: str


@dataclass(frozen=True, slots=True)
class PlayDone:
    """A clip was played to its end, all passes. Not sent for what was stopped or replaced."""

    call_id: str
    leg: LegName
    play_id: int


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """A digit of a leg that is being collected, when it ends."""

    call_id: str
    leg: LegName
    digit: str = field(repr=False)
    """One of `0`-`9`, `*`, `#`, `A`-`D`."""


@dataclass(frozen=True, slots=True)
class RecordingLost:
    """The recording ended before it was stopped: the disk is full, or the driver began anew. What is spooled stays."""

    call_id: str


MediaEvent = MediaTimedOut | MediaLost | PlayDone | DigitPressed | RecordingLost


class MediaDriver(Protocol):
    """One driver. Every method raises `errors.MediaUnavailable` within 2 s when the driver is away."""

    async def start(self, on_event: Callable[[MediaEvent], None]) -> None:
        """Connect (and keep reconnecting in the background); returns even when the driver is away."""
        ...

    async def stop(self) -> None:
        """End, with all calls that it still has."""
        ...

    async def leave(self) -> None:
        """End, and leave its calls to a process that comes after this one (`adopt`)."""
        ...

    @property
    def available(self) -> bool:
        """Whether the last contact worked; false means calls are refused with 503."""
        ...

    @property
    def transcodes(self) -> bool:
        """Whether the legs of a call may speak any two codecs; else the same one, or the two laws of G.711."""
        ...

    @property
    def encrypts(self) -> bool:
        """Whether legs may be RTP/SAVP (SDES, or DTLS with ICE)."""
        ...

    async def open_leg(
        self, call_id: str, leg: LegName, far: FarMedia | None, *, codecs: tuple[Codec, ...], encrypted: bool = False,
        ipv6: bool = False,
    ) -> LocalMedia:  # fmt: skip
        """Reserve RTP and RTCP ports for a leg. `far` is known for the caller's leg (its offer), None for the
        leg we are about to dial; `codecs` is what we will write into that leg's SDP. Leg A is opened first.
        `encrypted`: we dial it and offer it RTP/SAVP, with the one key of the returned `secure`; for drivers that
        encrypt. `ipv6`: the leg's far side is reached over IPv6; a driver with addresses of one family gives one of
        those. Opening an open leg again returns the same ports."""
        ...

    async def adopt(self, call_id: str, held: HeldMedia, *, digits: bool = True) -> None:
        """Take over a call that lives on in the driver's worker or daemon since a process before this one opened it:
        nothing of its audio changes, and from here all other methods work on it. Raises `MediaUnavailable` also when it
        does not live on. `digits` as in `bridge`."""
        ...

    async def attach(self, call_id: str, leg: LegName, far: FarMedia) -> None:
        """Set or change the far side of a leg (answer, re-INVITE); ports on our side stay."""
        ...

    async def bridge(self, call_id: str, *, digits: bool = True) -> None:
        """Relay between the two legs, RTP and RTCP, both ways; packets whose source is not the attached far
        side are dropped. What still plays is stopped. Starts the media timeout. Called again after a re-attach: no
        effect. `digits` False: telephone events stay here, audio passes."""
        ...

    async def unbridge(self, call_id: str) -> None:
        """Leg B's far side is gone and leg A's stays: nothing is relayed any more, nothing is sent to where B was, and
        silence is no reason to end the call, as before the bridge. Nothing on a call that is not bridged."""
        ...

    async def play(self, call_id: str, leg: LegName, clip: Clip, play_id: int, *, repeat: int = 1) -> None:
        """Play to the far side of an attached leg, from now: first packet within 10 ms. What it plays to already is
        replaced. `repeat` passes, 0: until stopped. `PlayDone(play_id)` follows the last packet. On a bridged call
        the leg hears the clip instead of the other side."""
        ...

    async def stop_playing(self, call_id: str, leg: LegName) -> None:
        """Silence what plays to this leg; nothing if nothing does."""
        ...

    async def collect(self, call_id: str, leg: LegName, on: bool) -> None:
        """From now report digits pressed at this leg (RFC 4733, also during a clip; tones in the audio only when the
        far side has no telephone-event), or stop doing so."""
        ...

    async def send_digit(self, call_id: str, leg: LegName, digit: str, *, duration_ms: int = 160) -> None:
        """Press a digit toward the far side of this leg as a telephone event; nothing when it has none."""
        ...

    async def start_recording(self, call_id: str, recording_id: str) -> Spool:
        """Keep what both parties send from now. Once a call; `recording_id` names the file."""
        ...

    async def stop_recording(self, call_id: str) -> None:
        """End it; `close` does so too. The spool is complete when this returns."""
        ...

    async def stats(self, call_id: str) -> dict[LegName, Quality]:
        """Quality of what each leg's far side sent us; a leg that never sent a packet is absent."""
        ...

    async def close(self, call_id: str) -> dict[LegName, Quality]:
        """Free everything of the call and return its last `stats`; unknown calls give an empty dict."""
        ...


class PromptUnavailable(Exception):
    """A prompt cannot be had; `reason` is the code of the fact `PromptNotPlayed`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Prompter(Protocol):
    """Makes clips of prompts: `media/prompts`."""

    async def clip(self, prompt: Prompt) -> Clip:
        """The prompt's audio, from the cache or made now. Raises `PromptUnavailable` within 10 s."""
        ...
