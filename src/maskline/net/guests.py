"""How many of those whom only a certificate can admit are let into a TLS handshake at a time, and a second.

What it is: two bounds for all of them together, so that neither their number nor the CPU of their handshakes (1 to 3 ms
each) takes from trunks that are known by address. What it is not: for those. Who uses it: `streams.py`.
"""

from __future__ import annotations


class Guests:
    __slots__ = ("_filled_at", "_inside", "_most", "_rate", "_tokens")

    def __init__(self, most: int, rate: float) -> None:
        """`most` at a time, `rate` a second, twice as many at once."""
        self._most, self._rate = most, rate
        self._inside = 0
        self._tokens, self._filled_at = 2 * rate, 0.0

    def enter(self, now: float) -> bool:
        """Whether one more may; each that entered leaves once."""
        self._tokens = min(2 * self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._inside >= self._most or self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        self._inside += 1
        return True

    def leave(self) -> None:
        self._inside -= 1
