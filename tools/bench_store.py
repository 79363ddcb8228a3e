"""What the SQLite store costs: CPU and rate of group commits, creates and matches, at a given number of sessions.

Run by hand: `PYTHONPATH=src:. python tools/bench_store.py [SESSIONS]`. CPU is the process's, both threads and
the kernel's share included. Disk and neighbours decide the rates; compare figures of one machine and one hour.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from maskline.ids import SystemIds
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import CallRouted
from maskline.masking.session import SessionOptions
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.sqlite import SqliteStore
from maskline.storage.store import Delivery, RecordedCall
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


async def create(store: SqliteStore, first: int, count: int, at_once: int) -> None:
    options = SessionOptions(session_expiry=86_400)

    async def work(start: int) -> None:
        for index in range(start, first + count, at_once):
            SESSIONS.append(IDS.uuid())
            new = new_session(
                SESSIONS[-1], first_party=party(2 * index), second_party=party(2 * index + 1), options=options
            )
            await store.create_session(new)

    await asyncio.gather(*(work(first + i) for i in range(at_once)))


async def commits(store: SqliteStore, total: int, group: int) -> None:
    for _ in range(total // group):
        calls = [call_of(IDS.uuid(), random.choice(SESSIONS)) for _ in range(group)]
        await store.commit_calls(calls)


async def deliver(store: SqliteStore) -> int:
    done = 0
    while rows := await store.lease_outbox("bench", now=T0 + 1, until=T0 + 60, limit=100):
        results = [Delivery(row.id, "done", 0.0, 200) for row in rows]
        done += sum(await store.finish_outbox("bench", results, now=T0 + 1))
    return done


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


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
