"""What only a server can get wrong: secrets in it, other processes on it, and a server or a process that goes away."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from maskline.errors import ConfigurationError, Conflict, NotFound, StoreUnavailable
from maskline.masking.price import Direction, Price
from maskline.masking.session import Session, SessionOptions
from maskline.masking.usage_shared import Wish
from maskline.storage import postgres_listener
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.filters import SessionFilter
from maskline.storage.kept import ApiKey, ExportJob, RequestedFlow
from maskline.storage.postgres import PostgresStore
from maskline.storage.postgres_connection import Wire, connect
from maskline.storage.postgres_schema import PostgresDatabase
from maskline.storage.postgres_writer import _LOCK
from maskline.storage.sql import SqlConnection
from maskline.storage.store import Endpoint, Once
from tests.support.postgres_server import KEY, TABLES, PostgresServer, operator, postgres_store, server
from tests.support.recordings import recording, recording_end
from tests.support.store_values import (
    ACCOUNT,
    ALICE,
    BOB,
    CAROL,
    T0,
    TRUNK,
    VN1,
    call_facts,
    call_record,
    new_session,
    outbox_row,
    recorded_call,
    virtual_number,
)  # fmt: skip
from tests.support.waiting import until

SEALER = Sealer(KEY)
PRICE = Price("price-1", None, Direction.OUTBOUND, "+65", 12_000, 0, 60)


@pytest.fixture
async def store() -> AsyncIterator[PostgresStore]:
    store = postgres_store()
    await store.open()
    await store.add_account(ACCOUNT)
    await store.add_number(virtual_number(VN1), T0)
    yield store
    await store.close()


@pytest.fixture
async def other(store: PostgresStore) -> AsyncIterator[PostgresStore]:
    """As another process has it."""
    other = PostgresStore(server().url(), SEALER)
    await other.open()
    yield other
    await other.close()


async def test_no_real_number_and_no_secret_is_in_the_database_in_clear(store: PostgresStore) -> None:
    await store.add_trunk(TRUNK, T0)
    endpoint = Endpoint(ACCOUNT.id, "eight.session_summary", "https://h.example", "Bearer s3cret", secret="whsec_9f2")
    await store.set_endpoint(endpoint)
    await store.add_api_key(ApiKey("key-1", ACCOUNT.id, "of the bookings", T0), "bearer-k3y")
    await store.update_number(virtual_number(VN1, fallback=CAROL), T0)
    once = Once(ACCOUNT.id, "client-key-1", "of a request", T0 + 60)
    options = SessionOptions(session_expiry=600, is_pin_authentication_required=True)
    pins = {"first_party_pin": "73519", "second_party_pin": "86420"}
    await store.create_session(new_session(options=options, **pins), once=once)
    await store.commit_calls([recorded_call()])
    await store.end_session(
        ACCOUNT.id, "session-1", now=T0 + 50, by_request=True, outbox=[outbox_row(secret="whsec_5a1")]
    )
    rows = [row[0] for table in TABLES for row in operator().rows("postgres", f"SELECT t::text FROM {table} t")]
    raw = "\n".join(rows)
    assert VN1.digits in raw
    secrets = [
        ALICE.digits, BOB.digits, ALICE.digits[2:], BOB.digits[2:], "trunk-pa55word", "s3cret", ACCOUNT.auth_token,
        "Basic c2VjcmV0", CAROL.digits, CAROL.digits[2:], "client-key-1", "of a request", "whsec_9f2", "whsec_5a1",
        "bearer-k3y",
    ]  # fmt: skip
    # Columns of bytes are shown in hexadecimal digits.
    assert [secret for secret in secrets if secret in raw or secret.encode().hex() in raw] == []


async def test_everything_is_there_after_a_new_start(store: PostgresStore) -> None:
    created = await store.create_session(new_session())
    await store.close()
    await store.open()
    assert await store.session(ACCOUNT.id, "session-1") == created
    assert await store.account(ACCOUNT.id) == ACCOUNT
    assert await store.sessions(ACCOUNT.id, SessionFilter(), limit=5, offset=0, wall=T0) == ([created], 1)


# -- refused at the start --------------------------------------------------------------------------------------------
async def test_a_key_that_does_not_belong_to_the_database_is_refused(store: PostgresStore) -> None:
    with pytest.raises(ConfigurationError, match="MASKLINE_KEY_FILE"):
        await PostgresStore(server().url(), Sealer(b"\x01" * KEY_BYTES)).open()


async def test_a_database_without_tables_is_refused_and_says_what_to_do() -> None:
    url = operator().create("empty")
    with pytest.raises(ConfigurationError, match="maskline migrate"):
        await PostgresStore(url, SEALER).open()


@pytest.mark.parametrize(
    ("counter", "version", "sentence"),
    [("schema", 4, "schema version 4, this program needs"), ("schema_post", 99, "99, this program only knows")],
)
async def test_a_database_of_another_version_is_refused(counter: str, version: int, sentence: str) -> None:
    url = operator().create("versions")
    await PostgresDatabase(url).create(SEALER)
    operator().run("versions", f"DELETE FROM counters WHERE name = '{counter}'")
    operator().run("versions", f"INSERT INTO counters VALUES ('{counter}', {version})")
    with pytest.raises(ConfigurationError, match=sentence):
        await PostgresStore(url, SEALER).open()


async def test_a_server_that_does_not_wait_for_the_disk_is_refused() -> None:
    url = operator().create("unsafe")
    await PostgresDatabase(url).create(SEALER)
    operator().run("unsafe", "ALTER DATABASE unsafe SET synchronous_commit = off")
    with pytest.raises(ConfigurationError, match="with synchronous_commit=off and would lose"):
        await PostgresStore(url, SEALER).open()


async def test_a_database_that_cannot_keep_all_texts_gets_no_tables() -> None:
    operator().run("postgres", "DROP DATABASE IF EXISTS latin")
    operator().run("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    database = PostgresDatabase(server().url("latin"))
    with pytest.raises(ConfigurationError, match=r"encoding is LATIN1, .* --encoding UTF8"):
        await database.create(SEALER)
    assert await database.is_empty()


async def test_a_server_that_takes_no_writes_is_refused() -> None:
    url = operator().create("standby")
    await PostgresDatabase(url).create(SEALER)
    operator().run("standby", "ALTER DATABASE standby SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailable, match=r"cannot be used \(it takes no writes: a standby, or "):
        await PostgresStore(url, SEALER).open()


async def test_a_writer_sees_the_one_before_it_whatever_the_servers_isolation_is() -> None:
    url = operator().create("strict")
    await PostgresDatabase(url).create(SEALER)
    operator().run("strict", "ALTER DATABASE strict SET default_transaction_isolation = 'repeatable read'")
    store = PostgresStore(url, SEALER)
    await store.open()
    await store.add_account(ACCOUNT)
    await store.announce([outbox_row("ahead", subject="call-1", sequence=1)])
    operator().run("strict", f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({_LOCK})")
    added = asyncio.create_task(store.announce([outbox_row("behind", subject="call-1", sequence=2)]))
    waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    await until(lambda: operator().rows("postgres", waits))
    operator().run("strict", "UPDATE outbox SET state = 'done' WHERE id = 'ahead'; COMMIT")
    await added
    assert await store.outbox_state("behind") == "due"
    await store.close()


@pytest.mark.parametrize(
    "url", ["postgresql://maskline:s3cret@127.0.0.1:1/maskline", "postgresql://m:s3cret@/m?host=/nowhere/to/be/found"]
)
async def test_a_server_that_is_not_there_is_one_clear_sentence_without_the_password(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be used") as caught:
        await PostgresStore(url, SEALER).open()
    assert "s3cret" not in caught.value.sentence


# -- clocks ----------------------------------------------------------------------------------------------------------
async def test_what_is_leased_is_leased_for_all_whatever_their_clocks_say(
    store: PostgresStore, other: PostgresStore
) -> None:
    """The first machine's clock is an hour late: by the second one's, what it leases would be over at once."""
    right = time.time()
    late = {"now": right - 3600, "until": right - 3540}
    now = {"now": right, "until": right + 60}
    asking = SessionOptions(session_expiry=600, initiate_call_to_first_party=True)
    await store.create_session(new_session(options=asking))
    await store.add_requested_flow(RequestedFlow("flow-1", ACCOUNT.id, "request-1", "{}", "", None, T0))
    facts = call_facts("call-1")
    await store.commit_calls([
        recorded_call("call-1", facts=facts[:1], record=None, interaction=None, outbox=(), recording=recording()),
        recorded_call("call-1", facts=facts[1:], outbox=(), recording_end=recording_end("rec-1")),
    ])  # fmt: skip
    await store.add_export(ExportJob("job-1", ACCOUNT.id, None, T0, T0 + 9, T0, right + 99))
    wishes = [Wish(ACCOUNT.id, "", 1, 0, 1)]
    for each, times in ((store, late), (other, now)):
        is_first = each is store
        assert bool(await each.lease_requested_calls("me", **times, limit=9)) is is_first
        assert bool(await each.lease_requested_flows("me", **times, limit=9)) is is_first
        assert bool(await each.lease_recording("me", **times)) is is_first
        assert bool(await each.lease_export("me", **times)) is is_first
        assert await each.take_places(f"engine-{is_first}", wishes, **times) == [int(is_first)]
    assert len(await other.usage_elsewhere("engine-False", right)) == 1


# -- other processes -------------------------------------------------------------------------------------------------
async def test_another_processs_writes_are_seen_and_none_is_lost(store: PostgresStore, other: PostgresStore) -> None:
    version = await store.configuration_version()
    await other.add_trunk(TRUNK, T0)
    assert await store.trunks() == [TRUNK]
    await until(lambda: store._version is not None and store._version > version)
    commits = [s.commit_calls([recorded_call(f"{n}-{i}")]) for i in range(40) for n, s in (("a", store), ("b", other))]
    await asyncio.gather(*commits)
    assert len(await store.calls(ACCOUNT.id, limit=100)) == 80
    positions = [position for position, _ in await other.facts_since(0, 1000)]
    assert positions == sorted(set(positions))


async def test_a_number_that_is_remembered_is_read_again_once_anything_was_configured(
    store: PostgresStore, other: PostgresStore
) -> None:
    assert (await store.number(VN1), await store.number(CAROL)) == (await other.number(VN1), None)
    await store.update_number(virtual_number(VN1, reference_id="from here"), T0)
    own = await store.number(VN1)
    assert own is not None
    assert own.reference_id == "from here"
    await other.update_number(virtual_number(VN1, reference_id="from there"), T0)
    await other.add_number(virtual_number(CAROL), T0)
    version = await other.configuration_version()
    await until(lambda: store._version == version)
    found = [await store.number(VN1), await store.number(CAROL)]
    assert [one and (one.number, one.reference_id) for one in found] == [(VN1, "from there"), (CAROL, "ref-1")]


async def test_racing_creates_of_two_processes_never_share_a_pair(store: PostgresStore, other: PostgresStore) -> None:
    creates = [s.create_session(new_session(f"{n}")) for n, s in enumerate((store, other) * 8)]
    results = await asyncio.gather(*creates, return_exceptions=True)
    assert sum(isinstance(result, Session) for result in results) == 1


# -- a transaction of many ------------------------------------------------------------------------------------------
async def test_a_unit_that_breaks_a_constraint_is_undone_alone(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its neighbours share its transaction, which the server takes nothing more in: all are run again."""
    monkeypatch.setattr("maskline.storage.postgres_writer.TURN_SECONDS", 60.0)
    await store.announce([outbox_row("there")])
    units = [
        store.commit_calls([recorded_call("before")]),
        store.announce([outbox_row("new"), outbox_row("there")]),
        store.commit_calls([recorded_call("after")]),
    ]
    results = await asyncio.gather(*units, return_exceptions=True)
    assert [type(result) for result in results] == [list, Conflict, list]
    assert {call.id for call in await store.calls(ACCOUNT.id)} == {"before", "after"}
    assert await store.outbox_state("new") is None
    # Account, number, webhook; then the first with the broken one, which takes up nobody else, and the last.
    assert store._writer.commits == 5


