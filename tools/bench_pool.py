"""`make bench-pool`: what a create and a match cost while 10^4 … 10^7 sessions are live on 50,000 numbers, on SQLite.

What it is: a database for each level, on which the product's own `CreateSession` and `RouteCall` are measured.
Figures are server time (workflow to durable commit, without HTTP) and CPU. What it is not: a test, or the way sessions
come in: the bulk of a level is written by statements of the store in large transactions, because 10^7 creates take
hours. What the bulk writes is what creates would have left (`maskline pool verify` says so); each level's samples are
real creates on top of it.

The traffic: ten countries with as many numbers each. A session joins a new first party and a busy second party: most
have 20 sessions, one in each country has 100. First-fit puts the k-th
session of a busy party on the k-th number.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from maskline.clock import SystemClock  # noqa: E402
from maskline.ids import SystemIds  # noqa: E402
from maskline.masking.claims import claim_changes, claim_notes  # noqa: E402
from maskline.masking.decision import Forward, VirtualNumber  # noqa: E402
from maskline.masking.e164 import Number  # noqa: E402
from maskline.masking.facts import SessionCreated  # noqa: E402
from maskline.masking.session import Session, SessionOptions  # noqa: E402
from maskline.masking.trunk import Trunk  # noqa: E402
from maskline.storage import rows, rows_facts  # noqa: E402
from maskline.storage.crypto import KEY_BYTES, Sealer  # noqa: E402
from maskline.storage.sqlite import SqliteStore  # noqa: E402
from maskline.storage.sqlite_connection import SQL  # noqa: E402
from maskline.storage.store import Account  # noqa: E402
from maskline.workflows.create_session import CreateSession, SessionWish  # noqa: E402
from maskline.workflows.route_call import RouteCall  # noqa: E402
from maskline.workflows.scope import Scope  # noqa: E402
from tests.support.hypervisor import StolenTime  # noqa: E402

KEY = bytes(KEY_BYTES)
ACCOUNT = "MA" + "0" * 18
CODES = ("65", "44", "49", "33", "34", "39", "31", "61", "81", "91")
COUNTRIES = ("SG", "GB", "DE", "FR", "ES", "IT", "NL", "AU", "JP", "IN")
BUSY = 20
"""Sessions of an ordinary busy party."""
CHUNK = 20_000
BUILDERS = 2
"""Processes; building a row costs more than writing it."""
LIFE = 86_400
OPTIONS = SessionOptions(
    session_expiry=LIFE, callback_url="https://hooks.example/masking", virtual_number_cooloff_period=60,
    first_party_cooloff=60, second_party_cooloff=60, geomatch=True,
)  # fmt: skip
INSERT_CLAIM = (
    "INSERT INTO claims (key_hash, virtual_number, kind, session_id, role, live_until, held_until) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)


def first_party(country: int, index: int) -> Number:
    return Number(f"{CODES[country]}6{index:08}")


def second_party(country: int, index: int) -> Number:
    return Number(f"{CODES[country]}7{index:08}")


def virtual_number(country: int, index: int) -> Number:
    return Number(f"{CODES[country]}3{index:08}")


class Place(NamedTuple):
    """Which parties and number the session of an index has."""

    first: Number
    second: Number
    number: Number


def place(index: int, hubs: int) -> Place:
    """`hubs`: sessions of the busiest party of each country; the others have BUSY each."""
    country, within = index % len(CODES), index // len(CODES)
    turn, on = (0, within) if within < hubs else (1 + (within - hubs) // BUSY, (within - hubs) % BUSY)
    return Place(first_party(country, within), second_party(country, turn), virtual_number(country, on))


# -- the bulk ----------------------------------------------------------------------------------------------------
class Block(NamedTuple):
    sessions: list[Any]
    claims: list[tuple[Any, ...]]
    facts: list[Any]


def build(start: int, count: int, hubs: int, now: float) -> Block:
    """Rows of the sessions from `start`, as the store's own functions write them, facts without their position; runs
    in a process of its own."""
    sealer, ids = Sealer(KEY), SystemIds()
    block = Block([], [], [])
    for index in range(start, start + count):
        where = place(index, hubs)
        # Sessions end over a day: the sweeper's index is spread as it is in life.
        ends = now + LIFE + index % LIFE
        session = Session(
            ids.uuid(), ACCOUNT, None, where.first, where.second, where.number, OPTIONS, now, now, ends, LIFE
        )
        taken = claim_changes(None, session, now).taken
        notes = claim_notes(taken, sealer.key_hash)
        block.sessions.append(rows.session_to_row(session, sealer))
        block.claims.extend(
            (bytes.fromhex(note.key), note.virtual_number, note.kind, session.id, note.role, ends, note.held_until)
            for note in notes
        )
        fact = SessionCreated(session.id, 1, now, ends, notes, session.pool_mode.value)
        block.facts.extend(rows_facts.facts_to_rows([fact]))
    return block


def fill(path: Path, total: int, hubs: int, now: float) -> None:
    """Write `total` sessions: rows are built beside, written here, indexes made at the end."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-4000000", "wal_autocheckpoint=100000"):
        connection.execute(f"PRAGMA {pragma}")
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
        "AND tbl_name IN ('sessions', 'claims')"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    with ProcessPoolExecutor(BUILDERS) as builder:
        for block in _ahead(builder, total, hubs, now):
            _write(connection, block)
    for _, sql in indexes:
        connection.execute(sql)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _write(connection: sqlite3.Connection, block: Block) -> None:
    connection.execute("BEGIN")
    connection.executemany(SQL["add_session"], block.sessions)
    # By key, so that neighbours in the claims' tree are written one after the other.
    connection.executemany(INSERT_CLAIM, sorted(block.claims))
    ((last,),) = connection.execute(SQL["advance_counter"], ("facts", len(block.facts))).fetchall()
    first = last - len(block.facts) + 1
    connection.executemany(SQL["add_fact"], [(at, *row) for at, row in enumerate(block.facts, first)])
    connection.execute("COMMIT")


