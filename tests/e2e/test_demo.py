"""`maskline demo --scenario all`: every call told with all that was measured, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import maskline
from maskline.lab.demo.stage import DRIVER, RIDER, STRANGER, VIRTUAL

pytestmark = [pytest.mark.wire, pytest.mark.timeout(1000)]
MARK = "TEST_OF_THE_DEMO"
"""In the environment of the demo and all it starts, so that a process left behind can be told."""


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str
    files: list[str]
    """Left in the working directory, or where temporary files go."""
    processes: list[str]

    def call(self, title: str) -> str:
        """What was printed of one call."""
        parts = self.out.split("── Call ")
        told = next(part for part in parts[1:] if title in part.partition("\n")[0])
        return told.partition("\n── ")[0]


def processes_with(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # gone meanwhile, or another user's
    return found


def newcomer(temporary: Path, value: str) -> dict[str, str]:
    """The environment of somebody who tries it."""
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("MASKLINE_")}
    return inherited | {
        "PYTHONPATH": str(Path(maskline.__file__).parent.parent),
        "TMPDIR": str(temporary),
        MARK: value,
        # Set up for a real carrier: none of the demo's business.
        "MASKLINE_SIP_ADVERTISED_HOST": "203.0.113.10",
        "COLUMNS": "120",
    }


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All scenarios; a run that fails is said, and tried once more (decision 0033), since they are one try for all."""
    run = run_demo(tmp_path_factory)
    if run.code:
        print(f"first try:\n{run.out}\n{run.err}")
        run = run_demo(tmp_path_factory)
    return run


def run_demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, temporary = tmp_path_factory.mktemp("newcomer"), tmp_path_factory.mktemp("temporary")
    value = f"{os.getpid()}-{time.monotonic_ns()}"
    environment = newcomer(temporary, value)
    done = subprocess.run(
        [sys.executable, "-m", "maskline", "demo", "--scenario", "all"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=480, check=False,
    )  # fmt: skip
    files = [str(path) for where in (folder, temporary) for path in where.rglob("*")]
    return Run(done.returncode, done.stdout, done.stderr, files, processes_with(f"{MARK}={value}"))


def test_every_check_of_every_scenario_holds(demo: Run) -> None:
    assert demo.code == 0, f"{demo.out}\n{demo.err}"
    assert "Every check held." in demo.out
    assert "FAIL" not in demo.out
    assert "Traceback" not in demo.err


def test_it_says_by_which_public_doors_it_sets_itself_up(demo: Run) -> None:
    for command in ("account create", "number add", "trunk add", "webhook set"):
        assert f"$ maskline {command}" in demo.out
    assert "POST /v1/Account/" in demo.out
    assert VIRTUAL in demo.out


def test_the_answered_call_shows_ladder_tones_quality_webhooks_and_the_leak_check(demo: Run) -> None:
    told = demo.call("answered")
    for step in ("INVITE ─", "180 Ringing", "200 OK", "ACK ─", "BYE ─"):
        assert step in told
    assert "1000 Hz in " in told
    assert "440 Hz in " in told
    for check in ("MOS", "8x8 SESSION_SUMMARY", "Wavecell call status", "Plivo events", "Plivo V3 signatures"):
        assert f"ok   {check}" in told
    assert "SessionSecondPartyAnswer" in told
    assert told.count("bytes searched, nothing found") == 2


def test_the_busy_and_the_abandoned_call_are_told_alike(demo: Run) -> None:
    for title, status, word in (("busy", "486 Busy Here", "BUSY"), ("abandoned", "487 Request Terminated", "CANCELED")):
        told = demo.call(title)
        assert status in told
        assert f"{word} (expected {word})" in told
        assert told.count("bytes searched, nothing found") == 2
    assert "CANCEL ─" in demo.call("abandoned")


@pytest.mark.parametrize(
    ("title", "checks"),
    [
        ("PIN", ("stranger heard", "after a wrong PIN", "right PIN, into the prompt", "prompt stopped", "webhooks")),
        ("Click to call", ("rider rings first", "rider heard", "then the driver rings", "driver heard", "webhooks")),
        ("Recording", ("talked", "file", "left channel", "right channel", "webhooks")),
        ("Speech", ("rider heard", "for nothing", "and then", "driver")),
        ("8x8", ("rider calls", "driver calls", "stranger heard", "and is hung up", "8x8 SESSION_SUMMARY")),
    ],
)
def test_each_scenario_tells_what_was_heard(demo: Run, title: str, checks: tuple[str, ...]) -> None:
    told = demo.out.partition(f"── {title}")[2].partition("\n── ")[0]
    for check in checks:
        assert f"ok   {check}" in told


def test_it_prints_no_real_number(demo: Run) -> None:
    for number in (RIDER, DRIVER, STRANGER):
        assert number.lstrip("+") not in demo.out + demo.err


def test_it_leaves_no_process_and_no_file(demo: Run) -> None:
    assert demo.processes == []
    assert demo.files == []


def test_a_demo_that_is_told_to_end_takes_its_platform_along(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, value = tmp_path_factory.mktemp("ended"), f"{os.getpid()}-{time.monotonic_ns()}"
    with subprocess.Popen(
        [sys.executable, "-m", "maskline", "demo"], cwd=folder, env=newcomer(folder, value), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        ready = next((line for line in process.stdout if "Setting up" in line), "it never came so far")
        assert any("maskline serve" in one for one in processes_with(f"{MARK}={value}")), ready
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        told = process.stderr.read()
        assert process.wait(30) == 128 + signal.SIGTERM
    assert told == "demo: ended by SIGTERM.\n"
    assert processes_with(f"{MARK}={value}") == []
    assert list(folder.rglob("*")) == []
