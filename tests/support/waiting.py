"""Waiting for what another part does, by looking; bounded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], within: float = 30.0, what: str = "it", pause: float = 0.02) -> None:
    """Let the loop run until `condition` holds; looks every `pause` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {within} s"
        await asyncio.sleep(pause)
