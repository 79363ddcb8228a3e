"""A-law and µ-law (ITU-T G.711): tables to read either and to turn one into the other.

What it is: four tables made once at import. `payload.translate(MU_TO_A)` re-codes a whole packet in one call.
What it is not: a codec for tones or files (the lab has its own). Who uses it: the embedded relay, when one leg
agreed on PCMU and the other on PCMA.
"""

from __future__ import annotations

from bisect import bisect_left


def _linear_of_mu(byte: int) -> int:
    value = ~byte & 0xFF
    magnitude = (((value & 0x0F) << 3) + 0x84) << (value >> 4 & 7)
    return 0x84 - magnitude if value & 0x80 else magnitude - 0x84


def _linear_of_a(byte: int) -> int:
    value = byte ^ 0x55
    magnitude = (value & 0x0F) << 4
    segment = value >> 4 & 7
    magnitude = magnitude + 8 if segment == 0 else (magnitude + 0x108) << (segment - 1)
    return magnitude if value & 0x80 else -magnitude


MU_TO_LINEAR = tuple(_linear_of_mu(byte) for byte in range(256))
A_TO_LINEAR = tuple(_linear_of_a(byte) for byte in range(256))


def _nearest(source: tuple[int, ...], target: tuple[int, ...]) -> bytes:
    """For each byte of one law the byte of the other that lies nearest to its level."""
    ladder = sorted((level, byte) for byte, level in enumerate(target))
    levels = [level for level, _ in ladder]
    table = bytearray()
    for level in source:
        above = min(bisect_left(levels, level), len(levels) - 1)
        below = max(above - 1, 0)
        best = above if levels[above] - level <= level - levels[below] else below
        table.append(ladder[best][1])
    return bytes(table)


MU_TO_A = _nearest(MU_TO_LINEAR, A_TO_LINEAR)
A_TO_MU = _nearest(A_TO_LINEAR, MU_TO_LINEAR)
