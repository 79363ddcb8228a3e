"""The ports a worker may use: even for RTP, the odd one above for RTCP (RFC 3550 §11).

What it is: a queue of free pairs and a queue of resting ones; taking and giving back is O(1), no scan and no trial
binds in the normal case. A freed pair rests some seconds, so that late packets of the old call do not reach a new
one. What it is not: a socket opener. Who uses it: `relay.py`.
"""

from __future__ import annotations

import random
from collections import deque

REST_SECONDS = 5.0
"""Longer than a jitter buffer and a BYE's round trip; short enough that 1,000 pairs serve 100 calls/s."""


class PortPool:
    """Even ports of `low..high` inclusive, in random order: a port must not tell how many calls there are."""

    __slots__ = ("_free", "_rest_seconds", "_resting")

    def __init__(self, low: int, high: int, *, rest_seconds: float = REST_SECONDS) -> None:
        pairs = list(range(low + (low & 1), high, 2))
        random.SystemRandom().shuffle(pairs)
        self._free: deque[int] = deque(pairs)
        self._resting: deque[tuple[float, int]] = deque()
        self._rest_seconds = rest_seconds

    def __len__(self) -> int:
        """Pairs not in use, the resting ones included."""
        return len(self._free) + len(self._resting)

    def take(self, now: float) -> int | None:
        """An RTP port; None when all are in use or resting."""
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
        return self._free.popleft() if self._free else None

    def claim(self, port: int) -> None:
        """This very one, for a call that had it; raises `ValueError` when it is not free."""
        self._free.remove(port)

    def give_back(self, port: int, now: float) -> None:
        self._resting.append((now + self._rest_seconds, port))
