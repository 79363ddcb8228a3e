"""The one writer of a SQLite file in this process: units of work from many tasks, one commit for all that wait.

What it is: a queue of units, taken up in turns. A turn is one transaction: it runs whatever units have gathered while
the last commit was on its way to the disk, commits, and then answers all of them: 1,000 calls/s do not mean 1,000
fsyncs (architecture decision 5). What it is not: SQL, or retries of a failed unit; the caller decides. Who uses it:
`storage/sqlite.py`.

Where a turn runs: everything that may wait (opening the file, another process's lock, the commit's fsync) in a thread
of its own; small units, some statements each, in the event loop's thread, in slices so short that no call notices.
sqlite3 lets go of the interpreter's lock in every statement, and two busy threads that hand it to and fro pay more
for that than for the statements (docs/decisions/0017-small-units-in-the-loop.md). When small units wait for the disk
that is noticed, and the thread does all of it for a while.

A unit that raises (a domain error, a broken constraint) is undone alone. When the database itself fails (disk full,
locked for too long, I/O error), all units of the turn fail with `StoreUnavailable`, nothing of them is kept, and the
next turn starts on a connection that is rolled back or new.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from maskline.errors import StoreUnavailable
from maskline.storage.sqlite_threads import CommitThreads
from maskline.storage.units import Failed, MustUndo, tell

T = TypeVar("T")
Unit = Callable[[sqlite3.Connection], Any]
Connect = Callable[[], sqlite3.Connection]

MAX_UNITS = 256
"""Units in one transaction at most, so that the first of them does not wait for a long queue's end."""
SLICE = 0.001
"""Seconds of units in the event loop's thread until it looks at its sockets again; one unit may exceed it."""
SLOW_UNIT = 0.001
"""Mean seconds of a turn's units from which on they are slow, if they waited; a create costs a fifth of that."""
SLOW_UNITS_SEEN = 16
"""Units a turn must have had for its mean to count: one of them may have been interrupted by anything."""
WAITS_PER_UNIT = 0.5
"""Mean waits from which on it is the disk that is slow, and not a neighbour who has taken the CPU."""
IN_THREAD = 5.0
"""Seconds for which the thread then runs all units."""
HELP_AFTER, HELP, HELP_PAUSE = 0.03, 0.002, 0.003
"""Seconds of a turn in the thread after which the loop stands aside for it, how long at a time, and how long it goes on
with its own work in between. Without that, a loop that never slept had the thread wait for seconds, 3,000 commits were
unwritten, and new calls were refused (7 % of them at 1,000 a second on one core)."""
_THIS_THREAD = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)  # Linux; elsewhere the whole process
_OWN_FAULT = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""Errors of one statement; all other sqlite3 errors mean that the transaction cannot go on."""


class _Work(NamedTuple):
    unit: Unit
    answer: asyncio.Future[Any]
    small: bool


class _Turn:
    """The units of one transaction; the first `len(answers)` of them have run."""

    __slots__ = ("answers", "guarded", "seconds", "waits", "works")

    def __init__(self) -> None:
        self.works: list[_Work] = []
        self.answers: list[Any] = []
        self.guarded = False
        """Each unit in a savepoint: one of them has failed half-way, in a transaction that was rolled back for it."""
        self.seconds = 0.0
        """How long the units took in the event loop's thread."""
        self.waits = 0
        """How often that thread gave its CPU away meanwhile, to wait for something."""

    @property
    def full(self) -> bool:
        return len(self.works) >= MAX_UNITS

    @property
    def slow(self) -> bool:
        counted = max(len(self.answers), SLOW_UNITS_SEEN)
        return self.seconds > SLOW_UNIT * counted and self.waits >= WAITS_PER_UNIT * counted


def reason(error: sqlite3.Error) -> str:
    """SQLite's name of what went wrong; unlike its sentence it can contain no value."""
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    """The error a caller gets."""
    return StoreUnavailable(f"The database does not answer ({reason(error)}).")


