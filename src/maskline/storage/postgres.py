"""The store on PostgreSQL: for several processes or machines.

What it is: connections of one process to a server: a pool for reads, a writer, a listener. What it is not: SQL or what
the store keeps (`sql_store.py`), or its tables' making (`postgres_schema.py`). Who builds it: `open_store`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from maskline.storage.crypto import Sealer
from maskline.storage.postgres_connection import FAILURES, UnitConnection, Wire, connect, in_greenlet, unavailable
from maskline.storage.postgres_listener import PostgresListener
from maskline.storage.postgres_pool import PostgresPool
from maskline.storage.postgres_schema import check
from maskline.storage.postgres_writer import PostgresWriter
from maskline.storage.sql import SqlConnection
from maskline.storage.sql_store import SqlStore
from maskline.storage.topics import CONFIGURATION, Told, read_topic

T = TypeVar("T")

CONNECTIONS = 8
"""For reads; two more write and listen."""


class PostgresStore(SqlStore):
    is_shared = True

    def __init__(self, url: str, sealer: Sealer, *, connections: int = CONNECTIONS) -> None:
        super().__init__(sealer)
        self._url = url
        self._pool = PostgresPool(self._connect, connections)
        self._writer = PostgresWriter(self._connect, self._told)
        self._listener = PostgresListener(
            self._connect, self._heard, began=self._read_version, lost=self._forget_version
        )
        self._hearers: list[Callable[[Told], None]] = []
        self._version: int | None = None
        """Of the configuration; None: nobody tells us of changes, so it is read each time."""
        self._told_version = 0
        """The newest that was heard of, also while the version is being read."""

    async def open(self) -> None:
        """Raises `ConfigurationError` (unsafe server, another version, another key) and `StoreUnavailable`."""
        wire = await connect(self._url, at_start=True)
        try:
            await check(wire, self._sealer)
        except FAILURES as error:
            wire.drop()
            raise unavailable(error) from None
        except BaseException:
            wire.drop()
            raise
        self._pool.start(wire)
        self._writer.start()
        await self._listener.start()

    async def close(self) -> None:
        """Waits for what is being written."""
        await self._writer.stop()
        await self._listener.stop()
        await self._pool.stop()

    async def _connect(self) -> Wire:
        return await connect(self._url)

    # -- how reads and writes run ------------------------------------------------------------------------------------
    async def _rows(self, query: str, *values: Any) -> list[Any]:
        return await self._pool.rows(query, values)

    async def _list(self, read: Callable[[SqlConnection], T]) -> T:
        return await self._pool.use(lambda wire: in_greenlet(read, UnitConnection(wire)))

    async def _write(self, unit: Callable[..., T], *values: Any, **named: Any) -> T:
        return await self._writer.submit(lambda connection: unit(connection, *values, **named))

    _write_small = _write

    # -- what is told ------------------------------------------------------------------------------------------------
    async def _version_now(self) -> int:
        if self._version is not None:
            return self._version
        return int((await self._rows("read_counter", "configuration"))[0][0])

    async def _read_version(self) -> None:
        found = int((await self._rows("read_counter", "configuration"))[0][0])
        self._version = max(found, self._told_version)

    def _forget_version(self) -> None:
        self._version = None

    def _told(self, topics: Iterable[str]) -> None:
        """By this process: it need not wait to hear it from the server."""
        for topic in topics:
            self._heard(topic)

    def on_told(self, hear: Callable[[Told], None]) -> None:
        self._hearers.append(hear)

    def _heard(self, text: str) -> None:
        told = read_topic(text)
        if told.topic == CONFIGURATION:
            self._told_version = max(self._told_version, int(told.about))
            if self._version is not None:
                self._version = max(self._version, self._told_version)
        for hear in self._hearers:
            hear(told)
