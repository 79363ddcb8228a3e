"""`maskline migrate`: an empty database, one that is current, and one of an older version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from maskline.storage.queries import SCHEMA_VERSION, split_statements
from maskline.storage.sqlite_connection import as_sqlite
from tests.support.command_line import Cli

OLD = Path(__file__).parents[2] / "support" / "schema_5.sql"
STEP = "0006_pre_facts_in_one_row"


def test_an_empty_database_gets_tables_and_a_key(cli: Cli, tmp_path: Path) -> None:
    would = cli("migrate", "--dry-run")
    assert (would.code, would.out) == (0, f"Would make the tables: schema version {SCHEMA_VERSION}.\n")
    assert list(tmp_path.iterdir()) == []
    assert cli("migrate").out == f"Made the tables: schema version {SCHEMA_VERSION}.\n"
    assert {"maskline.db", "maskline.key"} <= {file.name for file in tmp_path.iterdir()}
    assert cli("migrate").out == f"Nothing to do: schema version {SCHEMA_VERSION}.\n"


def test_an_older_database_is_taken_on_step_by_step(cli: Cli, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "maskline.db") as connection:
        for statement in split_statements(OLD.read_text()):
            connection.execute(as_sqlite(statement))
    connection.close()
    would = cli("migrate", "--dry-run", "--phase", "pre")
    assert would.out.splitlines()[:2] == ["Would carry out:", f"  {STEP}"]
    done = cli("migrate", "--json").document
    assert (done["created"], done["steps"][0], done["version"]) == (False, STEP, SCHEMA_VERSION)
    assert cli("migrate", "--json").document["steps"] == []
