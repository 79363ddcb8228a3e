"""The units of work on the outbox: adding, leasing and finishing webhooks.

What it is: the lanes of `schema.sql` kept in order, statement by statement. What it is not: the retry schedule
(`webhooks/schedule.py` decides times) or sending. Who uses it: `storage/sqlite.py` and its units.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from maskline.errors import Conflict, NotFound
from maskline.storage.rows import LANE, Row
from maskline.storage.sqlite_connection import fetch_all, run, run_all
from maskline.storage.store import PENDING_STATES, Delivery


def add_outbox(connection: sqlite3.Connection, prepared: Sequence[Row]) -> None:
    """Raises `Conflict` when an id exists."""
    lanes: set[str] = set()
    placed = []
    for row in prepared:
        lane = row[LANE]
        placed.append((*row, "waiting" if lane in lanes else "due"))
        lanes.add(lane)
    try:
        run_all(connection, "add_outbox", placed)
    except sqlite3.IntegrityError:
        raise Conflict("This webhook exists already.") from None


def lease(connection: sqlite3.Connection, owner: str, now: float, until: float, limit: int) -> list[Row]:
    return run(connection, "lease_outbox", owner, now, until, max(limit, 0)).fetchall()


def finish(connection: sqlite3.Connection, owner: str, deliveries: Sequence[Delivery], now: float) -> list[bool]:
    """Whether each was ours to finish; of two for one row only the first is."""
    wanted: dict[str, Delivery] = {}
    for delivery in deliveries:
        wanted.setdefault(delivery.row_id, delivery)
    lanes = dict(
        fetch_all(
            connection, "finish_outbox",
            [(d.row_id, owner, d.state, d.due_at, d.status, d.error, int(d.tried)) for d in wanted.values()],
        )
    )  # fmt: skip
    over = [lane for row_id, lane in lanes.items() if wanted[row_id].state not in PENDING_STATES]
    run_all(connection, "promote_outbox", [(lane, now) for lane in over])
    return [delivery.row_id in lanes and wanted[delivery.row_id] is delivery for delivery in deliveries]


def replay(connection: sqlite3.Connection, row_id: str, now: float) -> None:
    found = run(connection, "outbox_state", row_id).fetchone()
    if found is None:
        raise NotFound("There is no such webhook.")
    if found[0] == "due":
        run(connection, "bring_forward_outbox", row_id, now)
    elif found[0] not in PENDING_STATES:
        run(connection, "replay_outbox", row_id, now)
