"""What a lab phone says: one RTP stream of 20 ms packets with a tone, sounds and digits in it.

What it is: the next packets whenever it is asked, numbered and stamped (RFC 3550), digits as telephone-events with
their three end packets (RFC 4733 §2.5) or as tones; a share of the packets may get lost on purpose. What it is not: a
clock or a socket (`lab/audio.py`). Who uses it: `lab/audio.py`.
"""

from __future__ import annotations

import random
import struct
from collections import deque
from collections.abc import Iterator

import numpy as np

from maskline.lab.sound import DIGITS, FRAME, PCMU, Samples, digit_tone, encode, silence, tone

_HEADER = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
_VOLUME, _END = 10, 0x80
_PRESS, _GAP = 5, 4
"""How long a key is held, and how long until the next, in packets."""


class Mouth:
    """One stream. Without sounds or digits to say it repeats its tone, or is silent when told to be."""

    def __init__(self, hertz: int, *, seed: int | None = None) -> None:
        self._random = random.Random(seed)
        self.ssrc, self._sequence, self._stamp = (self._random.getrandbits(bits) for bits in (32, 15, 31))
        self.law = PCMU
        self.event_type: int | None = None
        """Payload type of telephone-event as the far side wants it; None: digits are tones."""
        self.loss = 0.0
        """Share of packets that are counted and not sent."""
        self.sent_packets = self.lost_packets = 0
        self._said: list[Samples] = []
        self._steps: deque[Samples | tuple[int, int, bool]] = deque()
        self._second = _frames(tone((hertz,), 1.0)) if hertz else _frames(silence(0.02))
        self._turn = 0
        self._begun = False

    @property
    def said(self) -> Samples:
        """All samples so far, one after another; silence while a telephone-event went out."""
        return np.concatenate(self._said) if self._said else silence(0)

    @property
    def busy(self) -> bool:
        """Whether there is still something to say."""
        return bool(self._steps)

    def say(self, sound: Samples) -> None:
        """After what is being said already, this; from then on silence instead of the tone."""
        self._second = _frames(silence(0.02))
        self._steps.extend(_frames(sound))

    def press(self, digits: str, *, as_tones: bool = False) -> None:
        """One key after another, 100 ms each."""
        for digit in digits:
            if as_tones or self.event_type is None:
                self._steps.extend(_frames(np.concatenate((digit_tone(digit, 0.02 * _PRESS), silence(0.02 * _GAP)))))
                continue
            event = DIGITS.index(digit)
            self._steps.extend((event, count, count == _PRESS) for count in range(1, _PRESS + 1))
            self._steps.extend(_frames(silence(0.02 * _GAP)))

    def next_packets(self) -> list[bytes]:
        """What goes out in the next 20 ms; empty when it is lost on the way."""
        if self._steps:
            step = self._steps.popleft()
        else:
            step = self._second[self._turn % len(self._second)]
            self._turn += 1
        if isinstance(step, tuple):
            packets = list(self._event(*step))
            self._said.append(silence(0.02))
        else:
            packets = [self._packet(self.law, self._stamp, encode(step, self.law), marker=not self._begun)]
            self._said.append(step)
        self._begun = True
        self._stamp += FRAME
        kept = [packet for packet in packets if not self.loss or self._random.random() >= self.loss]
        self.sent_packets += len(kept)
        self.lost_packets += len(packets) - len(kept)
        return kept

    def _event(self, event: int, count: int, last: bool) -> Iterator[bytes]:
        if self.event_type is None:
            raise RuntimeError("a digit was begun as telephone-event and the far side no longer takes those")
        # All packets of an event carry the time of its beginning (RFC 4733 §2.1).
        stamp = self._stamp - FRAME * (count - 1)
        payload = _EVENT.pack(event, _VOLUME | (_END if last else 0), FRAME * count)
        for _ in range(3 if last else 1):
            yield self._packet(self.event_type, stamp, payload, marker=count == 1)

    def _packet(self, kind: int, stamp: int, payload: bytes, *, marker: bool) -> bytes:
        second = kind | (0x80 if marker else 0)
        head = _HEADER.pack(0x80, second, self._sequence & 0xFFFF, stamp & 0xFFFFFFFF, self.ssrc)
        self._sequence += 1
        return head + payload


def _frames(sound: Samples) -> list[Samples]:
    """Pieces of 20 ms, the last one filled up with silence."""
    filled = np.concatenate((sound, np.zeros(-len(sound) % FRAME, np.int16)))
    return list(filled.reshape(-1, FRAME))
