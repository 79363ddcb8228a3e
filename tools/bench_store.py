"""What the SQLite store costs: CPU and rate of group commits, creates and matches, at a given number of sessions.

Run by hand: `PYTHONPATH=src:. python tools/bench_store.py [SESSIONS]`. CPU is the process's, both threads and
the kernel's share included. Disk and neighbours decide the rates; compare figures of one machine and one hour.
`--both [TURNS]`: SQLite and PostgreSQL (a server of its own, on the disk) in turns, medians of rates and our CPU.
`--units`: only the units of work, by CPU, as medians (and the least) of many small blocks: for one change at a time,
side by side with the code before it.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from maskline.clock import SystemClock
from maskline.ids import SystemIds
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import CallRouted
from maskline.masking.session import SessionOptions
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.postgres import PostgresStore
from maskline.storage.postgres_schema import PostgresDatabase
from maskline.storage.sql_sessions import create_session
from maskline.storage.sql_store import SqlStore
from maskline.storage.sql_units import call_rows, commit_calls
from maskline.storage.sqlite import SqliteStore
from maskline.storage.sqlite_connection import Connection, connect
from maskline.storage.store import Delivery, Once, RecordedCall
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.scope import Scope
from tests.support.postgres_server import PostgresServer
from tests.support.store_values import ACCOUNT, T0, call_facts, call_record, interaction, new_session, outbox_row

BODY = b"x" * 700
NUMBERS = 200


IDS = SystemIds()
SESSIONS: list[str] = []


def party(index: int) -> Number:
    return Number(str(6_580_000_000 + index))


def call_of(name: str, session_id: str) -> RecordedCall:
    """6 facts, the record, the session's totals and 3 webhooks: an answered call."""
    facts = call_facts(name)
    more = tuple(CallRouted(name, i, T0, "session-1", "first_party") for i in range(4, 7))
    outbox = tuple(outbox_row(IDS.uuid(), subject=name, sequence=i, body=BODY) for i in range(3))
    return RecordedCall(facts + more, ACCOUNT.id, outbox, call_record(name), session_id, interaction(name), -1)


class Measure:
    """Wall and CPU time of a block, printed per unit."""

    def __init__(self, what: str, units: int) -> None:
        self.what, self.units = what, units

    def __enter__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        per = f"{cpu / self.units * 1e6:7.1f} µs CPU each"
        print(f"{self.what:<44} {self.units / wall:9.0f}/s {per}   ({wall:.2f} s)", flush=True)


async def create(store: SqlStore, first: int, count: int, at_once: int) -> None:
    options = SessionOptions(session_expiry=86_400)

    async def work(start: int) -> None:
        for index in range(start, first + count, at_once):
            SESSIONS.append(IDS.uuid())
            new = new_session(
                SESSIONS[-1], first_party=party(2 * index), second_party=party(2 * index + 1), options=options
            )
            await store.create_session(new)

    await asyncio.gather(*(work(first + i) for i in range(at_once)))


