"""Counters that limits go by: a bucket of calls a second, and a meter that runs while calls talk.

What it is: arithmetic on the times it is given, monotonic seconds. What it is not: a rule, a window's end or a clock.
Who uses it: `usage.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Line(NamedTuple):
    """What calls in progress have used, and how fast they use more."""

    amount: float
    rate: float
    """A second."""


class Bucket:
    """As many calls at once as are allowed in a second, one at least, and no more a second in the long run."""

    __slots__ = ("_filled_at", "_tokens")

    def __init__(self) -> None:
        self._tokens = float("inf")
        self._filled_at = 0.0

    def has_room(self, rate: float, now: float) -> bool:
        passed = now - self._filled_at
        if passed > 0:  # a clock that stood or went back gives nothing
            self._filled_at = now
            self._tokens += passed * rate
        most = rate if rate > 1.0 else 1.0
        if self._tokens > most:
            self._tokens = most
        return self._tokens >= 1

    def take(self, calls: int = 1) -> None:
        """Ask `has_room` first. Those that were begun elsewhere may be more than there is room for: a debt."""
        self._tokens -= calls


class Meter:
    """What was used, and what runs on at some rate for each call that talks.

    What runs is kept as one line, `_base + _rate * now`, so that to read it costs the same for any number of calls.
    """

    __slots__ = ("_base", "_booked", "_far_base", "_far_rate", "_held", "_rate")

    def __init__(self) -> None:
        self._booked = self._base = self._rate = self._far_base = self._far_rate = 0.0
        self._held = 0

    def at(self, now: float) -> float:
        return self._booked + self._base + self._far_base + (self._rate + self._far_rate) * now

    @property
    def runs(self) -> bool:
        """Whether a call holds it."""
        return self._held > 0

    def line(self, now: float) -> Line:
        """Of the calls that hold it, for other engines to go by."""
        return Line(self._base + self._rate * now, self._rate)

    def hear(self, lines: Iterable[Line], now: float) -> None:
        """What calls of other engines use, instead of what was heard before."""
        self._far_base = self._far_rate = 0.0
        for line in lines:
            self._far_base += line.amount - line.rate * now
            self._far_rate += line.rate

    def book(self, amount: float) -> None:
        """Used for good."""
        self._booked += amount

    def hold(self, ahead: float) -> None:
        """A call that may come to talk: what its first moment costs is set aside."""
        self._held += 1
        self._base += ahead

    def run(self, rate: float, since: float) -> None:
        """It talks."""
        self._rate += rate
        self._base -= rate * since

    def drop(self, ahead: float, rate: float, since: float) -> None:
        """It is over, or goes on elsewhere; `rate` 0 when it never talked. What it used is for `book`."""
        self._held -= 1
        self._base -= ahead - rate * since
        self._rate -= rate
        if not self._held:
            self._base = self._rate = 0.0  # without the dust of many additions

    def room(self, limit: float, rate: float, now: float) -> float:
        """Seconds that one more call may use `rate` of what is left at `now`; 0: nothing is left, inf: no end."""
        left = limit - self.at(now)
        if left <= 0:
            return 0.0
        return left / rate if rate > 0 else float("inf")
