"""One ordered set of deadlines, without a clock.

What it is: deadlines in a few lines, each in order, with lazy cancellation; shared by the SIP agent and the engine. A
call has about a dozen timers and most are cancelled, so cancelling is O(1): the entry stays in its line and is
skipped when it comes to the front; lines are rebuilt when most of what they hold is dead. What it is not: something
that sleeps; the owner asks `next_deadline()` and calls `expired(now)`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

_LOOK = 64
"""Timers set between two looks at how much is dead."""
_DEAD = 3
"""More entries than this for each live timer are too many. Calls of the usual kind have two."""
_LINES = 16
"""More lines than timers have durations: a deadline that fits into none of these is put among others."""
_GONE = 1024
"""Entries of a line that are over before their place is given back."""
_NEVER = float("inf")

K = TypeVar("K", bound=Hashable)


class _Line(Generic[K]):
    """Entries by deadline, as three lists side by side: no object for each."""

    __slots__ = ("_deadlines", "_gone", "_keys", "_serials", "first", "last")

    def __init__(self) -> None:
        self._deadlines: list[float] = []
        self._serials: list[int] = []
        self._keys: list[K] = []
        self._gone = 0
        self.first, self.last = _NEVER, -_NEVER
        """Deadlines of the front and of the end."""

    def __len__(self) -> int:
        return len(self._keys) - self._gone

    @property
    def key(self) -> K:
        """Of the front."""
        return self._keys[self._gone]

    @property
    def serial(self) -> int:
        return self._serials[self._gone]

    def append(self, deadline: float, serial: int, key: K) -> None:
        self._deadlines.append(deadline)
        self._serials.append(serial)
        self._keys.append(key)
        self.last = deadline
        if self.first == _NEVER:
            self.first = deadline

    def insert(self, deadline: float, serial: int, key: K) -> None:
        """Between those that are there; behind any of the same moment."""
        at = bisect_right(self._deadlines, deadline, self._gone)
        self._deadlines.insert(at, deadline)
        self._serials.insert(at, serial)
        self._keys.insert(at, key)
        self.first, self.last = self._deadlines[self._gone], self._deadlines[-1]

    def drop(self) -> None:
        """The front."""
        self._gone += 1
        gone, held = self._gone, len(self._keys)
        if gone == held or (gone >= _GONE and 2 * gone > held):
            del self._deadlines[:gone], self._serials[:gone], self._keys[:gone]
            self._gone = 0
        if self._keys:
            self.first = self._deadlines[self._gone]
        else:
            self.first, self.last = _NEVER, -_NEVER

    def living(self, live: dict[K, int]) -> _Line[K]:
        """The same without what is dead."""
        line: _Line[K] = _Line()
        for at in range(self._gone, len(self._keys)):
            if live.get(self._keys[at]) == self._serials[at]:
                line.append(self._deadlines[at], self._serials[at], self._keys[at])
        return line


class Timers(Generic[K]):
    """Deadlines by key; setting a key again moves it. Ties fire in the order they were set."""

    # Timers have few durations, and what is set with one of them comes behind all that was set with it before: each
    # gets a line of its own by itself. A heap asks a dozen comparisons of each, and a list for each deadline.
    __slots__ = ("_lines", "_live", "_serial")

    def __init__(self) -> None:
        self._lines: list[_Line[K]] = []
        self._live: dict[K, int] = {}
        """The number of each key's entry; whoever was cancelled or moved since still has an entry in a line."""
        self._serial = 0

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, key: K) -> bool:
        return key in self._live

    def set(self, key: K, deadline: float) -> None:
        self._serial += 1
        serial = self._serial
        self._live[key] = serial
        fitting: _Line[K] | None = None
        for line in self._lines:
            if line.last <= deadline and (fitting is None or line.last > fitting.last):
                fitting = line
        if fitting is not None:
            fitting.append(deadline, serial, key)
        else:
            self._open(key, deadline)
        if not serial % _LOOK:
            self._compact()

    def _open(self, key: K, deadline: float) -> None:
        """A line for a deadline that is before the ends of all; there are enough of them."""
        if len(self._lines) < _LINES:
            self._lines.append(_Line())
            self._lines[-1].append(deadline, self._serial, key)
        else:
            min(self._lines, key=len).insert(deadline, self._serial, key)

    def cancel(self, key: K) -> None:
        """Forget `key`; unknown keys are ignored, since a timer may have just fired."""
        if key in self._live:  # not `pop`, which takes twice as long compiled
            del self._live[key]

    def next_deadline(self) -> float | None:
        live = self._live
        while (line := self._front()) is not None:
            if live.get(line.key) == line.serial:
                return line.first
            line.drop()
        return None

    def expired(self, now: float) -> Iterator[K]:
        """Yield and remove every key due at `now`, earliest first; keys set meanwhile may be yielded too."""
        while (line := self._front()) is not None and line.first <= now:
            key, serial = line.key, line.serial
            line.drop()
            if self._live.get(key) == serial:
                del self._live[key]
                yield key

    def _front(self) -> _Line[K] | None:
        """The line whose front comes first."""
        found: _Line[K] | None = None
        first = _NEVER
        for line in self._lines:
            if line.first < first or (found is not None and line.first == first and line.serial < found.serial):
                found, first = line, line.first
        return found

    def _compact(self) -> None:
        if sum([len(line) for line in self._lines]) > _DEAD * len(self._live):
            self._lines = [line.living(self._live) for line in self._lines]
