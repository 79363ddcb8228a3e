"""When a request is sent again, and after how long.

What it is: the numbers and the arithmetic. What it is not: which answers deserve another try (`core.py`), or the
waiting itself (`sync.py`, `aio.py`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retries:
    """Waits grow by doubling and are drawn from their upper half, so that clients which failed together come back
    apart."""

    tries: int = 4
    """How often a request is sent at most; 1: never again."""
    first_wait: float = 0.25
    """Seconds before the second try."""
    longest_wait: float = 8.0
    """Seconds no wait grows beyond."""
    longest_retry_after: float = 30.0
    """A server that asks for a longer wait than this is not waited for: the error is raised at once."""

    def wait(self, tries: int, retry_after: float | None = None) -> float | None:
        """Seconds before the next try after `tries` of them; None: no further one."""
        if tries >= self.tries or (retry_after is not None and retry_after > self.longest_retry_after):
            return None
        backoff = min(self.longest_wait, self.first_wait * 2.0 ** (tries - 1)) * (0.5 + random.random() / 2)
        # On top of what the server asked for: all it refused would otherwise be back in one moment.
        return backoff if retry_after is None else retry_after + backoff
