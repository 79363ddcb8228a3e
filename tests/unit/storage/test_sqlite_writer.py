"""storage.sqlite_writer: many units, one commit, and nobody's failure is his neighbour's."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maskline.errors import Conflict, StoreUnavailable
from maskline.storage.sqlite_connection import connect
from maskline.storage.sqlite_writer import MAX_UNITS, GroupWriter


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


async def test_a_unit_is_on_the_disk_when_its_caller_goes_on(writer: GroupWriter, path: Path) -> None:
    assert await writer.submit(insert(1)) == 1
    assert stored(path) == [1]


async def test_units_that_wait_share_one_commit(writer: GroupWriter, path: Path) -> None:
    free = await hold_the_thread(writer)
    waiting = [asyncio.ensure_future(writer.submit(insert(i))) for i in range(50)]
    await asyncio.sleep(0)
    free.set()
    assert await asyncio.gather(*waiting) == list(range(50))
    assert writer.commits == 2
    assert stored(path) == list(range(50))


async def test_a_transaction_has_a_bounded_number_of_units(writer: GroupWriter) -> None:
    free = await hold_the_thread(writer)
    waiting = [asyncio.ensure_future(writer.submit(insert(i))) for i in range(MAX_UNITS + 1)]
    await asyncio.sleep(0)
    free.set()
    await asyncio.gather(*waiting)
    assert writer.commits == 3


async def test_a_unit_that_fails_is_undone_alone(writer: GroupWriter, path: Path) -> None:
    def half_then_conflict(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (100, '')")
        raise Conflict("half done")

    def half_then_bug(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (101, '')")
        raise KeyError("bug")

    free = await hold_the_thread(writer)
    units = [insert(1), half_then_conflict, insert(2), half_then_bug, insert(1), insert(3)]
    waiting = [asyncio.ensure_future(writer.submit(unit)) for unit in units]
    await asyncio.sleep(0)
    free.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    kinds = [result if isinstance(result, int) else type(result) for result in results]
    assert kinds == [1, Conflict, 2, KeyError, sqlite3.IntegrityError, 3]
    assert stored(path) == [1, 2, 3]


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


async def test_another_processs_lock_is_waited_for_and_then_an_error(writer: GroupWriter, path: Path) -> None:
    other = connect(path, 1)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
        await writer.submit(insert(1))
    other.execute("ROLLBACK")
    other.close()
    assert await writer.submit(insert(1)) == 1


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


async def test_stopping_waits_for_what_was_submitted(path: Path) -> None:
    writer = GroupWriter(lambda: connect(path, 0.05))
    writer.start()
    waiting = [asyncio.ensure_future(writer.submit(insert(i))) for i in range(10)]
    await asyncio.sleep(0)
    await writer.stop()
    assert await asyncio.gather(*waiting) == list(range(10))
    assert stored(path) == list(range(10))
    with pytest.raises(StoreUnavailable, match="closed"):
        await writer.submit(insert(11))
    await writer.stop()
