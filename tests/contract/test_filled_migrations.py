"""A database of any numbered version, with several rows in every table it has, becomes one of this version: nothing of
it changes, and the program finds in it what it would have found before.

The rows are today's, as far as that version has columns for them: the steps shipped so far change no value.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest

from maskline.masking.facts import CallReceived
from maskline.masking.limits import Limits
from maskline.masking.pin import PinLimits, PinTry
from maskline.masking.price import Direction, Price
from maskline.masking.session import SessionOptions
from maskline.masking.usage_shared import Wish
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.filters import RecordingFilter, SessionFilter
from maskline.storage.kept import ApiKey, ExportJob, LiveCall, Owner, PushConfig, RequestedFlow
from maskline.storage.migrate import Phase, load_steps, migrate
from maskline.storage.open import open_database
from maskline.storage.postgres import PostgresStore
from maskline.storage.queries import SCHEMA_VERSION, split_statements
from maskline.storage.sqlite import SqliteStore
from maskline.storage.sqlite_connection import as_sqlite
from maskline.storage.store import Delivery, Endpoint, Once, RecordedCall, Store
from maskline.storage.webhook_store import Attempt, EndpointNote, Patience
from tests.support.postgres_server import TABLES, operator
from tests.support.recordings import recording, recording_end
from tests.support.store_values import (
    ACCOUNT,
    ALICE,
    BOB,
    CAROL,
    DAVE,
    OTHER,
    SUB,
    T0,
    TRUNK,
    VN1,
    VN2,
    VN3,
    call_facts,
    call_record,
    interaction,
    new_session,
    outbox_row,
    virtual_number,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("our_clock")

FIRST_VERSION = 5
VERSIONS = range(FIRST_VERSION, SCHEMA_VERSION)
KEY = bytes(KEY_BYTES)
ONCE = [Once(ACCOUNT.id, f"key-{n}", "POST /Session", T0 + 600) for n in (1, 2)]
SESSIONS = [
    new_session("session-1"),
    new_session(
        "session-2", first_party=CAROL, second_party=DAVE, created_at=T0 + 1, first_party_pin="73519",
        second_party_pin="86420", options=SessionOptions(session_expiry=600, is_pin_authentication_required=True),
    ),
    *(
        new_session(
            f"asking-{n}", subaccount_id=None, first_party=BOB, second_party=party, created_at=T0 + 2 + n,
            options=SessionOptions(session_expiry=600, initiate_call_to_first_party=True),
        ) for n, party in enumerate((CAROL, DAVE))
    ),
]  # fmt: skip
PIN_LIMITS = PinLimits(caller=1, number=100)
SINCE = {"attempts": 7, "failing": 7, "live": 8, "limits": 9, "places": 11, "owners": 12}
"""From which version on there is what these are read of."""


class Rows(NamedTuple):
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def of(self, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
        places = [self.columns.index(column) for column in columns]
        return sorted((tuple([row[place] for place in places]) for row in self.rows), key=repr)


class Database:
    """One of a dialect: its tables as they are, beside the store."""

    def __init__(self, dialect: str, folder: Path, name: str) -> None:
        self.dialect = dialect
        self._file = folder / f"{name}.db"
        self._name = name
        self.url = f"sqlite:///{self._file}" if dialect == "sqlite" else operator().create(name)

    def store(self) -> SqliteStore | PostgresStore:
        if self.dialect == "sqlite":
            return SqliteStore(self._file, Sealer(KEY))
        return PostgresStore(self.url, Sealer(KEY))

    async def run(self, *statements: str) -> None:
        if self.dialect == "sqlite":
            with closing(sqlite3.connect(self._file)) as connection:
                for statement in statements:
                    connection.execute(as_sqlite(statement))
                connection.commit()
            return
        for statement in statements:
            operator().run(self._name, statement)

    async def read(self) -> dict[str, Rows]:
        if self.dialect == "sqlite":
            with closing(sqlite3.connect(self._file)) as connection:
                found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                return {
                    name: Rows(tuple(column[0] for column in cursor.description), cursor.fetchall())
                    for (name,) in found if not name.startswith("sqlite_")
                    for cursor in [connection.execute(f"SELECT * FROM {name}")]
                }  # fmt: skip
        connection = await asyncpg.connect(self.url)
        tables = {}
        for (name,) in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            asked = await connection.prepare(f"SELECT * FROM {name}")
            columns = tuple(one.name for one in asked.get_attributes())
            tables[name] = Rows(columns, [tuple(row) for row in await asked.fetch()])
        await connection.close()
        return tables

    async def write(self, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        into = f"INSERT INTO {table} ({', '.join(columns)})"
        if self.dialect == "sqlite":
            with closing(sqlite3.connect(self._file)) as connection:
                connection.executemany(f"{into} VALUES ({', '.join('?' * len(columns))})", rows)
                connection.commit()
            return
        connection = await asyncpg.connect(self.url)
        places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
        await connection.executemany(f"{into} VALUES ({places})", rows)
        await connection.close()


async def fill(store: Store) -> None:
    """Two rows or more of each table."""
    for account in (ACCOUNT, replace(OTHER, limits=Limits(concurrent=7), countries=("SG", "GB")), SUB):
        await store.add_account(account)
    for n, number in enumerate((VN1, VN2, VN3)):
        await store.add_number(virtual_number(number, fallback=DAVE if n == 1 else None), T0 + n)
    for n in (1, 2):
        owner = (ACCOUNT, OTHER)[n - 1].id
        await store.add_api_key(ApiKey(f"key-{n}", ACCOUNT.id, "of bookings", T0 + n), f"bearer-{n}")
        await store.add_trunk(replace(TRUNK, id=f"trunk-{n}", name=f"carrier-{n}", host=f"192.0.2.{n}"), T0)
        await store.set_endpoint(Endpoint(owner, "native", f"https://h.example/{n}", "Basic x", secret="whsec_9f2"))
        await store.set_push_config(PushConfig(owner, "SFTP", "files.example", 22, "u", "/calls", "pw"))
        await store.add_export(
            ExportJob(f"job-{n}", ACCOUNT.id, None, T0, T0 + 60, T0 + n, T0 + 200, "https://v.example")
        )
        await store.set_price(Price(f"price-{n}", None, Direction.OUTBOUND, f"+6{n}", 12_000 * n, 500, 6))
    for session, once in zip(SESSIONS, [*ONCE, None, None], strict=True):
        await store.create_session(session, once=once)
    for n in (1, 2):
        flow = RequestedFlow(f"flow-{n}", SUB.id, f"request-{n}", '{"callflow": ["ü"]}', "order 7", T0 + 90.5, T0 + n)
        await store.add_requested_flow(flow)
        await store.count_pin(PinTry(ACCOUNT.id, (ALICE, BOB)[n - 1], VN1), PIN_LIMITS, T0)
        await call(store, f"call-{n}", recorded=f"rec-{n}")
        live = LiveCall(f"live-{n}", "engine-1", ACCOUNT.id, "session-2", T0 + 10 + n, b"what is kept")
        begun = CallReceived(live.call_id, 1, T0 + 10, TRUNK.id, VN1.digits)
        await store.commit_calls([RecordedCall((begun,), ACCOUNT.id, live=live)])
        await store.renew_owner(Owner(f"engine-{n}", "engine", "host", f"192.0.2.{n}:5060"), now=T0)
        await store.take_places(f"engine-{n}", [Wish(OTHER.id, "", 7, 0, 2)], now=T0, until=T0 + 15)
        note = EndpointNote(ACCOUNT.id, None, f"https://h.example/{n}", T0 + n, 3)
        await store.note_endpoints([note], Patience(), now=T0)
    leased = await store.lease_outbox("deliverer", now=T0, until=T0 + 60, limit=9)
    tried = [Attempt(row.id, 1, T0, 12, 503, "", "come back later") for row in leased]
    done = [Delivery(one.row_id, "due", T0 + 30, status=503, attempt=one) for one in tried]
    await store.finish_outbox("deliverer", done, now=T0)
    await store.announce([outbox_row("behind", subject="call-1", sequence=2)])


async def call(store: Store, call_id: str, recorded: str) -> None:
    """Each fact in a commit of its own: a row of one fact is what all versions have."""
    first, second, last = call_facts(call_id)
    begun = recording(recorded, call_id=call_id, leg_id=f"{call_id}-a")
    await store.commit_calls([RecordedCall((first,), ACCOUNT.id, session_id="session-1", calls_in_progress_delta=1)])
    await store.commit_calls([RecordedCall((second,), ACCOUNT.id, session_id="session-1", recording=begun)])
    ended = RecordedCall(
        (last,), ACCOUNT.id, (outbox_row(f"{call_id}-row", subject=call_id),), call_record(call_id), "session-1",
        interaction(call_id), -1, recording_end=recording_end(recorded),
    )  # fmt: skip
    await store.commit_calls([ended])


async def found(store: Store) -> dict[str, Any]:
    """What the program finds, and takes."""
    own = [ACCOUNT.id, SUB.id]
    other = await store.account(OTHER.id)
    written = RecordedCall(call_facts("call-3"), ACCOUNT.id, record=call_record("call-3"))
    repeated = [await store.create_session(replace(SESSIONS[n], id="another"), once=ONCE[n]) for n in (0, 1)]
    heard = [await store.count_pin(PinTry(ACCOUNT.id, who, VN1), PIN_LIMITS, T0 + 1) for who in (ALICE, BOB, CAROL)]
    return {
        "accounts": [*[await store.account(owner) for owner in own], other.name, other.auth_tokens],
        "limits": (other.limits, other.countries),
        "keys": (await store.api_keys(ACCOUNT.id), [await store.api_key(f"bearer-{n}") for n in (1, 2)]),
        "numbers": (await store.numbers(ACCOUNT.id), [await store.number(number) for number in (VN1, VN2, VN3)]),
        "trunks": await store.trunks(),
        "endpoints": [await store.endpoints(owner) for owner in (ACCOUNT.id, OTHER.id)],
        "pushed": [await store.push_config(owner) for owner in (ACCOUNT.id, OTHER.id)],
        "prices": await store.prices(),
        "repeated": repeated,
        "heard": heard,
        "sessions": await store.sessions(ACCOUNT.id, SessionFilter(), limit=9, offset=0, wall=T0 + 50),
        "matched": [await store.session_for_call(who, VN1) for who in (ALICE, BOB, CAROL)],
        "by PIN": await store.session_for_pin("73519", VN1),
        "calls": await store.calls(ACCOUNT.id),
        "recordings": await store.recordings(ACCOUNT.id, RecordingFilter(), limit=9),
        "facts": await store.facts_since(0, 100),
        "webhooks": await store.outbox(None),
        "attempts": [await store.attempts(f"call-{n}-row") for n in (1, 2)],
        "failing": await store.failing_endpoints(),
        "live": await store.live_calls("engine-1"),
        "owners": await store.owners(),
        "places": await store.usage_elsewhere("engine-3", T0 + 1),
        "exports taken": [await store.lease_export("e", now=T0, until=T0 + 9) for _ in range(3)],
        "calls taken": await store.lease_requested_calls("e", now=T0, until=T0 + 60, limit=9),
        "flows taken": await store.lease_requested_flows("e", now=T0, until=T0 + 60, limit=9),
        "recordings taken": [await store.lease_recording("e", now=T0 + 50, until=T0 + 60) for _ in range(3)],
        "webhooks taken": await store.lease_outbox("e", now=T0 + 30, until=T0 + 60, limit=9),
        "written": (await store.commit_calls([written]), await store.facts("call-3")),
    }  # fmt: skip


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Database]:
    return lambda name: Database(request.param, tmp_path, name)


def changed(before: Mapping[str, Rows], after: Mapping[str, Rows]) -> list[str]:
    """Tables whose rows are not what they were."""
    return [name for name, was in before.items() if after[name].of(was.columns) != was.of(was.columns)]


@pytest.mark.parametrize("make", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_filled_database_of_each_version_becomes_one_of_this_version(
    make: Callable[[str], Database], version: int
) -> None:
    new, old = make("filled_new"), make("filled_old")
    await migrate(open_database(new.url), lambda: Sealer(KEY))
    store = new.store()
    await store.open()
    await fill(store)
    filled = await new.read()
    assert {name for name in TABLES if len(filled[name].rows) < 2} == set()

    schema = Path(__file__).parents[1] / "support" / "schema_5.sql"
    await old.run(*split_statements(schema.read_text()))
    for step in load_steps(old.dialect):
        if step.phase is Phase.PRE and step.version <= version:
            await old.run(*step.statements)
    await old.run("DELETE FROM counters")
    for name, there in (await old.read()).items():
        columns = tuple(column for column in there.columns if column in filled[name].columns)
        await old.write(name, columns, filled[name].of(columns))
    await old.run(f"UPDATE counters SET value = {version} WHERE name = 'schema'")
    await old.run("DELETE FROM counters WHERE name = 'schema_post'")

    before = await old.read()
    done = await migrate(open_database(old.url), lambda: Sealer(KEY))
    assert [step.version for step in done.steps] == [*range(version + 1, SCHEMA_VERSION + 1)]
    assert changed(before, await old.read()) == ["counters"]
    migrated = old.store()
    await migrated.open()
    missing = {name for name, since in SINCE.items() if since > version}
    expected, seen = await found(store), await found(migrated)
    for one in (store, migrated):
        await one.close()
    assert {name for name in expected if seen[name] != expected[name]} - missing == set()
