"""A Python that has imported the platform and forks one of its processes whenever it is asked to.

What it is: a start in 0.2 s instead of 2 s of CPU, dozens of times; what is forked is killed -9 like any other process.
What it is not: part of the product. Who uses it: `crash_field.py`, over stdin and stdout, one JSON line each way.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
_MODULES = ("maskline.app", "maskline.cli.main", "maskline.cli.serve", "asyncpg")


class Zygote:
    """The other end, in the test's process. Threads may share it."""

    def __init__(self, environment: dict[str, str], sabotage: str = "") -> None:
        paths = [str(ROOT), environment.get("PYTHONPATH", "")]
        # What is killed cannot say what it covered, and would only be slow.
        quiet = {key: value for key, value in environment.items() if not key.startswith("COV")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.crash_zygote", sabotage],
            env={**quiet, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self._one_at_a_time = threading.Lock()

    def start(self, command: list[str], folder: Path, log: Path, environment: dict[str, str]) -> int:
        """Its process id."""
        return int(self._ask(start=command, folder=str(folder), log=str(log), environment=environment))

    def ended(self, pid: int, *, wait: bool = False) -> bool:
        return bool(self._ask(ended=pid, wait=wait))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _ask(self, **wanted: Any) -> Any:
        with self._one_at_a_time:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(wanted) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


def main() -> None:
    for name in _MODULES:
        importlib.import_module(name)
    with contextlib.suppress(ImportError):
        importlib.import_module("uvloop")
    if sabotage := sys.argv[1]:
        importlib.import_module("tests.support.crash_sabotage").spoil(sabotage)
    for line in sys.stdin:
        wanted = json.loads(line)
        if "start" in wanted:
            answer: Any = os.fork() or _become(wanted)
        else:
            answer = _ended(wanted["ended"], wanted["wait"])
        print(json.dumps(answer), flush=True)


def _ended(pid: int, wait: bool) -> bool:
    try:
        return os.waitpid(pid, 0 if wait else os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _become(wanted: dict[str, Any]) -> NoReturn:
    """In the child: the process that was asked for, until its end."""
    os.setsid()
    os.chdir(wanted["folder"])
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 64)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    random.seed()
    signal.set_wakeup_fd(-1)
    code = 1
    try:
        code = importlib.import_module("maskline.cli.main").execute(wanted["start"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
