"""Tallies of wrong PINs of the in-memory store.

What it is: the rules of `masking/pin.py` on a dictionary. What it is not: durable, or hashed. Who uses it:
`storage/memory_log.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from maskline.masking.pin import Counted, PinLimits, PinTry, Subject, Tally, count, take_back


class MemoryPins:
    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[str, Tally] = {}

    def count(self, one: PinTry, limits: PinLimits, now: float) -> Counted:
        counted, changed = count(one, self._read(one), limits, now)
        self._write(one, changed)
        return counted

    def accept(self, one: PinTry, limits: PinLimits, now: float) -> None:
        self._write(one, take_back(one, self._read(one), limits, now))

    def forget(self, now: float, limit: int) -> int:
        over = [key for key, tally in self._rows.items() if tally.forget_at <= now][:limit]
        for key in over:
            del self._rows[key]
        return len(over)

    def _read(self, one: PinTry) -> dict[Subject, Tally]:
        return {subject: self._rows[key] for subject, key in one.keys.items() if key in self._rows}

    def _write(self, one: PinTry, changed: Mapping[Subject, Tally]) -> None:
        self._rows.update({one.keys[subject]: tally for subject, tally in changed.items()})
