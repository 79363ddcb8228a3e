"""One ordered set of deadlines, without a clock.

What it is: a heap of (deadline, key) with lazy cancellation, shared by the SIP agent and the engine. A call
has about a dozen timers and most are cancelled, so cancelling is O(1): the entry stays in the heap and is
skipped when it surfaces; the heap is rebuilt when more than half of it is dead. What it is not: something
that sleeps; the owner asks `next_deadline()` and calls `expired(now)`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

_LOOK = 64
"""Timers set between two looks at how much of the heap is dead."""

K = TypeVar("K", bound=Hashable)


class Timers(Generic[K]):
    """Deadlines by key; setting a key again moves it. Ties fire in the order they were set."""

    # The heap holds bare numbers: to compare two tuples takes 300 instructions, two numbers 60, and a call's dozen
    # timers were compared 170 times.
    __slots__ = ("_due", "_heap", "_live", "_set")

    def __init__(self) -> None:
        self._heap: list[float] = []
        self._due: dict[float, list[K]] = {}
        """Keys by deadline; whoever was cancelled or moved since is still there."""
        self._live: dict[K, float] = {}
        self._set = 0

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, key: K) -> bool:
        return key in self._live

    def set(self, key: K, deadline: float) -> None:
        self._live[key] = deadline
        due = self._due.get(deadline)
        if due is None:
            self._due[deadline] = [key]
            heappush(self._heap, deadline)
        else:
            due.append(key)
        self._set += 1
        if not self._set % _LOOK and len(self._heap) > 2 * len(self._live):
            self._compact()

    def cancel(self, key: K) -> None:
        """Forget `key`; unknown keys are ignored, since a timer may have just fired."""
        if key in self._live:  # not `pop`, which takes twice as long compiled
            del self._live[key]

    def next_deadline(self) -> float | None:
        live = self._live
        while self._heap:
            deadline = self._heap[0]
            for key in self._due[deadline]:
                if live.get(key) == deadline:
                    return deadline
            del self._due[heappop(self._heap)]
        return None

    def expired(self, now: float) -> Iterator[K]:
        """Yield and remove every key due at `now`, earliest first; keys set meanwhile may be yielded too."""
        while self._heap and self._heap[0] <= now:
            deadline = self._heap[0]
            due = self._due[deadline]
            key = due.pop(0)
            if not due:
                del self._due[heappop(self._heap)]
            if self._live.get(key) == deadline:
                del self._live[key]
                yield key

    def _compact(self) -> None:
        live = self._live
        left = {deadline: [key for key in due if live.get(key) == deadline] for deadline, due in self._due.items()}
        self._due = {deadline: due for deadline, due in left.items() if due}
        self._heap = [*self._due]
        heapify(self._heap)
