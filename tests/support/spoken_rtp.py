"""What a party says, as the RTP packets that arrive: a noise-like voice, its encoding, and a network between.

A `Party` says a wall-clock timeline of samples; every packet arrives a delay after its first sample was said, so a
channel that is true to the clock equals the timeline shifted by that delay.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from maskline.media.g711 import A_TO_LINEAR, MU_TO_LINEAR
from maskline.media.rtp import RtpPacket, build

RATE, FRAME = 8000, 160
DELAY = 0.03
"""Seconds a packet is under way at least."""
Samples = npt.NDArray[np.int16]


def voice(seconds: float, seed: int) -> Samples:
    """Low-passed noise that swells and fades: like nothing else but itself, so correlation tells where it is."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, round(seconds * RATE))
    smooth = np.convolve(noise, np.ones(16) / 4, "same")
    swell = 0.6 + 0.4 * np.sin(np.arange(len(noise)) / RATE * 2 * np.pi * 1.3)
    return (smooth * swell * 5000).clip(-32000, 32000).astype(np.int16)


def _encoder(table: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """For each 16-bit level the byte whose level is nearest."""
    ladder = sorted((level, byte) for byte, level in enumerate(table))
    levels = [level for level, _ in ladder]
    codes = np.zeros(65536, np.uint8)
    for level in range(-32768, 32768):
        above = min(bisect_left(levels, level), len(levels) - 1)
        below = max(above - 1, 0)
        codes[level + 32768] = ladder[above if levels[above] - level <= level - levels[below] else below][1]
    return codes


_CODES = {0: _encoder(MU_TO_LINEAR), 8: _encoder(A_TO_LINEAR)}


@dataclass
class Party:
    """Fields may be changed between frames; `frames` gives what arrives."""

    said: Samples
    started: float = 1_800_000_000.0
    payload_type: int = 0
    ssrc: int = 0x1111
    timestamp: int = 2**32 - 4000
    """Of the first frame: wraps after half a second."""
    sequence: int = 65_500
    delay: float = DELAY
    clock: float = 1.0
    """How fast the sender's clock runs: 1.0001 sends 8000.8 samples a second."""
    random: random.Random = field(default_factory=lambda: random.Random(7))

    def frames(
        self, start: float = 0.0, stop: float | None = None, *, loss: float = 0.0, jitter: float = 0.0
    ) -> Iterator[tuple[float, bytes]]:
        """(arrival, packet) from `start` to `stop` seconds of the timeline. Calling it again goes on with the same
        stream; between two calls neither timestamps nor sequence move."""
        end = len(self.said) if stop is None else round(stop * RATE)
        for at in range(round(start * RATE), end - FRAME + 1, FRAME):
            levels = self.said[at : at + FRAME].astype(np.int32) + 32768
            packet = RtpPacket(
                self.payload_type, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc,
                _CODES[self.payload_type][levels].tobytes(),
            )  # fmt: skip
            self.sequence += 1
            self.timestamp += FRAME
            if self.random.random() >= loss:
                late = self.random.random() * jitter
                yield self.started + at / RATE / self.clock + self.delay + late, build(packet)


def match(channel: Samples, said: Samples, delay: float = DELAY, *, slack: float = 0.0) -> float:
    """Correlation of a channel with the timeline `delay` seconds later, or up to `slack` seconds later than that;
    1.0: the same."""
    shifts = range(round(delay * RATE), round((delay + slack) * RATE) + 1)
    return max(_correlation(channel[shift:], said) for shift in shifts)


def _correlation(channel: Samples, said: Samples) -> float:
    heard, meant = channel.astype(np.float64), said.astype(np.float64)
    length = min(len(heard), len(meant))
    heard, meant = heard[:length], meant[:length]
    norm = float(np.sqrt((heard @ heard) * (meant @ meant)))
    return float(heard @ meant) / norm if norm else 0.0


def lag(channel: Samples, said: Samples, at: float, seconds: float = 1.0, reach: float = 0.5) -> float:
    """By how many seconds the channel is behind the timeline around second `at`."""
    start, size, span = round(at * RATE), round(seconds * RATE), round(reach * RATE)
    piece = said[start : start + size].astype(np.float64)
    low = max(start - span, 0)
    around = channel[low : start + size + span].astype(np.float64)
    return float(np.argmax(np.correlate(around, piece, "valid")) + low - start) / RATE
