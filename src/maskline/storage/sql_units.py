"""The units of work on calls, and what all units share: counters, facts, and writes that happen once.

What it is: what a transaction does, statement by statement, for `GroupWriter`. What it is not: threads, commits
or domain rules. Who uses it: `storage/sql_store.py` and the units on sessions and configuration.

Every unit runs in a savepoint and leaves nothing when it raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from maskline.errors import IdempotencyMismatch
from maskline.masking.facts import CallRequested
from maskline.masking.recording import RecordingEnd
from maskline.masking.session import Interaction
from maskline.storage import rows, rows_facts, rows_kept, rows_outbox, sql_owners, topics
from maskline.storage.crypto import Sealer
from maskline.storage.rows import Row
from maskline.storage.sql import SqlConnection, run, run_all
from maskline.storage.sql_outbox import add_outbox
from maskline.storage.store import PURGED_AT_ONCE, Once, RecordedCall
from maskline.values import dataclass


def advance(connection: SqlConnection, counter: str, by: int = 1) -> int:
    """Take `by` values of a counter; returns the last one."""
    (value,) = run(connection, "advance_counter", counter, by).fetchone()
    if counter == "configuration":
        connection.tell(topics.CONFIGURATION, str(value))
    return int(value)


_PURGE_EVERY = 16
_FIRST_OF_CALL = 1
"""Sequence of a call's first webhook (`CallProgress.next_row`)."""


# -- once ----------------------------------------------------------------------------------------------------------
def repeated(connection: SqlConnection, sealer: Sealer, once: Once | None, now: float) -> str | None:
    """The id of what a write made that was asked for before; None: it is a new one. Raises `IdempotencyMismatch`."""
    if once is None:
        return None
    found = run(connection, "once", once.account_id, sealer.text_hash(once.key), now).fetchone()
    if found is None:
        return None
    if found[0] != sealer.text_hash(once.fingerprint):
        raise IdempotencyMismatch
    return str(found[1])


def remember(connection: SqlConnection, sealer: Sealer, once: Once | None, subject: str, now: float) -> None:
    """Keep that a write was done, in its transaction, and let a few go whose time is over."""
    if once is None:
        return
    key, fingerprint = sealer.text_hash(once.key), sealer.text_hash(once.fingerprint)
    run(connection, "add_once", once.account_id, key, fingerprint, subject, once.until)
    _purge(connection, key, now)


def remember_first(connection: SqlConnection, sealer: Sealer, once: Once, subject: str, now: float) -> bool:
    """The same for a write that is likely to be the first of its key; False, and nothing is changed, when it is not."""
    key, fingerprint = sealer.text_hash(once.key), sealer.text_hash(once.fingerprint)
    added = run(connection, "add_first_once", once.account_id, key, fingerprint, subject, once.until, now).rowcount
    if added:
        _purge(connection, key, now)
    return bool(added)


def _purge(connection: SqlConnection, key: bytes, now: float) -> None:
    if key[0] % _PURGE_EVERY == 0:
        # A sixteenth of all keys, as good as by chance: one statement less for the others.
        run(connection, "purge_once", now, _PURGE_EVERY * PURGED_AT_ONCE)


# -- calls -------------------------------------------------------------------------------------------------------
def add_facts(connection: SqlConnection, facts: Sequence[Row]) -> tuple[int, int]:
    """Number and insert rows of facts; returns the position before the first fact, and how many rows were new."""
    if not facts:
        return 0, 0
    connection.tell(topics.FACTS)
    before = position = connection.take_positions(sum([row[rows_facts.FACTS_IN_ROW] for row in facts]))
    placed = []
    for row in facts:
        position += row[rows_facts.FACTS_IN_ROW]
        placed.append((position, *row))
    return before, run_all(connection, "add_fact", placed)


def next_sequence(connection: SqlConnection, subject: str) -> int:
    (last,) = run(connection, "last_sequence", subject).fetchone()
    return int(last) + 1


