"""What the two SQL stores have in common below their methods: named queries run inside and outside of transactions.

What it is: the face of a connection that units of work see, and the base of a store that runs them. What it is not:
SQL (`queries.sql`), or either database (`sqlite.py`, `postgres.py`). Who uses it: the `storage/sql_*` modules.

A unit of work is a plain function on a connection. On SQLite a statement returns when it is done. On PostgreSQL it
runs in a greenlet that is set aside while the server works (docs/decisions): the same function does for both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol, TypeVar

from maskline.storage.crypto import Sealer
from maskline.storage.topics import Told

T = TypeVar("T")
Values = Sequence[Any]


class SqlResult(Protocol):
    """What a statement returned."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class SqlConnection(Protocol):
    """What a unit of work may do."""

    BROKEN: ClassVar[type[Exception]]
    """Raised by a statement that breaks a constraint; what the unit has written so far is lost then, so it must
    raise."""

    def run(self, name: str, *values: Any) -> SqlResult:
        """Execute a named query."""
        ...

    def run_all(self, name: str, rows: Sequence[Values], *common: Any) -> int: ...
    def fetch_all(self, name: str, rows: Sequence[Values]) -> list[Any]: ...
    def query(self, text: str, values: Values) -> SqlResult:
        """Execute a query that is not named, with `$1 …`."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """What is read inside belongs to one state of the database; for reads outside of units."""
        ...

    def take_positions(self, count: int) -> int:
        """Take the next positions for facts; returns the one before the first."""
        ...

    def wall(self, ours: float) -> float:
        """Wall seconds: the server's on PostgreSQL, since processes on several machines judge by them; else `ours`."""
        ...

    def erase(self) -> None:
        """What this transaction deletes is not to be found in the database's file any more, as far as the database can
        do that at once: SQLite overwrites it, PostgreSQL when it cleans up."""
        ...

    def tell(self, topic: str, about: str = "") -> None:
        """Tell other processes with the commit (`topics.py`)."""
        ...


def run(connection: SqlConnection, name: str, *values: Any) -> SqlResult:
    """Execute a named query."""
    return connection.run(name, *values)


def run_all(connection: SqlConnection, name: str, rows: Sequence[Values], *common: Any) -> int:
    """Execute a named query for all rows, many at a time; returns how many rows it changed. `common` are the
    parameters that come before a row's."""
    return connection.run_all(name, rows, *common)


def fetch_all(connection: SqlConnection, name: str, rows: Sequence[Values]) -> list[Any]:
    """The same for a query with RETURNING: what it returned for all rows, in no order."""
    return connection.fetch_all(name, rows)


class SqlBase(ABC):
    """How reads and writes of a store run; all of them raise `StoreUnavailable`."""

    _version: int | None
    """Of the configuration, where it is known at this moment without a look."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._version = None

    @abstractmethod
    async def open(self) -> None:
        """Raises `ConfigurationError` and `StoreUnavailable`."""

    @abstractmethod
    async def close(self) -> None:
        """Waits for what is being written."""

    def on_told(self, hear: Callable[[Told], None]) -> None:
        """Nobody tells, but on PostgreSQL."""
        return

    @abstractmethod
    async def _rows(self, query: str, *values: Any) -> list[Any]:
        """A point read; never suspends on SQLite."""

    @abstractmethod
    async def _list(self, read: Callable[[SqlConnection], T]) -> T:
        """A longer read."""

    @abstractmethod
    async def _write(self, unit: Callable[..., T], *values: Any, **named: Any) -> T:
        """A unit of work, which gets a connection before `values`; durable when it returns."""

    @abstractmethod
    async def _write_small(self, unit: Callable[..., T], *values: Any, **named: Any) -> T:
        """A unit of a few statements on a few rows."""

    @abstractmethod
    async def _version_now(self) -> int:
        """Of the configuration, by whoever it was changed; never suspends on SQLite."""


def by_its_clock(connection: SqlConnection, now: float, until: float) -> tuple[float, float]:
    """A moment, and how long something lasts from it, as the database's clock has them: processes on several machines
    agree when it is over, whatever their own clocks say."""
    wall = connection.wall(now)
    return wall, wall + (until - now)