async def test_a_transaction_that_the_server_did_not_keep_is_not_acknowledged(store: PostgresStore) -> None:
    """It answers COMMIT with ROLLBACK, and no error, where a statement had failed before."""

    def spoil(connection: SqlConnection) -> None:
        with pytest.raises(asyncpg.DivisionByZeroError):
            connection.query("SELECT 1 / 0", [])

    with pytest.raises(StoreUnavailable):
        await store._write(spoil)
    await store.commit_calls([recorded_call()])
    assert await store.call(ACCOUNT.id, "call-1") == call_record("call-1")


async def test_a_statement_the_server_refuses_fails_its_unit_alone(store: PostgresStore) -> None:
    broken = store._write(lambda connection: connection.query("SELECT 1 / 0", []))
    results = await asyncio.gather(broken, store.commit_calls([recorded_call()]), return_exceptions=True)
    assert type(results[0]).__name__ == "DivisionByZeroError"
    assert results[1] == []
    assert await store.call(ACCOUNT.id, "call-1") == call_record("call-1")


async def test_who_reads_a_version_while_nobody_tells_reads_it_from_the_database(store: PostgresStore) -> None:
    version = await store.configuration_version()
    store._forget_version()
    await store.add_trunk(TRUNK, T0)
    assert await store.configuration_version() > version