class SessionMove(NamedTuple):
    """What calls change in their session's row."""

    session_id: str
    delta: int
    legs: int
    billed: int
    amount: int
    ended_at: float | None

    def and_then(self, later: SessionMove) -> SessionMove:
        ends = [at for at in (self.ended_at, later.ended_at) if at is not None]
        return SessionMove(
            self.session_id, self.delta + later.delta, self.legs + later.legs, self.billed + later.billed,
            self.amount + later.amount, max(ends, default=None),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CallRows:
    """One `RecordedCall` with all of it sealed and in columns: made before the transaction, outside its thread."""

    facts: list[Row]
    record: Row | None
    interaction: Row | None
    move: SessionMove | None
    outbox: tuple[Row, ...]
    recording: Row | None
    recording_end: RecordingEnd | None
    live: Row | None
    over: str
    """The call's id with its record; empty: it goes on."""
    held: Row | None
    """The call's id, and by what its engine believes to have it."""
    requested: tuple[CallRequested, ...] = ()
    """Says whose requested call begins here."""


def call_rows(call: RecordedCall, sealer: Sealer) -> CallRows:
    done, session_id = call.interaction, call.session_id
    return CallRows(
        facts=rows_facts.facts_to_rows(call.facts),
        record=rows.call_to_row(call.record, sealer) if call.record else None,
        interaction=rows.interaction_to_row(session_id, done) if session_id and done else None,
        move=_move(session_id, call.calls_in_progress_delta, done) if session_id else None,
        outbox=tuple(rows_outbox.outbox_to_row(row, sealer) for row in call.outbox),
        requested=tuple([fact for fact in call.facts[:1] if type(fact) is CallRequested]),
        recording=rows.recording_to_row(call.recording, sealer) if call.recording else None,
        recording_end=call.recording_end,
        live=rows_kept.live_call_to_row(call.live, sealer) if call.live else None,
        over=call.record.id if call.record else "",
        held=(call.call_id, *call.held) if call.held else None,
    )


def _move(session_id: str, delta: int, done: Interaction | None) -> SessionMove | None:
    if done is not None:
        return SessionMove(session_id, delta, done.legs, done.billed_duration, done.amount, done.ended_at)
    return SessionMove(session_id, delta, 0, 0, 0, None) if delta else None


def _one_move_per_session(moves: Iterable[SessionMove]) -> list[SessionMove]:
    """An UPDATE joins each session with one row only."""
    summed: dict[str, SessionMove] = {}
    for move in moves:
        other = summed.get(move.session_id)
        summed[move.session_id] = move if other is None else other.and_then(move)
    return list(summed.values())


def commit_calls(connection: SqlConnection, calls: Iterable[CallRows], *, looked_up: bool = False) -> list[str]:
    """The ids of calls that were not written, since their engine has them no more. Whose a call is that is over tells
    the deletion of what was kept of it; `looked_up`: it is looked up before, like that of others. Raises
    `sql_owners.NotOurs`: then that has to be."""
    calls, lost = _without_lost(connection, list(calls), looked_up)
    ended = {call.over: call.held for call in calls if call.over and call.held is not None}
    if ended:
        sql_owners.end_held(connection, [*ended.values()])
    facts = [row for call in calls for row in call.facts]
    before, added = add_facts(connection, facts)
    if added < len(facts):
        calls = [call for call in calls if not _was_stored(connection, call.facts, before)]
    run_all(connection, "add_call", [call.record for call in calls if call.record])
    run_all(connection, "add_interaction", [call.interaction for call in calls if call.interaction])
    run_all(connection, "move_sessions", _one_move_per_session([call.move for call in calls if call.move]))
    add_recordings(connection, calls)
    keep_live_calls(connection, calls)
    add_outbox(connection, [row for call in calls for row in call.outbox], _FIRST_OF_CALL)
    for call in calls:
        for fact in call.requested:
            if fact.session_id:
                run(connection, "finish_requested_call", fact.session_id)
            else:
                _finish_flow(connection, fact.subject)
    return lost


def _finish_flow(connection: SqlConnection, call_id: str) -> None:
    """Who asked for its end meanwhile is not forgotten with the request."""
    waited = run(connection, "finish_requested_flow", call_id).fetchone()
    if waited is not None and waited[0] is not None:
        run(connection, "pass_end_on", call_id, waited[0])
        connection.tell(topics.CALL, call_id)


def _without_lost(connection: SqlConnection, calls: list[CallRows], ended: bool) -> tuple[list[CallRows], list[str]]:
    """`ended`: those that are over are looked up too. No other writer is between this look and the commit. What was
    written already, by a commit whose answer was lost, is over and not there: to write it again does nothing, so it is
    left out as well."""
    held = {call.held[0]: call.held for call in calls if call.held is not None and (ended or not call.over)}
    lost = frozenset(sql_owners.lost_calls(connection, [*held.values()])) if held else frozenset()
    if not lost:
        return calls, []
    kept = [call for call in calls if call.held is None or call.held[0] not in lost]
    return kept, sorted(lost)


def add_recordings(connection: SqlConnection, calls: Iterable[CallRows]) -> None:
    """A recording may begin and end in one commit."""
    run_all(connection, "add_recording", [call.recording for call in calls if call.recording])
    for end in (call.recording_end for call in calls if call.recording_end):
        values = (end.ended_at, end.partial, end.sequence, end.position, end.due_at)
        run(connection, "stop_recording", end.recording_id, *values)


def keep_live_calls(connection: SqlConnection, calls: Iterable[CallRows]) -> None:
    """A call may be kept more than once in one commit, and may be over in the same one."""
    kept: dict[str, Row] = {}
    over = []
    for call in calls:
        if call.live is not None:
            kept[call.live[0]] = call.live
        if call.over:
            kept.pop(call.over, None)
            if call.held is None:
                over.append((call.over,))
    run_all(connection, "keep_live_call", [*kept.values()])
    run_all(connection, "drop_live_call", over)


def _was_stored(connection: SqlConnection, facts: Sequence[Row], before: int) -> bool:
    """Whether this share was committed earlier: its first facts have a position from before this transaction."""
    if not facts:
        return False
    subject, sequence = facts[0][:2]
    (position,) = run(connection, "fact_position", subject, sequence).fetchone()
    return bool(position <= before)
