"""`maskline` that tells once a second what its event loop, its recorder and its writer are at: `bench_sip.py --trace`.

What it is: the product, its webhooks not sent (`serve_undelivered.py`), with a line a second on standard error: commits
not written, how late the loop is, CPU of each thread, the writer's turns with what of them was statements and what the
commit, collections of garbage, the size of the write-ahead log, and what the hypervisor took. "3x40<20" is three times,
40 ms in all, 20 ms at most. What it is not: a setting; it watches from outside of the product's modules and costs some
microseconds a turn.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), os.environ.get("PYTHONPATH") or str(ROOT / "src")]

from maskline.app import Application  # noqa: E402
from maskline.cli.main import run  # noqa: E402
from maskline.storage.sqlite_connection import Connection  # noqa: E402
from maskline.storage.sqlite_writer import GroupWriter  # noqa: E402
from tools.serve_undelivered import hold_webhooks  # noqa: E402

STEP = 0.005
"""Seconds between two looks at how late the loop is."""
TICKS = os.sysconf("SC_CLK_TCK")


class Tally:
    """How often, how long in all and at most, in ms, since the last line."""

    def __init__(self) -> None:
        self.times, self.total, self.most = 0, 0.0, 0.0

    def add(self, seconds: float) -> None:
        self.times += 1
        self.total += seconds
        self.most = max(self.most, seconds)

    def take(self) -> str:
        text = f"{self.times}x{1000 * self.total:.0f}<{1000 * self.most:.0f}"
        self.times, self.total, self.most = 0, 0.0, 0.0
        return text


TURNS, WORK, COMMITS, GARBAGE, LAG, ANSWERS = (Tally() for _ in range(6))


def watch_writer() -> None:
    """A turn is from its hand-over to its thread until the loop is told of its end."""
    hand_over, finished, work, commit = (
        GroupWriter._hand_over, GroupWriter._finished, GroupWriter._commit, Connection.commit
    )  # fmt: skip
    since: dict[int, float] = {}
    done: dict[int, float] = {}

    def timed_hand_over(self: Any, turn: Any, *more: Any, **named: Any) -> None:
        since[id(turn)] = time.perf_counter()
        hand_over(self, turn, *more, **named)

    def timed_finished(self: Any, turn: Any, answers: Any) -> None:
        now = time.perf_counter()
        if (began := since.pop(id(turn), None)) is not None:
            TURNS.add(now - began)
        if (ended := done.pop(id(turn), None)) is not None:
            ANSWERS.add(now - ended)
        finished(self, turn, answers)

    def timed_work(self: Any, turn: Any) -> Any:
        began = time.perf_counter()
        try:
            return work(self, turn)
        finally:
            done[id(turn)] = time.perf_counter()
            WORK.add(done[id(turn)] - began)

    def timed_commit(self: Connection) -> None:
        began = time.perf_counter()
        commit(self)
        COMMITS.add(time.perf_counter() - began)

    GroupWriter._hand_over, GroupWriter._finished = timed_hand_over, timed_finished  # type: ignore[method-assign]
    GroupWriter._commit, Connection.commit = timed_work, timed_commit  # type: ignore[method-assign]


def watch_garbage() -> None:
    began = 0.0

    def look(phase: str, _told: object) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            GARBAGE.add(time.perf_counter() - began)

    gc.callbacks.append(look)


def thread_times() -> dict[str, float]:
    found: dict[str, float] = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            name = (task / "comm").read_text().strip()
            ran, waited = (int(each) / 1e9 for each in (task / "schedstat").read_text().split()[:2])
        except OSError:
            continue
        key = f"{name}/{fields[38]}" if name != "python" or task.name != str(os.getpid()) else "loop"
        found[f"{key}#{task.name}"] = ran
        found[f"{key}#{task.name} waiting"] = waited
    return found


def stolen() -> float:
    return int(Path("/proc/stat").read_text().split()[8]) / TICKS


def megabytes(file: Path) -> int:
    return file.stat().st_size >> 20 if file.exists() else 0


async def lag() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + STEP
        await asyncio.sleep(STEP)
        LAG.add(max(0.0, loop.time() - due))


async def tell(app: Application) -> None:
    watching = asyncio.ensure_future(lag())
    before, taken, at = thread_times(), stolen(), time.perf_counter()
    wal = Path(f"{app.services.store.path}-wal")  # type: ignore[attr-defined]
    calls = overloaded = 0
    while not watching.done():
        await asyncio.sleep(1 - time.time() % 1)
        now, current, cpu = time.perf_counter(), stolen(), thread_times()
        busy = [(name, ran - before.get(name, 0.0)) for name, ran in cpu.items()]
        threads = ", ".join(f"{name} {100 * part / (now - at):.0f}%" for name, part in busy if part > 0.005)
        core, threads_of = app.engine.core, app.services.store._writer._threads  # type: ignore[attr-defined]
        counters, waiting = core.counters, len(app.engine._intake.admission.waiting)
        print(
            f"TRACE {time.strftime('%H:%M:%S')} calls +{counters.calls - calls} up {len(core.calls)} "
            f"503 +{counters.overloaded - overloaded} new waiting {waiting} unwritten {app.recorder.depth} "
            f"({len(app.recorder._queue)} unbuilt); lag {LAG.take()}; turns {TURNS.take()} work {WORK.take()} "
            f"commit {COMMITS.take()} answer {ANSWERS.take()}; "
            f"wal {megabytes(wal)}MB; "
            f"second thread {max(0.0, threads_of._usual_until - now):.0f}s; gc {GARBAGE.take()}; {threads}; "
            f"stolen {100 * (current - taken) / (now - at):.0f}% of a core",
            file=sys.stderr, flush=True,
        )  # fmt: skip
        before, taken, at = cpu, current, now
        calls, overloaded = counters.calls, counters.overloaded


def main() -> None:
    start = Application.start

    async def start_traced(self: Application) -> None:
        await start(self)
        self.tracing = asyncio.ensure_future(tell(self))  # type: ignore[attr-defined]

    Application.start = start_traced  # type: ignore[method-assign]
    hold_webhooks()
    watch_writer()
    watch_garbage()
    run()


if __name__ == "__main__":
    main()
