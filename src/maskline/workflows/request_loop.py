"""Look for requests until told to stop: at once when there is a new one, else every second.

What it is: the task around one step. What it is not: the step (`start_call.py`, `start_flow.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from maskline.errors import StoreUnavailable

_LOOK_EVERY = 1.0
"""Seconds between two looks for requests of other processes; those of this one are told by `notify`."""


class RequestLoop:
    __slots__ = ("_away", "_delayed", "_step", "_stopping", "_wake")

    def __init__(self, step: Callable[[], Awaitable[bool]], delayed: Callable[[str], None]) -> None:
        """`step` tells whether there may be more to do at once. `delayed` says so in the log when it raises
        `StoreUnavailable`, with its code."""
        self._step = step
        self._delayed = delayed
        self._wake = asyncio.Event()
        self._stopping = False
        self._away = False

    def notify(self) -> None:
        """There is a request to look at."""
        self._wake.set()

    def stop(self) -> None:
        """Take no more requests. `run()` returns."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Take requests until `stop()`; the store being away is said once and waited for."""
        while not self._stopping:
            self._wake.clear()
            if not await self._look():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY):
                        await self._wake.wait()

    async def _look(self) -> bool:
        try:
            more = await self._step()
        except StoreUnavailable as error:
            if not self._away:
                self._delayed(error.code)
            self._away = True
            return False
        self._away = False
        return more
