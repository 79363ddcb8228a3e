"""Programs beside us: bytes in, bytes out, in bounded time, without our secrets."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time

import pytest

from maskline.media.programs import ProgramMissing, Programs, ProgramTooSlow


@pytest.fixture
def programs():
    programs = Programs(2)
    yield programs
    programs.close()


async def test_what_is_given_comes_by_stdin_and_what_is_said_by_stdout(programs):
    ended = await programs.run(["cat"], b"\x00\xff" * 100_000, seconds=5)
    assert (ended.status, ended.output) == (0, b"\x00\xff" * 100_000)


async def test_the_exit_status_or_signal_is_told(programs):
    assert (await programs.run(["sh", "-c", "exit 3"], seconds=5)).status == 3
    assert (await programs.run(["sh", "-c", "kill -9 $$"], seconds=5)).status == -9


async def test_a_program_that_reads_nothing_is_no_fault(programs):
    assert (await programs.run(["true"], b"x" * 1_000_000, seconds=5)).status == 0


@pytest.mark.parametrize("command", [["no-such-program"], ["/etc/passwd"]])
async def test_a_program_that_cannot_be_started_is_missing(programs, command):
    with pytest.raises(ProgramMissing):
        await programs.run(command, seconds=5)


async def test_a_program_that_takes_too_long_is_killed(programs):
    begun = time.monotonic()
    with pytest.raises(ProgramTooSlow):
        await programs.run(["sleep", "30"], seconds=0.05)
    assert time.monotonic() - begun < 5


async def test_secrets_of_our_environment_are_not_passed_on(programs, monkeypatch):
    monkeypatch.setenv("MASKLINE_DATABASE_URL", "sqlite:///secret.db")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    shown = (await programs.run(["env"], seconds=5)).output.decode()
    assert "secret" not in shown
    assert f"PATH={os.environ['PATH']}\n" in shown


async def test_a_child_runs_this_very_code(programs):
    code = "import maskline; print(maskline.__file__)"
    ended = await programs.run([sys.executable, "-c", code], seconds=10)
    import maskline

    assert ended.output.decode().strip() == maskline.__file__


async def test_more_than_the_slots_wait_for_each_other():
    programs = Programs(1)
    script = "read x; echo $x"
    results = await asyncio.gather(*(programs.run(["sh", "-c", script], str(n).encode(), seconds=5) for n in range(4)))
    assert [one.output for one in results] == [b"0\n", b"1\n", b"2\n", b"3\n"]
    programs.close()


async def test_closing_kills_what_runs_and_takes_nothing_more(tmp_path):
    programs = Programs(1)
    fifo = tmp_path / "started"
    os.mkfifo(fifo)
    running = asyncio.ensure_future(programs.run(["sh", "-c", f"echo > {fifo}; exec sleep 30"], seconds=30))
    await asyncio.to_thread(fifo.read_text)
    await asyncio.to_thread(programs.close)
    assert (await running).status == -9
    with pytest.raises(RuntimeError):
        await programs.run(["true"], seconds=5)


async def test_one_that_starts_while_all_is_closed_is_killed_too(monkeypatch):
    programs, start = Programs(1), subprocess.Popen

    def started_meanwhile(*words, **options):
        process = start(*words, **options)
        threading.Thread(target=programs.close).start()
        while not programs._threads._shutdown:  # until `close` has killed all it knows, and waits
            time.sleep(0.001)
        return process

    monkeypatch.setattr(subprocess, "Popen", started_meanwhile)
    assert (await programs.run(["sleep", "30"], seconds=30)).status == -9
