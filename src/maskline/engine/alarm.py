"""One timer of the event loop, kept near the moment at which the core wants to be called next.

What it is: the only place where deadlines of the core meet the loop's clock. What it is not: the timers themselves
(`timers.py`, in the core). Who uses it: the runner, after each input and each round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TICK = 0.02
"""Seconds between two looks at SIP's timers, the shortest of which is 0.5 s. Each is a wake-up of a loop that may have
nothing else to do, and most timers that were due have been cancelled by then; one that is due within half a millisecond
is none to libuv: it was looked at thousands of times a second."""


class Alarm:
    """Calls `ring` when a deadline is there, up to `TICK` later. `clock`: seconds, as deadlines are given in."""

    __slots__ = ("_at", "_clock", "_ring", "_timer")

    def __init__(self, ring: Callable[[], None], clock: Callable[[], float]) -> None:
        self._ring = ring
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def set(self, deadline: float | None) -> None:
        """A timer that is too early finds nothing due and is set again, which costs less than moving it at each of a
        call's dozen timers. For a deadline that is over it stays where it is: put off in each round, it would never
        come while rounds are less than `TICK` apart."""
        if deadline is None or (self._timer is not None and self._at <= deadline + TICK):
            return
        now = self._clock()
        if self._timer is not None:
            if self._at <= now + TICK:
                return
            self._timer.cancel()
        delay = max(TICK, deadline - now)
        self._at = now + delay
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_loop)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_loop(self) -> None:
        self._timer = None
        self._ring()
