"""The units of work on sessions and calls: each function is one indivisible change.

What it is: what a transaction does, statement by statement, for `GroupWriter`. What it is not: threads, commits
or domain rules; allocation asks `masking/pool.py`. Who uses it: `storage/sqlite.py`.

Every unit runs in a savepoint and leaves nothing when it raises.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from maskline.errors import Conflict, NotFound, PoolExhausted, SessionEnded
from maskline.masking import pool
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact, SessionCreated, SessionExpired, SessionUpdated
from maskline.masking.session import Interaction, NewSession, Session, SessionOptions
from maskline.storage import rows
from maskline.storage.crypto import Sealer
from maskline.storage.rows import Row
from maskline.storage.sqlite_connection import run, run_all
from maskline.storage.sqlite_outbox import add_outbox
from maskline.storage.store import RecordedCall


def advance(connection: sqlite3.Connection, counter: str, by: int = 1) -> int:
    """Take `by` values of a counter; returns the last one."""
    (value,) = run(connection, "advance_counter", counter, by).fetchone()
    return int(value)


def configure(connection: sqlite3.Connection, query: str, *values: object, conflict: str) -> None:
    """Write a row of configuration. Raises `Conflict` with the given sentence when it breaks a constraint."""
    try:
        run(connection, query, *values)
    except sqlite3.IntegrityError:
        raise Conflict(conflict) from None
    advance(connection, "configuration")


def remove(connection: sqlite3.Connection, query: str, *values: object, missing: str) -> None:
    """Delete a row of configuration. Raises `NotFound` with the given sentence."""
    if not run(connection, query, *values).rowcount:
        raise NotFound(missing)
    advance(connection, "configuration")


# -- sessions ----------------------------------------------------------------------------------------------------
def read_session(connection: sqlite3.Connection, sealer: Sealer, account_id: str, session_id: str) -> Session:
    row = run(connection, "session", account_id, session_id).fetchone()
    if row is None:
        raise NotFound("There is no such session in this account.")
    return rows.session_from_row(row, sealer, read_interactions(connection, session_id))


def read_interactions(connection: sqlite3.Connection, session_id: str) -> tuple[Interaction, ...]:
    return tuple(map(rows.interaction_from_row, run(connection, "interactions", session_id)))


def create_session(connection: sqlite3.Connection, sealer: Sealer, new: NewSession, facts_sequence: int) -> Session:
    pool.check_parties(new)
    hashes = {party: sealer.number_hash(party) for party in (new.first_party, new.second_party)}
    number = _allocate(connection, new, [*hashes.values()])
    expires_at = new.created_at + new.options.session_expiry
    until = pool.held_until(expires_at, new.options)
    claims = pool.claims_of(new.first_party, new.second_party, number)
    taken = sum(
        run(connection, "take_claim", hashes[party], vn.e164, new.id, until, new.created_at).rowcount
        for party, vn in claims
    )
    if taken != len(claims):
        # The candidates were free a moment ago in this very transaction; only a store with several writers gets here.
        raise Conflict("The pair was taken by another session.")
    try:
        run(connection, "add_session", *rows.session_to_row(new, number, expires_at, sealer))
    except sqlite3.IntegrityError:
        raise Conflict("This session exists already.") from None
    add_facts(connection, [rows.fact_to_row(SessionCreated(new.id, facts_sequence, new.created_at, number.e164))])
    return Session(
        id=new.id, account_id=new.account_id, subaccount_id=new.subaccount_id,
        first_party=new.first_party, second_party=new.second_party, virtual_number=number,
        options=new.options, created_at=new.created_at, modified_at=new.created_at,
        expires_at=expires_at, planned_duration=new.options.session_expiry,
    )  # fmt: skip


def _allocate(connection: sqlite3.Connection, new: NewSession, party_hashes: list[bytes]) -> Number:
    held = {Number(e164[1:]) for (e164,) in run(connection, "numbers_held", *party_hashes, new.created_at)}
    owner_id, country = pool.pool_of(new)
    needed = pool.candidates_needed(len(held))
    if country is None:
        found = run(connection, "pool_candidates", owner_id, needed)
    else:
        found = run(connection, "pool_candidates_in_country", owner_id, needed, country)
    number = pool.choose((Number(e164[1:]) for (e164,) in found), held)
    if number is None:
        raise PoolExhausted
    return number


@dataclass(frozen=True, slots=True)
class SessionChange:
    """What an update asks for."""

    options: SessionOptions
    expires_at: float
    now: float
    changed: tuple[str, ...]


def update_session(
    connection: sqlite3.Connection, sealer: Sealer, account_id: str, session_id: str, change: SessionChange
) -> Session:
    session = read_session(connection, sealer, account_id, session_id)
    if not session.is_live(change.now):
        raise SessionEnded
    session = replace(
        session, options=change.options, expires_at=change.expires_at, modified_at=change.now,
        planned_duration=round(change.expires_at - session.created_at),
    )  # fmt: skip
    run(
        connection, "update_session", session_id, rows.options_to_text(session.options), session.expires_at,
        session.planned_duration, session.modified_at,
    )  # fmt: skip
    _hold(connection, sealer, session)
    sequence = _next_sequence(connection, session_id)
    add_facts(connection, [rows.fact_to_row(SessionUpdated(session_id, sequence, change.now, change.changed))])
    return session


def end_session(
    connection: sqlite3.Connection, sealer: Sealer, account_id: str, session_id: str, *,
    now: float, by_request: bool, outbox: Sequence[Row],
) -> Session:  # fmt: skip
    session = read_session(connection, sealer, account_id, session_id)
    if session.ended_at is not None or (by_request and not session.is_live(now)):
        raise SessionEnded
    session = replace(session, ended_at=now, modified_at=now, expires_at=min(now, session.expires_at))
    run(connection, "end_session", session_id, now, session.expires_at)
    _hold(connection, sealer, session)
    run(connection, "forget_claims", now - pool.FORGET_AFTER)
    sequence = _next_sequence(connection, session_id)
    add_facts(connection, [rows.fact_to_row(SessionExpired(session_id, sequence, now, by_request))])
    add_outbox(connection, outbox)
    return session


def _hold(connection: sqlite3.Connection, sealer: Sealer, session: Session) -> None:
    """Move the end of the session's claims to what its planned end and options say."""
    parties = (session.first_party, session.second_party)
    hashes = [sealer.number_hash(party) if party else None for party in parties]
    until = pool.held_until(session.expires_at, session.options)
    run(connection, "hold_claims", until, *hashes, session.virtual_number.e164, session.id)