class GroupWriter:
    """Runs units of work in order of their coming; `start` it inside the event loop that submits to it.

    The connection belongs to the writer's thread from `_hand_over` until `_finished` and else to the loop's: never to
    both. What `connect` returns waits for locks as long as its timeout says, but only in the writer's thread."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._patience = 0
        """Milliseconds to wait for another process's lock."""
        self._connection: sqlite3.Connection | None = None
        self._waiting: deque[_Work] = deque()
        self._turn: _Turn | None = None
        self._in_thread_until = 0.0
        self._threads = CommitThreads(self._commit, self._tell_loop)
        self._running = False
        self._stopped: asyncio.Future[None] | None = None
        self.commits = 0
        """Transactions committed; with the number of units it tells how well they group."""

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._threads.start()
        self._running = True

    async def stop(self) -> None:
        """Everything submitted so far is committed or has failed when this returns."""
        if not self._running:
            return
        self._running = False
        if self._turn is not None:
            self._stopped = self._loop.create_future()
            await self._stopped
        await asyncio.to_thread(self._end)

    async def submit(self, unit: Callable[[sqlite3.Connection], T], *, small: bool = False) -> T:
        """Run `unit` inside a transaction; durable when this returns. `small`: it may run in this thread, because it
        is a few statements on a few rows, some 0.1 ms. A unit may be run a second time, on a state where the first
        time never was, so it must do nothing else.

        Raises what the unit raised, or `StoreUnavailable`. A caller that is cancelled does not take its unit back.
        """
        if not self._running:
            raise StoreUnavailable("The database is closed.")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Work(unit, answer, small))
        if self._turn is None:
            self._next_turn()
        return await answer

    # -- a turn, in the loop's thread ------------------------------------------------------------------------------
    def _next_turn(self) -> None:
        self._turn = _Turn()
        # Not at once: what this round of the loop brings belongs to the same turn.
        self._loop.call_soon(self._begin, self._turn)

    def _begin(self, turn: _Turn) -> None:
        if self._small_next(turn) and self._loop.time() >= self._in_thread_until and self._begin_here():
            self._run_slice(turn)
        else:
            self._hand_over(turn)

    def _small_next(self, turn: _Turn) -> bool:
        return bool(self._waiting) and self._waiting[0].small and not turn.full

    def _begin_here(self) -> bool:
        """Whether a transaction is open; not so when that would mean to wait."""
        try:
            if self._connection is not None:
                self._connection.execute("BEGIN IMMEDIATE")
                return True
        except sqlite3.Error:
            """The writer's thread waits for the lock, or meets the same error and tells it."""
        return False

    def _run_slice(self, turn: _Turn) -> None:
        assert self._connection is not None
        waited = _waits()
        began = now = time.perf_counter()
        try:
            while now - began < SLICE and self._small_next(turn):
                turn.works.append(self._waiting.popleft())
                turn.answers.append(_run_unit(self._connection, turn.works[-1].unit))
                now = time.perf_counter()
        except MustUndo:
            self._hand_over(turn, undo=True)
            return
        except sqlite3.Error as error:
            self._finished(turn, self._fail(turn, error))
            return
        turn.seconds += now - began
        turn.waits += _waits() - waited
        if self._small_next(turn):
            self._loop.call_soon(self._run_slice, turn)
        else:
            self._hand_over(turn)

    def _hand_over(self, turn: _Turn, undo: bool = False) -> None:
        """The writer's thread runs what is left of the turn, or all of it again, and commits."""
        if turn.slow:
            self._in_thread_until = self._loop.time() + IN_THREAD
        while self._waiting and not turn.full:
            turn.works.append(self._waiting.popleft())
        turn.guarded = undo
        self._threads.put(turn)
        self._loop.call_later(HELP_AFTER, self._help, turn)

    def _help(self, turn: _Turn) -> None:
        if self._turn is turn and not self._threads.help(HELP):
            self._loop.call_later(HELP_PAUSE, self._help, turn)

    def _finished(self, turn: _Turn, answers: list[Any]) -> None:
        tell((work.answer for work in turn.works), answers)
        if self._waiting:
            self._next_turn()
            return
        self._turn = None
        if self._stopped is not None:
            self._stopped.set_result(None)

    def _end(self) -> None:
        self._threads.join()
        self._drop_connection()

    # -- in one of the threads -------------------------------------------------------------------------------------
    def _tell_loop(self, turn: _Turn, answers: list[Any]) -> None:
        self._loop.call_soon_threadsafe(self._finished, turn, answers)

    def _commit(self, turn: _Turn) -> list[Any]:
        try:
            if turn.guarded or not self._run_rest(turn):
                self._run_again(turn)
            self._opened().commit()
        except sqlite3.Error as error:
            return self._fail(turn, error)
        self.commits += 1
        return turn.answers

    def _run_rest(self, turn: _Turn) -> bool:
        """Whether that went well; if not, the transaction is worth nothing."""
        connection = self._opened()
        try:
            for work in turn.works[len(turn.answers) :]:
                turn.answers.append(_run_unit(connection, work.unit))
        except MustUndo:
            return False
        return True

    def _run_again(self, turn: _Turn) -> None:
        """All of it, on a state where it never was, each unit in a savepoint."""
        self._opened().rollback()
        connection = self._opened()
        turn.answers = [_run_in_savepoint(connection, work.unit) for work in turn.works]

    def _opened(self) -> sqlite3.Connection:
        """The connection, with a transaction open."""
        if self._connection is None:
            self._connection = self._connect()
            (self._patience,) = self._connection.execute("PRAGMA busy_timeout").fetchone()
        if not self._connection.in_transaction:
            self._connection.execute(f"PRAGMA busy_timeout = {self._patience}")
            try:
                # IMMEDIATE: a transaction that turns from reading to writing may not wait and would fail at once.
                self._connection.execute("BEGIN IMMEDIATE")
            finally:
                self._connection.execute("PRAGMA busy_timeout = 0")
        return self._connection

    # -- both ------------------------------------------------------------------------------------------------------
    def _fail(self, turn: _Turn, error: sqlite3.Error) -> list[Any]:
        """Undo the turn; the answers of its units."""
        try:
            if self._connection is not None:
                self._connection.rollback()
        except sqlite3.Error:
            # Not even that works: SQLite rolls the journal back by itself for whoever opens the file next.
            self._drop_connection()
        return [Failed(unavailable(error))] * len(turn.works)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _waits() -> int:
    """How often this thread has given its CPU away by itself, as it does to wait for the disk."""
    return resource.getrusage(_THIS_THREAD).ru_nvcsw


def _run_unit(connection: sqlite3.Connection, unit: Unit) -> Any:
    """Without a savepoint, which costs two statements and a copy of each page: nearly every unit that raises has
    changed nothing so far. Raises `MustUndo` for the other ones."""
    changes = connection.total_changes
    try:
        return unit(connection)
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not isinstance(error, _OWN_FAULT):
            raise
        if connection.total_changes != changes:
            raise MustUndo from error
        # Whatever a unit raises belongs to the task that submitted it, not to its neighbours or this thread.
        return Failed(error)


def _run_in_savepoint(connection: sqlite3.Connection, unit: Unit) -> Any:
    connection.execute("SAVEPOINT unit")
    try:
        answer = unit(connection)
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not isinstance(error, _OWN_FAULT):
            raise
        connection.execute("ROLLBACK TO unit")
        answer = Failed(error)
    connection.execute("RELEASE unit")
    return answer
