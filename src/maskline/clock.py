"""Time as an injected source.

What it is: the one place that reads the machine's clocks. Timers and machines run on `now()` (monotonic
seconds); what people and records see is `wall(now)` (seconds since 1970, UTC). Pure modules never call
this: they get `now` as an argument. Who uses it: `app.py` builds one, runners and stores hold it; tests and
the simulation pass a `VirtualClock`.
"""

from __future__ import annotations

from time import monotonic, time
from typing import Final, Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Monotonic seconds; only differences mean anything."""
        ...

    def wall(self, now: float | None = None) -> float:
        """Seconds since 1970 (UTC) at the moment `now` (default: this moment)."""
        ...


_monotonic: Final = monotonic
_time: Final = time
"""Compiled code finds what is bound once without a look-up, and a call asks some thirty times."""


class SystemClock:
    """The machine's clocks; each `wall()` applies the current offset, so NTP steps are followed."""

    __slots__ = ()

    def now(self) -> float:
        return _monotonic()

    def wall(self, now: float | None = None) -> float:
        if now is None:
            return _time()
        return _time() - (_monotonic() - now)


class VirtualClock:
    """A clock that moves only when told; `wall(t) == epoch + t`."""

    __slots__ = ("_now", "epoch")

    def __init__(self, epoch: float = 1_700_000_000.0) -> None:
        self._now = 0.0
        self.epoch = epoch

    def now(self) -> float:
        return self._now

    def wall(self, now: float | None = None) -> float:
        return self.epoch + (self._now if now is None else now)

    def advance(self, seconds: float) -> float:
        self._now += seconds
        return self._now
