"""Log lines that somebody else can make us write: one of a kind in ten seconds, with how much it stands for.

What it is: when the last line of a kind was written, and what had been counted by then. What it is not: the log. Who
uses it: `runner.py` and what it shares this with.
"""

from __future__ import annotations

from maskline.clock import Clock

RARE_LOG_SECONDS = 10.0
"""At most one line of a kind in this time, however many datagrams strangers send or unknown numbers are dialled."""


class RareLines:
    __slots__ = ("_clock", "_said")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}

    def unsaid(self, counted: str, counter: int) -> int:
        """How much was counted since the last line about it; 0 when that line is too young for another."""
        now = self._clock.now()
        said_at, said = self._said.get(counted, (float("-inf"), 0))
        if now - said_at < RARE_LOG_SECONDS:
            return 0
        self._said[counted] = (now, counter)
        return counter - said
