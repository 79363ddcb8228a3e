"""Digits we press toward a leg's far side, as telephone events.

What it is: one `Speaker` of the beat (`pace.py`) that sends queued digits one after the other, each as RFC 4733 wants
it: updates every 20 ms, three end packets, a pause. What it is not: tones in the audio. Who uses it: `call.py`, for
digits that came by SIP INFO.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from maskline.media.dtmf import press
from maskline.media.embedded.leg import Leg
from maskline.media.embedded.outgoing import FRAME
from maskline.media.embedded.player import send

_PAUSE = 3
"""Beats of silence between digits: 60 ms, 40 is the least that receivers are made for."""
_MARKER = 0x80
_MOST_QUEUED = 32
"""Digits that wait; who presses faster than they can be sent is not a person."""


def event_type(leg: Leg) -> int | None:
    """Payload type of telephone events to this far side."""
    codecs = () if leg.far is None else leg.far.codecs
    return next((codec.payload_type for codec in codecs if codec.is_telephone_event), None)


class Keypad:
    __slots__ = ("_clock", "_digits", "_leg", "_marker", "_on_end", "_pause", "_payloads", "_timestamp", "_type")

    def __init__(self, leg: Leg, payload_type: int, on_end: Callable[[], object]) -> None:
        self._leg = leg
        self._on_end = on_end
        self._type = payload_type
        self._digits: deque[list[bytes]] = deque()
        self._payloads: deque[bytes] = deque()
        self._pause = 0
        self._marker = 0
        self._timestamp = 0
        """Of the digit being sent: all its packets carry that of its start."""
        self._clock = 0

    def press(self, digit: str, duration_ms: int) -> None:
        """Raises `ValueError` for what is no key."""
        payloads = press(digit, duration_ms)
        if len(self._digits) < _MOST_QUEUED:
            self._digits.append(payloads)

    def begin(self, now: float) -> None:
        self._leg.take_floor()
        self.step(now)

    def step(self, now: float) -> bool:
        if self._pause:
            self._pause -= 1
        elif not self._payloads:
            if not self._digits:
                self._leg.leave_floor()
                self._on_end()
                return False
            self._payloads.extend(self._digits.popleft())
            _, self._timestamp = self._leg.out.place(now)
            self._clock = self._timestamp
            self._marker = _MARKER
        if self._payloads:
            payload = self._payloads.popleft()
            send(self._leg, self._type | self._marker, self._timestamp, payload, now, self._clock)
            self._clock += FRAME
            self._marker = 0
            if not self._payloads:
                self._pause = _PAUSE
        return True

    def skip(self, frames: int) -> None:
        self._clock += FRAME * frames
