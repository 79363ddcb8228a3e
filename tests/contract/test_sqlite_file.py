"""What only a file can get wrong: secrets in it, other processes on it, and a process that is killed."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from maskline.errors import ConfigurationError, NotFound, StoreUnavailable
from maskline.masking.facts import SessionCreated, SessionExpired
from maskline.masking.session import Session, SessionOptions
from maskline.storage.crypto import KEY_BYTES, SealBroken, Sealer
from maskline.storage.filters import SessionFilter
from maskline.storage.kept import ApiKey, LiveCall
from maskline.storage.sqlite import SqliteStore
from maskline.storage.store import Delivery, Endpoint, Once, RecordedCall
from maskline.storage.webhook_store import Attempt
from tests.support.store_values import (
    ACCOUNT,
    ALICE,
    BOB,
    CAROL,
    DAVE,
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

KEY = bytes(KEY_BYTES)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "maskline.db", Sealer(KEY), patience=5)
    await store.open()
    await store.add_account(ACCOUNT)
    await store.add_number(virtual_number(VN1), T0)
    yield store
    await store.close()


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_no_real_number_and_no_secret_is_in_the_file_in_clear(store: SqliteStore, tmp_path: Path) -> None:
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
    await store.close()
    raw = b"".join(file.read_bytes() for file in files(tmp_path))
    assert VN1.digits.encode() in raw
    secrets = [
        ALICE.digits, BOB.digits, ALICE.digits[2:], BOB.digits[2:], "trunk-pa55word", "s3cret", ACCOUNT.auth_token,
        "Basic c2VjcmV0", CAROL.digits, CAROL.digits[2:], "client-key-1", "of a request", *pins.values(),
        "whsec_9f2", "whsec_5a1", "bearer-k3y",
    ]  # fmt: skip
    assert [secret for secret in secrets if secret.encode() in raw] == []


async def test_the_file_is_its_owners_alone(store: SqliteStore, tmp_path: Path) -> None:
    await store.create_session(new_session())
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in files(tmp_path)}
    assert modes == dict.fromkeys(("maskline.db", "maskline.db-wal", "maskline.db-shm"), 0o600)


async def test_everything_is_there_after_a_new_start(store: SqliteStore) -> None:
    created = await store.create_session(new_session())
    await store.close()
    await store.open()
    assert await store.session(ACCOUNT.id, "session-1") == created
    assert await store.account(ACCOUNT.id) == ACCOUNT
    assert await store.sessions(ACCOUNT.id, SessionFilter(), limit=5, offset=0, wall=T0) == ([created], 1)


async def test_a_key_that_does_not_belong_to_the_file_is_refused_at_the_start(store: SqliteStore) -> None:
    other = SqliteStore(store.path, Sealer(b"\x01" * KEY_BYTES))
    with pytest.raises(ConfigurationError, match="MASKLINE_KEY_FILE"):
        await other.open()


async def test_a_file_of_another_version_is_refused_at_the_start(store: SqliteStore) -> None:
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE counters SET value = 99 WHERE name = 'schema'")
    connection.close()
    with pytest.raises(ConfigurationError, match="99"):
        await SqliteStore(store.path, Sealer(KEY)).open()


@pytest.mark.parametrize("name", ["missing/maskline.db", "text.db", "."])
async def test_a_path_that_cannot_be_a_database_is_one_clear_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.db").write_text("this is not a database, but long enough to look like one " * 30)
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        await SqliteStore(tmp_path / name, Sealer(KEY)).open()


async def test_a_sealed_value_that_was_moved_to_another_row_does_not_open(store: SqliteStore) -> None:
    await store.add_number(virtual_number(CAROL), T0)
    await store.create_session(new_session("1"))
    await store.create_session(new_session("2", second_party=CAROL))
    with sqlite3.connect(store.path) as connection:
        connection.execute(
            "UPDATE sessions SET parties_sealed = (SELECT parties_sealed FROM sessions WHERE id = '2') WHERE id = '1'"
        )
    connection.close()
    with pytest.raises(SealBroken):
        await store.session(ACCOUNT.id, "1")


async def test_two_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "maskline.db", Sealer(KEY)) for _ in range(6)]
    await asyncio.gather(*(store.open() for store in stores))
    await stores[0].add_account(ACCOUNT)
    assert [await store.account(ACCOUNT.id) for store in stores] == [ACCOUNT] * 6
    await asyncio.gather(*(store.close() for store in stores))


async def test_another_processs_writes_are_seen_and_none_is_lost(store: SqliteStore) -> None:
    other = SqliteStore(store.path, Sealer(KEY))
    await other.open()
    version = await store.configuration_version()
    await other.add_trunk(TRUNK, T0)
    assert await store.configuration_version() > version
    assert await store.trunks() == [TRUNK]
    commits = [s.commit_calls([recorded_call(f"{n}-{i}")]) for i in range(40) for n, s in (("a", store), ("b", other))]
    await asyncio.gather(*commits)
    assert len(await store.calls(ACCOUNT.id, limit=100)) == 80
    positions = [position for position, _ in await other.facts_since(0, 1000)]
    assert positions == sorted(set(positions))
    await other.close()


async def test_a_number_that_is_remembered_is_read_again_once_anything_was_configured(store: SqliteStore) -> None:
    other = SqliteStore(store.path, Sealer(KEY), patience=5)
    await other.open()
    try:
        assert (await store.number(VN1), await store.number(CAROL)) == (await other.number(VN1), None)
        await store.update_number(virtual_number(VN1, reference_id="from here"), T0)
        own = await store.number(VN1)
        await other.update_number(virtual_number(VN1, reference_id="from there"), T0)
        await other.add_number(virtual_number(CAROL), T0)
        found = [await store.number(VN1), await store.number(CAROL)]
    finally:
        await other.close()
    assert own is not None
    assert own.reference_id == "from here"
    assert [one and (one.number, one.reference_id) for one in found] == [(VN1, "from there"), (CAROL, "ref-1")]


async def test_no_more_numbers_are_remembered_than_fit(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskline.storage.sql_configuration._NUMBERS_KEPT", 2)
    for number in (VN1, ALICE, BOB, CAROL, VN1):
        assert (await store.number(number) is None) == (number != VN1)
        assert len(store._numbers) <= 2


async def test_racing_creates_of_two_processes_never_share_a_pair(store: SqliteStore) -> None:
    other = SqliteStore(store.path, Sealer(KEY))
    await other.open()
    creates = [s.create_session(new_session(f"{n}")) for n, s in enumerate((store, other, store, other))]
    results = await asyncio.gather(*creates, return_exceptions=True)
    assert sum(isinstance(result, Session) for result in results) == 1
    await other.close()


async def test_a_read_while_another_transaction_is_open_does_not_wait_for_it(store: SqliteStore) -> None:
    created = await store.create_session(new_session())
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE sessions SET ended_at = 1")
    read = store.session_for_call(ALICE, VN1)
    # Driven by hand: a coroutine that suspends would not stop at its first step with the answer.
    with pytest.raises(StopIteration) as finished:
        read.send(None)
    assert finished.value.value == created
    other.execute("ROLLBACK")
    other.close()


async def test_point_reads_of_a_call_never_suspend(store: SqliteStore) -> None:
    await store.create_session(new_session())
    for read in (
        store.number(VN1), store.session_for_call(BOB, VN1), store.endpoints(ACCOUNT.id), store.account(ACCOUNT.id),
        store.configuration_version(), store.trunks(),
    ):  # fmt: skip
        with pytest.raises(StopIteration):
            read.send(None)


async def test_a_closed_store_says_so(store: SqliteStore) -> None:
    await store.close()
    for use in (
        store.account(ACCOUNT.id), store.calls(ACCOUNT.id), store.commit_calls([recorded_call()]),
        store.sessions(ACCOUNT.id, SessionFilter(), limit=1, offset=0, wall=T0),
    ):  # fmt: skip
        with pytest.raises(StoreUnavailable, match="closed"):
            await use


async def test_a_read_that_fails_is_store_unavailable(store: SqliteStore) -> None:
    with sqlite3.connect(store.path) as connection:
        connection.execute("DROP TABLE interactions")
        connection.execute("DROP TABLE calls")
    connection.close()
    with pytest.raises(StoreUnavailable):
        await store.call(ACCOUNT.id, "call-1")
    with pytest.raises(StoreUnavailable):
        await store.calls(ACCOUNT.id)


WRITER = """
import asyncio, sys
from pathlib import Path
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.sqlite import SqliteStore
from tests.support.store_values import recorded_call

