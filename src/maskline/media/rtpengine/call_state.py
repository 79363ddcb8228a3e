"""What the rtpengine driver knows of one call: what was asked for, so that it can be asked for again.

What it is: plain state. What it is not: the daemon's (which may be another one after a restart). Who uses it: the
other modules of this package.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from maskline.masking.facts import LegName
from maskline.media.port import Clip, FarMedia, LocalMedia
from maskline.media.rtpengine.client import NgNode
from maskline.sdp.session import Codec

OTHER = {LegName.A: LegName.B, LegName.B: LegName.A}


@dataclass(slots=True)
class Playing:
    """What a leg hears instead of the other side."""

    clip: Clip
    play_id: int
    passes: int
    """0: until stopped."""
    until: float = 0.0
    """Loop time of the end."""
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Recording:
    id: str
    path: Path
    parts: int = 1


@dataclass(slots=True)
class CallState:
    id: str
    node: NgNode
    far: dict[LegName, FarMedia] = field(default_factory=dict)
    latched: dict[LegName, FarMedia] = field(default_factory=dict)
    """Far sides behind NAT, as they were found."""
    codecs: dict[LegName, tuple[Codec, ...]] = field(default_factory=dict)
    local: dict[LegName, LocalMedia] = field(default_factory=dict)
    encrypted: set[LegName] = field(default_factory=set)
    """Legs that we dial and offer keys to."""
    ipv6: set[LegName] = field(default_factory=set)
    """Legs whose far side is reached over IPv6."""
    apart: bool = False
    """Both legs are attached and may not hear each other yet."""
    bridged: bool = False
    digits: bool = True
    """Telephone events may cross the bridge."""
    over: bool = False
    """`close` was asked for while the daemon was away; it is told when it answers again."""
    packets: int = 0
    active_at: float = 0.0
    playing: dict[LegName, Playing] = field(default_factory=dict)
    astray: set[LegName] = field(default_factory=set)
    """Legs to which a clip may play although its step failed: the answer was late."""
    keyed: set[LegName] = field(default_factory=set)
    """Legs whose DTLS handshake is known to be over."""
    collecting: set[LegName] = field(default_factory=set)
    injects: bool = False
    """The daemon was told to be ready to press digits (its transcoder runs for this call)."""
    keyed_at: dict[LegName, float] = field(default_factory=dict)
    """Loop time at which a leg's far side last let go of a key."""
    pressing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Digits we press go out one behind the other, in the order they were asked for."""
    pressed: deque[tuple[LegName, str]] = field(default_factory=partial(deque, maxlen=8))
    """Ours, by the party in whose stream they go: the daemon gives notice of them as if they were that one's."""
    recording: Recording | None = None

    def meet(self, leg: LegName, far: FarMedia) -> None:
        """Its SDP says this now. Who has moved has to be found again."""
        before = self.far.get(leg)
        if before is None or (before.address, before.port, before.nat) != (far.address, far.port, far.nat):
            self.latched.pop(leg, None)
        elif leg in self.latched:
            self.latched[leg] = replace(
                self.latched[leg], codecs=far.codecs, secure=far.secure, direction=far.direction
            )
        if before is None or before.secure != far.secure:
            self.keyed.discard(leg)
        self.far[leg] = far

    @property
    def is_held(self) -> bool:
        """Somebody said that it does not speak, or does not listen, so that nobody has to."""
        return any(far.direction != "sendrecv" for far in self.far.values())

    def has_events(self, leg: LegName) -> bool:
        """Whether the far side of a leg knows telephone events."""
        far = self.far.get(leg)
        return far is not None and any(codec.is_telephone_event for codec in far.codecs)

    def is_our_digit(self, leg: LegName, digit: str) -> bool:
        """Whether a digit in this leg's stream is one that we pressed; each is one once."""
        if (leg, digit) not in self.pressed:
            return False
        self.pressed.remove((leg, digit))
        return True
