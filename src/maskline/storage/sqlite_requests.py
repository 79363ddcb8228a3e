"""The units of work on requested calls: kept with their session, leased, dropped.

What it is: what a transaction does, statement by statement. What it is not: who may be called
(`workflows/start_call.py`). Who uses it: `storage/sqlite.py`, `storage/sqlite_sessions.py`; a call's first commit
(`sqlite_units.py`) removes its row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from maskline.masking.session import RequestedCall
from maskline.storage.rows import Row
from maskline.storage.sqlite_connection import run
from maskline.storage.sqlite_outbox import add_outbox
from maskline.storage.sqlite_units import add_facts


def add(connection: sqlite3.Connection, request: RequestedCall | None) -> None:
    if request is not None:
        run(connection, "add_requested_call", request.session_id, request.account_id, request.requested_at)


def lease(connection: sqlite3.Connection, owner: str, now: float, until: float, limit: int) -> list[RequestedCall]:
    leased = run(connection, "lease_requested_calls", owner, now, until, max(limit, 0)).fetchall()
    return sorted((RequestedCall(*row) for row in leased), key=lambda request: request.requested_at)


def drop(connection: sqlite3.Connection, owner: str, session_id: str, fact: Row, outbox: Sequence[Row]) -> bool:
    if not run(connection, "drop_requested_call", session_id, owner).rowcount:
        return False
    add_facts(connection, [fact])
    add_outbox(connection, outbox)
    return True