async def write(store, name):
    for i in range(100_000):
        await store.commit_calls([recorded_call(f"{name}-{i}", session_id=None, interaction=None)])
        print(f"{name}-{i}", flush=True)

async def main():
    store = SqliteStore(Path(sys.argv[1]), Sealer(bytes(KEY_BYTES)))
    await store.open()
    await asyncio.gather(*(write(store, name) for name in "abcdefgh"))

asyncio.run(main())
"""


def kill_a_writer(path: Path, names: str) -> set[str]:
    """Calls that a process said it has committed, until it was killed in the middle of its work."""
    code = WRITER.replace("abcdefgh", names)
    process = subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert process.stdout is not None
    acknowledged = {process.stdout.readline().decode().strip() for _ in range(150)}
    process.kill()
    acknowledged.update(line.decode().strip() for line in process.stdout if line.endswith(b"\n"))
    process.stdout.close()
    assert process.wait(30) == -9
    return acknowledged


async def test_a_webhook_that_cannot_be_opened_is_given_up_and_those_beside_it_are_sent(store: SqliteStore) -> None:
    await store.announce([outbox_row(f"row-{name}", subject=name) for name in ("broken", "well")])
    await store.announce([outbox_row("row-behind", subject="broken", sequence=2)])
    connection = sqlite3.connect(store.path)
    connection.execute("UPDATE outbox SET content_sealed = x'00' WHERE id = 'row-broken'")
    connection.commit()
    (well,) = await store.lease_outbox("me", now=T0, until=T0 + 60, limit=9)
    assert well.id == "row-well"
    found = connection.execute("SELECT state, attempts, last_error FROM outbox WHERE id = 'row-broken'").fetchone()
    connection.close()
    assert found == ("failed", 1, "its content cannot be opened")
    (behind,) = await store.lease_outbox("me", now=T0, until=T0 + 60, limit=9)
    assert behind.id == "row-behind"


async def test_a_webhook_that_cannot_be_opened_is_listed_as_such_with_those_beside_it(store: SqliteStore) -> None:
    await store.announce([outbox_row(f"row-{name}", subject=name, created_at=T0 + n) for n, name in enumerate("bw")])
    (leased, _) = await store.lease_outbox("me", now=T0, until=T0 + 60, limit=9)
    tried = Attempt(leased.id, 1, T0, 5, 500, "", "it is full")
    await store.finish_outbox("me", [Delivery(leased.id, "due", T0 + 9, status=500, attempt=tried)], now=T0)
    connection = sqlite3.connect(store.path)
    connection.execute("UPDATE outbox SET content_sealed = x'00', last_error = 'before' WHERE id = 'row-b'")
    connection.execute("UPDATE attempts SET answer_sealed = x'00' WHERE outbox_id = 'row-b'")
    connection.commit()
    connection.close()
    well, broken = await store.outbox(None)
    assert (well.id, well.body, well.last_error) == ("row-w", outbox_row().body, "")
    assert (broken.id, broken.body, broken.authorization, broken.secret) == ("row-b", b"", "", "")
    assert (broken.last_error, broken.last_status) == ("its content cannot be opened", 500)
    assert await store.webhook(ACCOUNT.id, "row-b") == broken
    assert await store.attempts("row-b") == [replace(tried, answer="its content cannot be opened")]


async def test_a_session_that_cannot_be_opened_ends_and_is_forgotten_with_the_others(store: SqliteStore) -> None:
    await store.create_session(new_session("damaged"))
    await store.create_session(new_session("well", first_party=CAROL, second_party=DAVE, created_at=T0 + 1))
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE sessions SET parties_sealed = x'00' WHERE id = 'damaged'")
    connection.close()
    over = T0 + 700
    assert [one.id for one in await store.sessions_due(over, 9)] == ["well"]
    facts = await store.facts("damaged")
    assert [(type(fact), fact.sequence, fact.at) for fact in facts] == [
        (SessionCreated, 1, T0), (SessionExpired, 2, over)
    ]  # fmt: skip
    await store.end_session(ACCOUNT.id, "well", now=over, by_request=False, outbox=[])
    assert await store.sessions_due(over, 9) == []
    assert await store.forget(over + 1, T0 + 10**7, 9) == 2
    assert (await store.counts())["sessions"] == 0
    # The pair is free again by its time.
    again = await store.create_session(new_session("again", created_at=T0 + 10**6))
    assert again.id == "again"


async def test_a_call_that_cannot_be_opened_keeps_no_other_from_being_taken_over(store: SqliteStore) -> None:
    for at, call_id in enumerate(("call-1", "call-2")):
        live = LiveCall(call_id, "dead", ACCOUNT.id, None, T0 + at, b"state")
        await store.commit_calls([RecordedCall(call_facts(call_id)[:1], ACCOUNT.id, live=live)])
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE live_calls SET state_sealed = x'00' WHERE call_id = 'call-1'")
    connection.close()
    for taken in (await store.take_live_calls("e", now=T0, limit=9), await store.live_calls("e")):
        assert [(one.call_id, one.state) for one in taken] == [("call-1", b""), ("call-2", b"state")]


async def test_a_writer_that_is_killed_loses_no_commit_it_acknowledged(store: SqliteStore) -> None:
    acknowledged = kill_a_writer(store.path, "abcd") | kill_a_writer(store.path, "efgh")
    assert len(acknowledged) >= 300
    for call_id in acknowledged:
        assert await store.call(ACCOUNT.id, call_id) == call_record(call_id)
        assert len(await store.facts(call_id)) == 3
    counts = await store.counts()
    # A commit is whole or not there: each call that is there has its facts and its webhook.
    assert counts["facts"] == 3 * counts["calls"] == 3 * counts["outbox"]["due"]
    with pytest.raises(NotFound):
        await store.call(ACCOUNT.id, "a-99999")
