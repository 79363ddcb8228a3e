"""Programs that work on audio beside us: bytes in, bytes out, never longer than told, few at a time.

What it is: the one way in which a decoder, a resampler or a voice is started, always as a process of its own: neither
its CPU time nor its crash reaches the engine's loop. What it is not: knowledge of what they do. Who uses it:
`prompts/convert.py` and `speech/`.

Input goes by stdin, never by the command line, which every user of the machine can read; there is no shell. The
environment is a short list: MASKLINE_ variables may hold secrets, and a program that reads a stranger's file has no
business with them.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import maskline

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TMPDIR", "ESPEAK", "COVERAGE")
"""Beginnings of names. The last one is how coverage sees child processes in tests."""


class ProgramMissing(Exception):
    """It is not installed, or may not be run."""


class ProgramTooSlow(Exception):
    """It was killed when its time was over."""


@dataclass(frozen=True, slots=True)
class Ended:
    status: int
    """Exit status; negative: the signal that ended it."""
    output: bytes
    """What it wrote to stdout."""


class Programs:
    """Runs up to `slots` at a time; the others wait. `close()` kills what runs."""

    def __init__(self, slots: int = 2) -> None:
        # Threads, since `subprocess` uses vfork there: forking a large engine would stop its loop for milliseconds.
        self._threads = ThreadPoolExecutor(max_workers=slots, thread_name_prefix="program")
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    async def run(self, command: Sequence[str], given: bytes = b"", *, seconds: float) -> Ended:
        """Start `command`, write `given` to its stdin, read its stdout to the end. Raises `ProgramMissing`,
        `ProgramTooSlow`. Cancelled: the program still ends within its time."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, command, given, seconds)

    def _run(self, command: Sequence[str], given: bytes, seconds: float) -> Ended:
        if self._closed:
            raise ProgramTooSlow
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_environment(os.environ),
                start_new_session=True,  # Ctrl-C on the engine ends calls in order; their prompts are still needed
            )
        except OSError:
            raise ProgramMissing from None
        self._running.add(process)
        if self._closed:  # meanwhile: `close` may have looked before this one was there
            process.kill()
        try:
            output, _ = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise ProgramTooSlow from None
        finally:
            self._running.discard(process)
        return Ended(process.returncode, output)

    def close(self) -> None:
        """Kill what runs and take nothing more; returns when all is over."""
        self._closed = True
        for process in list(self._running):
            process.kill()
        self._threads.shutdown(cancel_futures=True)


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    # The child must run this very code, also from a checkout that nobody installed.
    paths = [str(Path(maskline.__file__).parents[1]), *filter(None, [own.get("PYTHONPATH")])]
    passed = {name: value for name, value in own.items() if name.startswith(_PASSED_ON)}
    # More threads would not make a prompt of seconds faster, and each takes address space.
    return {**passed, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