def _ahead(builder: ProcessPoolExecutor, total: int, hubs: int, now: float) -> Iterator[Block]:
    """The next blocks are built while this one is written."""
    waiting: deque[Future[Block]] = deque()
    for at in range(0, total, CHUNK):
        waiting.append(builder.submit(build, at, min(CHUNK, total - at), hubs, now))
        if len(waiting) > BUILDERS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


# -- the measuring -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Level:
    sessions: int
    create_p50: float
    """Milliseconds, one at a time, each with a commit of its own."""
    create_p99: float
    create_cpu: float
    """Microseconds of this process for each of them."""
    grouped: float
    """Creates a second with 32 waiting at a time."""
    match_p50: float
    """Microseconds."""
    match_cpu: float
    megabytes: float
    stolen: float = 0.0
    """Part of the CPU that the host took while this was measured."""


async def add_numbers(store: SqliteStore, count: int) -> None:
    await store.add_account(Account(ACCOUNT, "Bench", None, ("token",), 0.0))
    each = count // len(CODES)
    for country, name in enumerate(COUNTRIES):
        numbers = [VirtualNumber(virtual_number(country, i), ACCOUNT, None, "", name) for i in range(each)]
        for i in range(0, each, 250):
            await asyncio.gather(*(store.add_number(number, 0.0) for number in numbers[i : i + 250]))


