"""Tones as G.711 µ-law, and which of them is heard.

What it is: the sound of a lab phone that has nothing to say, and the check of it (Goertzel's filter over what arrived).
What it is not: for speech (`lab/likeness.py`); µ-law only. Who uses it: the demo, wire tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from maskline.lab import sound
from maskline.lab.sound import RATE


def tone_second(frequency: int, level: float = 0.3) -> bytes:
    """One second of a sine as µ-law; whole Hertz, so that seconds join without a click."""
    return sound.encode(sound.tone((frequency,), 1.0, level))


def decode(payload: bytes) -> list[int]:
    """µ-law bytes to 16-bit samples."""
    return [int(sample) for sample in sound.decode(payload)]


def share_of(samples: Sequence[int], frequency: int) -> float:
    """Share of the signal's energy that lies at `frequency` (0.0 to about 1.0), by Goertzel's filter."""
    energy = sum(s * s for s in samples)
    if not energy:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * frequency / RATE)
    s1 = s2 = 0.0
    for sample in samples:
        s1, s2 = sample + coefficient * s1 - s2, s1
    power = s1 * s1 + s2 * s2 - coefficient * s1 * s2
    return 2 * power / (len(samples) * energy)


def heard_tone(payload: bytes, candidates: Sequence[int], *, least_share: float = 0.5) -> int | None:
    """The candidate that dominates what was heard, or None (silence, noise, too short).

    Judged over windows of 100 ms and by majority, since a packet lost between two windows shifts the phase
    and would smear one long window.
    """
    window = RATE // 10
    votes: dict[int, int] = {}
    windows = 0
    for start in range(0, len(payload) - window + 1, window):
        samples = decode(payload[start : start + window])
        windows += 1
        best = max(candidates, key=lambda f: share_of(samples, f))
        if share_of(samples, best) >= least_share:
            votes[best] = votes.get(best, 0) + 1
    for frequency in candidates:
        if windows and votes.get(frequency, 0) > windows / 2:
            return frequency
    return None
