"""Connections to PostgreSQL that are shared by all who read.

What it is: as many as a setting says, made when they are needed and made anew when the server has restarted. What it is
not: the writer's connection (`postgres_writer.py`). Who uses it: `postgres.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from maskline.errors import StoreUnavailable
from maskline.storage.postgres_connection import FAILURES, SQL, Wire, is_own_fault, unavailable

T = TypeVar("T")

WAIT_SECONDS = 10.0
"""For a connection to become free."""


class PostgresPool:
    def __init__(self, connect: Callable[[], Coroutine[Any, Any, Wire]], size: int) -> None:
        self._connect = connect
        self._size = size
        self._free: list[Wire] = []
        self._out = 0
        """Connections in use or being made."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._open = False

    def start(self, first: Wire) -> None:
        """With one connection that is made already."""
        self._free.append(first)
        self._open = True

    async def stop(self) -> None:
        """Those in use are closed by who brings them back."""
        self._open = False
        while self._free:
            await self._free.pop().close()

    async def rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        """A named point read."""

        async def read(wire: Wire) -> list[Any]:
            found, _ = await wire.fetch(SQL[query], values)
            return found

        return await self.use(read)

    async def use(self, read: Callable[[Wire], Awaitable[T]]) -> T:
        """`read` gets a connection of its own; a second time, on a new one, if the first was lost meanwhile.

        Raises `StoreUnavailable`."""
        try:
            return await self._use(read)
        except _Lost:
            """The server was restarted: of a read nothing is left behind."""
        try:
            return await self._use(read)
        except _Lost as lost:
            raise unavailable(lost.error) from None

    async def _use(self, read: Callable[[Wire], Awaitable[T]]) -> T:
        wire = await self._take()
        try:
            return await read(wire)
        except FAILURES as error:
            if wire.closed:
                raise _Lost(error) from None
            if is_own_fault(error):
                raise
            raise unavailable(error) from None
        finally:
            await self._give(wire)

    async def _take(self) -> Wire:
        if not self._open:
            raise StoreUnavailable("The database is closed.")
        if not self._free and self._out >= self._size:
            await self._turn()
        self._out += 1
        while self._free:
            wire = self._free.pop()
            if not wire.closed:
                return wire
        try:
            # In a task of its own: asyncpg's time limit asks for one, and a call's question is stepped without.
            return await asyncio.get_running_loop().create_task(self._connect())
        except BaseException:
            self._gone()
            raise

    async def _turn(self) -> None:
        """Wait until there is room for one more."""
        while self._out >= self._size:
            loop = asyncio.get_running_loop()
            turn: asyncio.Future[None] = loop.create_future()
            self._waiting.append(turn)
            # Not `asyncio.timeout`, which has to be in a task: see `_take`.
            limit = loop.call_later(WAIT_SECONDS, self._too_late, turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()
                raise
            finally:
                limit.cancel()
                with suppress(ValueError):
                    self._waiting.remove(turn)

    def _too_late(self, turn: asyncio.Future[None]) -> None:
        if not turn.done():
            sentence = f"All {self._size} connections to the database are busy (MASKLINE_DATABASE_CONNECTIONS)."
            turn.set_exception(StoreUnavailable(sentence))

    async def _give(self, wire: Wire) -> None:
        self._gone()
        if wire.closed:
            return
        if self._open:
            self._free.append(wire)
        else:
            await wire.close()

    def _gone(self) -> None:
        self._out -= 1
        self._wake()

    def _wake(self) -> None:
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
                return


class _Lost(Exception):
    """A connection broke in use."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
