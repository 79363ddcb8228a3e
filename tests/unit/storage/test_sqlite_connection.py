"""storage.sqlite_connection: positions of facts are counted in memory, and never given twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.sql import run
from maskline.storage.sqlite_connection import Connection, connect, prepare


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
