"""The timers of all calls in progress, by call and name.

What it is: `Timers` in the words of a call's effects. What it is not: a clock. Who uses it: `core.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from maskline.engine import effects as e
from maskline.engine.call import Call
from maskline.engine.inputs import TimerName
from maskline.timers import Timers

_NAMES = tuple(TimerName)


class CallTimers:
    __slots__ = ("_timers",)

    def __init__(self) -> None:
        self._timers: Timers[TimerName, str] = Timers()

    def next_deadline(self) -> float | None:
        return self._timers.next_deadline()

    def start(self, call: Call, effect: e.StartTimer, now: float) -> None:
        self._timers.set(effect.timer, call.id, now + effect.seconds)

    def stop(self, call: Call, effect: e.StopTimer, now: float) -> None:
        self._timers.cancel(effect.timer, call.id)

    def stop_all(self, call_id: str) -> None:
        """Of a call that is forgotten."""
        for name in _NAMES:
            self._timers.cancel(name, call_id)

    def runs(self, call_id: str) -> bool:
        """Whether the call waits no longer than one of its timers."""
        return any(self._timers.runs(name, call_id) for name in _NAMES)

    def expired(self, now: float) -> Iterator[tuple[TimerName, str]]:
        """(Name, call's id) of each timer that is due, earliest first; it is gone then."""
        return self._timers.expired(now)
