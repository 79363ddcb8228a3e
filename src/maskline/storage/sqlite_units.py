"""The units of work on calls, and what all units share: counters, facts, and writes that happen once.

What it is: what a transaction does, statement by statement, for `GroupWriter`. What it is not: threads, commits
or domain rules. Who uses it: `storage/sqlite.py` and the units on sessions and configuration.

Every unit runs in a savepoint and leaves nothing when it raises.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from maskline.errors import IdempotencyMismatch
from maskline.masking.facts import CallRequested, Fact
from maskline.masking.recording import RecordingEnd
from maskline.masking.session import Interaction
from maskline.storage import rows
from maskline.storage.crypto import Sealer
from maskline.storage.rows import Row
from maskline.storage.sqlite_connection import Connection, run, run_all
from maskline.storage.sqlite_outbox import add_outbox
from maskline.storage.store import PURGED_AT_ONCE, Once, RecordedCall


def advance(connection: sqlite3.Connection, counter: str, by: int = 1) -> int:
    """Take `by` values of a counter; returns the last one."""
    (value,) = run(connection, "advance_counter", counter, by).fetchone()
    return int(value)


_PURGE_EVERY = 16


# -- once ----------------------------------------------------------------------------------------------------------
def repeated(connection: sqlite3.Connection, sealer: Sealer, once: Once | None, now: float) -> str | None:
    """The id of what a write made that was asked for before; None: it is a new one. Raises `IdempotencyMismatch`."""
    if once is None:
        return None
    found = run(connection, "once", once.account_id, sealer.text_hash(once.key), now).fetchone()
    if found is None:
        return None
    if found[0] != sealer.text_hash(once.fingerprint):
        raise IdempotencyMismatch
    return str(found[1])


def remember(connection: sqlite3.Connection, sealer: Sealer, once: Once | None, subject: str, now: float) -> None:
    """Keep that a write was done, in its transaction, and let a few go whose time is over."""
    if once is None:
        return
    key, fingerprint = sealer.text_hash(once.key), sealer.text_hash(once.fingerprint)
    run(connection, "add_once", once.account_id, key, fingerprint, subject, once.until)
    _purge(connection, key, now)


def remember_first(connection: sqlite3.Connection, sealer: Sealer, once: Once, subject: str, now: float) -> bool:
    """The same for a write that is likely to be the first of its key; False, and nothing is changed, when it is not."""
    key, fingerprint = sealer.text_hash(once.key), sealer.text_hash(once.fingerprint)
    added = run(connection, "add_first_once", once.account_id, key, fingerprint, subject, once.until, now).rowcount
    if added:
        _purge(connection, key, now)
    return bool(added)


def _purge(connection: sqlite3.Connection, key: bytes, now: float) -> None:
    if key[0] % _PURGE_EVERY == 0:
        # A sixteenth of all keys, as good as by chance: one statement less for the others.
        run(connection, "purge_once", now, _PURGE_EVERY * PURGED_AT_ONCE)


# -- calls -------------------------------------------------------------------------------------------------------
def add_facts(connection: sqlite3.Connection, facts: Sequence[Row]) -> tuple[int, int]:
    """Number and insert; returns the position before the first one, and how many were new."""
    if not facts:
        return 0, 0
    assert isinstance(connection, Connection)
    before = connection.take_positions(len(facts))
    added = run_all(connection, "add_fact", [(before + i, *row) for i, row in enumerate(facts, 1)])
    return before, added


def next_sequence(connection: sqlite3.Connection, subject: str) -> int:
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

    first_fact: Fact | None
    facts: tuple[Row, ...]
    record: Row | None
    interaction: Row | None
    move: SessionMove | None
    outbox: tuple[Row, ...]
    recording: Row | None
    recording_end: RecordingEnd | None
    requested: tuple[CallRequested, ...] = ()
    """Says whose requested call begins here."""


def call_rows(call: RecordedCall, sealer: Sealer) -> CallRows:
    done, session_id = call.interaction, call.session_id
    return CallRows(
        first_fact=call.facts[0] if call.facts else None,
        facts=tuple(map(rows.fact_to_row, call.facts)),
        record=rows.call_to_row(call.record, sealer) if call.record else None,
        interaction=rows.interaction_to_row(session_id, done) if session_id and done else None,
        move=_move(session_id, call.calls_in_progress_delta, done) if session_id else None,
        outbox=tuple(rows.outbox_to_row(row, sealer) for row in call.outbox),
        requested=tuple([fact for fact in call.facts if type(fact) is CallRequested]),
        recording=rows.recording_to_row(call.recording, sealer) if call.recording else None,
        recording_end=call.recording_end,
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


def commit_calls(connection: sqlite3.Connection, calls: Iterable[CallRows]) -> None:
    calls = list(calls)
    facts = [row for call in calls for row in call.facts]
    before, added = add_facts(connection, facts)
    if added < len(facts):
        calls = [call for call in calls if not _was_stored(connection, call.first_fact, before)]
    run_all(connection, "add_call", [call.record for call in calls if call.record])
    run_all(connection, "add_interaction", [call.interaction for call in calls if call.interaction])
    run_all(connection, "move_sessions", _one_move_per_session([call.move for call in calls if call.move]))
    add_recordings(connection, calls)
    add_outbox(connection, [row for call in calls for row in call.outbox])
    for call in calls:
        for fact in call.requested:
            if fact.session_id:
                run(connection, "finish_requested_call", fact.session_id)
            else:
                run(connection, "finish_requested_flow", fact.subject)


def add_recordings(connection: sqlite3.Connection, calls: Iterable[CallRows]) -> None:
    """A recording may begin and end in one commit."""
    run_all(connection, "add_recording", [call.recording for call in calls if call.recording])
    for end in (call.recording_end for call in calls if call.recording_end):
        values = (end.ended_at, end.partial, end.sequence, end.position, end.due_at)
        run(connection, "stop_recording", end.recording_id, *values)


def _was_stored(connection: sqlite3.Connection, first_fact: Fact | None, before: int) -> bool:
    """Whether this share was committed earlier: its first fact has a position from before this transaction."""
    if first_fact is None:
        return False
    (position,) = run(connection, "fact_position", first_fact.subject, first_fact.sequence).fetchone()
    return bool(position <= before)
