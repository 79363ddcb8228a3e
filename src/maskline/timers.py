"""One ordered set of deadlines, without a clock.

What it is: a heap of (deadline, key) with lazy cancellation, shared by the SIP agent and the engine. A call
has about a dozen timers and most are cancelled, so cancelling is O(1): the entry stays in the heap and is
skipped when it surfaces; the heap is rebuilt when more than half of it is dead. What it is not: something
that sleeps; the owner asks `next_deadline()` and calls `expired(now)`.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Timers(Generic[K]):
    """Deadlines by key; setting a key again moves it. Ties fire in the order they were set."""

    __slots__ = ("_heap", "_live", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._live: dict[K, int] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, key: K) -> bool:
        return key in self._live

    def set(self, key: K, deadline: float) -> None:
        self._serial += 1
        self._live[key] = self._serial
        heapq.heappush(self._heap, (deadline, self._serial, key))
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._live):
            self._compact()

    def cancel(self, key: K) -> None:
        """Forget `key`; unknown keys are ignored, since a timer may have just fired."""
        self._live.pop(key, None)

    def next_deadline(self) -> float | None:
        while self._heap:
            deadline, serial, key = self._heap[0]
            if self._live.get(key) == serial:
                return deadline
            heapq.heappop(self._heap)
        return None

    def expired(self, now: float) -> Iterator[K]:
        """Yield and remove every key due at `now`, earliest first; keys set meanwhile may be yielded too."""
        while self._heap and self._heap[0][0] <= now:
            _, serial, key = heapq.heappop(self._heap)
            if self._live.get(key) == serial:
                del self._live[key]
                yield key

    def _compact(self) -> None:
        self._heap = [entry for entry in self._heap if self._live.get(entry[2]) == entry[1]]
        heapq.heapify(self._heap)
