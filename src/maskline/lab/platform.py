"""A running Maskline for the lab: `maskline serve`, or one part of it, as a child process, and its public doors.

What it is: start, stop, the CLI and the REST API as a customer uses them. What it is not: a shortcut into the
product; nothing here imports the engine, stores or workflows. Who uses it: the demo, e2e and wire tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import aiohttp

import maskline
from maskline.lab.ports import free_port, free_ports, give_back

_MEDIA_PORTS = 600
"""Of the embedded relay: more than a hundred calls, and those that rest."""
_FOR_THE_FIRST = 0.5
"""Seconds between two SIGTERMs: sent at once they would be one."""


class LabError(Exception):
    """Something the lab needs did not happen; the sentence says what."""


class Platform:
    """One `maskline serve` with its own database and key in `folder`."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", *, command: str = "serve", **settings: str) -> None:
        """`command`: `serve`, or one of `api`, `engine` and `deliver`, which want MASKLINE_DATABASE_URL."""
        self.host = host
        self.command = command
        self.folder = folder
        self.sip_port, self.http_port = free_port(), free_port()
        if settings.get("MASKLINE_MEDIA", "embedded") == "embedded" and "MASKLINE_MEDIA_PORTS" not in settings:
            first, last = free_ports(_MEDIA_PORTS)
            settings["MASKLINE_MEDIA_PORTS"] = f"{first}-{last}"
            # With this object, not at the stop: it may be started again. Dozens of platforms in one process need them.
            weakref.finalize(self, give_back, first)
        self.log_path = folder / f"{command}.log"
        # What the user has set up for a real carrier must not reach into the lab.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MASKLINE_")}
        # It must run this very code, also from a checkout that a relative path names: its folder is another one.
        source = str(Path(maskline.__file__).resolve().parents[1])
        self.environment = {
            **inherited,
            "PYTHONPATH": os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])]),
            "MASKLINE_DATABASE_URL": f"sqlite:///{folder / 'maskline.db'}",
            "MASKLINE_KEY_FILE": str(folder / "maskline.key"),
            "MASKLINE_DATA_DIR": str(folder / "data"),
            "MASKLINE_HTTP_HOST": host,
            "MASKLINE_HTTP_PORT": str(self.http_port),
            "MASKLINE_ENGINE_HTTP_PORT": str(self.http_port),
            "MASKLINE_DELIVER_HTTP_PORT": str(self.http_port),
            "MASKLINE_HTTP_RATE_LIMIT": "0",
            "MASKLINE_SIP_HOST": host,
            "MASKLINE_SIP_PORT": str(self.sip_port),
            "MASKLINE_MEDIA_HOST": host,
            "MASKLINE_EGRESS_ALLOW": "127.0.0.0/8",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def sip_address(self) -> tuple[str, int]:
        return self.host, self.sip_port

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.http_port}"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise LabError("the platform is not running")
        return self._process.pid

    async def start(self, within: float = 90.0) -> None:
        """Start and wait until /healthz says 200; raises `LabError` with the log's end otherwise."""
        process = self._spawn()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        async with aiohttp.ClientSession() as http:
            while loop.time() < deadline and process.poll() is None:
                if await _healthy(http, f"{self.url}/healthz"):
                    return
                await asyncio.sleep(0.05)
        raise LabError(f"maskline {self.command} did not become ready: {self.log_tail()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "maskline", self.command],
                env=self.environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self._process

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def log_lines(self, event: str) -> list[str]:
        """The lines of this event."""
        return [line for line in self.log_path.read_text(errors="replace").splitlines() if event in line]

    def stop(self, within: float = 45.0, *, calls_may_end: bool = True) -> int:
        """SIGTERM and wait; the exit code, or -9 when it had to be killed. `calls_may_end`: not told a second time, at
        which it hangs up calls in progress."""
        if self._process is None:
            return 0
        for patience in (within,) if calls_may_end else (_FOR_THE_FIRST, within):
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(patience)
        self._process.kill()
        return self._process.wait()

    def cli(self, *arguments: str) -> Any:
        """Run `maskline ARGUMENTS --json` and return its document; raises `LabError` with its sentence."""
        done = subprocess.run(
            [sys.executable, "-m", "maskline", *arguments, "--json"],
            env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise LabError(f"maskline {' '.join(arguments[:2])}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    async def rest(
        self, method: str, path: str, credentials: tuple[str, str], body: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        """One request to the Plivo dialect; status and parsed body."""
        async with (
            aiohttp.ClientSession(headers={"Authorization": aiohttp.encode_basic_auth(*credentials)}) as http,
            http.request(method, self.url + path, json=body) as response,
        ):
            return response.status, await response.json(content_type=None)


async def _healthy(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