# -- bounded waits ---------------------------------------------------------------------------------------------------
async def test_who_reads_waits_for_a_connection_but_not_for_ever(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = PostgresStore(server().url(), SEALER, connections=1)
    await one.open()
    reads = await asyncio.gather(*(one.account(ACCOUNT.id) for _ in range(20)))
    assert reads == [ACCOUNT] * 20
    monkeypatch.setattr("maskline.storage.postgres_pool.WAIT_SECONDS", 0.05)
    asleep = asyncio.create_task(one._list(lambda connection: connection.query("SELECT pg_sleep(1)", [])))
    await until(lambda: one._pool._out == 1)
    with pytest.raises(StoreUnavailable, match="MASKLINE_DATABASE_CONNECTIONS"):
        await one.account(ACCOUNT.id)
    asleep.cancel()
    await asyncio.wait([asleep])
    assert await one.account(ACCOUNT.id) == ACCOUNT
    await one.close()


async def test_a_closed_store_says_so(store: PostgresStore) -> None:
    await store.close()
    for use in (
        store.account(ACCOUNT.id), store.calls(ACCOUNT.id), store.commit_calls([recorded_call()]),
        store.sessions(ACCOUNT.id, SessionFilter(), limit=1, offset=0, wall=T0),
    ):  # fmt: skip
        with pytest.raises(StoreUnavailable, match="closed"):
            await use


# -- a server that goes away -----------------------------------------------------------------------------------------
@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    yield made
    made.remove()


async def test_a_server_without_fsync_is_refused(own_server: PostgresServer) -> None:
    own_server.start("fsync=off", "synchronous_commit=off")
    with pytest.raises(ConfigurationError, match="with fsync=off and synchronous_commit=off and would lose"):
        await PostgresDatabase(own_server.url()).create(SEALER)


async def test_of_several_servers_the_one_that_takes_writes_is_connected_to(own_server: PostgresServer) -> None:
    own_server.start("default_transaction_read_only=on")
    wire = await connect(f"{own_server.url()},{server().folder}")
    found, _ = await wire.fetch("SELECT current_setting('unix_socket_directories')", ())
    assert found[0][0] == str(server().folder)
    await wire.close()


async def test_a_connection_goes_on_waiting_for_the_disk_when_the_server_is_told_not_to(
    own_server: PostgresServer,
) -> None:
    own_server.start()
    wire, other = await connect(own_server.url()), await asyncpg.connect(own_server.url())
    await other.execute("ALTER SYSTEM SET synchronous_commit = off")
    await other.execute("SELECT pg_reload_conf()")
    for _ in range(200):
        if await other.fetchval("SELECT current_setting('synchronous_commit')") == "off":
            break
        await asyncio.sleep(0.05)
    await other.close()
    found, _ = await wire.fetch("SELECT current_setting('synchronous_commit')", ())
    assert found[0][0] == "on"
    await wire.close()
    with pytest.raises(ConfigurationError, match="synchronous_commit=off"):
        await connect(own_server.url())


async def test_a_server_that_is_killed_is_found_again(
    own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.storage.postgres_listener.AGAIN_AFTER", 0.01)
    own_server.start()
    await PostgresDatabase(own_server.url()).create(SEALER)
    store, other = (PostgresStore(own_server.url(), SEALER) for _ in "ab")
    await store.open()
    await other.open()
    await store.add_account(ACCOUNT)
    await store.commit_calls([recorded_call("kept")])
    own_server.kill()
    for use in (store.account(ACCOUNT.id), store.commit_calls([recorded_call("refused")])):
        with pytest.raises(StoreUnavailable):
            await use
    own_server.start()
    assert await store.account(ACCOUNT.id) == ACCOUNT
    await store.commit_calls([recorded_call("after")])
    assert {call.id for call in await store.calls(ACCOUNT.id)} == {"kept", "after"}
    await until(lambda: store._version is not None)
    await other.add_trunk(TRUNK, T0)
    version = await other.configuration_version()
    await until(lambda: store._version == version)
    await other.close()
    await store.close()


async def test_a_server_that_is_silent_is_not_believed(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped, its connection stands and tells nothing: what was read before is not to be trusted for ever."""
    monkeypatch.setattr("maskline.storage.postgres_listener.ASK_EVERY", 0.05)
    monkeypatch.setattr("maskline.storage.postgres_listener.SIGN_SECONDS", 0.1)
    monkeypatch.setattr("maskline.storage.postgres_listener.AGAIN_AFTER", 0.05)
    await store._listener.stop()
    await store._listener.start()
    query = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = ''"
    listening = [row[0] for row in operator().rows("postgres", query)]
    for pid in listening:
        os.kill(pid, signal.SIGSTOP)
    try:
        await until(lambda: store._version is None)
    finally:
        for pid in listening:
            os.kill(pid, signal.SIGCONT)
    await until(lambda: store._version is not None)


WRITER = """
import asyncio, sys
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.postgres import PostgresStore
from tests.support.store_values import recorded_call

async def write(store, name):
    for i in range(100_000):
        await store.commit_calls([recorded_call(f"{name}-{i}", session_id=None, interaction=None)])
        print(f"{name}-{i}", flush=True)

async def main():
    store = PostgresStore(sys.argv[1], Sealer(bytes(KEY_BYTES)))
    await store.open()
    await asyncio.gather(*(write(store, name) for name in sys.argv[2]))

asyncio.run(main())
"""


def writing(names: str) -> subprocess.Popen[bytes]:
    """A process that says what it has committed."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, server().url(), names], stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip


async def test_two_writers_that_are_killed_lose_no_commit_they_acknowledged(store: PostgresStore) -> None:
    processes = [writing("abcd"), writing("efgh")]
    acknowledged = set()
    for process in processes:
        assert process.stdout is not None
        acknowledged |= {process.stdout.readline().decode().strip() for _ in range(100)}
    for process in processes:
        process.kill()
        assert process.stdout is not None
        acknowledged |= {line.decode().strip() for line in process.stdout if line.endswith(b"\n")}
        process.stdout.close()
        assert process.wait(30) == -9
    assert len(acknowledged) >= 200
    for call_id in acknowledged:
        assert await store.call(ACCOUNT.id, call_id) == call_record(call_id)
        assert len(await store.facts(call_id)) == 3
    counts = await store.counts()
    # A commit is whole or not there: each call that is there has its facts and its webhook.
    assert counts["facts"] == 3 * counts["calls"] == 3 * counts["outbox"]["due"]
    with pytest.raises(NotFound):
        await store.call(ACCOUNT.id, "a-99999")


CREATOR = """
import asyncio, sys
from dataclasses import replace
from maskline.errors import PoolExhausted
from maskline.masking.e164 import Number
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.postgres import PostgresStore
from tests.support.store_values import new_session

async def create(store, name, hub):
    other = Number(f"65900{name:05}")
    try:
        made = await store.create_session(new_session(f"session-{name}", first_party=hub, second_party=other))
    except PoolExhausted:
        print("-", "-", flush=True)
    else:
        print(made.virtual_number.digits, hub.digits, flush=True)

async def main():
    store = PostgresStore(sys.argv[1], Sealer(bytes(KEY_BYTES)))
    await store.open()
    first = int(sys.argv[2])
    hubs = [Number(f"6581{n:06}") for n in range(5)]
    await asyncio.gather(*(create(store, first + n, hubs[n % 5]) for n in range(60)))
    await store.close()

asyncio.run(main())
"""


async def test_two_processes_never_give_a_hub_the_same_number_twice(store: PostgresStore) -> None:
    """Each of five people is a party of 24 sessions, half of them made by either process, and there are 15 numbers."""
    numbers = [VN1, *(type(VN1)(f"653200{n:04}") for n in range(14))]
    for number in numbers[1:]:
        await store.add_number(virtual_number(number), T0)
    command = [sys.executable, "-c", CREATOR, server().url()]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    programs = [asyncio.create_subprocess_exec(*command, first, stdout=-1, env=environment) for first in ("0", "1000")]
    processes = await asyncio.gather(*programs)
    told = [line for process in processes for line in (await process.communicate())[0].decode().splitlines()]
    assert [process.returncode for process in processes] == [0, 0]
    given = [tuple(line.split()) for line in told if not line.startswith("-")]
    assert len(told) == 120
    assert len(given) == len(set(given)) == 5 * 15


# -- what is told ----------------------------------------------------------------------------------------------------
async def test_other_processes_are_told_of_what_they_wait_for(store: PostgresStore, other: PostgresStore) -> None:
    heard: list[tuple[str, str]] = []
    other.on_told(heard.append)
    created = await store.create_session(
        new_session(options=SessionOptions(session_expiry=600, initiate_call_to_first_party=True))
    )
    await store.end_session(ACCOUNT.id, created.id, now=T0 + 50, by_request=True, outbox=[outbox_row()])
    await store.set_price(PRICE)
    version = await store.configuration_version()
    await until(lambda: ("configuration", str(version)) in heard)
    told = {("requested", ""), ("facts", ""), ("session", "session-1"), ("outbox", ""), ("configuration", str(version))}
    assert set(heard) == told


async def test_what_is_undone_is_not_told(store: PostgresStore, other: PostgresStore) -> None:
    heard: list[tuple[str, str]] = []
    other.on_told(heard.append)
    await store.announce([outbox_row("there")])
    await until(lambda: heard == [("outbox", "")])
    with pytest.raises(Conflict):
        await store.announce([outbox_row("there")])
    await store.create_session(new_session())
    await until(lambda: ("facts", "") in heard)
    assert heard == [("outbox", ""), ("facts", "")]


async def test_who_was_asked_for_a_sign_of_life_is_told_of_what_comes_later(
    store: PostgresStore, other: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute = Wire.execute

    async def noted(wire: Wire, script: str) -> str:
        answer = await execute(wire, script)
        asked.append(script)
        return answer

    monkeypatch.setattr(postgres_listener, "ASK_EVERY", 0.01)
    monkeypatch.setattr(Wire, "execute", noted)
    late = PostgresStore(server().url(), SEALER)
    await late.open()
    await until(lambda: asked.count("SELECT 1") > 1, what="a second sign of life")
    await store.add_number(virtual_number(CAROL), T0)
    wanted = await store.configuration_version()
    await until(lambda: late._version == wanted, what="the word of the change")
    assert await late.number(CAROL) is not None
    await late.close()


async def test_a_change_that_is_told_while_the_version_is_read_is_not_forgotten(store: PostgresStore) -> None:
    newest = await store.configuration_version() + 5
    store._forget_version()
    store._heard(f"configuration {newest}")
    await store._read_version()
    assert await store.configuration_version() == newest
