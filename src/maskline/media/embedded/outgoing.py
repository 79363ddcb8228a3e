"""The one RTP stream that a leg's far side gets from us, whoever speaks in it.

What it is: where that stream stands. The other party, a clip and a digit take turns under one SSRC; each begins at
the next sequence number and at the timestamp that the clock on the wall asks for, so a phone hears pauses and no new
stream. While the other party is relayed its own numbers are shifted by offsets (`leg.py`) and this object rests. What
it is not: a sender. Who uses it: `leg.py` at each change of speaker, `player.py` and `keypad.py` for each packet.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

FRAME = 160
"""Ticks and bytes of 20 ms of G.711."""
_ASSUMED_RATE = 50.0
"""Packets a second that a stream has sent since it was last told of."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a stream stood, for a worker that has to go on with it."""

    ssrc: int
    sequence: int
    """Of the next packet."""
    timestamp: int
    """At `at`."""
    at: float
    """Monotonic seconds."""


class Outgoing:
    __slots__ = ("at", "begun", "octets", "packets", "rate", "sequence", "ssrc", "timestamp")

    def __init__(self, ssrc: int, now: float) -> None:
        self.ssrc = ssrc
        self.rate = 8000
        self.sequence = secrets.randbits(16)
        """Of the next packet."""
        self.timestamp = secrets.randbits(32)
        """Of the packet sent at `at`, the last one."""
        self.at = now
        self.begun = False
        self.packets = 0
        """Made here; what the other party said is counted in its own leg."""
        self.octets = 0

    def place(self, now: float) -> tuple[int, int]:
        """Sequence number and timestamp for a new speaker's first packet, sent now."""
        elapsed = int((now - self.at) * self.rate)
        if self.begun:
            elapsed = max(elapsed, FRAME)  # the packet before is still being heard
        return self.sequence, (self.timestamp + elapsed) & 0xFFFFFFFF

    def left(self, sequence: int, timestamp: int, at: float) -> None:
        """The last packet's number and timestamp, and when it was sent."""
        self.sequence = (sequence + 1) & 0xFFFF
        self.timestamp = timestamp & 0xFFFFFFFF
        self.at = at
        self.begun = True

    def position(self) -> Position:
        return Position(self.ssrc, self.sequence, self.timestamp, self.at)

    def resume(self, position: Position, now: float) -> None:
        """Go on with the stream of a worker that died. It sent on for a while after it told of this position: a number
        skipped is taken for loss, one used twice for a late packet, so skip rather."""
        self.ssrc = position.ssrc
        sent = int(max(now - position.at, 0.0) * _ASSUMED_RATE) + 1
        self.sequence = (position.sequence + sent) & 0xFFFF
        self.timestamp, self.at, self.begun = position.timestamp, position.at, True
