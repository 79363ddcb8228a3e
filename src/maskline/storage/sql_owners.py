"""The units of work on processes that live, and on whose a call is.

What it is: what a transaction does, statement by statement. What it is not: what becomes of a call that was taken over
(`workflows/own_calls.py`). Who uses it: `sql_store.py`, and `sql_units.py` for each commit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from maskline.storage import rows_kept, topics
from maskline.storage.kept import Owner
from maskline.storage.live_store import REMEMBERED, Renewal
from maskline.storage.rows import Row
from maskline.storage.sql import SqlConnection, fetch_all, run, run_all


class NotOurs(Exception):
    """A call that is over is another engine's, or was over before."""


def renew(connection: SqlConnection, owner: Owner, ours: float) -> Renewal:
    now = connection.wall(ours)
    known = [rows_kept.owner_from_row(row) for row in run(connection, "owners").fetchall()]
    mine = next((one for one in known if one.id == owner.id), None)
    before = 0.0 if mine is None else mine.until
    renewal = Renewal(before > now, tuple([one for one in known if one.id != owner.id]), now, mine)
    run(connection, "renew_owner", owner.id, owner.kind, owner.name, renewal.until, owner.address)
    if not before:
        run(connection, "forget_owners", now - REMEMBERED)
    return renewal


def end(connection: SqlConnection, owner_id: str) -> None:
    run(connection, "end_owner", owner_id)
    connection.tell(topics.OWNERS)


def free_leases(connection: SqlConnection, owners: Sequence[str], now: float) -> int:
    freed = 0
    for owner in owners:
        if webhooks := run(connection, "free_outbox", owner, now).rowcount:
            connection.tell(topics.OUTBOX)
        requested = [run(connection, name, owner).rowcount for name in ("free_requested_calls", "free_requested_flows")]
        if any(requested):
            connection.tell(topics.REQUESTED)
        freed += webhooks + sum(requested) + run(connection, "free_recordings", owner, now).rowcount
        freed += run(connection, "free_exports", owner).rowcount
    return freed


def take_calls(
    connection: SqlConnection, engine_id: str, ours: float, limit: int, own: bool, ended_only: bool, form: int
) -> list[Row]:
    """Rows as of `live_calls`."""
    taken: list[Row] = []
    for leaver in [engine_id] if own else _leavers(connection, engine_id, ours, ended_only):
        if len(taken) < limit:
            taken += run(connection, "take_live_calls", engine_id, leaver, limit - len(taken), form).fetchall()
    if own:
        run(connection, "leave_unread_calls", engine_id, form)
    return _in_order(taken)


def unread_calls(connection: SqlConnection, engine_id: str, ours: float, form: int) -> list[Row]:
    """(call, its dead engine)."""
    return [
        (row[0], leaver)
        for leaver in _leavers(connection, engine_id, ours)
        for row in run(connection, "unread_calls", leaver, form).fetchall()
    ]


def take_unread(connection: SqlConnection, engine_id: str, calls: Collection[str], ours: float, form: int) -> list[Row]:
    """Rows as of `live_calls`."""
    taken: list[Row] = []
    for call_id, leaver in unread_calls(connection, engine_id, ours, form):
        if call_id in calls:
            taken += run(connection, "take_unread_call", engine_id, call_id, leaver).fetchall()
    return _in_order(taken)


def _leavers(connection: SqlConnection, engine_id: str, ours: float, ended_only: bool = False) -> list[str]:
    """Engines that have calls and do not live, or said so."""
    silent_at = 0.0 if ended_only else connection.wall(ours)
    return sorted([row[0] for row in run(connection, "dead_engines", engine_id, silent_at).fetchall()])


def _in_order(taken: list[Row]) -> list[Row]:
    return sorted(taken, key=lambda row: (row[4], row[0]))


def ask_end(connection: SqlConnection, account_id: str, subaccount_id: str | None, call_id: str, now: float) -> bool:
    """Whether there is such a call, in progress or not begun yet."""
    whose = (call_id, account_id, subaccount_id, now)
    if run(connection, "ask_call_end", *whose).rowcount:
        connection.tell(topics.CALL, call_id)
        return True
    return bool(run(connection, "ask_flow_end", *whose).rowcount)


def lost_calls(connection: SqlConnection, held: Sequence[Row]) -> list[str]:
    """`held`: (call, engine, taken)."""
    return [row[0] for row in fetch_all(connection, "lost_calls", held)]


def end_held(connection: SqlConnection, held: Sequence[Row]) -> None:
    """Delete what is kept of calls that are over; `held` as there. Raises `NotOurs` when one of them was not its
    engine's any more: which is not known then, and nothing of the transaction may stay."""
    by_tenure: dict[tuple[str, int], list[Row]] = {}
    for call_id, engine_id, taken in held:
        by_tenure.setdefault((engine_id, taken), []).append((call_id,))
    for tenure, calls in by_tenure.items():
        if run_all(connection, "drop_held_call", calls, *tenure) < len(calls):
            raise NotOurs
