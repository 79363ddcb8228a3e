"""Webhooks that one core delivers to a local receiver, every one from a durable row and with its try kept.

What it is: `python tools/bench_webhooks.py [webhooks] [receivers] [dialect]`: rows are put into the store first, then
one deliverer, on a core of its own, sends all of them through its real client to a server in another process, which
answers 204; printed is how many a second, by the clock and by CPU of this process alone (of its loop's thread, then of
all its threads). `--store postgresql` (a server of its own, on the disk) or `both`, in turns; receiver and server have
the other cores; `--old N` puts N finished webhooks into the store before. With `hang` as first argument: a steady rate
to eight receivers, without and with a ninth that answers nothing, and the p99 from event to answer of the eight. What
it is not: a network.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import multiprocessing.connection
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path

import uvloop

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from maskline.clock import SystemClock  # noqa: E402
from maskline.ids import SystemIds  # noqa: E402
from maskline.net.post import Poster  # noqa: E402
from maskline.storage.crypto import KEY_BYTES, Sealer  # noqa: E402
from maskline.storage.postgres import PostgresStore  # noqa: E402
from maskline.storage.postgres_schema import PostgresDatabase  # noqa: E402
from maskline.storage.sql_store import SqlStore  # noqa: E402
from maskline.storage.sqlite import SqliteStore  # noqa: E402
from maskline.storage.store import Account, OutboxRow  # noqa: E402
from maskline.webhooks.deliver import Deliverer  # noqa: E402
from maskline.webhooks.keys import StoreKeys  # noqa: E402
from maskline.webhooks.send import WebhookSender  # noqa: E402
from tests.support.postgres_server import PostgresServer  # noqa: E402

ACCOUNT = Account("MA" + "A" * 18, "bench", None, ("token",), 0.0)
SECRET = "whsec_" + "A" * 44
BODY = json.dumps({"type": "call.ended", "data": {"filler": "x" * 600}}).encode()
RATE, SECONDS, OTHERS = 200, 30, 8
CORES = os.sched_getaffinity(0)


class Receiver(asyncio.Protocol):
    """204 for each request that has come whole; requests come one at a time. Says nothing where it hangs."""

    hangs = False

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or self.hangs:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) >= length:
            self._buffer = body[length:]
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")  # type: ignore[attr-defined]


class Silent(Receiver):
    hangs = True


async def _serve(pipe: multiprocessing.connection.Connection) -> None:
    loop = asyncio.get_running_loop()
    well = await loop.create_server(Receiver, "127.0.0.1", 0)
    silent = await loop.create_server(Silent, "127.0.0.1", 0)
    pipe.send([server.sockets[0].getsockname()[1] for server in (well, silent)])
    await asyncio.Event().wait()


def serve(pipe: multiprocessing.connection.Connection) -> None:
    uvloop.run(_serve(pipe))


def rows(count: int, urls: Sequence[str], dialect: str, now: float, start: int = 0) -> list[OutboxRow]:
    ids = SystemIds()
    return [
        OutboxRow(
            id=ids.uuid(), account_id=ACCOUNT.id, subaccount_id=None, subject=f"call-{start + i}", sequence=1,
            dialect=dialect, event="call.ended", method="POST", url=urls[i % len(urls)],
            content_type="application/json", body=BODY, created_at=now, due_at=now, secret=SECRET,
        )
        for i in range(count)
    ]  # fmt: skip


@asynccontextmanager
async def opened(kind: str) -> AsyncIterator[SqlStore]:
    """An empty store with one account."""
    sealer = Sealer(bytes(KEY_BYTES))
    with tempfile.TemporaryDirectory() as folder:
        server = PostgresServer(on_disk=True) if kind == "postgresql" else None
        store: SqlStore
        if server is None:
            store = SqliteStore(Path(folder) / "bench.db", sealer)
        else:
            with_cores(others=True)  # the server's processes inherit it
            server.start()
            with_cores()
            await PostgresDatabase(server.url()).create(sealer)
            store = PostgresStore(server.url(), sealer)
        await store.open()
        await store.add_account(ACCOUNT)
        if server is not None:
            as_preferred(server.folder)
        try:
            yield store
        finally:
            await store.close()
            if server is not None:
                server.remove()


def with_cores(*, others: bool = False) -> None:
    """This thread, and what it starts from now on, runs on the first core, or on all others where there are some."""
    first, *rest = sorted(CORES)
    os.sched_setaffinity(0, rest if others and rest else [first])


def as_preferred(folder: Path) -> None:
    """The server's processes, each a session of its own, are preferred by the scheduler as far as this one is."""
    ours = Path("/proc/self/autogroup")
    if not ours.exists():
        return
    nice = ours.read_text().rpartition(" ")[2]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                (process / "autogroup").write_text(nice)


