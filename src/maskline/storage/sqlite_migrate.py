"""Steps between versions of the schema on a SQLite file.

What it is: how the steps of `migrate.py` are carried out there. What it is not: the making of a new file at the first
start (`sqlite_connection.prepare`). Who uses it: `open.py`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from maskline.errors import StoreUnavailable
from maskline.storage.crypto import Sealer
from maskline.storage.migrate import READ_LEVELS, Levels, Step, levels_of, pending
from maskline.storage.sqlite import PATIENCE
from maskline.storage.sqlite_connection import Connection, as_sqlite, connect, prepare
from maskline.storage.sqlite_writer import reason

T = TypeVar("T")


class SqliteDatabase:
    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path

    async def is_empty(self) -> bool:
        if not self._path.exists():
            return True
        return not await self._do(lambda c: c.execute("SELECT 1 FROM sqlite_master WHERE name = 'counters'").fetchone())

    async def create(self, sealer: Sealer) -> None:
        await asyncio.to_thread(prepare, self._path, PATIENCE, sealer)

    async def levels(self) -> Levels:
        return await self._do(lambda connection: levels_of(connection.execute(READ_LEVELS).fetchall()))

    async def apply(self, step: Step) -> None:
        def work(connection: Connection) -> None:
            levels = levels_of(connection.execute(READ_LEVELS).fetchall())
            if not pending([step], levels, step.phase):
                return  # another one that migrates was faster
            for statement in step.statements:
                connection.execute(as_sqlite(statement))
            connection.run_all("reach_counter", levels.after(step).counters)

        await self._do(work)

    async def _do(self, work: Callable[[Connection], T]) -> T:
        """In one transaction."""

        def done() -> T:
            connection = connect(self._path, PATIENCE)
            try:
                connection.execute("BEGIN IMMEDIATE")
                result = work(connection)
                connection.commit()
                return result
            finally:
                connection.close()

        try:
            return await asyncio.to_thread(done)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"The database {self._path} cannot be migrated ({reason(error)}).") from None
