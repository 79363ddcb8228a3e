"""The one writer of a SQLite file in this process: units of work from many tasks, one commit for all that wait.

What it is: a thread with a queue. It takes whatever units have gathered while the last commit was on its way
to the disk, runs each in a savepoint of one transaction, commits, and then answers all of them: 1,000 calls/s
do not mean 1,000 fsyncs (architecture decision 5). What it is not: SQL, or retries of a failed unit; the caller
decides. Who uses it: `storage/sqlite.py`.

A unit that raises (a domain error, a broken constraint) is undone alone. When the database itself fails (disk
full, locked for too long, I/O error), all units of the transaction fail with `StoreUnavailable`, nothing of
them is kept, and the next transaction starts on a connection that is rolled back or new.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from maskline.errors import StoreUnavailable

T = TypeVar("T")
Unit = Callable[[sqlite3.Connection], Any]
Connect = Callable[[], sqlite3.Connection]

MAX_UNITS = 256
"""Units in one transaction at most, so that the first of them does not wait for a long queue's end."""
_OWN_FAULT = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""Errors of one statement; all other sqlite3 errors mean that the transaction cannot go on."""


class _Failed(NamedTuple):
    error: Exception


class _Work(NamedTuple):
    unit: Unit
    answer: asyncio.Future[Any]


def reason(error: sqlite3.Error) -> str:
    """SQLite's name of what went wrong; unlike its sentence it can contain no value."""
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    """The error a caller gets."""
    return StoreUnavailable(f"The database does not answer ({reason(error)}).")


class GroupWriter:
    """Runs units of work in order of their coming; `start` it inside the event loop that submits to it."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self.commits = 0
        """Transactions committed; with the number of units it tells how well they group."""

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="maskline-writer", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Everything submitted so far is committed or has failed when this returns."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self._queue.put(None)
            await asyncio.to_thread(thread.join)

    async def submit(self, unit: Callable[[sqlite3.Connection], T]) -> T:
        """Run `unit` in the writer's thread inside a transaction; durable when this returns.

        Raises what the unit raised, or `StoreUnavailable`. A caller that is cancelled does not take its unit back.
        """
        if self._thread is None:
            raise StoreUnavailable("The database is closed.")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Work(unit, answer))
        return await answer

    # -- the thread ----------------------------------------------------------------------------------------------
    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._next_batch()
            if batch:
                self._loop.call_soon_threadsafe(_answer, batch, self._commit(batch))
        self._drop_connection()

    def _next_batch(self) -> tuple[list[_Work], bool]:
        batch: list[_Work] = []
        work = self._queue.get()
        while work is not None:
            batch.append(work)
            if len(batch) == MAX_UNITS or self._queue.empty():
                return batch, True
            work = self._queue.get()
        return batch, False

    def _commit(self, batch: list[_Work]) -> list[Any]:
        try:
            connection = self._connection = self._connection or self._connect()
            # Waits up to the connection's timeout for another process; IMMEDIATE, because a transaction that
            # turns from reading to writing may not wait and would fail at once.
            connection.execute("BEGIN IMMEDIATE")
            answers = [_run_unit(connection, work.unit) for work in batch]
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            return [_Failed(unavailable(error))] * len(batch)
        self.commits += 1
        return answers

    def _roll_back(self) -> None:
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            # Not even that works: SQLite rolls the journal back by itself for whoever opens the file next.
            self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _run_unit(connection: sqlite3.Connection, unit: Unit) -> Any:
    connection.execute("SAVEPOINT unit")
    try:
        answer = unit(connection)
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not isinstance(error, _OWN_FAULT):
            raise
        # Whatever a unit raises belongs to the task that submitted it, not to its neighbours or this thread.
        connection.execute("ROLLBACK TO unit")
        answer = _Failed(error)
    connection.execute("RELEASE unit")
    return answer


def _answer(batch: list[_Work], answers: list[Any]) -> None:
    for work, answer in zip(batch, answers, strict=True):
        if work.answer.done():
            continue
        if isinstance(answer, _Failed):
            work.answer.set_exception(answer.error)
        else:
            work.answer.set_result(answer)
