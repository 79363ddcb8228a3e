"""A PostgreSQL server of our own: Debian's program as a direct child, a socket in its directory, nothing else open.

What it is: made once in a test process, on first use, and ended with it. What it is not: `pg_ctl`: a server that is
killed under it stays a zombie where no init reaps, and its next start refuses the lock file.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Coroutine
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.postgres import PostgresStore
from maskline.storage.postgres_schema import PostgresDatabase
from maskline.storage.queries import schema_statements

T = TypeVar("T")

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nowhere"))
AS_SERVER = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
NEEDS = "no PostgreSQL server programs here (Debian: apt-get install postgresql)"
TABLES = [
    name
    for name in re.findall(r"CREATE TABLE (\w+)", "\n".join(schema_statements()))
    if name not in ("counters", "key_check")
]


class PostgresServer:
    """Options are as on its command line: `fsync=off`."""

    def __init__(self, *, on_disk: bool = False) -> None:
        if not (PROGRAMS / "postgres").exists():
            pytest.skip(NEEDS)
        # In memory where there is such a place: it is told to wait for the disk, and need not.
        memory = "/dev/shm" if Path("/dev/shm").is_dir() and not on_disk else None
        self.folder = Path(tempfile.mkdtemp(prefix="maskline-pg-", dir=memory))
        if AS_SERVER:
            # initdb and postgres refuse to run as root.
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._data = self.folder / "data"
        setup = [
            *AS_SERVER,
            str(PROGRAMS / "initdb"),
            "-D",
            str(self._data),
            "-U",
            "maskline",
            "-A",
            "trust",
            "--no-sync",
        ]
        subprocess.run([*setup, "-E", "UTF8", "--locale=C"], check=True, capture_output=True, cwd=self.folder)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://maskline@/{database}?host={self.folder}"

    def start(self, *options: str) -> None:
        """Answers when it returns."""
        arguments = [
            "-D",
            str(self._data),
            "-k",
            str(self.folder),
            "-c",
            "listen_addresses=",
            "-c",
            "max_connections=200",
        ]
        for option in options:
            arguments += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            command = [*AS_SERVER, str(PROGRAMS / "postgres"), *arguments]
            self._process = subprocess.Popen(command, stderr=log, stdout=log, cwd=self.folder)
        self.await_answer()

    def await_answer(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 30
        client = [str(PROGRAMS / "pg_isready"), "-h", str(self.folder), "-q"]
        while subprocess.run(client).returncode:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        assert self._process is not None, "started first"
        return self._process.pid

    def stop(self) -> None:
        """At once, its clients are thrown out."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """And waits until its backends have noticed: what they share is in use for so long, and no server starts."""
        left = self._children()
        self._end(signal.SIGKILL)
        deadline = time.monotonic() + 30
        while any(_runs(child) for child in left):
            assert time.monotonic() < deadline, "a killed server's backends go on"
            time.sleep(0.02)

    def kill_backend(self) -> None:
        """The one of a client: the server then throws all of them out and recovers by itself."""
        for child in self._children():
            if b"maskline" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
                return

    def _children(self) -> list[str]:
        return Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()

    def _end(self, how: int) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _runs(pid: str) -> bool:
    """A zombie, which nobody may wait for, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@cache
def server() -> PostgresServer:
    """This test process's own, with `fsync` on."""
    made = PostgresServer()
    made.start()
    atexit.register(made.remove)
    return made


KEY = bytes(KEY_BYTES)


@cache
def _database() -> str:
    """With the tables in it, made once: emptied for each test, which takes a tenth of making it anew."""

    operator().do(PostgresDatabase(server().url()).create(Sealer(KEY)))
    return server().url()


_EMPTY = "; ".join(
    [
        *(f"DELETE FROM {table}" for table in TABLES),
        "UPDATE counters SET value = 0 WHERE name <> 'schema'",
    ]
)


def database_url() -> str:
    """Of an empty database with the tables in it; it is the same one for all tests of a process, one after the
    other."""
    url = _database()

    operator().run("postgres", _EMPTY)
    return url


def postgres_store(**options: Any) -> PostgresStore:
    """On an empty database; not opened yet."""
    return PostgresStore(database_url(), Sealer(KEY), **options)


class Operator:
    """Statements from outside of a store, one after the other, beside the event loop of a test."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._connections: dict[str, Any] = {}
        threading.Thread(target=self._loop.run_forever, name="operator", daemon=True).start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def run(self, database: str, script: str) -> None:
        self.do(self._run(database, script))

    def rows(self, database: str, query: str) -> list[Any]:
        return self.do(self._rows(database, query))

    def create(self, database: str) -> str:
        """An empty one, without tables; returns its URL."""
        self.run("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.run("postgres", f"CREATE DATABASE {database}")
        return self._server.url(database)

    async def _run(self, database: str, script: str) -> None:
        connection = await self._to(database)
        await connection.execute(script)

    async def _rows(self, database: str, query: str) -> list[Any]:
        return list(await (await self._to(database)).fetch(query))

    async def _to(self, database: str) -> Any:
        if database not in self._connections or self._connections[database].is_closed():
            self._connections[database] = await asyncpg.connect(self._server.url(database))
        return self._connections[database]


@cache
def operator() -> Operator:
    return Operator(server())
