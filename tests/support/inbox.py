"""Where outside work delivers its results, in tests of that work alone."""

from __future__ import annotations

import asyncio

from maskline.engine import inputs as i


class Inbox:
    """Where results are delivered."""

    def __init__(self) -> None:
        self.results: list[tuple[str, i.Input]] = []
        self._changed = asyncio.Event()

    def deliver(self, call_id: str, inp: i.Input) -> None:
        self.results.append((call_id, inp))
        self._changed.set()

    async def until(self, count: int) -> list[tuple[str, i.Input]]:
        async with asyncio.timeout(30):
            while len(self.results) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.results
