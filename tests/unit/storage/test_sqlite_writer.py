"""storage.sqlite_writer: many units, one commit, and nobody's failure is his neighbour's."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from maskline.errors import Conflict, StoreUnavailable
from maskline.storage import sqlite_writer
from maskline.storage.sqlite_connection import connect
from maskline.storage.sqlite_writer import MAX_UNITS, SLOW_UNITS_SEEN, GroupWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "w.db"
    connection = connect(path, 1)
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, filling TEXT)")
    connection.close()
    return path


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[GroupWriter]:
    writer = GroupWriter(lambda: connect(path, 0.05))
    writer.start()
    yield writer
    await writer.stop()


def insert(value: int):  # type: ignore[no-untyped-def]
    def unit(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?, '')", (value,))
        return value

    return unit


def stored(path: Path) -> list[int]:
    connection = connect(path, 1)
    try:
        return [value for (value,) in connection.execute("SELECT id FROM t ORDER BY id")]
    finally:
        connection.close()


async def hold_the_thread(writer: GroupWriter) -> threading.Event:
    """The writer sits in a unit until the event is set: what is submitted meanwhile is one batch."""
    running, free = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def unit(connection: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(running.set)
        free.wait()

    asyncio.ensure_future(writer.submit(unit))  # noqa: RUF006 - finishes with the event
    await running.wait()
    return free


@pytest.mark.parametrize("small", [False, True])
async def test_a_unit_is_on_the_disk_when_its_caller_goes_on(writer: GroupWriter, path: Path, small: bool) -> None:
    for value in (1, 2):
        assert await writer.submit(insert(value), small=small) == value
        assert stored(path)[-1] == value


async def test_units_that_wait_share_one_commit(writer: GroupWriter, path: Path) -> None:
    free = await hold_the_thread(writer)
    waiting = [asyncio.ensure_future(writer.submit(insert(i))) for i in range(50)]
    await asyncio.sleep(0)
    free.set()
    assert await asyncio.gather(*waiting) == list(range(50))
    assert writer.commits == 2
    assert stored(path) == list(range(50))


@pytest.mark.parametrize("small", [False, True])
async def test_a_transaction_has_a_bounded_number_of_units(writer: GroupWriter, small: bool) -> None:
    free = await hold_the_thread(writer)
    waiting = [asyncio.ensure_future(writer.submit(insert(i), small=small)) for i in range(MAX_UNITS + 1)]
    await asyncio.sleep(0)
    free.set()
    await asyncio.gather(*waiting)
    assert writer.commits == 3


@pytest.mark.parametrize("small", [(), (0, 1, 2, 3, 4, 5), (0,), (0, 1, 2)])
async def test_a_unit_that_fails_is_undone_alone(writer: GroupWriter, path: Path, small: tuple[int, ...]) -> None:
    def half_then_conflict(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (100, '')")
        raise Conflict("half done")

    def half_then_bug(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (101, '')")
        raise KeyError("bug")

    free = await hold_the_thread(writer)
    units = [insert(1), half_then_conflict, insert(2), half_then_bug, insert(1), insert(3)]
    waiting = [asyncio.ensure_future(writer.submit(unit, small=at in small)) for at, unit in enumerate(units)]
    await asyncio.sleep(0)
    free.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    kinds = [result if isinstance(result, int) else type(result) for result in results]
    assert kinds == [1, Conflict, 2, KeyError, sqlite3.IntegrityError, 3]
    assert stored(path) == [1, 2, 3]
    assert writer.commits == 2


@pytest.mark.parametrize("small", [False, True])
async def test_a_unit_that_fails_before_it_changes_anything_costs_the_others_nothing(
    writer: GroupWriter, path: Path, small: bool
) -> None:
    runs: list[int] = []

    def counted(value: int) -> Callable[[sqlite3.Connection], None]:
        def unit(connection: sqlite3.Connection) -> None:
            runs.append(value)
            connection.execute("INSERT INTO t VALUES (?, '')", (value,))

        return unit

    free = await hold_the_thread(writer)
    waiting = [asyncio.ensure_future(writer.submit(counted(value), small=small)) for value in (1, 1, 2)]
    await asyncio.sleep(0)
    free.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), sqlite3.IntegrityError, type(None)]
    assert runs == [1, 1, 2]
    assert stored(path) == [1, 2]


async def test_a_full_disk_fails_the_whole_transaction_and_the_writer_recovers(writer: GroupWriter, path: Path) -> None:
    def limit_pages(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 3")

    def big(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (9, ?)", ("x" * 100_000,))

    def unlimited(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 100000")

    await writer.submit(limit_pages)
    free = await hold_the_thread(writer)
    waiting = [asyncio.ensure_future(writer.submit(unit)) for unit in (insert(1), big, insert(2))]
    await asyncio.sleep(0)
    free.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(result) for result in results] == ["The database does not answer (SQLITE_FULL)."] * 3
    assert all(isinstance(result, StoreUnavailable) for result in results)
    assert stored(path) == []
    await writer.submit(unlimited)
    await writer.submit(big)
    assert stored(path) == [9]


@pytest.mark.parametrize("small", [False, True])
async def test_another_processs_lock_is_waited_for_and_then_an_error(
    writer: GroupWriter, path: Path, small: bool
) -> None:
    await writer.submit(insert(0))
    other = connect(path, 1)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        waiting = asyncio.ensure_future(writer.submit(insert(1), small=small))
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0)
            turns += 1
        # The loop went on meanwhile, which it does thousands of times in the 50 ms of waiting.
        assert turns > 20
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            await waiting
    other.execute("ROLLBACK")
    other.close()
    assert await writer.submit(insert(1), small=small) == 1


async def thread_of(writer: GroupWriter, small: bool = True) -> int:
    return await writer.submit(lambda _: threading.get_ident(), small=small)


async def test_small_units_run_in_the_loops_thread_once_the_file_is_open(writer: GroupWriter) -> None:
    here = threading.get_ident()
    assert await thread_of(writer) != here
    assert await thread_of(writer) == here
    assert await thread_of(writer, small=False) != here


async def test_units_keep_their_order_wherever_they_run(writer: GroupWriter) -> None:
    await thread_of(writer)
    here, ran = threading.get_ident(), []

    def unit(name: int) -> Callable[[sqlite3.Connection], None]:
        return lambda _: ran.append((name, threading.get_ident() == here))

    kinds = [True, True, False, True, False]
    await asyncio.gather(*(writer.submit(unit(name), small=small) for name, small in enumerate(kinds)))
    # The small one behind a large one is not worth a second transaction.
    assert ran == [(0, True), (1, True), (2, False), (3, False), (4, False)]
    assert writer.commits == 2


async def test_the_loop_looks_at_its_sockets_between_slices(
    writer: GroupWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await thread_of(writer)
    monkeypatch.setattr(sqlite_writer, "SLICE", 1e-9)
    happened: list[str] = []
    loop = asyncio.get_running_loop()

    def unit(connection: sqlite3.Connection) -> None:
        insert(len(happened))(connection)
        happened.append("unit")
        loop.call_soon(happened.append, "something else")

    await asyncio.gather(*(writer.submit(unit, small=True) for _ in range(3)))
    assert happened == ["unit", "something else"] * 3
    assert writer.commits == 2
    assert stored(path) == [0, 2, 4]


async def test_units_that_wait_for_the_disk_run_in_the_thread_for_a_while(
    writer: GroupWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = threading.get_ident()
    monkeypatch.setattr(sqlite_writer, "SLOW_UNIT", 60.0)
    await thread_of(writer)
    waits = itertools.count(step=SLOW_UNITS_SEEN)
    monkeypatch.setattr(sqlite_writer, "_waits", lambda: next(waits))
    assert await thread_of(writer) == here
    assert await thread_of(writer) == here  # it waited, yet was not slow
    monkeypatch.setattr(sqlite_writer, "SLOW_UNIT", 0.0)
    monkeypatch.setattr(sqlite_writer, "IN_THREAD", 60.0)
    assert await thread_of(writer) == here
    assert await thread_of(writer) != here
    assert await thread_of(writer) != here
    writer._in_thread_until = asyncio.get_running_loop().time()
    monkeypatch.setattr(sqlite_writer, "_waits", lambda: 0)
    assert await thread_of(writer) == here
    assert await thread_of(writer) == here  # slow, yet it did not wait: somebody else had the CPU


def test_a_thread_that_waits_is_told_from_one_that_works() -> None:
    before = sqlite_writer._waits()
    sum(range(1000))
    working = sqlite_writer._waits() - before
    lock = threading.Lock()
    lock.acquire()
    for _ in range(5):
        lock.acquire(timeout=0.001)
    assert sqlite_writer._waits() - before - working >= 5


async def test_a_database_that_fails_in_a_small_unit_fails_its_turn_and_not_the_next(
    writer: GroupWriter, path: Path
) -> None:
    def denied(connection: sqlite3.Connection) -> None:
        connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        try:
            connection.execute("SELECT 1")
        finally:
            connection.set_authorizer(None)

    await thread_of(writer)
    units = [insert(1), denied, insert(2)]
    results = await asyncio.gather(*(writer.submit(unit, small=True) for unit in units), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable, StoreUnavailable, int]
    assert stored(path) == [2]


async def test_a_file_that_cannot_be_opened_is_an_error_until_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    writer = GroupWriter(lambda: connect(folder / "w.db", 0.05))
    writer.start()
    with pytest.raises(StoreUnavailable, match="SQLITE_CANTOPEN"):
        await writer.submit(lambda connection: None)
    folder.mkdir()
    await writer.submit(lambda connection: None)
    await writer.stop()


async def test_a_connection_that_cannot_even_roll_back_is_replaced(writer: GroupWriter, path: Path) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1, '')")
        connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        connection.execute("SELECT 1")

    with pytest.raises(StoreUnavailable):
        await writer.submit(broken)
    assert await writer.submit(insert(2)) == 2
    assert stored(path) == [2]


async def test_a_cancelled_caller_does_not_stop_the_others(writer: GroupWriter, path: Path) -> None:
    free = await hold_the_thread(writer)
    waiting = [asyncio.ensure_future(writer.submit(insert(i))) for i in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    free.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert stored(path) == [0, 1, 2]
    assert waiting[1].cancelled()


@pytest.mark.parametrize("small", [False, True])
async def test_stopping_waits_for_what_was_submitted(path: Path, small: bool) -> None:
    writer = GroupWriter(lambda: connect(path, 0.05))
    writer.start()
    await thread_of(writer)
    waiting = [asyncio.ensure_future(writer.submit(insert(i), small=small)) for i in range(10)]
    await asyncio.sleep(0)
    await writer.stop()
    assert await asyncio.gather(*waiting) == list(range(10))
    assert stored(path) == list(range(10))
    with pytest.raises(StoreUnavailable, match="closed"):
        await writer.submit(insert(11))
    await writer.stop()


async def test_the_loop_stands_aside_for_a_turn_that_takes_long_and_for_no_other(
    writer: GroupWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "HELP_AFTER", 0.0)
    monkeypatch.setattr(sqlite_writer, "HELP_PAUSE", 0.0)
    helped = asyncio.Event()
    asked: list[float] = []

    def help_it(seconds: float) -> bool:
        asked.append(seconds)
        if len(asked) == 3:
            helped.set()
        return len(asked) == 3

    monkeypatch.setattr(writer._threads, "help", help_it)
    free = await hold_the_thread(writer)
    await helped.wait()
    free.set()
    monkeypatch.setattr(sqlite_writer, "HELP_AFTER", 1000.0)
    assert await writer.submit(insert(1)) == 1
    await asyncio.sleep(0)
    assert asked == [sqlite_writer.HELP] * 3
