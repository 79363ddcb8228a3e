"""Worker processes: how they are started, and one that waits to take a dead one's place.

What it is: the command line, the start, and the standby. Starting Python and loading its modules takes a quarter of a
second on an idle machine and more than one on a busy machine, which all calls of a dead worker would hear; a standby
has done that already and waits for one byte. It needs 20 MB and no CPU, and ends with the engine. What it is not: talk
to a worker (`link.py`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import maskline
from maskline.media.embedded import wire

DEFAULT_COMMAND = (sys.executable, "-m", "maskline.media.embedded")
_NOT_SOONER_THAN = 30.0
"""Seconds between two standbys: one that cannot start must not be tried all the time."""


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    socket: Path
    host: str
    ports: tuple[int, int]
    timeout: float
    spool: Path
    command: Sequence[str] = DEFAULT_COMMAND

    def arguments(self, *, standby: bool = False) -> list[str]:
        low, high = self.ports
        options = {
            "--socket": self.socket,
            "--host": self.host,
            "--ports": f"{low}-{high}",
            "--timeout": self.timeout,
            "--spool": self.spool,
        }
        first = ["--standby"] if standby else []
        return [*self.command, *first, *(str(part) for pair in options.items() for part in pair)]

    def agrees_with(self, identity: wire.Message) -> bool:
        """Whether a living worker runs with these settings and this protocol."""
        return (
            identity.get("version") == wire.VERSION
            and identity.get("host") == self.host
            and identity.get("ports") == list(self.ports)
            and identity.get("timeout") == self.timeout
            and identity.get("spool") == str(self.spool)
        )


def start_worker(arguments: list[str], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    # The worker must run this very code, also from a checkout that nobody installed.
    source = str(Path(maskline.__file__).parents[1])
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(  # its own session: Ctrl-C on the engine ends calls in order, not at once
        arguments,
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
    )


def reap(process: subprocess.Popen[bytes]) -> None:
    """Wait for its end, two seconds at most."""
    try:
        process.wait(2.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Standby:
    def __init__(self, setup: WorkerSetup) -> None:
        self._setup = setup
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0

    def prepare(self, now: float) -> None:
        """Have one; called each second while the worker is well."""
        if self._process is not None and self._process.poll() is not None:
            self._close_pipe(self._process)
            self._process = None
        if self._process is None and now >= self._not_before:
            self._not_before = now + _NOT_SOONER_THAN
            self._process = start_worker(self._setup.arguments(standby=True), subprocess.PIPE)

    def take_over(self) -> subprocess.Popen[bytes] | None:
        """The standby, now a worker; None if there is none."""
        process, self._process = self._process, None
        self._not_before = 0.0
        if process is None or process.poll() is not None or process.stdin is None:
            return None
        try:
            process.stdin.write(b"!")
            process.stdin.close()
        except OSError:
            return None
        return process

    def dismiss(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._close_pipe(process)
            reap(process)

    @staticmethod
    def _close_pipe(process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            process.stdin.close()
