"""Digits as they come, and how long the next one is waited for.

What it is: what the question about a PIN (`pin_prompt.py`) and those of a call flow (`capture.py`) have in common. What
it is not: rules about which keys count, and what ends an entry.
"""

from __future__ import annotations

from maskline.engine import effects as e
from maskline.engine import inputs as i


class DigitEntry:
    __slots__ = ("_deadline", "_overall", "_pause", "digits")

    def __init__(self, overall: float, pause: float | None) -> None:
        """Seconds for a whole entry, and for the next digit after one; None: no limit of its own."""
        self._overall = overall
        self._pause = pause
        self._deadline = 0.0
        self.digits = ""

    def begin(self, now: float) -> None:
        """The overall time counts from here."""
        self._deadline = now + self._overall

    def await_first(self, now: float, out: list[e.Effect]) -> None:
        self.begin(now)
        out.append(e.StartTimer(self._overall, i.TimerName.DIGITS))

    def await_next(self, now: float, out: list[e.Effect]) -> None:
        left = self._deadline - now
        out.append(e.StartTimer(left if self._pause is None else min(self._pause, left), i.TimerName.DIGITS))

    def take(self) -> str:
        """The digits; the next entry begins empty."""
        digits, self.digits = self.digits, ""
        return digits
