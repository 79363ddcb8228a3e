"""storage.sqlite_connection: positions of facts are counted in memory, and never given twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.sql import run, run_all
from maskline.storage.sqlite_connection import Connection, connect, prepare, unjournaled
from maskline.storage.sqlite_writer import GroupWriter


@pytest.fixture
def connections(tmp_path: Path) -> Iterator[tuple[Connection, Connection]]:
    """Of two processes on one file."""
    path = tmp_path / "c.db"
    prepare(path, 1, Sealer(bytes(KEY_BYTES)))
    both = connect(path, 1), connect(path, 1)
    yield both
    for connection in both:
        connection.close()


def begin(connection: Connection) -> Connection:
    connection.execute("BEGIN IMMEDIATE")
    return connection


def kept(connection: Connection) -> int:
    return int(run(connection, "read_counter", "facts").fetchone()[0])


def test_positions_go_on_from_what_was_committed_last_by_whomever(connections: tuple[Connection, Connection]) -> None:
    one, other = connections
    assert [begin(one).take_positions(2), one.take_positions(1)] == [0, 2]
    assert kept(other) == 0
    one.commit()
    assert begin(other).take_positions(4) == 3
    other.commit()
    assert begin(one).take_positions(1) == 7
    one.commit()
    assert kept(other) == 8


def test_what_is_rolled_back_has_taken_none(connections: tuple[Connection, Connection]) -> None:
    one, other = connections
    begin(one).take_positions(5)
    one.rollback()
    begin(other).take_positions(2)
    other.commit()
    assert begin(one).take_positions(1) == 2
    one.commit()


def test_what_a_savepoint_undoes_leaves_a_gap(connections: tuple[Connection, Connection]) -> None:
    one, _ = connections
    begin(one).execute("SAVEPOINT unit")
    one.take_positions(3)
    one.execute("ROLLBACK TO unit")
    assert one.take_positions(1) == 3
    one.commit()
    assert kept(one) == 4


def test_a_commit_without_facts_leaves_the_counter_alone(connections: tuple[Connection, Connection]) -> None:
    one, other = connections
    begin(one).commit()
    assert one.total_changes == 0
    assert kept(other) == 0


@pytest.mark.parametrize("erased", [True, False])  # False is the control: by itself SQLite leaves it where it is
def test_what_is_forgotten_is_overwritten_in_the_file(tmp_path: Path, erased: bool) -> None:
    path = tmp_path / "c.db"
    prepare(path, 1, Sealer(bytes(KEY_BYTES)))
    connection = connect(path, 1)
    try:
        connection.execute("INSERT INTO counters VALUES ('of what is forgotten', 0)")
        begin(connection)
        if erased:
            connection.erase()
        connection.execute("DELETE FROM counters WHERE name = 'of what is forgotten'")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    assert (b"what is forgotten" in path.read_bytes()) is not erased


def test_overwriting_ends_with_its_transaction_however_that_ends(connections: tuple[Connection, Connection]) -> None:
    one, _ = connections
    for end in (one.commit, one.rollback):
        begin(one).erase()
        assert one.execute("PRAGMA secure_delete").fetchone() == (1,)
        end()
        assert one.execute("PRAGMA secure_delete").fetchone() == (0,)


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("INSERT INTO a VALUES (?1)\nON CONFLICT (b) DO UPDATE SET c = 1", "INSERT OR FAIL INTO a"),
        ("WITH a (b) AS (VALUES (?1))\nUPDATE c\nSET d = 1", "\nUPDATE OR FAIL c\nSET"),
        ("WITH a (b) AS (VALUES (?1))\nDELETE FROM c", "\nDELETE FROM c"),
        ("SELECT a FROM b", "SELECT a FROM b"),
    ],
)  # fmt: skip
def test_a_statement_of_many_rows_keeps_no_journal_of_its_own(text: str, done: str) -> None:
    assert done in unjournaled(text)
    assert unjournaled(text).count("FAIL") == done.count("FAIL")


async def test_a_row_that_cannot_be_kept_takes_those_before_it_along_and_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    prepare(path, 1, Sealer(bytes(KEY_BYTES)))
    writer = GroupWriter(lambda: connect(path, 1))
    writer.start()

    def add(**counters: int | None) -> Callable[[sqlite3.Connection], int]:
        return lambda connection: run_all(cast(Connection, connection), "reach_counter", [*counters.items()])

    try:
        done = await asyncio.gather(
            writer.submit(add(one=1)), writer.submit(add(two=1, broken=None)), writer.submit(add(three=1)),
            return_exceptions=True,
        )  # fmt: skip
        names = await writer.submit(lambda connection: connection.execute("SELECT name FROM counters").fetchall())
    finally:
        await writer.stop()
    assert [type(one) for one in done] == [int, sqlite3.IntegrityError, int]
    assert {("one",), ("three",)} <= {*names}
    assert ("two",) not in names
