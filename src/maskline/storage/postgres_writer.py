"""The one writer of a PostgreSQL database in this process: units of work from many tasks, one commit for all that wait.

What it is: `sqlite_writer.py`'s promise on a server: a turn is one transaction, it takes up what has gathered while the
last one was on its way to the disk, and answers all of it when it is durable. What it is not: SQL, or retries of a unit
that failed; the caller decides. Who uses it: `storage/postgres.py`.

Writers of all processes take turns too, by a lock of the server's that ends with the transaction. So a unit sees what
a unit of SQLite sees: no other writer between its statements. Every rule that holds there holds here, for the same
reason.

A unit that raises is undone alone. When the database fails, all units of the turn fail with `StoreUnavailable` and
nothing of them is kept, but for one case: a connection that is lost while it commits leaves nobody to say whether it
did. Calls' commits may be repeated (`RecordedCall`), and writes of customers have their keys (`Once`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import asyncpg

from maskline.errors import StoreUnavailable
from maskline.storage.postgres_connection import FAILURES, UnitConnection, Wire, in_greenlet, is_own_fault, unavailable
from maskline.storage.units import Failed, MustUndo, tell

T = TypeVar("T")
Unit = Callable[[UnitConnection], Any]

MAX_UNITS = 256
TURN_SECONDS = 0.05
"""A turn takes up no further unit after this: other processes wait for it."""
_LOCK = 0x6D61736B
"""The key of the writers' lock: "mask"."""
_BEGIN = f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK})"
CHANNEL = "maskline"
"""Of NOTIFY."""


class _Work(NamedTuple):
    unit: Unit
    answer: asyncio.Future[Any]


class PostgresWriter:
    """Runs units in order of their coming. `told` hears, after each commit, what other processes are told with it."""

    def __init__(self, connect: Callable[[], Awaitable[Wire]], told: Callable[[Iterable[str]], None]) -> None:
        self._connect = connect
        self._told = told
        self._wire: Wire | None = None
        self._waiting: deque[_Work] = deque()
        self._task: asyncio.Task[None] | None = None
        self._open = False
        self.commits = 0
        """Transactions committed; with the number of units it tells how well they group."""

    def start(self) -> None:
        self._open = True

    async def stop(self) -> None:
        """Everything submitted so far is committed or has failed when this returns."""
        self._open = False
        if self._task is not None:
            await self._task
        if self._wire is not None:
            await self._wire.close()
            self._wire = None

    async def submit(self, unit: Callable[[UnitConnection], T]) -> T:
        """Run `unit` inside a transaction; durable when this returns. A unit may be run a second time, on a state where
        the first time never was, so it must do nothing else.

        Raises what the unit raised, or `StoreUnavailable`. A caller that is cancelled does not take its unit back.
        """
        if not self._open:
            raise StoreUnavailable("The database is closed.")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._waiting.append(_Work(unit, answer))
        if self._task is None:
            self._task = loop.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        while self._waiting:
            works: list[_Work] = []
            try:
                answers = await self._turn(works)
            except StoreUnavailable as error:
                # Those that wait behind would each wait for as long to hear the same.
                works += self._waiting
                self._waiting.clear()
                answers = [Failed(error)] * len(works)
            tell((work.answer for work in works), answers)
        self._task = None

    # -- a turn ------------------------------------------------------------------------------------------------------
    async def _turn(self, works: list[_Work]) -> list[Any]:
        """Take up units and carry them out; `works` is filled with them."""
        wire = await self._begun()
        try:
            unit_connection = UnitConnection(wire)
            try:
                answers = await self._run(unit_connection, works)
            except MustUndo:
                await wire.execute(f"ROLLBACK; {_BEGIN}")
                unit_connection = UnitConnection(wire)
                answers = [await in_greenlet(_run_in_savepoint, unit_connection, work.unit) for work in works]
            ended = await wire.execute(_ending(unit_connection))
            if ended != "COMMIT":
                # Its answer to a COMMIT after a statement that it had refused: nothing was kept, and no error told.
                raise asyncpg.InterfaceError(f"a commit ended as {ended}")
        except FAILURES as error:
            # Closing is a rollback too, and does not wait for a server that may have gone.
            wire.drop()
            raise unavailable(error) from None
        except BaseException:
            wire.drop()
            raise
        self.commits += 1
        self._told(unit_connection.told)
        return answers

    async def _begun(self) -> Wire:
        """The connection, in a transaction that has the lock."""
        if self._wire is not None and not self._wire.closed:
            try:
                await self._wire.execute(_BEGIN)
                return self._wire
            except FAILURES as error:
                # A connection that was lost since its last use is made anew, and nothing was done on it yet.
                lost = self._wire.closed
                self._wire.drop()
                if not lost:
                    raise unavailable(error) from None
        self._wire = await self._connect()
        try:
            await self._wire.execute(_BEGIN)
        except FAILURES as error:
            self._wire.drop()
            raise unavailable(error) from None
        return self._wire

    async def _run(self, connection: UnitConnection, works: list[_Work]) -> list[Any]:
        clock = asyncio.get_running_loop().time
        answers: list[Any] = []
        until = clock() + TURN_SECONDS
        while self._waiting and len(works) < MAX_UNITS and (clock() < until or not works):
            works.append(self._waiting.popleft())
            answers.append(await in_greenlet(_run_unit, connection, works[-1].unit))
        return answers


def _ending(connection: UnitConnection) -> str:
    """Everything that is left to do in a transaction, in one way to the server."""
    steps = []
    if connection.last_position is not None:
        steps.append(f"UPDATE counters SET value = {connection.last_position} WHERE name = 'facts'")
    quoted = ["'" + topic.replace("'", "''") + "'" for topic in connection.told]
    steps += [f"NOTIFY {CHANNEL}, {topic}" for topic in quoted]
    return "; ".join([*steps, "COMMIT"])


def _run_unit(connection: UnitConnection, unit: Unit) -> Any:
    """Without a savepoint, which costs two ways to the server: nearly every unit that raises has changed nothing so
    far. Raises `MustUndo` for the other ones."""
    changed, connection.changed = connection.changed, False
    try:
        return unit(connection)
    except Exception as error:
        if not is_own_fault(error):
            raise
        if connection.changed or connection.spoiled:
            raise MustUndo from error
        # Whatever a unit raises belongs to the task that submitted it, not to its neighbours.
        return Failed(error)
    finally:
        connection.changed = connection.changed or changed


def _run_in_savepoint(connection: UnitConnection, unit: Unit) -> Any:
    told = dict(connection.told)
    connection.script("SAVEPOINT unit")
    try:
        answer = unit(connection)
    except Exception as error:
        if not is_own_fault(error):
            raise
        connection.script("ROLLBACK TO SAVEPOINT unit")
        connection.told = told
        answer = Failed(error)
    connection.script("RELEASE SAVEPOINT unit")
    return answer
