"""Addresses of names, remembered: each asked for once by all who wait, and those of a name that was well lived on while
name servers say nothing.

What it is: what is known of each name, and for how long. What it is not: the look-up (`names.py`), which has few
threads: with names of one customer whose servers hang these are all busy, and every other name would wait behind them.
Nor a judgement on addresses; who connects judges each. Who uses it: `post.py`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from maskline.net.egress import EgressError, Failure

FRESH = 30.0
"""Seconds for which the addresses of a name are used unasked."""
PATIENCE = 0.3
"""Seconds that a look-up may take before what was known is used."""
WELL_FOR = 3600.0
"""Seconds for which addresses are used while nobody says anything newer."""
MOST = 4_096
"""Remembered names, beyond which those are forgotten that are not fresh: sessions bring URLs of their own."""

LookUp = Callable[[str, int], Awaitable[list[str]]]
"""Host, port → addresses. Raises `OSError` and `UnicodeError`."""
Key = tuple[str, int]


class _Name:
    """Asked for at a second of the loop, and what is known since."""

    __slots__ = ("addresses", "asked", "task", "well_until")

    def __init__(self) -> None:
        self.asked = 0.0
        self.task: asyncio.Task[None] | None = None
        self.addresses: list[str] = []
        """Of the last look-up that found any."""
        self.well_until = 0.0

    @property
    def is_being_asked(self) -> bool:
        return self.task is not None and not self.task.done()


class KnownNames:
    __slots__ = ("_look_up", "_names")

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._names: dict[Key, _Name] = {}

    async def addresses(self, host: str, port: int) -> list[str]:
        """One at least; only inside a task. Raises `EgressError`."""
        key = host, port
        now = asyncio.get_running_loop().time()
        name = self._names.get(key) or self._begin(key, now)
        if name.task is None or (name.task.done() and now >= name.asked + FRESH):
            name.asked = now
            name.task = asyncio.ensure_future(self._ask(key, name))
            name.task.add_done_callback(_heard)
        if now < name.well_until and name.is_being_asked:
            await asyncio.wait([name.task], timeout=max(0.0, name.asked + PATIENCE - now))
            if name.is_being_asked:
                return name.addresses
        try:
            await asyncio.shield(name.task)
        except OSError as error:
            if now >= name.well_until or getattr(error, "errno", None) != socket.EAI_AGAIN:
                self._names.pop(key, None)
                raise EgressError(Failure.UNKNOWN_NAME, "the name is unknown") from None
        except UnicodeError:  # a label that is empty, or longer than 63
            self._names.pop(key, None)
            raise EgressError(Failure.INVALID_URL, "not a URL that can be called") from None
        return name.addresses

    async def close(self) -> None:
        """Give up what is being asked."""
        asked = [name.task for name in self._names.values() if name.task is not None]
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        self.forget()

    def forget(self) -> None:
        """What is known: each name is asked for anew."""
        self._names.clear()

    def _begin(self, key: Key, now: float) -> _Name:
        for well in (True, False):
            if len(self._names) >= MOST:
                self._names = {
                    known: name for known, name in self._names.items()
                    if now < name.asked + FRESH or (well and now < name.well_until)
                }  # fmt: skip
        name = self._names[key] = _Name()
        return name

    async def _ask(self, key: Key, name: _Name) -> None:
        found = await self._look_up(*key)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        name.addresses = found
        name.well_until = asyncio.get_running_loop().time() + WELL_FOR


def _heard(task: asyncio.Task[None]) -> None:
    """Nobody may have waited for it to the end."""
    if not task.cancelled():
        task.exception()
