"""A clip on its way to a leg's far side, and the packets of what we say ourselves.

What it is: one `Speaker` of the beat (`pace.py`): a frame of 20 ms per step, under the leg's own SSRC, number and
clock. What it is not: a reader of files (`clips.py`) or a timer. Who uses it: `call.py`; `keypad.py` sends by it.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.media import rtp
from maskline.media.embedded.clips import FRAMES_PER_PIECE, EncodedClip
from maskline.media.embedded.leg import Leg
from maskline.media.embedded.outgoing import FRAME
from maskline.sdp.session import Codec

_LAWS = ("PCMU", "PCMA")
_MARKER = 0x80

_pack_header = rtp.HEADER.pack


def send(leg: Leg, second: int, timestamp: int, payload: bytes, now: float, clock: int | None = None) -> None:
    """One packet of ours into the leg's stream, at its next number. `clock` is the timestamp of this moment where the
    packet carries an older one."""
    out = leg.out
    sequence = out.sequence
    if leg.say(_pack_header(rtp.PLAIN, second, sequence, timestamp, out.ssrc) + payload):
        out.packets += 1
        out.octets += len(payload)
    else:
        sequence -= 1  # while on hold time passes and nothing is lost
    out.left(sequence, timestamp if clock is None else clock, now)


def voice_codec(leg: Leg) -> Codec | None:
    """What a clip is encoded in for this far side: a law both our SDP and its own name, else one that it names."""
    if leg.far is None:
        return None
    voices = [codec for codec in leg.far.codecs if codec.name in _LAWS and codec.clock_rate == 8000]
    both = (codec for codec in voices if any(codec.matches(own) for own in leg.codecs))
    return next(both, voices[0] if voices else None)


class Player:
    __slots__ = (
        "_clip",
        "_codec",
        "_frame",
        "_leg",
        "_marker",
        "_on_end",
        "_passes",
        "_piece",
        "_timestamp",
        "play_id",
    )

    def __init__(
        self, leg: Leg, clip: EncodedClip, codec: Codec, play_id: int, passes: int, on_end: Callable[[], None]
    ) -> None:
        """`passes` 0: until stopped. `on_end` is called when the last frame has been heard out."""
        self._leg = leg
        self._clip = clip
        self._codec = codec
        self.play_id = play_id
        self._passes = passes
        self._on_end = on_end
        self._frame = 0
        self._piece = b""
        self._marker = _MARKER
        self._timestamp = 0

    def begin(self, now: float, skipped: int = 0) -> bool:
        """Take the floor and send the first frame; `skipped` frames were heard before, over all passes. False: all."""
        frames = self._clip.frames
        if self._passes and skipped >= frames * self._passes:
            return False
        if self._passes:
            self._passes -= skipped // frames
        self._frame = skipped % frames
        self._piece = self._clip.piece(self._codec.name, self._frame // FRAMES_PER_PIECE)
        self._leg.take_floor()
        _, self._timestamp = self._leg.out.place(now)
        self._leg.out.rate = 8000
        self.step(now)
        return True

    def speak(self, codec: Codec) -> None:
        """In another law or under another number from the next frame on: the far side was agreed with anew."""
        self._codec = codec
        if self._frame % FRAMES_PER_PIECE:
            self._piece = self._clip.piece(codec.name, self._frame // FRAMES_PER_PIECE)

    def step(self, now: float) -> bool:
        frame = self._frame
        if frame == self._clip.frames:
            if self._passes == 1:
                self.end()
                self._on_end()
                return False
            if self._passes:
                self._passes -= 1
            frame = 0
        place = frame % FRAMES_PER_PIECE
        if place == 0:
            self._piece = self._clip.piece(self._codec.name, frame // FRAMES_PER_PIECE)
        payload = self._piece[place * FRAME : (place + 1) * FRAME]
        send(self._leg, self._codec.payload_type | self._marker, self._timestamp, payload, now)
        self._marker = 0
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
        self._frame = frame + 1
        return True

    def skip(self, frames: int) -> None:
        self._timestamp = (self._timestamp + FRAME * frames) & 0xFFFFFFFF
        self._marker = _MARKER

    def end(self) -> None:
        """Give the floor back."""
        self._leg.leave_floor()
