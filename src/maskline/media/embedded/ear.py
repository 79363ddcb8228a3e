"""Who listens to a leg for digits.

What it is: the choice between telephone events and tones in the audio, by what the far side agreed to, and the
readers of both. An ear stays on its leg once there was a reason to listen: a digit's end packets that come after the
collecting ended must not be taken for a new digit when it begins again. What it is not: a decision about a digit. Who
uses it: `leg.py` feeds it, `call.py` makes it and is told.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.media.dtmf import EventReader
from maskline.media.g711 import A_TO_LINEAR, MU_TO_LINEAR
from maskline.media.inband import ToneReader
from maskline.sdp.session import Codec

_LEVELS = {"PCMU": MU_TO_LINEAR, "PCMA": A_TO_LINEAR}


class Ear:
    __slots__ = ("_events", "_laws", "_tell", "_tones", "_types", "on")

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.on = False
        """Whether digits are told."""
        self._events = EventReader()
        self._types: frozenset[int] = frozenset()
        self._laws: dict[int, tuple[int, ...]] = {}
        """By payload type, where tones are listened for."""
        self._tones = ToneReader()

    def tune(self, sent: tuple[Codec, ...], understood: tuple[Codec, ...]) -> None:
        """`sent` is what the leg may send us, `understood` what its SDP says: some phones send by their own numbers."""
        taken = {codec.payload_type for codec in sent}
        own = {codec.payload_type for codec in understood if codec.is_telephone_event} - taken
        self._types = frozenset({codec.payload_type for codec in sent if codec.is_telephone_event} | own)
        self._laws = {}
        if self.on and understood and not any(codec.is_telephone_event for codec in understood):
            voices = (Codec(0, "PCMU"), Codec(8, "PCMA"), *sent)
            self._laws = {
                codec.payload_type: _LEVELS[codec.name]
                for codec in voices
                if codec.name in _LEVELS and codec.clock_rate == 8000
            }
            self._tones = ToneReader()

    @property
    def payload_types(self) -> frozenset[int]:
        """Of the packets it wants to hear."""
        return self._types | self._laws.keys()

    def hear(self, payload_type: int, ssrc: int, timestamp: int, payload: bytes, now: float) -> None:
        if payload_type in self._types:
            self._say(self._events.take(ssrc, timestamp, payload, now))
        elif payload_type in self._laws:
            self._say(self._tones.take(payload, self._laws[payload_type]))

    def expire(self, now: float) -> None:
        """To be called every 50 ms or so while it is on."""
        self._say(self._events.expire(now))

    def _say(self, digits: str) -> None:
        if self.on:
            for digit in digits:
                self._tell(digit)
