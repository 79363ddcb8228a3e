"""The demo's own decisions; the calls themselves are told in tests/e2e/test_demo.py."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from maskline.lab import demo
from maskline.lab.platform import LabError, Platform


def test_a_folder_in_use_is_refused_before_anything_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "maskline.db").touch()
    assert demo.run(keep=tmp_path) == 1
    assert "is in use; name a new or empty folder" in capsys.readouterr().err


def test_a_relative_folder_is_meant_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders = []

    def note(folder: Path, settings: dict[str, str], scenarios: Sequence[str]) -> int:
        folders.append(folder)
        return 0

    monkeypatch.setattr(demo, "_run_in", note)
    assert demo.run(keep=Path("kept")) == 0
    assert folders == [tmp_path / "kept"]


def test_the_users_settings_do_not_reach_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKLINE_SIP_ADVERTISED_HOST", "203.0.113.10")
    platform = Platform(tmp_path, MASKLINE_MEDIA="none")
    assert "MASKLINE_SIP_ADVERTISED_HOST" not in platform.environment
    assert platform.environment["MASKLINE_MEDIA"] == "none"


async def test_a_platform_that_does_not_start_says_why(tmp_path: Path) -> None:
    platform = Platform(tmp_path, MASKLINE_MEDIA="nonsense")
    with pytest.raises(LabError, match="MASKLINE_MEDIA"):
        await platform.start()
    assert platform.stop() != 0


def test_a_failing_demo_prints_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.run({"MASKLINE_MEDIA": "nonsense"}, keep=tmp_path / "kept") == 1
    assert capsys.readouterr().err.startswith("demo: maskline serve did not become ready")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_the_first_signal_ends_the_demo_and_another_does_not_disturb_the_end(number: signal.Signals) -> None:
    end, ended = demo.End(), asyncio.Event()
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup

    async def play() -> bool:
        try:
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.01)
            ended.set()
        return True

    task = asyncio.ensure_future(play())
    loop = asyncio.get_running_loop()
    try:
        end.watch(task)
        loop.call_soon(os.kill, os.getpid(), number)
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, before)
    assert (end.by, ended.is_set()) == (number, True)


async def test_a_demo_under_nohup_does_not_hear_of_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    loop = asyncio.get_running_loop()
    task: asyncio.Task[bool] = asyncio.ensure_future(asyncio.sleep(0, True))
    try:
        demo.End().watch(task)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert await task
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("verdict", "code", "told"),
    [(True, 0, "Every check held."), (False, 1, "A check failed"), (signal.SIGTERM, 143, "demo: ended by SIGTERM.")],
)
def test_the_exit_code_tells_how_it_went(
    verdict: bool | signal.Signals, code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    async def play(stage: object, scenarios: Sequence[str], end: demo.End) -> bool:
        if isinstance(verdict, signal.Signals):
            end.by = verdict
            raise asyncio.CancelledError
        return verdict

    monkeypatch.setattr(demo, "_play", play)
    monkeypatch.setattr(Platform, "log_tail", lambda self, lines: "")
    assert demo.run(keep=tmp_path / "kept") == code
    printed = capsys.readouterr()
    assert told in printed.out + printed.err
