"""What other processes tell by NOTIFY, heard on a connection of its own.

What it is: LISTEN, kept up: a server that restarts is connected to again, and one that is silent is asked whether it is
still there. What it is not: a promise: what was told while nobody listened is lost, so whoever follows it must look for
himself when it begins anew. Who uses it: `postgres.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from maskline.errors import ConfigurationError, StoreUnavailable
from maskline.storage.postgres_connection import FAILURES, Wire
from maskline.storage.postgres_writer import CHANNEL

ASK_EVERY = 10.0
"""Seconds after which a silent server is asked for a sign of life: what it told may be missed for so long."""
SIGN_SECONDS = 5.0
AGAIN_AFTER = 1.0
"""Seconds between two tries to connect."""


class PostgresListener:
    def __init__(
        self,
        connect: Callable[[], Awaitable[Wire]],
        heard: Callable[[str], None],
        *,
        began: Callable[[], Awaitable[None]],
        lost: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._heard = heard
        self._began = began
        self._lost = lost
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens when it returns. Raises `StoreUnavailable`."""
        wire = await self._listening()
        self._task = asyncio.get_running_loop().create_task(self._stay(wire))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _listening(self) -> Wire:
        wire = await self._connect()
        try:
            await wire.connection.add_listener(CHANNEL, self._hear)
            await self._began()
        except (*FAILURES, StoreUnavailable) as error:
            wire.drop()
            raise StoreUnavailable(f"The database does not answer ({type(error).__name__}).") from None
        return wire

    def _hear(self, _connection: Any, _pid: int, _channel: str, topic: object) -> None:
        self._heard(str(topic))

    async def _stay(self, wire: Wire | None) -> None:
        try:
            while True:
                if wire is not None:
                    await self._until_lost(wire)
                    self._lost()
                    wire.drop()
                wire = await self._again()
        finally:
            # However this ends, nobody hears any more.
            self._lost()
            if wire is not None:
                wire.drop()

    async def _until_lost(self, wire: Wire) -> None:
        gone = asyncio.Event()
        wire.connection.add_termination_listener(lambda _connection: gone.set())
        while not wire.closed:
            try:
                async with asyncio.timeout(ASK_EVERY):
                    await gone.wait()
            except TimeoutError:
                try:
                    async with asyncio.timeout(SIGN_SECONDS):
                        await wire.execute("SELECT 1")
                except FAILURES:
                    return

    async def _again(self) -> Wire | None:
        await asyncio.sleep(AGAIN_AFTER)
        try:
            return await self._listening()
        except (StoreUnavailable, ConfigurationError):
            # Whoever reads or writes meanwhile gets the sentence.
            return None
