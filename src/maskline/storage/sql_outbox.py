"""The units of work on the outbox: adding, leasing and finishing webhooks.

What it is: the lanes of `schema.sql` kept in order, statement by statement. What it is not: the retry schedule
(`webhooks/schedule.py` decides times) or sending. Who uses it: `storage/sql_store.py` and its units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from maskline.errors import Conflict, NotFound
from maskline.storage import topics
from maskline.storage.rows import Row
from maskline.storage.rows_outbox import LANE, SEQUENCE
from maskline.storage.sql import SqlConnection, fetch_all, run, run_all
from maskline.storage.store import PENDING_STATES, Delivery
from maskline.storage.webhook_store import (
    MOST_FAILING,
    NO_FAILING_ENDPOINT,
    NO_WEBHOOK,
    EndpointNote,
    FailingEndpoint,
    Patience,
    reason_to_disable,
)


def add_outbox(connection: SqlConnection, prepared: Sequence[Row], first: int | None = None) -> None:
    """`first`: the sequence of what nothing of its subject comes before, so that nobody need look. Raises `Conflict`
    when an id exists."""
    if not prepared:
        return
    connection.tell(topics.OUTBOX)
    # Asked before: an INSERT that reads its own table has SQLite put all rows into a table of its own first.
    asked = dict.fromkeys([row[LANE] for row in prepared if row[SEQUENCE] != first])
    busy = {row[0] for row in fetch_all(connection, "busy_lanes", [(lane,) for lane in asked])}
    placed = []
    for row in prepared:
        lane = row[LANE]
        placed.append((*row, "waiting" if lane in busy else "due"))
        busy.add(lane)
    try:
        run_all(connection, "add_outbox", placed)
    except connection.BROKEN:
        raise Conflict("This webhook exists already.") from None


def lease(connection: SqlConnection, owner: str, now: float, until: float, limit: int) -> list[Row]:
    oldest = run(connection, "lease_outbox", owner, now, until, max(limit - limit // 2, 0)).fetchall()
    if len(oldest) < limit - limit // 2 or limit < 2:
        return oldest
    return oldest + run(connection, "lease_newest_outbox", owner, now, until, limit // 2).fetchall()


def finish(
    connection: SqlConnection, owner: str, deliveries: Sequence[Delivery], attempts: Mapping[str, Row], now: float
) -> list[bool]:
    """Whether each was ours to finish; of two for one row only the first is. `attempts`: by the outbox row's id."""
    wanted: dict[str, Delivery] = {}
    for delivery in deliveries:
        wanted.setdefault(delivery.row_id, delivery)
    lanes = dict(
        fetch_all(
            connection, "finish_outbox",
            [(d.row_id, owner, d.state, d.due_at, d.status, d.error, int(d.tried)) for d in wanted.values()],
        )
    )  # fmt: skip
    run_all(connection, "add_attempt", [attempts[row_id] for row_id in lanes if row_id in attempts])
    over = [lane for row_id, lane in lanes.items() if wanted[row_id].state not in PENDING_STATES]
    run_all(connection, "promote_outbox", [(lane, now) for lane in over])
    return [delivery.row_id in lanes and wanted[delivery.row_id] is delivery for delivery in deliveries]


def replay(connection: SqlConnection, row_id: str, now: float) -> None:
    found = run(connection, "outbox_state", row_id).fetchone()
    if found is None:
        raise NotFound(NO_WEBHOOK)
    connection.tell(topics.OUTBOX)
    if found[0] == "due":
        run(connection, "bring_forward_outbox", row_id, now)
    elif found[0] not in PENDING_STATES:
        run(connection, "replay_outbox", row_id, now)


def replay_all(connection: SqlConnection, row_ids: Sequence[str], now: float) -> int:
    """Those of them that are still finished, in order: the first of a lane is due before the others. Returns how
    many."""
    found = 0
    for row_id in row_ids:
        state = run(connection, "outbox_state", row_id).fetchone()
        if state is not None and state[0] not in PENDING_STATES:
            run(connection, "replay_outbox", row_id, now)
            found += 1
    if found:
        connection.tell(topics.OUTBOX)
    return found


def note_endpoints(
    connection: SqlConnection, notes: Sequence[EndpointNote], patience: Patience, now: float
) -> list[Row]:
    """Rows of endpoints that are disabled from now on."""
    disabled: list[Row] = []
    known: Counter[str] = Counter(dict(run(connection, "count_failing_endpoints").fetchall()))
    for note in notes:
        if not note.failures:
            run(connection, "endpoint_is_well", note.id)
            continue
        row = run(connection, "endpoint_failed_again", note.id, note.at, note.failures).fetchone()
        if row is None:
            if known[note.account_id] >= MOST_FAILING:
                continue
            known[note.account_id] += 1
            values = (note.id, note.account_id, note.subaccount_id, note.url, note.at, note.failures)
            row = run(connection, "endpoint_failed", *values).fetchone()
        if reason := reason_to_disable(failing_from_row(row), note, patience, now):
            disabled += run(connection, "disable_endpoint", note.id, now, reason).fetchall()
    return disabled


def enable_endpoint(connection: SqlConnection, endpoint_id: str, account_id: str | None) -> Row:
    found = run(connection, "enable_endpoint", endpoint_id, account_id).fetchall()
    if not found:
        raise NotFound(NO_FAILING_ENDPOINT)
    row: Row = found[0]
    return row


def failing_from_row(row: Row) -> FailingEndpoint:
    return FailingEndpoint(*row)
