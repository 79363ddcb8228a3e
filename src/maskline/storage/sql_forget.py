"""The unit of work that forgets what is older than the operator wants to keep.

What it is: one small step of a deletion that goes on for as long as there is something to delete, in pieces that no
call has to wait for. What it is not: when it runs or how long things are kept (`workflows/forget_old.py`). Who uses
it: `storage/sql_store.py`.
"""

from __future__ import annotations

from itertools import takewhile

from maskline.masking.claims import claims_of
from maskline.masking.session import Session
from maskline.storage import rows
from maskline.storage.crypto import SealBroken, Sealer
from maskline.storage.sql import SqlConnection, run, run_all
from maskline.storage.webhook_store import FAILING_LONGER


def forget(connection: SqlConnection, sealer: Sealer, before: float, now: float, limit: int) -> int:
    """See `Store.forget`."""
    connection.erase()
    done = _sessions(connection, sealer, before, now, limit)
    done += _strays(connection, before, limit - done)
    done += forget_webhooks(connection, before, limit - done)
    done += int(run(connection, "forget_recordings", before, limit - done).rowcount)
    done += int(run(connection, "forget_pin_tallies", now, limit - done).rowcount)
    return done + int(run(connection, "purge_once", now, limit - done).rowcount)


def forget_webhooks(connection: SqlConnection, before: float, limit: int) -> int:
    """See `WebhookStore.forget_webhooks`."""
    connection.erase()
    gone = run(connection, "forget_outbox", before, max(limit, 0)).fetchall()
    if gone:
        run_all(connection, "forget_attempts", gone)
    if len(gone) < limit:
        run(connection, "forget_failing_endpoints", before - FAILING_LONGER)
    return len(gone)


def _sessions(connection: SqlConnection, sealer: Sealer, before: float, now: float, limit: int) -> int:
    done = 0
    for row in run(connection, "sessions_to_forget", before, limit).fetchall():
        session_id = row[0]
        # A session may have any number of calls: it goes last, in a later step if need be.
        calls = run(connection, "calls_to_forget", session_id, limit - done).fetchall()
        for (call_id,) in calls:
            _subject(connection, call_id)
        done += len(calls)
        if done >= limit:
            break
        try:
            _claims(connection, sealer, rows.session_from_row(row, sealer), now)
        except SealBroken:
            """Whose claims they were cannot be read; they are free by their time, and forgotten by their number."""
        _session(connection, session_id)
        done += 1
    return done


def _claims(connection: SqlConnection, sealer: Sealer, session: Session, now: float) -> None:
    for key, number, _ in claims_of(session):
        run(connection, "forget_claim", sealer.key_hash(key), number.e164, session.id, now)


def _session(connection: SqlConnection, session_id: str) -> None:
    for query in ("forget_interactions", "forget_facts", "forget_session"):
        run(connection, query, session_id)


def _subject(connection: SqlConnection, call_id: str) -> None:
    run(connection, "forget_facts", call_id)
    run(connection, "forget_call", call_id)


def _strays(connection: SqlConnection, before: float, limit: int) -> int:
    """Calls without a session, and facts of calls that left no record, in order of their facts."""
    (position,) = run(connection, "read_counter", "forgotten").fetchone()
    facts = run(connection, "facts_to_look_at", position, limit).fetchall()
    old = [*takewhile(lambda fact: fact[2] < before, facts)]
    for subject in {subject for _, subject, _ in old}:
        if run(connection, "is_kept", subject).fetchone() is None:
            _subject(connection, subject)
    if old:
        run(connection, "set_counter", "forgotten", old[-1][0])
    return len(old)
