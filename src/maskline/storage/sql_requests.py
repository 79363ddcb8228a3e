"""The units of work on requested calls: kept with their session, leased, dropped.

What it is: what a transaction does, statement by statement. What it is not: who may be called
(`workflows/start_call.py`). Who uses it: `storage/sql_store.py`, `storage/sql_sessions.py`; a call's first commit
(`sql_units.py`) removes its row.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskline.masking.session import RequestedCall
from maskline.storage import topics
from maskline.storage.rows import Row
from maskline.storage.sql import SqlConnection, by_its_clock, run
from maskline.storage.sql_outbox import add_outbox
from maskline.storage.sql_units import add_facts


def add(connection: SqlConnection, request: RequestedCall | None) -> None:
    if request is not None:
        connection.tell(topics.REQUESTED)
        run(connection, "add_requested_call", request.session_id, request.account_id, request.requested_at)


def lease(connection: SqlConnection, owner: str, now: float, until: float, limit: int) -> list[RequestedCall]:
    times = by_its_clock(connection, now, until)
    leased = run(connection, "lease_requested_calls", owner, *times, max(limit, 0)).fetchall()
    return sorted((RequestedCall(*row) for row in leased), key=lambda request: request.requested_at)


def drop(connection: SqlConnection, owner: str, session_id: str, fact: Row, outbox: Sequence[Row]) -> bool:
    if not run(connection, "drop_requested_call", session_id, owner).rowcount:
        return False
    add_facts(connection, [fact])
    add_outbox(connection, outbox)
    return True
