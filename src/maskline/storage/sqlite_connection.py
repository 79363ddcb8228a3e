"""Opening a SQLite file the way the store needs it, and running named queries on it.

What it is: what differs between the common SQL text and SQLite: pragmas, `$1` written as `?1`, locks waited for.
What it is not: threads or units of work. Who uses it: the other `storage/sqlite*` modules.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from maskline.errors import ConfigurationError, StoreUnavailable
from maskline.storage.crypto import SealBroken, Sealer
from maskline.storage.migrate import READ_LEVELS, check_levels, levels_of
from maskline.storage.queries import blocks_of, load_queries, repeat_values, schema_statements
from maskline.storage.sql import run
from maskline.storage.sqlite_writer import reason

T = TypeVar("T")

_KEY_CHECK = "maskline"
_CACHED_STATEMENTS = 256


# Without these sqlite3 asks each `None`, bytes object and bool that is bound for an adapter of its own, and makes and
# drops an exception that says there is none: 3,300 instructions, ten times a call. None and bytes stay as they are by a
# function of C (a dictionary that holds nothing answers None), which takes 400 less than a class or one of Python.
sqlite3.register_adapter(bytes, bytes.__bytes__)
sqlite3.register_adapter(bool, int)
_NOTHING: dict[None, None] = {}
sqlite3.register_adapter(type(None), _NOTHING.get)

_FEW = 2
"""Rows of a single create or call; more are written in blocks."""


def numbered(text: str) -> str:
    """`$1` as `?1`: to sqlite3 `$1` is a name, which takes its values from a mapping, at twice the cost."""
    return re.sub(r"\$(\d+)", r"?\1", text)


_TEXTS = load_queries()
SQL = {name: numbered(text) for name, text in _TEXTS.items()}
_WRITES = re.compile(r"^(INSERT)(?= INTO )|^(UPDATE)(?= \w+\s)", re.MULTILINE)


@cache
def _for_rows(name: str, count: int) -> str:
    return unjournaled(numbered(repeat_values(_TEXTS[name], count)))


def unjournaled(text: str) -> str:
    """Where one of its rows breaks a constraint, those before it stay. SQLite copies each page that a statement of many
    rows changes, to undo them then, and beyond 64 kB it does so in a file of its own (measured: an eighth of all that a
    group of calls wrote). Whoever gets the error undoes more than that statement (`SqlConnection.BROKEN`)."""
    return _WRITES.sub(r"\g<0> OR FAIL", text, count=1)


class Connection(sqlite3.Connection):
    """What units of work see (`sql.SqlConnection`).

    Counts the facts of its transaction in memory: the counter's row is read and written once for all units of a
    commit (it was a tenth of a create). Who writes facts ends the transaction by `commit` or `rollback`."""

    BROKEN: ClassVar[type[Exception]] = sqlite3.IntegrityError
    _last_position: int | None = None
    _erases = False

    def run(self, name: str, *values: Any) -> sqlite3.Cursor:
        return self.execute(SQL[name], values)

    def run_all(self, name: str, rows: Sequence[Sequence[Any]], *common: Any) -> int:
        if 0 < len(rows) <= _FEW:
            return self.execute(_for_rows(name, len(rows)), [*common, *chain.from_iterable(rows)]).rowcount
        return sum(self._in_block(name, block, common).rowcount for block in blocks_of(rows))

    def fetch_all(self, name: str, rows: Sequence[Sequence[Any]]) -> list[Any]:
        return [found for block in blocks_of(rows) for found in self._in_block(name, block, ()).fetchall()]

    def _in_block(self, name: str, block: Sequence[Sequence[Any]], common: tuple[Any, ...]) -> sqlite3.Cursor:
        return self.execute(_for_rows(name, len(block)), [*common, *chain.from_iterable(block)])

    def query(self, text: str, values: Sequence[Any]) -> sqlite3.Cursor:
        return self.execute(numbered(text), values)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """In a read transaction."""
        self.execute("BEGIN")
        try:
            yield
        finally:
            self.execute("COMMIT")

    def take_positions(self, count: int) -> int:
        """Take the next positions for facts; returns the one before the first. What a savepoint undoes leaves a gap."""
        if self._last_position is None:
            (self._last_position,) = self.run("read_counter", "facts").fetchone()
        before = self._last_position
        self._last_position = before + count
        return before

    def erase(self) -> None:
        self._erases = True
        self.execute("PRAGMA secure_delete=ON")

    def wall(self, ours: float) -> float:
        return ours

    def tell(self, topic: str, about: str = "") -> None:
        """Nobody: processes that share a file look for themselves."""

    def commit(self) -> None:
        if self._last_position is not None:
            self.run("set_counter", "facts", self._last_position)
        super().commit()
        self._last_position = None
        if self._erases:
            self._leave()

    def rollback(self) -> None:
        self._last_position = None
        super().rollback()
        if self._erases:
            self._leave()

    def _leave(self) -> None:
        """What is deleted from now on stays on its page until something else is written there."""
        self._erases = False
        self.execute("PRAGMA secure_delete=OFF")


def connect(path: Path, patience: float) -> Connection:
    """A connection in autocommit mode that waits up to `patience` seconds for another process's lock.

    `synchronous=FULL`: in WAL mode a commit is on the disk when it returns, power cut included
    (reliability.md §3).
    """
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=_CACHED_STATEMENTS,
        factory=Connection,
    )  # fmt: skip
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-32768")
        # Debian's SQLite overwrites whatever is deleted. What calls replace and delete is sealed; who forgets says so.
        connection.execute("PRAGMA secure_delete=OFF")
        # A checkpoint writes each changed page once, however often it changed: fewer of them write less.
        connection.execute("PRAGMA wal_autocheckpoint=4000")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def sqlite_schema() -> list[str]:
    """The statements of `schema.sql` as this database takes them."""
    return [as_sqlite(statement) for statement in schema_statements()]


def as_sqlite(statement: str) -> str:
    """A statement of the common text that makes tables."""
    statement = statement.replace("/* clustered */", "WITHOUT ROWID")
    return statement.replace("BIGINT NOT NULL PRIMARY KEY", "INTEGER NOT NULL PRIMARY KEY")


def prepare(path: Path, patience: float, sealer: Sealer) -> None:
    """Create the tables in a new file; refuse one of another version or sealed with another key.

    Raises `ConfigurationError`, or `StoreUnavailable` when the file cannot be opened at all.
    """
    try:
        # For the owner alone: URLs of callbacks may hold credentials. SQLite gives its side files the same mode.
        path.touch(0o600)
        connection = connect(path, patience)
        try:
            connection.execute("BEGIN IMMEDIATE")
            # Under the write lock: of two processes that start at once the second one finds the tables.
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'counters'").fetchone():
                _create(connection, sealer)
            _check(connection, sealer)
            connection.execute("COMMIT")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"The database {path} cannot be used ({reason(error)}).") from None
    except OSError as error:
        raise StoreUnavailable(f"The database {path} cannot be used ({error.strerror}).") from None


def _create(connection: Connection, sealer: Sealer) -> None:
    for statement in sqlite_schema():
        connection.execute(statement)
    run(connection, "add_key_check", _KEY_CHECK, sealer.seal(b"", f"key_check.value:{_KEY_CHECK}"))


def _check(connection: Connection, sealer: Sealer) -> None:
    check_levels(levels_of(connection.execute(READ_LEVELS).fetchall()))
    (sealed,) = run(connection, "read_key_check", _KEY_CHECK).fetchone()
    try:
        sealer.unseal(sealed, f"key_check.value:{_KEY_CHECK}")
    except SealBroken:
        raise ConfigurationError("The key file (MASKLINE_KEY_FILE) does not belong to this database.") from None