async def old_rows(store: SqlStore, count: int) -> None:
    """As a year leaves them where nothing is deleted."""
    nothing = "CAST('' AS BYTEA)" if isinstance(store, PostgresStore) else "x''"
    query = f"""
        WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count})
        INSERT INTO outbox (id, account_id, subject, sequence, lane, dialect, event, method, url, content_type,
            content_sealed, created_at, attempts, due_at, state, last_error)
        SELECT 'old-' || n, '{ACCOUNT.id}', 's' || n, 1, 's' || n, 'native', 'e', 'POST', 'u', 't', {nothing}, n, 1, n,
            CASE n % 3 WHEN 0 THEN 'failed' WHEN 1 THEN 'done' ELSE 'held' END, ''
        FROM number"""
    await store._write(lambda connection: connection.query(query, ()))  # what no unit of a store does


async def throughput(kind: str, port: int, options: argparse.Namespace) -> None:
    async with opened(kind) as store:
        clock, count, dialect = SystemClock(), options.webhooks, options.dialect
        if options.old:
            await old_rows(store, options.old)
        urls = [f"http://127.0.0.1:{port}/hook-{i}" for i in range(options.receivers)]
        for start in range(0, count, 500):
            await store.announce(rows(min(500, count - start), urls, dialect, clock.wall(), start))
        poster = Poster([ip_network("127.0.0.0/8")])
        await poster.open()
        deliverer = Deliverer(store, WebhookSender(poster), StoreKeys(store), clock, SystemIds())
        began, cpu, loop_cpu = time.perf_counter(), time.process_time(), time.thread_time()
        running = asyncio.create_task(deliverer.run())
        while deliverer.counts[dialect, "delivered"] < count:  # noqa: ASYNC110 - nothing to be told by
            await asyncio.sleep(0.01)
        deliverer.stop()
        await running
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        loop_cpu = time.thread_time() - loop_cpu
        outbox = (await store.counts())["outbox"]
        await poster.close()
    print(
        f"{kind}, {dialect}: {count} webhooks, {count / took:,.0f}/s by the clock, {count / cpu:,.0f}/s of CPU "
        f"({1e6 * loop_cpu / count:.0f} then {1e6 * cpu / count:.0f} µs each), "
        f"given back {deliverer.counts[dialect, 'given_back']}, outbox {outbox}",
        flush=True,
    )


async def steady(kind: str, port: int, silent: int | None) -> float:
    """p99 of seconds from event to the end of its webhook, of those that answer."""
    async with opened(kind) as store:
        clock = SystemClock()
        poster = Poster([ip_network("127.0.0.0/8")])
        await poster.open()
        deliverer = Deliverer(store, WebhookSender(poster), StoreKeys(store), clock, SystemIds())
        running = asyncio.create_task(deliverer.run())
        urls = [f"http://127.0.0.1:{port}/hook-{i}" for i in range(OTHERS)]
        urls += [] if silent is None else [f"http://127.0.0.1:{silent}/hook"]
        for turn in range(SECONDS * 20):
            await store.announce(rows(RATE // 20, urls, "native", clock.wall(), turn * RATE))
            deliverer.notify()
            await asyncio.sleep(0.05)
        deliverer.stop()
        await running
        waits: list[float] = []
        for row in await store.outbox(None, state="done", limit=RATE * SECONDS):
            attempts = await store.attempts(row.id)
            waits += [attempt.at + attempt.milliseconds / 1000 - row.created_at for attempt in attempts]
        await poster.close()
    return sorted(waits)[int(0.99 * len(waits))]


async def main(options: argparse.Namespace, ports: Sequence[int]) -> None:
    well, silent = ports
    kinds = ["sqlite", "postgresql"] if options.store == "both" else [options.store]
    for turn in range(options.turns):
        for kind in kinds:
            if options.hang:
                alone, beside = await steady(kind, well, None), await steady(kind, well, silent)
                print(f"{kind}, turn {turn + 1}: p99 {1e3 * alone:.0f} ms alone, {1e3 * beside:.0f} ms beside one that "
                      "hangs", flush=True)  # fmt: skip
            else:
                await throughput(kind, well, options)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    hang = sys.argv[1:2] == ["hang"]
    if not hang:
        parser.add_argument("webhooks", type=int, nargs="?", default=20_000)
        parser.add_argument("receivers", type=int, nargs="?", default=8)
        parser.add_argument("dialect", nargs="?", default="native")
        parser.add_argument("--old", type=int, default=0)
    parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="sqlite")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args(sys.argv[1 + hang :])
    options.hang = hang
    return options


if __name__ == "__main__":
    wanted = read_options()
    ours, theirs = multiprocessing.Pipe()
    receiver = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    with_cores(others=True)
    receiver.start()
    with_cores()
    uvloop.run(main(wanted, ours.recv()))
    receiver.terminate()
    receiver.join()
