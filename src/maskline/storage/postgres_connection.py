"""A connection to PostgreSQL the way the store needs it, and units of work on it.

What it is: what differs between the common SQL text and asyncpg: statements prepared once a connection, a unit that
waits for the server without holding the event loop up, errors in our words. What it is not: transactions
(`postgres_writer.py`) or how many connections there are (`postgres_pool.py`). Who uses it: the other
`storage/postgres*` modules.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import Any, ClassVar, TypeVar

import asyncpg
from greenlet import getcurrent, greenlet

from maskline.errors import ConfigurationError, InvalidParameter, StoreUnavailable
from maskline.setting_values import database_place
from maskline.storage.queries import blocks_of, load_queries, repeat_values

T = TypeVar("T")

CONNECT_SECONDS = 5.0
"""For a connection to be made."""
SERVER_SECONDS = 30
"""For one statement or one lock, after which the server gives up; as long as a SQLite write waits for a lock."""
IDLE_SECONDS = 15
"""A transaction that says nothing for so long is ended by the server: all others wait for its lock."""
ANSWER_SECONDS = 40.0
"""For an answer to come over the network, after which we give up: more than the server takes for giving up."""
SQL = load_queries()
ROWS_AT_ONCE = 256
"""Rows in one statement at most: more than on SQLite, since each statement is a way to the server and back."""
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError, EOFError)
"""All that asyncpg raises."""
_OWN_FAULT = ("22", "23", "42")
"""Classes of errors that are the statement's: bad data, a broken constraint, bad SQL. All others mean that the
transaction cannot go on."""
_SESSION = {
    "application_name": "maskline",
    # Whatever the server's default is: a writer that waited for the lock must see what the one before it committed.
    "default_transaction_isolation": "read committed",
    # Compiling a statement that reads three rows costs a hundred times the reading.
    "jit": "off",
    "statement_timeout": f"{SERVER_SECONDS}s",
    "lock_timeout": f"{SERVER_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
}
_UNHURRIED = {"statement_timeout": "0"}


class ConstraintBroken(Exception):
    """A statement broke a constraint."""


def reason(error: BaseException) -> str:
    """The name of what went wrong; unlike PostgreSQL's sentence it can contain no value."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "it takes no writes: a standby, or default_transaction_read_only is on"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, TimeoutError):
        return error.strerror
    return type(error).__name__


def unavailable(error: BaseException) -> StoreUnavailable:
    """The error a caller gets."""
    return StoreUnavailable(f"The database does not answer ({reason(error)}).")


class Wire:
    """One connection and the statements that were prepared on it; one user at a time."""

    __slots__ = ("_prepared", "connection")

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._prepared: dict[str, Any] = {}

    async def fetch(self, text: str, values: Sequence[Any]) -> tuple[list[Any], str]:
        """Rows, and how the server sums up what it did. The text stays prepared.

        Raises `InvalidParameter` for a value with NUL, which is a character in JSON and in paths, and none here."""
        statement = self._prepared.get(text)
        if statement is None:
            statement = self._prepared[text] = await self.connection.prepare(text)
        try:
            found = await statement.fetch(*values)
        except asyncpg.CharacterNotInRepertoireError:
            raise InvalidParameter("A text holds the character NUL, which the database cannot keep.") from None
        return found, statement.get_statusmsg()

    async def execute(self, script: str) -> str:
        """Statements without values, all in one way to the server; returns how it sums up the last one."""
        return str(await self.connection.execute(script))

    @property
    def closed(self) -> bool:
        return bool(self.connection.is_closed())

    def drop(self) -> None:
        """At once, whatever is going on."""
        self.connection.terminate()

    async def close(self) -> None:
        try:
            await self.connection.close(timeout=CONNECT_SECONDS)
        except FAILURES:
            self.drop()


async def connect(url: str, *, at_start: bool = False, unhurried: bool = False) -> Wire:
    """`at_start`: an operator reads the sentence, and needs to know where; later a customer may. `unhurried`: its
    statements may take as long as they take; for a lock they wait no longer than others do.

    Raises `StoreUnavailable`, and `ConfigurationError` when the server would lose what it has acknowledged (measured:
    killed with `synchronous_commit=off` it had lost 9 and 14 of some 37,000 commits)."""
    try:
        connection = await asyncpg.connect(
            url, timeout=CONNECT_SECONDS, command_timeout=None if unhurried else ANSWER_SECONDS,
            statement_cache_size=0, server_settings=_SESSION | _UNHURRIED if unhurried else _SESSION,
            # Of several hosts the one that is the primary now, and no reading from a standby, which is behind.
            target_session_attrs="read-write",
        )  # fmt: skip
    except (*FAILURES, ValueError) as error:
        if at_start:
            place = database_place(url)
            raise StoreUnavailable(f"The database at {place} cannot be used ({reason(error)}).") from None
        raise unavailable(error) from None
    wire = Wire(connection)
    try:
        await _check_durability(wire)
    except BaseException:
        wire.drop()
        raise
    return wire


_UNSAFE = "SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit') AND setting = 'off' ORDER BY 1"
_KEPT = "SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), FALSE)"
"""What was found holds for as long as the connection: a server that reads another configuration later does not change
it for those that stand."""


