"""storage.migrate: numbered steps, in order, each once, on both databases."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from maskline.errors import ConfigurationError, StoreUnavailable
from maskline.storage import postgres_connection
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.migrate import Database, Levels, Phase, Step, check_levels, load_steps, migrate, pending
from maskline.storage.open import open_database
from maskline.storage.postgres_schema import _LOCK
from maskline.storage.queries import SCHEMA_VERSION, split_statements
from maskline.storage.sqlite_connection import as_sqlite
from tests.support.postgres_server import operator
from tests.support.waiting import until

NEXT = SCHEMA_VERSION + 1
STEPS = {
    f"{NEXT:04}_pre_leases.sql": "-- A comment.\nALTER TABLE calls ADD COLUMN owner TEXT;\n"
    "CREATE TABLE engines (\n    id TEXT PRIMARY KEY\n) /* clustered */;\n",
    f"{NEXT:04}_post_leases.sql": "ALTER TABLE calls DROP COLUMN reference_id;\n",
    f"{NEXT + 1:04}_pre_words.sqlite.sql": "ALTER TABLE calls ADD COLUMN words_of_sqlite TEXT;\n",
    f"{NEXT + 1:04}_pre_words.postgresql.sql": "ALTER TABLE calls ADD COLUMN words_of_postgresql JSONB;\n",
    "README.md": "not a step",
}
PRE, POST = f"{NEXT:04}_pre_leases", f"{NEXT:04}_post_leases"
WORDS = f"{NEXT + 1:04}_pre_words"
OF_CALLS = {
    "sqlite": "SELECT name FROM pragma_table_info('calls')",
    "postgresql": "SELECT column_name FROM information_schema.columns WHERE table_name = 'calls'",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "migrations"
    made.mkdir()
    for name, text in STEPS.items():
        (made / name).write_text(text)
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'm.db'}" if request.param == "sqlite" else operator().create("migrated")


@pytest.fixture
def database(url: str) -> Database:
    return open_database(url)


@pytest.fixture
def columns(url: str, database: Database) -> Callable[[], set[str]]:
    """Those of the table of calls."""

    def read() -> set[str]:
        query = OF_CALLS[database.dialect]
        if database.dialect == "postgresql":
            return {row[0] for row in operator().rows("migrated", query)}
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            found = {name for (name,) in connection.execute(query)}
        connection.close()
        return found

    return read


def sealer() -> Sealer:
    return Sealer(bytes(KEY_BYTES))


def no_key() -> Sealer:
    raise AssertionError("a database that is there has its key")


async def test_an_empty_database_gets_its_tables_at_once(database: Database) -> None:
    assert await database.is_empty()
    planned = await migrate(database, no_key, dry_run=True)
    assert (planned.created, planned.steps, planned.version) == (True, (), SCHEMA_VERSION)
    assert await database.is_empty()
    assert await migrate(database, sealer) == planned
    assert not await database.is_empty()
    assert await database.levels() == (SCHEMA_VERSION, SCHEMA_VERSION)
    again = await migrate(database, no_key)
    assert (again.created, again.steps, again.version) == (False, (), SCHEMA_VERSION)


async def test_steps_are_carried_out_in_order_and_each_once(
    database: Database, folder: Path, columns: Callable[[], set[str]]
) -> None:
    await migrate(database, sealer)
    before = columns()
    planned = await migrate(database, no_key, dry_run=True, folder=folder)
    assert ([str(step) for step in planned.steps], planned.version) == ([PRE, POST, WORDS], NEXT + 1)
    assert columns() == before
    assert await migrate(database, no_key, folder=folder) == planned
    assert columns() == before - {"reference_id"} | {"owner", f"words_of_{database.dialect}"}
    assert await database.levels() == (NEXT + 1, NEXT)
    assert (await migrate(database, no_key, folder=folder)).steps == ()


async def test_pre_steps_come_before_new_programs_and_post_steps_after_old_ones(
    database: Database, folder: Path, columns: Callable[[], set[str]]
) -> None:
    await migrate(database, sealer)
    too_early = await migrate(database, no_key, phase=Phase.POST, folder=folder)
    assert (too_early.steps, too_early.version) == ((), SCHEMA_VERSION)
    pre = await migrate(database, no_key, phase=Phase.PRE, folder=folder)
    assert ([str(step) for step in pre.steps], pre.version) == ([PRE, WORDS], NEXT + 1)
    levels = await database.levels()
    for version in (SCHEMA_VERSION, NEXT, NEXT + 1):
        check_levels(levels, version)
    post = await migrate(database, no_key, phase=Phase.POST, folder=folder)
    assert ([str(step) for step in post.steps], post.version) == ([POST], NEXT + 1)
    with pytest.raises(ConfigurationError, match=f"{NEXT}, this program only knows {SCHEMA_VERSION}"):
        check_levels(await database.levels(), SCHEMA_VERSION)


async def test_a_step_that_fails_leaves_nothing_behind(
    database: Database, folder: Path, columns: Callable[[], set[str]]
) -> None:
    await migrate(database, sealer)
    before = columns()
    (folder / f"{NEXT:04}_pre_leases.sql").write_text(
        "ALTER TABLE calls ADD COLUMN owner TEXT;\nALTER TABLE nobodys ADD COLUMN owner TEXT;\n"
    )
    with pytest.raises(StoreUnavailable, match="cannot be migrated"):
        await migrate(database, no_key, folder=folder)
    assert columns() == before
    assert await database.levels() == (SCHEMA_VERSION, SCHEMA_VERSION)


async def test_a_step_that_somebody_else_has_just_carried_out_is_left_alone(database: Database, folder: Path) -> None:
    """Both have looked before either of them began."""
    await migrate(database, sealer)
    step = load_steps(database.dialect, folder)[0]
    await database.apply(step)
    await database.apply(step)
    assert await database.levels() == (NEXT, SCHEMA_VERSION)


async def test_a_step_may_take_longer_than_a_servers_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    database = open_database(operator().create("migrated"))
    await migrate(database, sealer)
    monkeypatch.setitem(postgres_connection._SESSION, "statement_timeout", "20ms")
    monkeypatch.setattr(postgres_connection, "ANSWER_SECONDS", 0.02)
    await database.apply(Step(NEXT, Phase.PRE, "slow", ("SELECT pg_sleep(0.1)",)))
    monkeypatch.undo()
    assert await database.levels() == (NEXT, SCHEMA_VERSION)


async def test_who_migrates_waits_for_another_one_and_not_so_long_for_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    url = operator().create("migrated")
    database = open_database(url)
    await migrate(database, sealer)
    monkeypatch.setitem(postgres_connection._SESSION, "lock_timeout", "20ms")
    step = Step(NEXT, Phase.PRE, "on_calls", ("ALTER TABLE calls ADD COLUMN owner TEXT",))
    reader = await asyncpg.connect(url)
    await reader.execute("BEGIN; LOCK TABLE calls IN ACCESS SHARE MODE")
    operator().run("migrated", f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK})")
    applied = asyncio.create_task(database.apply(step))
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    await until(lambda: applied.done() or operator().rows("postgres", waits))
    await asyncio.wait([applied], timeout=0.1)
    assert not applied.done()
    operator().run("migrated", "COMMIT")
    with pytest.raises(StoreUnavailable, match=r"cannot be migrated \(LockNotAvailableError\)"):
        await applied
    await reader.close()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_each_version_has_one_step_of_a_phase_since_a_second_one_would_be_left_out(dialect: str) -> None:
    steps = load_steps(dialect)
    assert len({(step.version, step.phase) for step in steps}) == len(steps)
    assert max(step.version for step in steps) == SCHEMA_VERSION


def test_a_program_needs_the_steps_up_to_its_own_version() -> None:
    check_levels(Levels(6, 5), 5)
    check_levels(Levels(6, 6), 6)
    with pytest.raises(ConfigurationError, match=r"version 5, this program needs 6: run maskline migrate\."):
        check_levels(Levels(5, 5), 6)


def test_the_steps_that_are_shipped_lead_to_this_version_one_by_one() -> None:
    for dialect in ("sqlite", "postgresql"):
        steps = load_steps(dialect)
        assert sorted({step.version for step in steps if step.phase is Phase.PRE}) == [*range(6, SCHEMA_VERSION + 1)]
        assert pending(steps, Levels(SCHEMA_VERSION, SCHEMA_VERSION), None) == []
        assert all(re.fullmatch(r"\d{4}_(pre|post)_\w+", str(step)) and step.statements for step in steps)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_a_database_of_version_5_becomes_what_a_new_one_is(dialect: str, tmp_path: Path) -> None:
    fact = "INSERT INTO facts VALUES (7, 'call-1', 1, 12.5, 'CallReceived', '{}')"
    old, new = place_of(dialect, tmp_path, "old"), place_of(dialect, tmp_path, "new")
    statements = split_statements((Path(__file__).parents[2] / "support" / "schema_5.sql").read_text())
    for statement in [*statements, fact]:
        execute(old, statement)
    upgraded = await migrate(open_database(old), no_key)
    assert upgraded.version == SCHEMA_VERSION
    await migrate(open_database(new), sealer)
    assert shape_of(old) == shape_of(new)
    assert execute(old, "SELECT many, earlier FROM facts WHERE position = 7") == [(1, None)]


def place_of(dialect: str, folder: Path, name: str) -> str:
    return f"sqlite:///{folder / name}.db" if dialect == "sqlite" else operator().create(name)


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    if url.startswith("postgresql"):
        name = urlsplit(url).path.strip("/")
        return [tuple(row) for row in operator().rows(name, statement)]
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    found = connection.execute(as_sqlite(statement)).fetchall()
    connection.close()
    return found


def shape_of(url: str) -> list[tuple[Any, ...]]:
    """Columns and indexes; where a column stands among the others and its default do not matter."""
    if url.startswith("postgresql"):
        columns = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        schema = "WHERE {} = 'public'"
        indexes = f"SELECT indexname, indexdef, '', '' FROM pg_indexes {schema.format('schemaname')}"
        return sorted(execute(url, f"{columns} {schema.format('table_schema')} UNION ALL {indexes}"))
    tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
    # All whole numbers are of one type there, whatever its name.
    kind = "REPLACE(c.type, 'BIGINT', 'INTEGER')"
    columns = f'SELECT t.name, c.name, {kind}, c."notnull" FROM ({tables}) t, pragma_table_info(t.name) c'
    indexes = "SELECT name, sql, '', '' FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    return sorted(execute(url, f"{columns} UNION ALL {indexes}"), key=str)
