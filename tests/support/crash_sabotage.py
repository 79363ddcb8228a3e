"""Ways to spoil the platform, to see that the crash suite notices: never in the product, only in a process of its own.

What it is: one function for each, that changes a class after it is imported. Who uses it: `crash_zygote.py` for
`python tools/crash.py --sabotage NAME`, and tests/crash/test_crash_teeth.py.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

SEEN_AS = {
    "early": "was acknowledged and is not there",
    "asynchronous": "was acknowledged and is not there",
    "hasty": "never arrived",
    "forgetful": "nobody's",
    "unrecovered": "has 0 records",
    "eternal": "webhooks never came to rest",
    "generous": "one caller",
    "absent": "fetching it is answered",
    "deaf": "was not carried out",
}
"""Sabotage → what the suite has to say of it."""
KINDS = {"asynchronous": "postgresql"}
"""All others are seen on SQLite."""
SEEDS = (3, 6, 9)
"""In these the platform is killed; what is lost is lost by chance, so a sabotage may pass once."""
DIE = signal.SIGUSR1
_HEARD = 1.0
"""Seconds in which an answer reaches its customer."""
_DELAY = 0.1
"""Seconds between what is told and what is done."""


def spoil(name: str) -> None:
    _SPOILERS[name]()


def _early() -> None:
    """SQLite: a unit is acknowledged before its commit. Asked to die (`DIE`), the process does so between the two, in
    the first transaction that makes a session."""
    from maskline.storage.sqlite_writer import GroupWriter

    commit = GroupWriter._commit
    dying = threading.Event()
    signal.signal(DIE, lambda *_: dying.set())

    def early(self: GroupWriter, turn: Any) -> list[Any]:
        if dying.is_set() and self._run_rest(turn) and _makes_a_session(self._opened()):
            self._loop.call_soon_threadsafe(_answer, list(zip(turn.works, turn.answers, strict=True)))
            time.sleep(_HEARD)
            os.kill(os.getpid(), signal.SIGKILL)
        return commit(self, turn)

    GroupWriter._commit = early  # type: ignore[method-assign]


def _makes_a_session(connection: sqlite3.Connection) -> bool:
    count = "SELECT COUNT(*) FROM sessions"
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    with closing(sqlite3.connect(path)) as other:
        return bool(connection.execute(count).fetchone() > other.execute(count).fetchone())


def _answer(told: list[tuple[Any, Any]]) -> None:
    for work, answer in told:
        if not work.answer.done() and type(answer).__name__ != "Failed":
            work.answer.set_result(answer)


def _asynchronous() -> None:
    """PostgreSQL: the server has `synchronous_commit=off`, and nobody minds."""
    from maskline.storage import postgres_connection

    postgres_connection._UNSAFE = "SELECT name FROM pg_settings WHERE false"


def _hasty() -> None:
    """A webhook is done before it is sent."""
    from maskline.storage.store import Delivery
    from maskline.webhooks.deliver import Deliverer

    once = Deliverer._try_once
    running = set()

    async def later(self: Deliverer, row: Any) -> None:
        await asyncio.sleep(_DELAY)
        await once(self, row)

    async def hasty(self: Deliverer, row: Any) -> Delivery:
        running.add(asyncio.create_task(later(self, row)))
        return Delivery(row.id, "done", self._clock.wall(), 200)

    Deliverer._try_once = hasty  # type: ignore[method-assign]


def _forgetful() -> None:
    """Idempotency keys are not kept."""
    from maskline.storage import sql_sessions, sql_units

    for module in (sql_sessions, sql_units):
        for name, answer in (("repeated", None), ("remember", None), ("remember_first", True)):
            if hasattr(module, name):
                setattr(module, name, lambda *_, answer=answer: answer)


def _unrecovered() -> None:
    """Calls of an engine that died are left where they are."""
    module = importlib.import_module("maskline.workflows.own_calls")

    async def nothing(*_: Any) -> list[Any]:
        return []

    module.recover_calls = nothing  # type: ignore[attr-defined]


def _eternal() -> None:
    """A lease of webhooks has no end that anybody would live to see."""
    from maskline.webhooks import deliver

    deliver.Limits.__dataclass_fields__["lease"].default = 1e7
    deliver.Deliverer.__init__.__kwdefaults__["limits"] = deliver.Limits(lease=1e7)  # type: ignore[index]


def _generous() -> None:
    """A number is given whoever holds it already."""
    from maskline.masking import pool
    from maskline.storage import sql_sessions

    take = sql_sessions._take

    def taken(*values: Any) -> None:
        take(*values)

    sql_sessions._ANSWERS[pool.AskHeld] = lambda *_: []
    sql_sessions._take = taken  # type: ignore[assignment]


def _absent() -> None:
    """A table of calls is finished before its file is written."""
    from maskline.workflows import process_exports

    seal = process_exports.ProcessExports._seal
    finish = process_exports.ProcessExports._finish

    async def absent(self: Any, job: Any, status: str, size: int = 0) -> bool:
        is_ours = await finish(self, job, status, size)
        if size:
            await asyncio.sleep(_DELAY)
            await asyncio.to_thread(seal, self, job, self._plan.draft_of(job.id, self.owner))
        return is_ours

    process_exports.ProcessExports._seal = lambda *_: 1  # type: ignore[method-assign]
    process_exports.ProcessExports._finish = absent  # type: ignore[method-assign]


def _deaf() -> None:
    """No engine does anything about the wish that a call ends."""
    from maskline.engine.runner import EngineRunner

    EngineRunner.end_call = lambda *_: None  # type: ignore[method-assign]


_SPOILERS: dict[str, Callable[[], None]] = {
    "early": _early,
    "asynchronous": _asynchronous,
    "hasty": _hasty,
    "forgetful": _forgetful,
    "unrecovered": _unrecovered,
    "eternal": _eternal,
    "generous": _generous,
    "absent": _absent,
    "deaf": _deaf,
}
