"""One ordered set of deadlines, without a clock.

What it is: deadlines in a few lines, each in order, with lazy cancellation; shared by the SIP agent and the engine. A
call has about a dozen timers and most are cancelled, so cancelling is O(1): the entry stays in its line and is
skipped when it comes to the front; lines are rebuilt when most of what they hold is dead. What it is not: something
that sleeps; the owner asks `next_deadline()` and calls `expired(now)`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Generic, TypeVar

from maskline.values import leaf

_LOOK = 64
"""Timers set between two looks at how much is dead."""
_DEAD = 3
"""More entries than this for each live timer are too many. Calls of the usual kind have two."""
_LINES = 16
"""More lines than timers have durations: a deadline that fits into none of these is put among others."""
_GONE = 1024
"""Entries of a line that are over before their place is given back."""
_NEVER = float("inf")

Kind = TypeVar("Kind", bound=Hashable)
Key = TypeVar("Key", bound=Hashable)


@leaf
class _Entry:
    """A timer as it was set once."""

    __slots__ = ("deadline", "key", "kind", "lives", "serial")

    def __init__(self, deadline: float, serial: int, kind: Any, key: Any) -> None:
        self.deadline = deadline
        self.serial = serial
        self.kind = kind
        self.key = key
        self.lives = True
        """It was neither cancelled nor set anew."""


class _Line:
    """Entries by deadline."""

    __slots__ = ("_entries", "_gone", "first", "last")

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._gone = 0
        self.first, self.last = _NEVER, -_NEVER
        """Deadlines of the front and of the end."""

    def __len__(self) -> int:
        return len(self._entries) - self._gone

    @property
    def front(self) -> _Entry:
        return self._entries[self._gone]

    def append(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self.last = entry.deadline
        if self.first == _NEVER:
            self.first = entry.deadline

    def insert(self, entry: _Entry) -> None:
        """Between those that are there; behind any of the same moment."""
        entries, low, high = self._entries, self._gone, len(self._entries)
        while low < high:
            middle = (low + high) // 2
            if entry.deadline < entries[middle].deadline:
                high = middle
            else:
                low = middle + 1
        entries.insert(low, entry)
        self.first, self.last = entries[self._gone].deadline, entries[-1].deadline

    def drop(self) -> None:
        """The front, and what is dead behind it."""
        entries = self._entries
        gone, held = self._gone + 1, len(entries)
        while gone < held and not entries[gone].lives:
            gone += 1
        if gone == held:
            entries.clear()
            self._gone = 0
            self.first, self.last = _NEVER, -_NEVER
            return
        self.first = entries[gone].deadline
        if gone >= _GONE and 2 * gone > held:
            del entries[:gone]
            gone = 0
        self._gone = gone

    def living(self) -> _Line:
        """The same without what is dead."""
        line = _Line()
        for at in range(self._gone, len(self._entries)):
            if self._entries[at].lives:
                line.append(self._entries[at])
        return line


class Timers(Generic[Kind, Key]):
    """Deadlines by kind and key; setting one again moves it. Ties fire in the order they were set."""

    # Timers have few durations, and what is set with one of them comes behind all that was set with it before: each
    # gets a line of its own by itself. A heap asks a dozen comparisons of each, and a list for each deadline. Kind and
    # key apart, and not as a tuple: that would be made and hashed for each look, and the collector would look at it.
    __slots__ = ("_lines", "_live", "_serial")

    def __init__(self) -> None:
        self._lines: list[_Line] = []
        self._live: dict[Kind, dict[Key, _Entry]] = {}
        """Each timer's entry; whoever was cancelled or moved since still has one in a line."""
        self._serial = 0

    def __len__(self) -> int:
        return sum([len(live) for live in self._live.values()])

    def runs(self, kind: Kind, key: Key) -> bool:
        """Whether it is set, and has neither fired nor been cancelled."""
        live = self._live.get(kind)
        return live is not None and key in live

    def set(self, kind: Kind, key: Key, deadline: float) -> None:
        self._serial += 1
        entry = _Entry(deadline, self._serial, kind, key)
        live = self._live.get(kind)
        if live is None:
            self._live[kind] = {key: entry}
        else:
            before = live.get(key)
            if before is not None:
                before.lives = False
            live[key] = entry
        fitting: _Line | None = None
        for line in self._lines:
            if line.last <= deadline and (fitting is None or line.last > fitting.last):
                fitting = line
        if fitting is not None:
            fitting.append(entry)
        else:
            self._open(entry)
        if not self._serial % _LOOK:
            self._compact()

    def _open(self, entry: _Entry) -> None:
        """A line for a deadline that is before the ends of all; there are enough of them."""
        if len(self._lines) < _LINES:
            self._lines.append(_Line())
            self._lines[-1].append(entry)
        else:
            min(self._lines, key=len).insert(entry)

    def cancel(self, kind: Kind, key: Key) -> None:
        """Forget it; what is unknown is ignored, since a timer may have just fired."""
        live = self._live.get(kind)
        entry = None if live is None else live.get(key)
        if live is not None and entry is not None:
            entry.lives = False
            del live[key]

    def next_deadline(self) -> float | None:
        while (line := self._front()) is not None:
            if line.front.lives:
                return line.first
            line.drop()
        return None

    def expired(self, now: float) -> Iterator[tuple[Kind, Key]]:
        """Yield and remove every timer due at `now`, earliest first; those set meanwhile may be yielded too."""
        while (line := self._front()) is not None and line.first <= now:
            entry = line.front
            line.drop()
            if entry.lives:
                del self._live[entry.kind][entry.key]
                yield entry.kind, entry.key

    def _front(self) -> _Line | None:
        """The line whose front comes first."""
        found: _Line | None = None
        first = _NEVER
        for line in self._lines:
            if line.first < first or (
                found is not None and line.first == first and line.front.serial < found.front.serial
            ):
                found, first = line, line.first
        return found

    def _compact(self) -> None:
        if sum([len(line) for line in self._lines]) > _DEAD * len(self):
            self._lines = [line.living() for line in self._lines]
