"""Tones as G.711 µ-law, and which of them is heard.

What it is: the sound of the lab's phones and the ear that checks it (Goertzel's filter over what arrived).
What it is not: a codec for the product; 8 kHz µ-law only. Who uses it: `lab/audio.py`, `lab/demo.py`, wire tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

RATE = 8000
"""Samples per second."""
FRAME = 160
"""Samples in a 20 ms packet."""
_BIAS, _CLIP = 0x84, 32635


def _encode_sample(value: int) -> int:
    """ITU-T G.711 µ-law: sign, 3 exponent bits, 4 mantissa bits, inverted."""
    sign = 0x80 if value < 0 else 0
    magnitude = min(abs(value), _CLIP) + _BIAS
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | magnitude >> (exponent + 3) & 0x0F) & 0xFF


def _decode_sample(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = ((byte & 0x0F) << 3) + _BIAS << (byte >> 4 & 7)
    return _BIAS - magnitude if byte & 0x80 else magnitude - _BIAS


_DECODED = tuple(_decode_sample(byte) for byte in range(256))


def tone_second(frequency: int, level: float = 0.3) -> bytes:
    """One second of a sine as µ-law; whole Hertz, so that seconds join without a click."""
    step = 2 * math.pi * frequency / RATE
    peak = level * 32767
    return bytes(_encode_sample(round(peak * math.sin(step * i))) for i in range(RATE))


def tone_frames(frequency: int) -> tuple[bytes, ...]:
    """The 50 packets of that second."""
    second = tone_second(frequency)
    return tuple(second[i : i + FRAME] for i in range(0, RATE, FRAME))


def decode(payload: bytes) -> list[int]:
    """µ-law bytes to 16-bit samples."""
    return [_DECODED[byte] for byte in payload]


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
