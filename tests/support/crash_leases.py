"""What was claimed, and by whom, looked at again and again while parts die: nothing stays with the dead.

What it is: the claims of all tables as they are, judged by the times in them. What it is not: the product's reading of
them. Who uses it: `crash_run.py`.
"""

from __future__ import annotations

import asyncio
import time

from tests.support.crash_field import PARTS, Field

GRACE = 20.0
"""Seconds after a lease's end, or its owner's, in which somebody else has it: 5 in which each process looks who lives,
and the rest because this machine may be busy with anything."""
LONGEST = 15.0
"""Seconds for which a process is believed to live."""
_LOOK = 0.5
_ENGINES = ("engine", "serve")
_OWNERS = "SELECT id, kind, until FROM owners"
_CLAIMS = """
SELECT 'webhook', id, owner, due_at FROM outbox WHERE state = 'leased'
UNION ALL SELECT 'requested call', session_id, owner, leased_until FROM requested_calls WHERE leased_until > 0
UNION ALL SELECT 'requested flow', id, owner, leased_until FROM requested_flows WHERE leased_until > 0
UNION ALL SELECT 'recording', id, owner, due_at FROM recordings WHERE status = 'processing'
UNION ALL SELECT 'export', id, owner, leased_until FROM exports WHERE status = 'running'
UNION ALL SELECT 'call', call_id, engine_id, 1e12 FROM live_calls
"""
"""What is claimed, by whom, until when. A call is its engine's for as long as that lives."""


class LeaseWatch:
    """`run()` is a task. `wrong`: one sentence for each claim that outlived its time."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._said: dict[tuple[str, str], str] = {}
        self._nobody = 0.0
        """When it was last seen that no process lives, or that the database is away: nobody can free anything."""
        self._no_engine = 0.0
        """The same of engines, who alone take calls."""

    @property
    def wrong(self) -> list[str]:
        return list(self._said.values())

    async def run(self) -> None:
        while True:
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - a database that is killed says so in many ways
                self._nobody = time.time()
            await asyncio.sleep(_LOOK)

    async def _look(self) -> None:
        now = time.time()
        owners = await self._field.rows(_OWNERS)
        for owner, kind, end in owners:
            if end > time.time() + LONGEST + 1.0:
                self._said["owner", owner] = f"{kind} {owner} is believed for {end - time.time():.1f} s"
        if not any(end > now for _, _, end in owners):
            self._nobody = now
        if not any(end > now for _, kind, end in owners if kind in _ENGINES):
            self._no_engine = now
        until = {owner: max(float(end), 0.0) for owner, _, end in owners}
        for what, claimed, owner, end in await self._field.rows(_CLAIMS):
            # Of an owner that is not known at all nothing is due but its own end.
            over = max(min(float(end), until.get(owner, float(end))), self._nobody)
            over = max(over, self._no_engine) if what == "call" else over
            if now > over + GRACE:
                late = f"a {what} is claimed by {owner} {now - over:.1f} s after its time: {claimed}"
                self._said.setdefault((what, claimed), late)

    async def all_live(self) -> None:
        """Waits until the processes that are said to live are those that do."""
        began = time.monotonic()
        while time.monotonic() - began < LONGEST + GRACE:
            rows = await self._field.rows("SELECT kind FROM owners WHERE until > $1", time.time())
            if len(rows) == PARTS[self._field.kind]:
                return
            await asyncio.sleep(0.2)
        self._said["owners", ""] = f"{len(rows)} processes are said to live: {sorted(row[0] for row in rows)}"
