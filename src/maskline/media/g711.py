"""A-law and µ-law (ITU-T G.711): tables to read and write either and to turn one into the other.

What it is: six tables made once at import. `payload.translate(MU_TO_A)` re-codes a whole packet in one call;
`MU_OF_LINEAR` is looked up once per sample. What it is not: a reader of files. Who uses it: the embedded relay, when
one leg agreed on PCMU and the other on PCMA, and for the clips it plays.
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


def _of_linear(levels: tuple[int, ...]) -> bytes:
    """The nearest byte for every 16-bit sample, taken as unsigned: 0 to 32767, then -32768 to -1. Made of runs of equal
    bytes, since a loop over 65,536 samples would be heard when a worker is started anew."""
    ladder = sorted({level: byte for byte, level in enumerate(levels)}.items())
    table, start = bytearray(), -32768
    for (level, byte), (above, _) in zip(ladder, [*ladder[1:], (100_000, 0)], strict=True):
        end = min((level + above + 1) // 2, 32768)
        table += bytes((byte,)) * (end - start)
        start = end
    return bytes(table[32768:] + table[:32768])


MU_OF_LINEAR = _of_linear(MU_TO_LINEAR)
A_OF_LINEAR = _of_linear(A_TO_LINEAR)
