"""The threads a SQLite writer commits in: one that gives way to the event loop, and one for when that costs too much.

What it is: two threads of which one works at a time. The first has a tenth of the event loop's weight, so that the
loop, which carries calls, hardly waits for a commit's system calls to leave the CPU they share: an answer of an
application was followed within 9 to 12 ms (p99) at 500 calls/s on one core, and within 5 to 6 ms with this. Not less
weight, and not the scheduler's idle class: such a thread holds the interpreter's lock as well, and where another
program wanted the same core the loop waited 0.6 s for it (docs/decisions, "The writer keeps a tenth"). Where it is the
event loop itself that takes the whole core, the loop stands aside for moments (`help`); and after a turn that took long
all the same the second thread, which is one like any other, does all of them for a while
(docs/decisions/0062-a-writer-that-gives-way.md). What it is not: transactions (`sqlite_writer.py`, which uses it).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

LONG_TURN = 0.05
"""Seconds of a turn, from its hand-over to its end, from which on giving way costs too much."""
HELPED = 0.25
"""Seconds after which no help of the loop makes a turn quicker: one of 512 commits takes 0.05 s with it."""
NICE = 10
"""How much nicer the first thread is than the others: it has a tenth of their weight."""
GIVES_WAY = sys.platform == "linux"
"""Whether the first thread is nicer: elsewhere a process is, as a whole. Not in tests of other things: each opens a
store of its own, and a busy machine may keep its first turn for long."""
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0
"""Seconds for which the second thread works then; twice as long each time, until a turn of the first is quick again."""


class CommitThreads(Generic[Job, Result]):
    """`do` is run in a thread for each job, then `tell` with its result; no job is put before the last one's `tell`."""

    def __init__(
        self, do: Callable[[Job], Result], tell: Callable[[Job, Result], object],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:  # fmt: skip
        self._do = do
        self._tell = tell
        self._clock = clock
        self._modest: SimpleQueue[tuple[Job, float] | None] = SimpleQueue()
        self._usual: SimpleQueue[tuple[Job, float] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._done = threading.Event()
        """Not set: the first thread has a job."""
        self._done.set()
        self._since = 0.0
        self._state: int | None = None
        """Where the kernel tells of the first thread; None: nowhere."""
        self._pause = FIRST_PAUSE
        self._usual_until = 0.0

    def start(self) -> None:
        for name, work in (("maskline-writer", self._run_modest), ("maskline-writer-2", self._run_usual)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def join(self) -> None:
        """Blocks until all jobs are done and both threads have ended."""
        for queue in (self._modest, self._usual):
            queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._state is not None:
            os.close(self._state)
            self._state = None

    def put(self, job: Job) -> None:
        now = self._clock()
        if now < self._usual_until:
            self._usual.put((job, now))
        else:
            self._done.clear()
            self._since = now
            self._modest.put((job, now))

    def help(self, seconds: float) -> bool:
        """Blocks for so long at most if the first thread is ready to run, so that it has the core. True: it needs no
        more of that, since its job is done, or takes too long even so."""
        if self._done.is_set() or self._clock() - self._since > HELPED:
            return True
        return self._is_ready() and self._done.wait(seconds)

    def _is_ready(self) -> bool:
        """And not waiting for the disk or somebody's lock, which no time of ours makes quicker."""
        if self._state is None:
            return False
        told = os.pread(self._state, 256, 0)
        return told[told.rindex(b")") + 2 :][:1] == b"R"

    def _run_modest(self) -> None:
        # Where that is not allowed this is a thread like any other.
        with contextlib.suppress(OSError):
            if GIVES_WAY:
                mine = threading.get_native_id()
                os.setpriority(os.PRIO_PROCESS, mine, os.getpriority(os.PRIO_PROCESS, mine) + NICE)
                self._state = os.open(f"/proc/self/task/{mine}/stat", os.O_RDONLY)
        while (given := self._modest.get()) is not None:
            job, since = given
            result = self._do(job)
            self._judge(since)
            self._done.set()
            self._tell(job, result)

    def _run_usual(self) -> None:
        while (given := self._usual.get()) is not None:
            self._tell(given[0], self._do(given[0]))

    def _judge(self, since: float) -> None:
        now = self._clock()
        if now - since > LONG_TURN:
            self._usual_until = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        else:
            self._pause = FIRST_PAUSE
