"""The process in waiting."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from maskline.media.embedded import process as process_module
from maskline.media.embedded.__main__ import run
from maskline.media.embedded.process import Standby, WorkerSetup, reap

WAITS = "import sys; sys.exit(7 if sys.stdin.buffer.read(1) else 0)"


def standby(program: str, folder: Path) -> Standby:
    return Standby(WorkerSetup(folder / "s", "127.0.0.1", (10, 19), 3.0, folder, (sys.executable, "-c", program)))


def test_it_takes_over_when_it_is_told_to(tmp_path: Path) -> None:
    waiting = standby(WAITS, tmp_path)
    assert waiting.take_over() is None
    waiting.prepare(100.0)
    process = waiting.take_over()
    assert process is not None
    assert process.wait(30) == 7
    waiting.prepare(100.1)
    waiting.dismiss()
    waiting.dismiss()


def test_one_that_ended_is_not_called_and_not_replaced_at_once(tmp_path: Path) -> None:
    waiting = standby("", tmp_path)
    waiting.prepare(100.0)
    process = waiting._process
    assert process is not None
    process.wait(30)
    waiting.prepare(101.0)
    assert waiting._process is None
    waiting.prepare(131.0)
    assert waiting._process is not None
    waiting._process.wait(30)
    assert waiting.take_over() is None


def test_it_ends_with_the_engine(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "maskline.media.embedded", "--standby", "--socket", str(tmp_path / "s")]
    assert subprocess.run(command, stdin=subprocess.DEVNULL, timeout=20.0, check=False).returncode == 0
    assert not (tmp_path / "s").exists()


def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    wait = process.wait
    monkeypatch.setattr(process, "wait", lambda within=None: wait(0.01 if within else None))
    started = time.monotonic()
    reap(process)
    assert process.returncode == -9
    assert time.monotonic() - started < 5.0


def test_arguments_without_standby_start_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = []
    monkeypatch.setattr("maskline.media.embedded.__main__.main", lambda options: started.append(options) or 5)
    assert run(["--socket", str(tmp_path / "s")]) == 5
    assert [options.socket for options in started] == [tmp_path / "s"]
    assert process_module.DEFAULT_COMMAND[0] == sys.executable
