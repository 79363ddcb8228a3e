"""The media port: what the engine asks of a media driver, and what a driver tells the engine.

What it is: the interface that `media/embedded` and `media/rtpengine` both fulfil, held to one contract suite
(tests/contract/test_media_port.py). What it is not: SDP; the engine writes all SDP itself, drivers get codec,
address and port. Who uses it: `engine/runner.py` calls, `app.py` picks the driver.

Later issues add `play`, `stop`, `collect` and `record` here, with the events `dtmf` and `play_done`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.sdp.session import Codec


@dataclass(frozen=True, slots=True)
class FarMedia:
    """Where one leg's far side says it receives RTP, and what it speaks."""

    address: str
    port: int
    rtcp_port: int
    codecs: tuple[Codec, ...]
    nat: bool = False
    """True: latch to the first source that sends from another port or address; False: SDP address only."""


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """Where we receive RTP for one leg; goes into the SDP we write to that leg."""

    address: str
    port: int
    rtcp_port: int


@dataclass(frozen=True, slots=True)
class MediaTimedOut:
    """No packet from either side of a bridged call for the driver's timeout; the call should end."""

    call_id: str


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The driver lost this call's media (worker or daemon restarted without it); the call should end."""

    call_id: str


MediaEvent = MediaTimedOut | MediaLost


class MediaDriver(Protocol):
    """One driver. Every method raises `errors.MediaUnavailable` within 2 s when the driver is away."""

    async def start(self, on_event: Callable[[MediaEvent], None]) -> None:
        """Connect (and keep reconnecting in the background); returns even when the driver is away."""
        ...

    async def stop(self) -> None: ...

    @property
    def available(self) -> bool:
        """Whether the last contact worked; false means calls are refused with 503."""
        ...

    async def open_leg(
        self, call_id: str, leg: LegName, far: FarMedia | None, *, codecs: tuple[Codec, ...]
    ) -> LocalMedia:
        """Reserve RTP and RTCP ports for a leg. `far` is known for the caller's leg (its offer), None for the
        leg we are about to dial; `codecs` is what we will write into that leg's SDP. Leg A is opened first.
        Opening an open leg again returns the same ports."""
        ...

    async def attach(self, call_id: str, leg: LegName, far: FarMedia) -> None:
        """Set or change the far side of a leg (answer, re-INVITE); ports on our side stay."""
        ...

    async def bridge(self, call_id: str) -> None:
        """Relay between the two legs, RTP and RTCP, both ways; packets whose source is not the attached far
        side are dropped. Starts the media timeout. Called again after a re-attach: no effect."""
        ...

    async def stats(self, call_id: str) -> dict[LegName, Quality]:
        """Quality of what each leg's far side sent us; a leg that never sent a packet is absent."""
        ...

    async def close(self, call_id: str) -> dict[LegName, Quality]:
        """Free everything of the call and return its last `stats`; unknown calls give an empty dict."""
        ...
