"""A worker's loop, run in this process by its turns and in a thread."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from maskline.lab.ports import free_ports
from maskline.masking.facts import LegName
from maskline.media.embedded import worker as worker_module
from maskline.media.embedded.__main__ import read_arguments
from maskline.media.embedded.worker import Worker, WorkerOptions, main, say
from tests.support.rtp_party import VOICE, Party


def options(folder: Path, **changes: float) -> WorkerOptions:
    return WorkerOptions(folder / "w", ports=free_ports(8), **changes)


def test_a_worker_without_controller_and_calls_ends_and_takes_its_socket_along(tmp_path: Path) -> None:
    made = options(tmp_path, orphan_seconds=0.0)
    running = threading.Thread(target=Worker(made).run)
    running.start()
    running.join(5.0)
    assert not running.is_alive()
    assert not made.socket.exists()


def test_calls_keep_a_lonely_worker_until_they_time_out(tmp_path: Path) -> None:
    worker = Worker(options(tmp_path, timeout=1.0, orphan_seconds=0.0))
    with Party(1) as alice:
        worker._relay.open_leg("c", LegName.A, alice.far, VOICE, time.monotonic())
        worker._turn()
        assert not worker._stopping
        worker._relay.tick(time.monotonic() + 2.0)
        assert len(worker._relay) == 0
        worker._turn()
        assert worker._stopping
    worker._controllers.close()


def test_a_fault_in_one_call_is_told_by_its_place_and_ends_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(options(tmp_path))

    def broken(_now: float) -> None:
        raise ZeroDivisionError("+4915112345678")

    monkeypatch.setattr(worker_module, "_LONGEST_SLEEP", 0.0)
    monkeypatch.setattr(worker._relay, "tick", broken)
    worker._turn()
    said = capsys.readouterr().err
    assert "ZeroDivisionError at=test_worker.py:" in said
    assert "4915112345678" not in said
    worker._controllers.close()


def test_a_second_worker_on_the_same_socket_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = options(tmp_path)
    first = Worker(made)
    assert main(made) == 1
    assert "another worker" in capsys.readouterr().err
    first._controllers.close()


def test_a_socket_that_cannot_be_made_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options(tmp_path / "missing")) == 1
    assert "cannot listen" in capsys.readouterr().err


def test_nobody_reading_what_it_says_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    say("something")


def test_arguments_become_options() -> None:
    assert read_arguments(["--socket", "/run/x"]) == WorkerOptions(Path("/run/x"))
    given = ["--socket", "/run/x", "--host", "::1", "--ports", "10-19", "--timeout", "3", "--orphan-seconds", "4"]
    given += ["--spool", "/s"]
    assert read_arguments(given) == WorkerOptions(Path("/run/x"), "::1", (10, 19), 3.0, Path("/s"), 4.0)
