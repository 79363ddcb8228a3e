"""What is to be sent, looked at or deleted is found among 200,000 webhooks that were sent, in hardly more steps than
among none (SQLite), and by indexes alone (PostgreSQL)."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.queries import load_queries
from maskline.storage.sqlite import SqliteStore
from maskline.storage.sqlite_connection import SQL
from tests.support.postgres_server import database_url, operator
from tests.support.store_values import ACCOUNT, T0, outbox_row

MANY = 200_000
FILL = """
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
INSERT INTO outbox (id, account_id, subject, sequence, lane, dialect, event, method, url, content_type, content_sealed,
    created_at, attempts, due_at, state, last_error)
SELECT printf('%08d', n), ?, 's', 1, 's', 'native', 'e', 'POST', 'u', 't', x'', n, 1, n,
    CASE n % 3 WHEN 0 THEN 'failed' WHEN 1 THEN 'done' ELSE 'held' END, '' FROM number
"""
LANE = "call-0 of a url"
DUE = (
    ("next_outbox_due", ()), ("lease_outbox", ("me", T0 + 1, T0 + 30, 10)),
    ("lease_newest_outbox", ("me", T0 + 1, T0 + 30, 10)),
    ("finish_outbox", ("due-0", "me", "done", T0, 200, "", 1)), ("promote_outbox", (LANE, T0)),
    ("add_attempt", ("due-0", 1, T0, 5, 200, "", b"")), ("outbox_of_all", (5,)), ("forget_outbox", (0.5, 5)),
    ("forget_attempts", ("due-0",)),
)  # fmt: skip


def steps(connection: sqlite3.Connection) -> list[int]:
    """Instructions of SQLite's machine for each of these; each is undone."""
    counts = []
    for name, values in DUE:
        done = [0]

        def count(done: list[int] = done) -> None:
            done[0] += 1

        connection.execute("BEGIN")
        connection.set_progress_handler(count, 1)
        connection.execute(SQL[name], values).fetchall()
        connection.set_progress_handler(None, 0)
        connection.execute("ROLLBACK")
        counts.append(done[0])
    return counts


async def test_a_year_of_finished_webhooks_costs_hardly_a_step_more(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "maskline.db", Sealer(bytes(KEY_BYTES)))
    await store.open()
    await store.add_account(ACCOUNT)
    await store.announce([outbox_row(f"due-{i}", subject=f"call-{i}") for i in range(5)])
    await store.close()
    connection = sqlite3.connect(tmp_path / "maskline.db", isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    before = steps(connection)
    connection.execute(FILL, (MANY, ACCOUNT.id))
    # A few more only where the tables' trees are a page deeper.
    assert all(after <= 1.1 * once for once, after in zip(before, steps(connection), strict=True))
    connection.execute("ANALYZE")
    assert all(after <= 1.1 * once for once, after in zip(before, steps(connection), strict=True))
    for name, values in DUE[:3]:
        plan = " | ".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + SQL[name], values))
        assert "outbox_to_send" in plan
    connection.close()


FILL_POSTGRESQL = """
INSERT INTO outbox (id, account_id, subject, sequence, lane, dialect, event, method, url, content_type, content_sealed,
    created_at, attempts, due_at, state, last_error)
SELECT 'old-' || n, 'MA', 's' || n, 1, 's' || n, 'native', 'e', 'POST', 'u', 't', '', n, 1, n,
    CASE n % 3 WHEN 0 THEN 'failed' WHEN 1 THEN 'done' ELSE 'held' END, ''
FROM generate_series(1, 50000) AS n;
INSERT INTO outbox (id, account_id, subject, sequence, lane, dialect, event, method, url, content_type, content_sealed,
    created_at, attempts, due_at, state, last_error)
SELECT 'due-' || n, 'MA', 't' || n, 1, 't' || n, 'native', 'e', 'POST', 'u', 't', '', n, 1, n, 'due', ''
FROM generate_series(1, 500) AS n;
ANALYZE outbox
"""
WITH_VALUES = {
    "next_outbox_due": (),
    "lease_outbox": ("'me'", "600", "700", "256"),
    "lease_newest_outbox": ("'me'", "600", "700", "256"),
    "finish_outbox": ("'due-1'", "'me'", "'done'", "1", "200", "''", "1"),
    "promote_outbox": ("'t1'", "1"),
    "outbox_of_all": ("50",),
    "forget_outbox": ("10", "1000"),
    "forget_attempts": ("'old-1'",),
}


@pytest.mark.parametrize("analyzed", [True, False])
def test_postgresql_reads_no_table_of_webhooks_whole(analyzed: bool) -> None:
    database_url()
    operator().run("postgres", FILL_POSTGRESQL if analyzed else FILL_POSTGRESQL.replace("ANALYZE outbox", ""))
    queries = load_queries()
    for name, values in WITH_VALUES.items():
        query = re.sub(r"\$(\d+)", lambda found, given=values: given[int(found[1]) - 1], queries[name])
        plan = "\n".join(row[0] for row in operator().rows("postgres", f"EXPLAIN {query}"))
        assert not re.search("Seq Scan on (outbox|attempts)", plan), f"{name}: {plan}"
        assert "Sort" not in plan or name == "promote_outbox" or name.startswith("lease_"), f"{name}: {plan}"
