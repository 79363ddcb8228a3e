"""The store on a SQLite file: point reads here and now, longer reads beside the loop, writes in groups.

What it is: the embedded default: connections and threads of one store. What it is not: SQL or what the store keeps
(`sql_store.py`). Who builds it: `open_store`.

Point reads cost a few microseconds and never suspend: WAL readers do not wait for a writer. Lists can be long,
so they run beside the loop and cannot delay a call. Other processes (the CLI) may write the same file: locks
are waited for, and `configuration_version` tells that something changed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from maskline.errors import StoreUnavailable
from maskline.storage.crypto import Sealer
from maskline.storage.sql import SqlConnection
from maskline.storage.sql_store import SqlStore
from maskline.storage.sqlite_connection import SQL, Connection, connect, prepare
from maskline.storage.sqlite_writer import GroupWriter, unavailable

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds a write waits for another process's transaction before it fails; the CLI's last milliseconds."""


class SqliteStore(SqlStore):
    """`path` None: a file of its own in a temporary directory."""

    def __init__(self, path: Path | None, sealer: Sealer, *, patience: float = PATIENCE) -> None:
        super().__init__(sealer)
        self._temporary = tempfile.TemporaryDirectory(prefix="maskline-") if path is None else None
        self.path = path or Path(self._temporary.name if self._temporary else "") / "maskline.db"
        self._patience = patience
        self._writer = GroupWriter(lambda: connect(self.path, patience))
        self._read: Connection | None = None
        self._lists: Connection | None = None
        self._list_thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Raises `ConfigurationError` (another version, another key) and `StoreUnavailable`."""
        await asyncio.to_thread(prepare, self.path, self._patience, self._sealer)
        self._read = connect(self.path, self._patience)
        self._lists = connect(self.path, self._patience)
        self._list_thread = ThreadPoolExecutor(1, "maskline-reader")
        self._writer.start()

    async def close(self) -> None:
        """Waits for what is being written."""
        await self._writer.stop()
        if self._list_thread is not None:
            await asyncio.to_thread(self._list_thread.shutdown)
        for connection in (self._read, self._lists):
            if connection is not None:
                connection.close()
        self._read = self._lists = None
        if self._temporary is not None:
            self._temporary.cleanup()

    # -- how reads and writes run ---------------------------------------------------------------------------------
    async def _rows(self, query: str, *values: Any) -> list[Any]:
        """A point read, here and now: it never suspends."""
        if self._read is None:
            raise StoreUnavailable("The database is closed.")
        try:
            return self._read.execute(SQL[query], values).fetchall()
        except sqlite3.Error as error:
            raise unavailable(error) from None

    async def _list(self, read: Callable[[SqlConnection], T]) -> T:
        """A longer read, beside the loop."""
        if self._lists is None:
            raise StoreUnavailable("The database is closed.")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._list_thread, read, self._lists)
        except sqlite3.Error as error:
            raise unavailable(error) from None

    async def _write(self, unit: Callable[..., T], *values: Any, **named: Any) -> T:
        return await self._writer.submit(lambda connection: unit(connection, *values, **named))

    async def _write_small(self, unit: Callable[..., T], *values: Any, **named: Any) -> T:
        """A unit of a few statements on a few rows."""
        return await self._writer.submit(lambda connection: unit(connection, *values, **named), small=True)

    async def _version_now(self) -> int:
        """Read once in a turn of the loop, for all that ask in it. A task that waited for a write of its own goes on in
        a later turn than what was read before that write, so it reads anew."""
        version = self._version
        if version is None:
            asyncio.get_running_loop().call_soon(self._forget_version)
            version = self._version = int((await self._rows("read_counter", "configuration"))[0][0])
        return version

    def _forget_version(self) -> None:
        self._version = None
