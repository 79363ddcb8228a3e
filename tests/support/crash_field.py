"""The processes of the crash suite: what is killed -9, and started again as an operator's supervisor would.

What it is: a database, a media daemon and the platform on them, each a direct child, and the customer's accounts. What
it is not: load or judgement (`crash_load.py`, `crash_judge.py`). Who uses it: `crash_run.py`, and whoever runs several
seeds on one field: each run has an account and numbers of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from maskline.lab.carrier import Carrier
from maskline.lab.platform import Platform
from maskline.lab.ports import free_port, free_ports
from maskline.services import Services, migrate_database
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.api_keys import create_api_key
from maskline.workflows.create_account import create_account
from maskline.workflows.set_webhook import set_webhook
from tests.support.crash_inbox import CrashInbox
from tests.support.crash_plan import NUMBERS
from tests.support.crash_sabotage import DIE, spoil
from tests.support.crash_zygote import Zygote
from tests.support.fleet import ENGINES, Kamailio
from tests.support.platform_store import services_of, settings_of
from tests.support.postgres_server import PostgresServer
from tests.support.rtpengine_process import RtpengineProcess
from tests.support.waiting import until

HOST = "127.0.0.1"
KINDS = ("sqlite", "postgresql", "processes", "fleet")
READY = 60.0
"""Seconds in which a part has to be up again: this machine may be busy with anything."""
PARTS = {"sqlite": 1, "postgresql": 1, "processes": 4, "fleet": 4}
"""Processes of ours that say that they live, by kind."""
_MEDIA_PORTS = 240
"""Four a call, and those of the dead rest."""
EVERYTHING = "everything"
"""All parts at once, as by a power cut."""
SETTINGS = {
    "MASKLINE_MEDIA_TIMEOUT": "5",
    "MASKLINE_PLIVO_EVENTS": "all",
    "MASKLINE_LOG_LEVEL": "debug",
    "MASKLINE_CREATE_WINDOW": "0",
}


class Part:
    """One process of the platform."""

    def __init__(self, zygote: Zygote, platform: Platform, name: str, health: str, **settings: str) -> None:
        """`name`: its command, and what tells it from others of that. `settings`: of it alone."""
        self._zygote = zygote
        self._platform = platform
        self._command = [name.split()[0]]
        self._settings = settings
        self._health = health
        self.log = platform.folder / f"{name.replace(' ', '-')}.log"
        self._pid = 0

    def start(self) -> None:
        """Returns when it does its work."""
        self._pid = self._zygote.start(
            self._command, self._platform.folder, self.log, {**self._platform.environment, **self._settings}
        )  # fmt: skip
        deadline = time.monotonic() + READY
        while not self._healthy():
            assert not self._zygote.ended(self._pid), f"{self._command} ended: {self.tail()}"
            assert time.monotonic() < deadline, f"{self._command} is not ready: {self.tail()}"
            time.sleep(0.03)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(self._health, timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def kill(self) -> None:
        if self._pid:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself, as `start` says
                os.kill(self._pid, signal.SIGKILL)
            self._zygote.ended(self._pid, wait=True)
            self._pid = 0

    def kill_itself(self) -> None:
        """Where a sabotage wants it to; at most this many seconds later."""
        deadline = time.monotonic() + 10
        os.kill(self._pid, DIE)
        while time.monotonic() < deadline:
            if self._zygote.ended(self._pid):
                self._pid = 0
                return
            time.sleep(0.03)
        self.kill()

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


class Killable(NamedTuple):
    kill: Callable[[], None]
    start: Callable[[], None]
    weight: int
    """How often it is chosen."""
    engine_id: str = ""
    """Of an engine whose calls another one takes over: it is away until that has happened."""


@dataclass
class Customer:
    """Whom a run is about."""

    account_id: str
    token: str
    key: str
    """The same for 8x8's interface."""
    numbers: list[str]
    facts_from: int
    """Position in the fact log."""
    began: float
    """Wall seconds."""
    logs_from: dict[Path, int] = field(default_factory=dict)
    """How long each was."""


