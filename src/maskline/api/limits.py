"""How many requests an account may send: an exact sliding window, without IO or clock.

Who uses it: the dialects, each request once it is known whose it is.
"""

from __future__ import annotations

from collections import deque

from maskline.errors import TooManyRequests


class RequestLimiter:
    """At most `requests` in any `seconds` per key; 0 requests means no limit.

    Keeps one float per granted request, so memory is `requests` floats per account.
    """

    __slots__ = ("_granted", "requests", "seconds")

    def __init__(self, requests: int, seconds: float = 5.0) -> None:
        self.requests = requests
        self.seconds = seconds
        self._granted: dict[str, deque[float]] = {}

    def take(self, key: str, now: float) -> None:
        """Count one request at monotonic second `now`; raises `TooManyRequests`, which counts nothing."""
        if self.requests <= 0:
            return
        granted = self._granted.get(key)
        if granted is None:
            granted = self._granted[key] = deque(maxlen=self.requests)
        if len(granted) == self.requests and now - granted[0] < self.seconds:
            raise TooManyRequests(retry_after=self.seconds - (now - granted[0]))
        granted.append(now)