async def commits(store: SqlStore, total: int, group: int) -> None:
    for _ in range(total // group):
        calls = [call_of(IDS.uuid(), random.choice(SESSIONS)) for _ in range(group)]
        await store.commit_calls(calls)


async def deliver(store: SqliteStore) -> int:
    done = 0
    while rows := await store.lease_outbox("bench", now=T0 + 1, until=T0 + 60, limit=100):
        results = [Delivery(row.id, "done", 0.0, 200) for row in rows]
        done += sum(await store.finish_outbox("bench", results, now=T0 + 1))
    return done


# -- units of work, in medians -------------------------------------------------------------------------------------
BLOCKS, UNITS = 40, 128
OPTIONS = SessionOptions(session_expiry=86_400)


class Blocks:
    """CPU of many small blocks; printed as the median and the least per unit."""

    def __init__(self, what: str, units: int) -> None:
        self.what, self.units = what, units
        self.found: list[float] = []

    @contextmanager
    def one(self) -> Iterator[None]:
        cpu = time.process_time_ns()
        yield
        self.found.append((time.process_time_ns() - cpu) / 1e3 / self.units)

    def show(self) -> None:
        print(f"{self.what:<52} {statistics.median(self.found):7.1f} µs   least {min(self.found):7.1f}", flush=True)


def once_of(name: str) -> Once:
    return Once(ACCOUNT.id, " " + name * 2, name * 2, T0 + 60, live_only=True)


def units_of_creates(connection: Connection, sealer: Sealer, first: int) -> None:
    blocks = Blocks("a create's unit, with a key, in one transaction", UNITS)
    for block in range(BLOCKS):
        start = first + block * UNITS
        news = [
            new_session(IDS.uuid(), first_party=party(2 * i), second_party=party(2 * i + 1), options=OPTIONS)
            for i in range(start, start + UNITS)
        ]
        onces = [once_of(new.id) for new in news]
        connection.execute("BEGIN IMMEDIATE")
        with blocks.one():
            for new, once in zip(news, onces, strict=True):
                create_session(connection, sealer, new, once)
        connection.commit()
    blocks.show()


async def creates(store: SqliteStore, first: int) -> None:
    create, scope = CreateSession(store, SystemClock(), IDS), Scope(ACCOUNT.id, None)
    blocks = Blocks(f"CreateSession, {UNITS} at once, commits included", UNITS)
    for block in range(BLOCKS):
        start = first + block * UNITS
        wishes = [SessionWish(party(2 * i), party(2 * i + 1), OPTIONS) for i in range(start, start + UNITS)]
        onces = [once_of(IDS.uuid()) for _ in wishes]
        with blocks.one():
            await asyncio.gather(*[create(scope, w, o) for w, o in zip(wishes, onces, strict=True)])
    blocks.show()


def units_of_calls(connection: Connection, sealer: Sealer, session_ids: list[str]) -> None:
    sealing = Blocks("a call's rows sealed (6 facts, 3 webhooks)", UNITS)
    writing = {size: Blocks(f"a call's statements, {size} a group", UNITS) for size in (1, 4, 16, 64)}
    for number in range(BLOCKS):
        calls = [call_of(IDS.uuid(), random.choice(session_ids)) for _ in range(UNITS)]
        with sealing.one():
            prepared = [call_rows(call, sealer) for call in calls]
        size = [*writing][number % len(writing)]
        connection.execute("BEGIN IMMEDIATE")
        with writing[size].one():
            for start in range(0, UNITS, size):
                commit_calls(connection, prepared[start : start + size])
        connection.commit()
    for blocks in (sealing, *writing.values()):
        blocks.show()


async def units() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sealer = Sealer(bytes(KEY_BYTES))
        store = SqliteStore(Path(folder) / "bench.db", sealer)
        await store.open()
        await store.add_account(ACCOUNT)
        for i in range(NUMBERS):
            await store.add_number(VirtualNumber(Number(str(6_531_000_000 + i)), ACCOUNT.id, None, country="SG"), T0)
        await create(store, 0, 2000, 256)
        connection = connect(store.path, 1)
        units_of_creates(connection, sealer, 10_000)
        units_of_calls(connection, sealer, SESSIONS)
        connection.close()
        await creates(store, 100_000)
        await store.close()


async def main(sessions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "bench.db", Sealer(bytes(KEY_BYTES)))
        await store.open()
        await store.add_account(ACCOUNT)
        virtual = [Number(str(6_531_000_000 + i)) for i in range(NUMBERS)]
        await asyncio.gather(*(store.add_number(VirtualNumber(n, ACCOUNT.id, None), T0) for n in virtual))
        with Measure(f"create_session, 256 at once, to {sessions}", sessions):
            await create(store, 0, sessions, 256)
        for at_once in (1, 64):
            with Measure(f"create_session, {at_once} at once", 1000):
                await create(store, sessions, 1000, at_once)
            sessions += 1000
        with Measure("session_for_call", 20_000):
            for i in range(20_000):
                assert await store.session_for_call(party(i * 7919 % (2 * sessions)), virtual[0])
        with Measure("number + configuration_version", 20_000):
            for i in range(20_000):
                await store.number(virtual[i % NUMBERS])
                await store.configuration_version()
        with Measure("making the values of a call", 2000):
            for i in range(2000):
                call_of(IDS.uuid(), SESSIONS[i])
        for group in (1, 4, 8, 32, 128):
            total = 2000 if group > 1 else 300
            with Measure(f"commit_calls, {group} calls each", total // group * group):
                await commits(store, total // group * group, group)
        started = time.process_time()
        done = await deliver(store)
        print(f"lease and finish {done} webhooks: {(time.process_time() - started) / done * 1e6:.1f} µs CPU each")
        await store.close()


# -- both databases, in turns ----------------------------------------------------------------------------------------
async def compare(turns: int) -> None:
    server = PostgresServer(on_disk=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            sealer = Sealer(bytes(KEY_BYTES))
            await PostgresDatabase(server.url()).create(sealer)
            sqlite, postgresql = SqliteStore(Path(folder) / "bench.db", sealer), PostgresStore(server.url(), sealer)
            await _in_turns({"SQLite": sqlite, "PostgreSQL": postgresql}, turns)
    finally:
        server.remove()


async def _in_turns(stores: dict[str, SqlStore], turns: int) -> None:
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    virtual = [Number(str(6_531_000_000 + i)) for i in range(NUMBERS)]
    for store in stores.values():
        await store.open()
        await store.add_account(ACCOUNT)
        await asyncio.gather(*(store.add_number(VirtualNumber(n, ACCOUNT.id, None), T0) for n in virtual))
    for turn in range(turns):
        for name, store in stores.items():
            SESSIONS.clear()
            for what, units, work in _works(store, turn):
                wall, cpu = time.perf_counter(), time.process_time()
                await work
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                found.setdefault((what, name), []).append((units / wall, cpu / units * 1e6))
    for (what, name), figures in sorted(found.items()):
        rate, cpu = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{what:<28} {name:<11} {rate:8.0f}/s  {cpu:7.1f} µs of our CPU each")
    for store in stores.values():
        await store.close()


def _works(store: SqlStore, turn: int) -> Iterator[tuple[str, int, Coroutine[Any, Any, None]]]:
    yield "create, 64 at once", 256, create(store, turn * 1000, 256, 64)
    yield "create, one at a time", 32, create(store, turn * 1000 + 600, 32, 1)
    yield "commit of one call", 16, commits(store, 16, 1)
    for group in (8, 64):
        yield f"call, {group} in a commit", 128, commits(store, 128, group)
    yield "match of a call", 200, matches(store, turn * 2000)


async def matches(store: SqlStore, first: int) -> None:
    for i in range(200):
        await store.session_for_call(party(first + i), VIRTUAL)


VIRTUAL = Number("6531000000")

if "--both" in sys.argv:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(compare(int(sys.argv[2]) if len(sys.argv) > 2 else 5))
elif "--units" in sys.argv:
    asyncio.run(units())
else:
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