async def measure(store: SqliteStore, total: int, hubs: int, samples: int) -> Level:
    clock, dice = SystemClock(), random.Random()
    create = CreateSession(store, clock, SystemIds())
    busy = max(1, (total // len(CODES) - hubs) // BUSY)

    def wish() -> SessionWish:
        country = dice.randrange(len(CODES))
        newcomer = Number(f"{CODES[country]}8{dice.randrange(10**9):09}")
        return SessionWish(newcomer, second_party(country, 1 + dice.randrange(busy)), OPTIONS)

    scope, times = Scope(ACCOUNT), []
    for _ in range(50):  # what is read for the first time is read from the disk
        await create(scope, wish())
    cpu = time.process_time()
    for _ in range(samples):
        asked, began = wish(), time.perf_counter()
        await create(scope, asked)
        times.append(time.perf_counter() - began)
    cpu = time.process_time() - cpu
    began = time.perf_counter()
    for _ in range(0, samples, 32):
        await asyncio.gather(*(create(scope, wish()) for _ in range(32)))
    grouped = samples / (time.perf_counter() - began)
    match_p50, match_cpu = await measure_match(store, clock, dice, total, hubs, samples)
    size = sum(path.stat().st_size for path in store.path.parent.glob(store.path.name + "*"))
    return Level(
        total, 1e3 * statistics.median(times), 1e3 * statistics.quantiles(times, n=100)[98], 1e6 * cpu / samples,
        grouped, match_p50, match_cpu, size / 1e6,
    )  # fmt: skip


async def measure_match(
    store: SqliteStore, clock: SystemClock, dice: random.Random, total: int, hubs: int, samples: int
) -> tuple[float, float]:
    route, times = RouteCall(store, clock), []
    await store_trunk(store)
    await route.refresh()
    trunk = route.trunks()[0]
    cpu = time.process_time()
    for index in range(4 * samples):
        where = place(dice.randrange(total), hubs)
        caller = where.second if index % 2 else where.first
        began = time.perf_counter()
        decision = await route.route(caller, where.number, trunk, clock.wall())
        times.append(time.perf_counter() - began)
        assert isinstance(decision, Forward), decision
        assert decision.callee == (where.first if index % 2 else where.second), "a stranger"
    return 1e6 * statistics.median(times), 1e6 * (time.process_time() - cpu) / len(times)


async def store_trunk(store: SqliteStore) -> None:
    if not await store.trunks():
        await store.add_trunk(Trunk("trunk-1", "carrier", None, "192.0.2.1", 5060), 0.0)


def levels(up_to: int) -> list[int]:
    return [10**power for power in range(4, 10) if 10**power <= up_to] or [up_to]


async def prepare(path: Path, numbers: int, total: int, hubs: int) -> None:
    """A database of one level, unless it is there from an earlier run."""
    if await asyncio.to_thread(path.exists):
        return
    began, draft = time.perf_counter(), path.with_suffix(".draft")
    store = SqliteStore(draft, Sealer(KEY))
    await store.open()
    await add_numbers(store, numbers)
    await store.close()
    await asyncio.to_thread(fill, draft, total, hubs, SystemClock().wall())
    await asyncio.to_thread(draft.rename, path)
    print(f"{total:>10,} sessions written in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def warm(path: Path) -> None:
    """Read the file once: what is measured is a server whose memory holds its database, as one that runs for long has
    it. From a cold file the first look at a page costs a read of the disk."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            continue


async def run(folder: Path, arguments: argparse.Namespace) -> list[Level]:
    totals = levels(arguments.up_to)
    hubs = min(arguments.numbers, totals[0]) // len(CODES) // 10
    for total in totals:
        await prepare(folder / f"{total}.db", arguments.numbers, total, hubs)
    found: dict[int, list[Level]] = {total: [] for total in totals}
    # In turns: a neighbour who comes and goes meets all levels alike.
    for _ in range(0 if arguments.prepare else arguments.rounds):
        for total in totals:
            level = await one_round(folder / f"{total}.db", total, hubs, arguments.samples)
            found[total].append(level)
            print(line(level), file=sys.stderr, flush=True)
    return [median(rounds) for rounds in found.values() if rounds]


async def one_round(path: Path, total: int, hubs: int, samples: int) -> Level:
    await asyncio.to_thread(warm, path)
    store = SqliteStore(path, Sealer(KEY))
    await store.open()
    with StolenTime() as stolen:
        level = await measure(store, total, hubs, samples)
    await store.close()
    return replace(level, stolen=stolen.share)


def median(rounds: list[Level]) -> Level:
    """Of each figure by itself."""
    values = zip(*(astuple(level) for level in rounds), strict=True)
    return Level(*(statistics.median_low(column) for column in values))


HEAD = (
    "  sessions | create p50 ms | p99 ms | CPU µs | creates/s, 32 at a time | match p50 µs | CPU µs |  MB | stolen",
    "-----------|---------------|--------|--------|-------------------------|--------------|--------|-----|-------",
)


def line(level: Level) -> str:
    return (
        f"{level.sessions:>10,} | {level.create_p50:13.2f} | {level.create_p99:6.2f} | {level.create_cpu:6.0f} | "
        f"{level.grouped:23,.0f} | {level.match_p50:12.1f} | {level.match_cpu:6.1f} | {level.megabytes:,.0f} | "
        f"{level.stolen:6.1%}"
    )


def verdict(found: list[Level]) -> list[str]:
    first, last = found[0], found[-1]
    create, match = last.create_cpu / first.create_cpu, last.match_cpu / first.match_cpu
    return [
        f"create p99 {last.create_p99:.2f} ms (target 10): {'met' if last.create_p99 < 10 else 'MISSED'}",
        f"create cost x{create:.2f} of {first.sessions:,} (target 2): {'met' if create <= 2 else 'MISSED'}",
        f"match cost x{match:.2f} of {first.sessions:,} (target 1.5): {'met' if match <= 1.5 else 'MISSED'}",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--up-to", type=int, default=1_000_000, help="largest level; 10000000 needs 16 GB of disk")
    parser.add_argument("--numbers", type=int, default=50_000)
    parser.add_argument("--samples", type=int, default=1_000, help="creates measured one at a time, at each level")
    parser.add_argument("--rounds", type=int, default=5, help="turns through all levels; the median counts")
    parser.add_argument("--keep", type=Path, help="folder to keep the databases in, or to find them in")
    parser.add_argument("--prepare", action="store_true", help="write the databases and measure nothing")
    arguments = parser.parse_args()
    print(f"{platform.python_implementation()} {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory(prefix="maskline-bench-") as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = asyncio.run(run(folder, arguments))
    if found:
        print("\n".join((*HEAD, *map(line, found), "", *verdict(found))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
