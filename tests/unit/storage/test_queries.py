"""storage.queries: the SQL text, and that the queries a call or a request asks use an index."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from importlib import resources

import pytest

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.filters import SessionFilter
from maskline.storage.queries import load_queries, repeat_values
from maskline.storage.session_list import SessionList, session_list
from maskline.storage.sqlite_connection import SQL, numbered, sqlite_schema
from tests.support.store_values import ACCOUNT, ALICE, BOB, T0, VN1

READS_ALL_ON_PURPOSE = {
    "numbers", "trunks", "count_sessions", "list_sessions", "count_rows", "count_outbox",
    "prices", "failing_endpoints", "count_failing_endpoints",
    "forget_failing_endpoints",
    "live_calls", "reset_calls_in_progress", "dead_engines", "owners", "forget_owners",
}  # fmt: skip

SORTS_FEW = {"sessions_on", "lease_export", "number_countries", "take_live_calls"}
"""The live sessions of one number; exports that wait; the numbers of one account; the calls that a dead engine left."""
GIVEN_ROWS = (
    "SCAN CONSTANT ROW", "SCAN moved", "SCAN done", "SCAN freed", "SCAN held", "SCAN gone", "SCAN asked", "SCAN owners",
)  # fmt: skip
"""Steps over the rows of the statement itself, or over owners: one for each process that lives."""


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    for statement in sqlite_schema():
        connection.execute(statement)
    yield connection
    connection.close()


def plan(database: sqlite3.Connection, query: str) -> str:
    parameters = len(set(re.findall(r"\?(\d+)", query)))
    return " | ".join(row[3] for row in database.execute("EXPLAIN QUERY PLAN " + query, [None] * parameters))


def listed(wanted: SessionFilter) -> SessionList:
    return session_list(ACCOUNT.id, wanted, T0, Sealer(bytes(KEY_BYTES)), limit=20, offset=0)


@pytest.mark.parametrize("name", sorted(SQL))
def test_a_query_is_a_look_up_whatever_the_size_of_the_tables(database: sqlite3.Connection, name: str) -> None:
    steps = plan(database, SQL[name])
    scanned = [step for step in steps.split(" | ") if step.startswith("SCAN") and step not in GIVEN_ROWS]
    if name not in READS_ALL_ON_PURPOSE:
        assert all("INDEX" in step and "WHERE" not in step for step in scanned), steps
        # "RIGHT PART": only rows of the very same moment are sorted.
        sorts = "TEMP B-TREE" in steps.replace("TEMP B-TREE FOR RIGHT PART", "")
        assert sorts == (name in SORTS_FEW), steps


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("session_for_call", "PRIMARY KEY (key_hash=? AND virtual_number=?)"),
        ("claims_of_keys", "PRIMARY KEY (key_hash=?)"),
        ("sessions_of_party", "PRIMARY KEY (key_hash=?)"),
        ("sessions_of_party", "sessions_by_second_party (second_party_hash=?)"),
        ("numbers_with_fallback", "virtual_numbers_with_fallback"),
        ("pins_held", "PRIMARY KEY (key_hash=? AND virtual_number=?)"),
        ("numbers_to_share", "virtual_numbers_to_share (pool_id=?)"),
        ("numbers_to_share_in_country", "virtual_numbers_to_share_by_country (pool_id=? AND country=?)"),
        ("empty_number", "virtual_numbers_to_share (pool_id=?)"),
        ("empty_number", "claims_of_number (virtual_number=? AND held_until>?)"),
        ("numbers_for_pins", "virtual_numbers_for_pins (pool_id=?)"),
        ("session_with_pin", "claims_by_pin (virtual_number=? AND live_until>?)"),
        ("sessions_on", "claims_of_number (virtual_number=? AND held_until>?)"),
        ("sessions_to_forget", "sessions_ended (ended_at<?)"),
        ("forget_facts", "facts_by_subject (subject=?)"),
        ("forget_outbox", "outbox_by_account (account_id=? AND created_at<?)"),
        ("forget_attempts", "PRIMARY KEY (outbox_id=?)"),
        ("outbox_of_all", "outbox_by_time"),
        ("outbox_of_all_in_state", "outbox_by_time"),
        ("calls_to_forget", "calls_by_session (session_id=?)"),
        ("facts_to_look_at", "INTEGER PRIMARY KEY (rowid>?)"),
        ("purge_once", "once_to_purge (kept_until<?)"),
        ("sessions_due", "sessions_to_end (expires_at<?)"),
        ("lease_outbox", "outbox_to_send (due_at<?)"),
        ("lease_newest_outbox", "outbox_to_send (due_at<?)"),
        ("free_outbox", "outbox_to_send (due_at>?)"),
        ("free_recordings", "recordings_to_make (due_at>?)"),
        ("free_requested_calls", "requested_calls_due (leased_until>?)"),
        ("free_requested_flows", "requested_flows_due (leased_until>?)"),
        ("busy_lanes", "outbox_lanes (lane=?)"),
        ("promote_outbox", "outbox_lanes (lane=?)"),
        ("next_outbox_due", "outbox_to_send"),
        ("reset_calls_in_progress", "sessions_in_progress"),
        ("forget_claims", "claims_of_number (virtual_number=? AND held_until<?)"),
    ],
)
def test_the_index_meant_for_a_query_is_used(database: sqlite3.Connection, name: str, index: str) -> None:
    assert index in plan(database, SQL[name])


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (SessionFilter(), "sessions_by_account (account_id=?)"),
        (SessionFilter(first_party=ALICE), "sessions_by_first_party (first_party_hash=?)"),
        (SessionFilter(second_party=BOB), "sessions_by_second_party (second_party_hash=?)"),
        (SessionFilter(virtual_number=VN1), "sessions_by_number (virtual_number=?)"),
        (SessionFilter(virtual_number=VN1), "sessions_by_second_number (second_virtual_number=?)"),
        (SessionFilter(subaccount_id="SA"), "sessions_by_subaccount (subaccount_id=?)"),
        (SessionFilter(created=(("gte", T0),)), "sessions_by_account (account_id=? AND created_at>?)"),
    ],
)
def test_a_session_list_uses_the_index_of_its_filter(
    database: sqlite3.Connection, wanted: SessionFilter, index: str
) -> None:
    steps = plan(database, numbered(listed(wanted).page))
    assert index in steps
    assert "TEMP B-TREE" not in steps.replace("TEMP B-TREE FOR RIGHT PART", "").replace("LAST TERM", ""), steps


def test_a_session_list_takes_every_value_as_a_parameter() -> None:
    wanted = SessionFilter(ALICE, BOB, VN1, "active", "SA", (("gt", 1.0),), (("lte", 2.0),), (("eq", 3.0),))
    found = listed(wanted)
    for text in (found.page, found.total):
        assert [*dict.fromkeys(re.findall(r"\$\d+", text))] == [f"${i + 1}" for i in range(len(found.values))]
        assert not re.search(r"(?<!')'(?!')|\d{3,}", text)


def test_a_query_for_many_rows_gives_each_row_parameters_of_its_own() -> None:
    query = "WITH t (a) AS (VALUES (f($1), ($2), $1)) INSERT x"
    assert repeat_values(query, 1) == query
    expected = "WITH t (a) AS (VALUES (f($1), ($2), $1), (f($3), ($4), $3), (f($5), ($6), $5)) INSERT x"
    assert repeat_values(query, 3) == expected


def test_values_without_an_end_are_a_fault() -> None:
    with pytest.raises(ValueError, match="without an end"):
        repeat_values("VALUES (($1)", 2)


def test_every_query_says_what_it_is_for() -> None:
    text = re.split(r"^-- name: ", _read_queries(), flags=re.MULTILINE)[1:]
    assert all(block.splitlines()[1].startswith("-- ") for block in text)
    assert len(text) == len(load_queries())


def test_the_common_text_has_dollar_parameters_and_nothing_unfilled() -> None:
    for query in load_queries().values():
        assert "?" not in query
        assert "{" not in query


def _read_queries() -> str:
    return resources.files("maskline.storage").joinpath("queries.sql").read_text("utf-8")