class Field:
    """`kind`: `sqlite` and `postgresql` are one process of ours on that database, `processes` is API, engine and
    two deliverers by themselves on PostgreSQL, `fleet` two engines behind Kamailio, and one deliverer. `sabotage`: what
    to spoil, to see whether the suite notices."""

    def __init__(self, folder: Path, kind: str, sabotage: str = "") -> None:
        self.kind = kind
        self.sabotage = sabotage
        self._folder = folder
        self._stack = AsyncExitStack()
        self.parts: dict[str, Killable] = {}
        self.proxy: Kamailio | None = None
        self._engines: dict[str, dict[str, str]] = {}
        """Of a fleet: settings by id."""
        self.logs: list[Path] = []
        self._made = 0
        self._connection: asyncpg.Connection[Any] | None = None
        self._one_at_a_time = asyncio.Lock()
        self.services: Services
        self.carrier: Carrier

    # -- processes -----------------------------------------------------------------------------------------------------
    async def open(self) -> None:
        settings = dict(SETTINGS)
        if self.sabotage == "asynchronous":
            spoil(self.sabotage)  # this process shares the database, too
        if self.kind != "sqlite":
            settings["MASKLINE_DATABASE_URL"] = await asyncio.to_thread(self._open_postgres)
        if shutil.which("rtpengine"):
            await asyncio.to_thread(self._open_rtpengine, settings)
        else:
            settings["MASKLINE_MEDIA"] = "none"
        self.platform = Platform(self._folder, HOST, **settings)
        self.carrier = Carrier(self._open_kamailio() if self.kind == "fleet" else self.platform.sip_address)
        await self.carrier.open(HOST)
        self._stack.callback(self.carrier.close)
        if self.kind != "sqlite":
            await migrate_database(settings_of(self.platform), None, dry_run=False)
        self.services = await self._stack.enter_async_context(services_of(self.platform))
        host, port = self.carrier.address
        services = self.services
        await add_trunk(services.store, services.clock, services.ids, TrunkWish("carrier", host, port))
        await asyncio.to_thread(self._open_platform)
        if self.proxy is not None:
            self.proxy.start()
            await self.await_proxy()

    def _open_postgres(self) -> str:
        server = PostgresServer()
        self._stack.callback(server.remove)
        options = (
            ("synchronous_commit=off", "wal_writer_delay=10000")
            if self.sabotage == "asynchronous"
            else ("synchronous_commit=on",)
        )
        server.start(*options)
        self.parts["postgresql"] = Killable(server.kill, lambda: server.start(*options), 3)
        self.parts["a backend of postgresql"] = Killable(server.kill_backend, server.await_answer, 2)
        self.logs.append(server.folder / "log")
        return server.url()

    def _open_rtpengine(self, settings: dict[str, str]) -> None:
        engine = RtpengineProcess(self._folder, free_ports(_MEDIA_PORTS))
        engine.start()
        self._stack.callback(engine.end)
        settings |= {
            "MASKLINE_MEDIA": "rtpengine",
            "MASKLINE_RTPENGINE": f"{HOST}:{engine.ng_port}",
            "MASKLINE_RTPENGINE_RECORDINGS": str(engine.recordings),
        }
        self.parts["rtpengine"] = Killable(engine.end, engine.start, 2)
        self.logs.append(self._folder / "rtpengine.log")

    def _open_platform(self) -> None:
        zygote = Zygote(self.platform.environment, self.sabotage)
        self._stack.callback(zygote.close)
        for name, (port, weight) in self._commands().items():
            own = self._engines.get(name.removeprefix("engine "), {})
            if name.startswith("deliver"):
                own = {"MASKLINE_DELIVER_HTTP_PORT": str(port)}
            part = Part(zygote, self.platform, name, f"http://{HOST}:{port}/healthz", **own)
            self._stack.callback(part.kill)
            part.start()
            kill = part.kill_itself if self.sabotage == "early" else part.kill
            self.parts[name] = Killable(kill, part.start, weight, own.get("MASKLINE_ENGINE_ID", ""))
            self.logs.append(part.log)

    def _open_kamailio(self) -> tuple[str, int]:
        """Where it takes calls."""
        addresses = {name: (host, free_port()) for name, host in zip(("e1", "e2"), ENGINES, strict=True)}
        self.proxy = Kamailio(self._folder / "proxy", addresses)
        self._stack.callback(self.proxy.close)
        outside, inside = self.proxy.outside, self.proxy.inside
        for name, (host, port) in addresses.items():
            self._engines[name] = {
                "MASKLINE_ENGINE_ID": name, "MASKLINE_SIP_HOST": host, "MASKLINE_SIP_PORT": str(port),
                "MASKLINE_ENGINE_HTTP_PORT": str(free_port()), "MASKLINE_SIP_FRONT": f"{inside[0]}:{inside[1]}",
                "MASKLINE_SIP_ADVERTISED_HOST": outside[0], "MASKLINE_SIP_ADVERTISED_PORT": str(outside[1]),
            }  # fmt: skip
        return outside

    def _proxy_knows_all(self) -> bool:
        assert self.proxy is not None
        return len(self.proxy.takes_calls_by()) == len(self._engines)

    async def await_proxy(self) -> None:
        """Calls go to all engines again."""
        if self.proxy is not None:
            await until(self._proxy_knows_all, within=READY, what="the proxy's look at the engines")

    def _commands(self) -> dict[str, tuple[int, int]]:
        """Each with where it is asked for its health, and how often it is killed."""
        api = self.platform.http_port
        if self.kind in ("sqlite", "postgresql"):
            return {"serve": (api, 6)}
        engine, deliver = free_port(), free_port()
        self.platform.environment["MASKLINE_ENGINE_HTTP_PORT"] = str(engine)
        engines = {f"engine {name}": (int(one["MASKLINE_ENGINE_HTTP_PORT"]), 6) for name, one in self._engines.items()}
        if engines:
            return {"api": (api, 3), **engines, "deliver": (deliver, 3)}
        return {"api": (api, 3), "engine": (engine, 4), "deliver": (deliver, 2), "deliver two": (free_port(), 2)}

    def chances(self) -> list[tuple[str, int]]:
        """What may be killed, and how often it is chosen."""
        return [*((name, part.weight) for name, part in self.parts.items()), (EVERYTHING, 1)]

    def named(self, name: str) -> list[Killable]:
        """In the order of their start."""
        if name == EVERYTHING:
            return [part for other, part in self.parts.items() if not other.startswith("a backend")]
        return [self.parts[name]]

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        await self._stack.aclose()

    # -- customers -----------------------------------------------------------------------------------------------------
    async def customer(self, inbox: CrashInbox) -> Customer:
        store, clock, ids = self.services.store, self.services.clock, self.services.ids
        (last,) = (await self.rows("SELECT value FROM counters WHERE name = 'facts'"))[0]
        began = clock.wall()
        account = await create_account(store, clock, ids, "crash")
        numbers = []
        for _ in range(NUMBERS):
            self._made += 1
            numbers.append(f"+6531{self._made:06}")
            await add_number(store, clock, numbers[-1], account.id)
        await set_webhook(store, account.id, "native", inbox.url("native"), options={"updates": "on"})
        await set_webhook(store, account.id, "eight.session_summary", inbox.url("summary"))
        _, key = await create_api_key(store, clock, ids, account.id, "crash")
        long = {path: path.stat().st_size for path in self.logs if path.exists()}
        return Customer(account.id, account.auth_token, key, numbers, int(last), began, long)

    # -- the database, beside the product's own code -------------------------------------------------------------------
    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """A query with `$1` … of both databases."""
        if self.kind == "sqlite":
            return await asyncio.to_thread(self._sqlite, query, values)
        async with self._one_at_a_time:
            try:
                return await self._fetch(query, values)
            except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
                # It was killed since; one that is up again has forgotten nothing.
                self._connection = None
                return await self._fetch(query, values)

    async def _fetch(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self.platform.environment["MASKLINE_DATABASE_URL"])
        return [tuple(row) for row in await self._connection.fetch(query, *values)]

    def _sqlite(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        text = query
        for place in range(len(values), 0, -1):
            text = text.replace(f"${place}", f"?{place}")
        with closing(sqlite3.connect(self._folder / "maskline.db", timeout=20)) as connection, connection:
            return connection.execute(text, values).fetchall()