async def _check_durability(wire: Wire) -> None:
    try:
        found = await wire.connection.fetch(_UNSAFE)
        await wire.connection.execute(_KEPT)
    except FAILURES as error:
        raise unavailable(error) from None
    if found:
        names = " and ".join(f"{row[0]}=off" for row in found)
        raise ConfigurationError(
            f"PostgreSQL runs with {names} and would lose calls it has acknowledged: switch it on, in postgresql.conf "
            "or wherever it was set (ALTER SYSTEM, ROLE, DATABASE)."
        )


# -- units of work ---------------------------------------------------------------------------------------------------
async def in_greenlet(unit: Callable[..., T], *values: Any) -> T:
    """Run a plain function that may call `wait_for`, without a thread: it is set aside while something is awaited."""
    runner = greenlet(unit)
    waits_for = runner.switch(*values)
    while not runner.dead:
        try:
            answer = await waits_for
        except BaseException as error:  # noqa: BLE001 - handed to the unit it is meant for
            waits_for = runner.throw(error)
        else:
            waits_for = runner.switch(answer)
    result: T = waits_for
    return result


def wait_for(awaitable: Awaitable[T]) -> T:
    """Only for what `in_greenlet` runs."""
    parent = getcurrent().parent
    assert parent is not None, "a unit of work runs in a greenlet"
    answer: T = parent.switch(awaitable)
    return answer


class Result:
    """What a statement returned (`sql.SqlResult`)."""

    __slots__ = ("_found", "_status")

    def __init__(self, found: list[Any], status: str) -> None:
        self._found = found
        self._status = status

    @property
    def rowcount(self) -> int:
        """As in `UPDATE 3` or `INSERT 0 3`."""
        return int(self._status.rpartition(" ")[2])

    def fetchone(self) -> Any:
        return self._found[0] if self._found else None

    def fetchall(self) -> list[Any]:
        return self._found

    def __iter__(self) -> Iterator[Any]:
        return iter(self._found)


class UnitConnection:
    """What units of work see (`sql.SqlConnection`), for as long as a transaction."""

    BROKEN: ClassVar[type[Exception]] = ConstraintBroken

    __slots__ = ("_wire", "changed", "last_position", "spoiled", "told")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.changed = False
        """A statement has written something."""
        self.spoiled = False
        """A statement failed, and the server takes no more of them before a rollback."""
        self.last_position: int | None = None
        """Of a fact, counted here: the counter's row is read and written once for all units of a commit."""
        self.told: dict[str, None] = {}
        """What other processes are told with the commit, in order."""

    def run(self, name: str, *values: Any) -> Result:
        return self._execute(SQL[name], values)

    def run_all(self, name: str, rows: Sequence[Sequence[Any]], *common: Any) -> int:
        return sum(self._in_block(name, block, common).rowcount for block in blocks_of(rows, ROWS_AT_ONCE))

    def fetch_all(self, name: str, rows: Sequence[Sequence[Any]]) -> list[Any]:
        return [
            found for block in blocks_of(rows, ROWS_AT_ONCE) for found in self._in_block(name, block, ()).fetchall()
        ]

    def _in_block(self, name: str, block: Sequence[Sequence[Any]], common: tuple[Any, ...]) -> Result:
        return self._execute(_for_rows(name, len(block)), [*common, *chain.from_iterable(block)])

    def _execute(self, text: str, values: Sequence[Any]) -> Result:
        found, status = self._answer(self._wire.fetch(text, values))
        self.changed = self.changed or not status.startswith("SELECT")
        return Result(found, status)

    def _answer(self, asked: Awaitable[T]) -> T:
        try:
            return wait_for(asked)
        except asyncpg.IntegrityConstraintViolationError:
            self.spoiled = True
            raise ConstraintBroken from None
        except (asyncpg.PostgresError, InvalidParameter):
            self.spoiled = True
            raise

    def script(self, script: str) -> None:
        """Statements without values."""
        wait_for(self._wire.execute(script))

    def query(self, text: str, values: Sequence[Any]) -> Result:
        # Not prepared: page and limit are part of its text, so there is no end of such texts.
        return Result(self._answer(self._wire.connection.fetch(text, *values)), "SELECT 0")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self.script("ROLLBACK")

    def take_positions(self, count: int) -> int:
        if self.last_position is None:
            (self.last_position,) = self.run("read_counter", "facts").fetchone()
        before = self.last_position
        self.last_position = before + count
        return before

    def wall(self, ours: float) -> float:
        found = self._answer(self._wire.fetch("SELECT extract(epoch FROM clock_timestamp())::double precision", []))
        return float(found[0][0][0])

    def erase(self) -> None:
        """Its vacuum does, later."""

    def tell(self, topic: str, about: str = "") -> None:
        self.told[f"{topic} {about}".rstrip()] = None


@cache
def _for_rows(name: str, count: int) -> str:
    return repeat_values(SQL[name], count)


def is_own_fault(error: BaseException) -> bool:
    """Whether a unit is to blame, and not the database."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate)[:2] in _OWN_FAULT
    return not isinstance(error, FAILURES)