# -- calls -------------------------------------------------------------------------------------------------------
def add_facts(connection: sqlite3.Connection, facts: Sequence[Row]) -> tuple[int, int]:
    """Number and insert; returns the position before the first one, and how many were new."""
    if not facts:
        return 0, 0
    before = advance(connection, "facts", len(facts)) - len(facts)
    added = run_all(connection, "add_fact", [(before + i, *row) for i, row in enumerate(facts, 1)])
    return before, added


def _next_sequence(connection: sqlite3.Connection, subject: str) -> int:
    (last,) = run(connection, "last_sequence", subject).fetchone()
    return int(last) + 1


class SessionMove(NamedTuple):
    """What calls change in their session's row."""

    session_id: str
    delta: int
    legs: int
    billed: int
    ended_at: float | None

    def and_then(self, later: SessionMove) -> SessionMove:
        ends = [at for at in (self.ended_at, later.ended_at) if at is not None]
        return SessionMove(
            self.session_id, self.delta + later.delta, self.legs + later.legs, self.billed + later.billed,
            max(ends, default=None),
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


def call_rows(call: RecordedCall, sealer: Sealer) -> CallRows:
    done, session_id = call.interaction, call.session_id
    return CallRows(
        first_fact=call.facts[0] if call.facts else None,
        facts=tuple(map(rows.fact_to_row, call.facts)),
        record=rows.call_to_row(call.record, sealer) if call.record else None,
        interaction=rows.interaction_to_row(session_id, done) if session_id and done else None,
        move=_move(session_id, call.calls_in_progress_delta, done) if session_id else None,
        outbox=tuple(rows.outbox_to_row(row, sealer) for row in call.outbox),
    )


def _move(session_id: str, delta: int, done: Interaction | None) -> SessionMove | None:
    if done is not None:
        return SessionMove(session_id, delta, done.legs, done.billed_duration, done.ended_at)
    return SessionMove(session_id, delta, 0, 0, None) if delta else None


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
    add_outbox(connection, [row for call in calls for row in call.outbox])


def _was_stored(connection: sqlite3.Connection, first_fact: Fact | None, before: int) -> bool:
    """Whether this share was committed earlier: its first fact has a position from before this transaction."""
    if first_fact is None:
        return False
    (position,) = run(connection, "fact_position", first_fact.subject, first_fact.sequence).fetchone()
    return bool(position <= before)
