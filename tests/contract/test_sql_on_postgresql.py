"""The SQL text on a real PostgreSQL: the schema is created and every query is prepared, unchanged.

Needs the server's programs (Debian package `postgresql`); skips with that reason where they are missing.
"""

from __future__ import annotations

import re
import subprocess

import pytest

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.filters import SessionFilter
from maskline.storage.queries import load_queries, schema_statements
from maskline.storage.session_list import session_list
from tests.support.postgres_server import PROGRAMS, operator, server
from tests.support.store_values import ACCOUNT, ALICE, BOB, T0, VN1


@pytest.fixture(scope="module")
def psql() -> list[str]:
    """A database with the schema, as nobody else uses it."""
    operator().create("sql")
    client = [str(PROGRAMS / "psql"), "-h", str(server().folder), "-U", "maskline", "-d", "sql", "-qX"]
    run(client, ";\n".join(schema_statements()) + ";\n")
    return client


def run(psql: list[str], script: str) -> str:
    done = subprocess.run([*psql, "-At", "-v", "ON_ERROR_STOP=1"], input=script.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_postgresql_takes_the_schema_and_every_query_as_they_are(psql: list[str]) -> None:
    wanted = SessionFilter(ALICE, BOB, VN1, "active", "SA", (("gt", 1.0),), (("lte", 2.0),), (("eq", 3.0),))
    queries = load_queries()
    for status in ("active", "expired", "in-progress", "all"):
        some = SessionFilter(status=status) if status != "active" else wanted
        found = session_list(ACCOUNT.id, some, T0, Sealer(bytes(KEY_BYTES)), limit=20, offset=0)
        queries[f"list {status}"], queries[f"count {status}"] = found.page, found.total
    prepared = [f'PREPARE "{name}" AS {query};' for name, query in queries.items()]
    run(psql, "\n".join(prepared))


def test_postgresql_refuses_a_second_session_on_a_pair(psql: list[str]) -> None:
    queries = load_queries()
    run(
        psql,
        f"""
        PREPARE take AS {queries["take_claims"]};
        EXECUTE take (50, NULL, '\\x01', '+65', 'party', 'one', 'first_party', 90, 100);
        EXECUTE take (99, NULL, '\\x01', '+65', 'party', 'two', 'first_party', 190, 200);
        DO $$ BEGIN ASSERT (SELECT session_id FROM claims) = 'one'; END $$;
        EXECUTE take (100, NULL, '\\x01', '+65', 'party', 'two', 'first_party', 190, 200);
        DO $$ BEGIN ASSERT (SELECT session_id FROM claims) = 'two'; END $$;
        EXECUTE take (150, 'two', '\\x01', '+65', 'party', 'three', 'first_party', 290, 300);
        DO $$ BEGIN ASSERT (SELECT session_id FROM claims) = 'three'; END $$;
        """,
    )


HOT = {
    "claims_of_keys": ["claims_pkey"],
    "session_for_call": ["claims_pkey", "sessions_pkey"],
    "session_with_pin": ["claims_by_pin"],
    "sessions_on": ["claims_of_number"],
    "forget_claims": ["claims_of_number", "claims_pkey"],
    "numbers_to_share": ["virtual_numbers_to_share"],
    "numbers_to_share_in_country": ["virtual_numbers_to_share_by_country"],
    "empty_number": ["virtual_numbers_to_share", "claims_of_number"],
    "numbers_for_pins": ["virtual_numbers_for_pins"],
    "number": ["virtual_numbers_pkey"],
    "once": ["once_pkey"],
    "purge_once": ["once_to_purge"],
    "sessions_due": ["sessions_to_end"],
    "sessions_to_forget": ["sessions_ended"],
    "forget_facts": ["facts_by_subject"],
    "next_outbox_due": ["outbox_to_send"],
    "forget_attempts": ["attempts_pkey"],
    "calls_of_session": ["calls_by_session"],
    "list of a number": ["sessions_by_number", "sessions_by_second_number"],
    "list of a first party": ["sessions_by_first_party"],
    "list of a second party": ["sessions_by_second_party"],
    "list of a subaccount": ["sessions_by_subaccount"],
    "list of an account": ["sessions_by_account"],
}
"""Queries that a call, a create or a list waits for, with the indexes that make them look-ups."""
FILTERS = {
    "list of a number": SessionFilter(virtual_number=VN1),
    "list of a first party": SessionFilter(first_party=ALICE),
    "list of a second party": SessionFilter(second_party=BOB),
    "list of a subaccount": SessionFilter(subaccount_id="SA"),
    "list of an account": SessionFilter(created=(("gte", T0),)),
}


def test_postgresql_has_the_index_for_each_query_that_somebody_waits_for(psql: list[str]) -> None:
    queries = load_queries()
    for name, wanted in FILTERS.items():
        queries[name] = session_list(ACCOUNT.id, wanted, T0, Sealer(bytes(KEY_BYTES)), limit=20, offset=0).page
    # Empty tables are always read whole, if that is allowed; a generic plan is one for any values.
    script = ["SET enable_seqscan = off; SET enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan;"]
    for name in HOT:
        nulls = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", queries[name]))))
        given = f"({nulls})" if nulls else ""
        script.append(f'PREPARE "{name}" AS {queries[name]};\n\\echo == {name}\nEXPLAIN EXECUTE "{name}"{given};')
    plans = dict(part.split("\n", 1) for part in run(psql, "\n".join(script)).split("== ")[1:])
    missing = {name: plan for name, plan in plans.items() if not all(f" using {i} " in plan for i in HOT[name])}
    assert plans.keys() == HOT.keys() and missing == {}
