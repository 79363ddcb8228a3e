"""A bystander on each CPU that wants nothing but to wake every few milliseconds, and tells how late it ever was.

What it is: a process a CPU, before all others (SCHED_RR, where that is permitted), so that what made it late was no
program of this machine: the CPU itself was away. A guest's stolen time does not always tell that; a guest in a guest
was seen to stand for half a second with none counted. What it is not: a measure of how busy the machine is (`Crowd`).

`python -m tests.support.stalls CPU` prints a line when it watches, and the longest lateness in milliseconds when its
standard input ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from pathlib import Path

PACE = 0.005
"""Seconds between two looks at the clock: 0.2 % of a CPU."""


class Stalls:
    """`longest_ms` after the block: for how long at most some CPU was away in it."""

    def __enter__(self) -> Stalls:
        self.longest_ms = 0.0
        self._watchers = [_watcher(cpu) for cpu in sorted(os.sched_getaffinity(0))]
        for watcher in self._watchers:
            assert watcher.stdout is not None
            watcher.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        told = [watcher.communicate()[0] for watcher in self._watchers]
        self.longest_ms = max(float(line) for line in told)


def _watcher(cpu: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-S", "-m", "tests.support.stalls", str(cpu)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdin=pipe, stdout=pipe, text=True)


def main(cpu: int) -> None:
    os.sched_setaffinity(0, {cpu})
    with contextlib.suppress(OSError):  # without the right, what other programs do counts too
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(50))
    print("watching", flush=True)
    longest, before = 0.0, time.monotonic()
    while not select.select([sys.stdin], [], [], PACE)[0]:
        now = time.monotonic()
        longest, before = max(longest, now - before - PACE), now
    print(f"{longest * 1000:.1f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
