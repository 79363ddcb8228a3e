"""Digits as tones in the audio: a DTMF detector for G.711 (ITU-T Q.23, Q.24).

What it is: one party's detector, fed with payloads. Blocks of 102 samples (12.75 ms) are compared with the eight
frequencies; a digit is told when two blocks in a row held it, and once only until two blocks did not. What it is not:
needed for most calls. It costs a hundred times what a telephone event does, so it runs while digits are collected on
a leg whose far side has no telephone-event. Plain Python: the relay must not load numpy in the middle of a call. Who
uses it: the embedded relay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import mul

ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_KEYS = ("123A", "456B", "789C", "*0#D")

BLOCK = 102
"""Samples: 78 Hz of resolution, and three whole blocks in the 40 ms that a digit lasts at least."""
_FULL_SCALE = 32124.0
"""Peak of a sine of +3.14 dBm0."""
_FAINTEST = -30.0
"""dBm0 of one tone; -25 must be taken and is, with what a twist of 4 dB leaves of the other."""
_NORMAL_TWIST, _REVERSE_TWIST = 10 ** (8.0 / 10), 10 ** (4.0 / 10)
"""How much stronger than the other a row, and a column, may be (Q.24: 8 dB and 4 dB)."""
_ALONE = 10 ** (8.0 / 10)
"""How much stronger than its neighbours a tone must be."""
_STEADY = 10 ** (4.0 / 10)
"""How much the level of a tone may change between the two blocks: it is switched on, a vowel swells."""
_PURITY = 0.79
"""Share of all power that the two tones make: speech has more beside them (talk-off)."""


def _table(frequency: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    turn = 2.0 * math.pi * frequency / 8000.0
    return tuple(math.cos(turn * n) for n in range(BLOCK)), tuple(math.sin(turn * n) for n in range(BLOCK))


_ROW_TABLES = tuple(_table(frequency) for frequency in ROWS)
_COLUMN_TABLES = tuple(_table(frequency) for frequency in COLUMNS)
_LEAST_TONE = (_FULL_SCALE * 10 ** ((_FAINTEST - 3.14) / 20) * BLOCK / 2) ** 2
"""As `_power` measures it."""
_LEAST_ENERGY = 2.0 * _LEAST_TONE * 2.0 / BLOCK
"""Sum of squares of a block with two such tones."""


class ToneReader:
    __slots__ = ("_before", "_gap", "_rest", "_told")

    def __init__(self) -> None:
        self._rest: list[int] = []
        self._before = _NOTHING
        """What the last block held."""
        self._told = ""
        """The digit now held down."""
        self._gap = 0
        """Blocks in a row without it."""

    def take(self, payload: bytes, levels: tuple[int, ...]) -> str:
        """Audio of one packet, with the table of its law; returns the digits found in it."""
        samples = self._rest
        samples += [levels[byte] for byte in payload]
        found = ""
        start = 0
        while start + BLOCK <= len(samples):
            found += self._step(key_in(samples[start : start + BLOCK]))
            start += BLOCK
        self._rest = samples[start:]
        return found

    def _step(self, heard: Heard) -> str:
        key, before = heard.key, self._before
        if self._told and key != self._told:
            self._gap += 1
            if self._gap == 2:
                self._told = ""
        else:
            self._gap = 0  # also in a block that an interruption of some milliseconds has cut into (Q.24: 10 ms)
        self._before = heard
        if not (heard.clear and before.clear and key == before.key != self._told and heard.is_as_loud_as(before)):
            return ""
        self._told, self._gap = key, 0
        return key


@dataclass(frozen=True, slots=True)
class Heard:
    """What a block of samples holds."""

    key: str = ""
    """Whose tones are the strongest; empty when they are too faint."""
    clear: bool = False
    """They are of fit strengths, far above the other frequencies of their group, and there is little beside them."""
    row: float = 0.0
    column: float = 0.0

    def is_as_loud_as(self, other: Heard) -> bool:
        return all(
            one <= two * _STEADY and two <= one * _STEADY
            for one, two in ((self.row, other.row), (self.column, other.column))
        )


_NOTHING = Heard()


def key_in(block: list[int]) -> Heard:
    energy = float(sum(map(mul, block, block)))
    if energy < _LEAST_ENERGY:
        return _NOTHING
    rows = [_power(block, table) for table in _ROW_TABLES]
    row = max(rows)
    if row < _LEAST_TONE:
        return _NOTHING
    columns = [_power(block, table) for table in _COLUMN_TABLES]
    column = max(columns)
    if column < _LEAST_TONE:
        return _NOTHING
    clear = (
        row <= column * _NORMAL_TWIST
        and column <= row * _REVERSE_TWIST
        and (row + column) * 2.0 / BLOCK >= _PURITY * energy
        and sum(strength * _ALONE > row for strength in rows) == 1
        and sum(strength * _ALONE > column for strength in columns) == 1
    )
    return Heard(_KEYS[rows.index(row)][columns.index(column)], clear, row, column)


def _power(block: list[int], table: tuple[tuple[float, ...], tuple[float, ...]]) -> float:
    """Squared magnitude at one frequency."""
    cosine: float = sum(map(mul, block, table[0]))
    sine: float = sum(map(mul, block, table[1]))
    return cosine * cosine + sine * sine
