"""The units of work on sessions: each function is one indivisible change.

What it is: what a transaction does, statement by statement, for `GroupWriter`. What it is not: threads, commits
or domain rules: `masking/pool.py` chooses numbers and `masking/claims.py` says what becomes of claims. Who uses it:
`storage/sql_store.py`.

Every unit runs in a savepoint and leaves nothing when it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from maskline.errors import Conflict, MasklineError, NotFound, SessionEnded
from maskline.masking import pool
from maskline.masking.claims import (
    ANYONE,
    FORGET_AFTER,
    Claim,
    ClaimChanges,
    Held,
    Hold,
    KeyKind,
    claim_changes,
    claim_lost,
    claim_notes,
    claims_of,
    pin_key,
)
from maskline.masking.decision import NumberState
from maskline.masking.e164 import Number
from maskline.masking.facts import SessionCreated, SessionExpired, SessionUpdated, VirtualNumberReplaced
from maskline.masking.session import Interaction, NewSession, Session, SessionChange
from maskline.storage import rows, rows_facts, sql_requests, topics
from maskline.storage.crypto import Sealer
from maskline.storage.rows import Row
from maskline.storage.sql import SqlConnection, SqlResult, run, run_all
from maskline.storage.sql_outbox import add_outbox
from maskline.storage.sql_units import add_facts, next_sequence, remember, remember_first, repeated
from maskline.storage.store import Once

_KEYS_AT_ONCE = 4
"""Keys that `claims_of_keys` takes; a session has no more: two parties, two PINs."""
_PINS_AT_ONCE = 8
_EXPIRES_AT = 8
"""Where a session's row has it."""


def read_session(connection: SqlConnection, sealer: Sealer, account_id: str, session_id: str) -> Session:
    row = run(connection, "session", account_id, session_id).fetchone()
    if row is None:
        raise NotFound("There is no such session in this account.")
    return rows.session_from_row(row, sealer, read_interactions(connection, session_id))


def read_interactions(connection: SqlConnection, session_id: str) -> tuple[Interaction, ...]:
    return tuple(map(rows.interaction_from_row, run(connection, "interactions", session_id)))


# -- create ----------------------------------------------------------------------------------------------------------
def create_session(
    connection: SqlConnection, sealer: Sealer, new: NewSession, once: Once | None,
    outbox: Callable[[Session], Sequence[Row]] | None = None,
) -> Session:  # fmt: skip
    try:
        allocation = pool.drive(pool.allocate(new), _Answers(connection, sealer, new.created_at))
    except MasklineError:
        # It is not asked first whether this is a repeat, because hardly any create is one.
        earlier = _made_before(connection, sealer, new, once)
        if earlier is None:
            raise
        return earlier
    if once is not None and not remember_first(connection, sealer, once, new.id, new.created_at):
        earlier = _made_before(connection, sealer, new, once)
        if earlier is not None:
            return earlier
        remember(connection, sealer, once, new.id, new.created_at)
    session = pool.session_of(new, allocation)
    changes = claim_changes(None, session, new.created_at)
    if _take(connection, sealer, session.id, changes.taken, new.created_at, allocation.previous) is not None:
        # They were free a moment ago in this very transaction; only a store with several writers gets here.
        raise Conflict("A claim was taken by another session.")
    try:
        run(connection, "add_session", *rows.session_to_row(session, sealer))
    except connection.BROKEN:
        raise Conflict("This session exists already.") from None
    sql_requests.add(connection, new.requested_call)
    notes = claim_notes(changes.taken, sealer.key_hash)
    fact = SessionCreated(session.id, 1, new.created_at, session.expires_at, notes, session.pool_mode.value)
    add_facts(connection, rows_facts.facts_to_rows([fact]))
    if outbox is not None:
        add_outbox(connection, outbox(session))
    return session


def _made_before(connection: SqlConnection, sealer: Sealer, new: NewSession, once: Once | None) -> Session | None:
    session_id = repeated(connection, sealer, once, new.created_at)
    if once is None or session_id is None:
        return None
    try:
        session = read_session(connection, sealer, new.account_id, session_id)
    except NotFound:  # it was forgotten before its key
        return None
    return None if once.live_only and not session.is_live(new.created_at) else session


class _Answers:
    """Answers what `masking/pool.py` asks, as of one moment."""

    __slots__ = ("_connection", "_now", "_sealer")

    def __init__(self, connection: SqlConnection, sealer: Sealer, now: float) -> None:
        self._connection = connection
        self._sealer = sealer
        self._now = now

    def __call__(self, ask: pool.Ask) -> Any:
        return _ANSWERS[type(ask)](self, ask)

    def _run(self, query: str, *values: Any) -> SqlResult:
        return run(self._connection, query, *values)

    def held(self, ask: pool.AskHeld) -> list[Held]:
        keys = {self._sealer.key_hash(key): key for key in ask.keys}
        hashes = [*keys]
        if len(hashes) == 2:
            found = self._run("claims_of_two_keys", *hashes)
        else:
            found = self._run("claims_of_keys", *hashes, *hashes[:1] * (_KEYS_AT_ONCE - len(hashes)))
        return [Held(keys[row[0]], _number(row[1]), *row[2:]) for row in found]

    def numbers(self, ask: pool.AskNumbers) -> list[Number]:
        if ask.country is None:
            found = self._run("numbers_to_share", ask.owner_id, self._now, ask.limit)
        else:
            found = self._run("numbers_to_share_in_country", ask.owner_id, self._now, ask.limit, ask.country)
        return [_number(e164) for (e164,) in found]

    def usable(self, ask: pool.AskUsable) -> bool:
        row = self._run("number_to_share", ask.number.e164, ask.owner_id, self._now).fetchone()
        return row is not None and ask.country in (None, row[0])

    def empty_number(self, ask: pool.AskEmptyNumber) -> Number | None:
        if ask.country is None:
            found = self._run("empty_number", ask.owner_id, self._now)
        else:
            found = self._run("empty_number_in_country", ask.owner_id, self._now, ask.country)
        row = found.fetchone()
        return _number(row[0]) if row else None

    def pin_numbers(self, ask: pool.AskPinNumbers) -> list[Number]:
        found = self._run("numbers_for_pins", ask.owner_id)
        return [_number(e164) for e164, country in found if ask.country in (None, country)]

    def pins_held(self, ask: pool.AskPinsHeld) -> set[str]:
        pins = {self._sealer.key_hash(pin_key(pin)): pin for pin in ask.pins}
        held: set[str] = set()
        for hashes in _blocks([*pins], _PINS_AT_ONCE):
            found = self._run("pins_held", ask.number.e164, self._now, *hashes)
            held.update(pins[row[0]] for row in found)
        return held


_ANSWERS: dict[type[Any], Callable[[_Answers, Any], Any]] = {
    pool.AskHeld: _Answers.held,
    pool.AskNumbers: _Answers.numbers,
    pool.AskUsable: _Answers.usable,
    pool.AskEmptyNumber: _Answers.empty_number,
    pool.AskPinNumbers: _Answers.pin_numbers,
    pool.AskPinsHeld: _Answers.pins_held,
}


def _blocks(hashes: list[bytes], size: int) -> Iterable[list[bytes]]:
    """In blocks of one size, the last one filled up with repetitions."""
    for start in range(0, len(hashes), size):
        block = hashes[start : start + size]
        yield block + block[:1] * (size - len(block))


def _number(e164: str) -> Number:
    return Number(e164[1:])


# -- changes ---------------------------------------------------------------------------------------------------------
def update_session(
    connection: SqlConnection, sealer: Sealer, account_id: str, session_id: str, change: SessionChange,
    outbox: Sequence[Row], once: Once | None,
) -> Session:  # fmt: skip
    old = read_session(connection, sealer, account_id, session_id)
    if repeated(connection, sealer, once, change.now) is not None:
        return old
    if not old.is_live(change.now):
        raise SessionEnded
    session = old.changed(change)
    changes = _change_claims(connection, sealer, old, session, change.now)
    run(connection, "update_session", *rows.session_changes_to_row(session, sealer))
    fact = SessionUpdated(
        session_id, next_sequence(connection, session_id), change.now, session.expires_at,
        claim_notes((*changes.kept, *changes.taken), sealer.key_hash), change.changed,
        claim_notes(changes.released, sealer.key_hash),
    )  # fmt: skip
    add_facts(connection, rows_facts.facts_to_rows([fact]))
    add_outbox(connection, outbox)
    remember(connection, sealer, once, session_id, change.now)
    return session


def end_session(
    connection: SqlConnection, sealer: Sealer, account_id: str, session_id: str, *,
    now: float, by_request: bool, outbox: Sequence[Row],
) -> Session:  # fmt: skip
    old = read_session(connection, sealer, account_id, session_id)
    if old.ended_at is not None or (by_request and not old.is_live(now)):
        raise SessionEnded
    session = old.ended(now)
    run(connection, "end_session", session_id, now, session.expires_at)
    connection.tell(topics.SESSION, session_id)
    changes = _change_claims(connection, sealer, old, session, now)
    for number in {claim.virtual_number for claim in claims_of(session)}:
        run(connection, "forget_claims", number.e164, now - FORGET_AFTER)
    notes = claim_notes(changes.kept, sealer.key_hash)
    sequence = next_sequence(connection, session_id)
    fact = SessionExpired(session_id, sequence, now, session.expires_at, notes, by_request)
    add_facts(connection, rows_facts.facts_to_rows([fact]))
    add_outbox(connection, outbox)
    return session


def end_damaged(connection: SqlConnection, damaged: Sequence[Row], now: float) -> None:
    """Sessions that are over and whose parties nobody can read: no claim of theirs is known, which is free by its time,
    and no webhook could tell of them. `damaged`: rows as of `sessions_due`."""
    for row in damaged:
        session_id, expires_at = row[0], row[_EXPIRES_AT]
        run(connection, "end_session", session_id, now, expires_at)
        connection.tell(topics.SESSION, session_id)
        fact = SessionExpired(session_id, next_sequence(connection, session_id), now, expires_at, (), False)
        add_facts(connection, rows_facts.facts_to_rows([fact]))


def replace_numbers(
    connection: SqlConnection, sealer: Sealer, account_id: str, session_id: str, now: float,
    outbox: Callable[[Session], Sequence[Row]],
) -> Session:  # fmt: skip
    old = read_session(connection, sealer, account_id, session_id)
    if not old.is_live(now):
        raise SessionEnded
    if all(_is_active(connection, number) for number in old.numbers):
        return old
    session = pool.moved(old, pool.drive(pool.reallocate(old, now), _Answers(connection, sealer, now)), now)
    changes = _change_claims(connection, sealer, old, session, now)
    run(connection, "update_session", *rows.session_changes_to_row(session, sealer))
    fact = VirtualNumberReplaced(
        session_id, next_sequence(connection, session_id), now, session.expires_at,
        claim_notes((*changes.kept, *changes.taken), sealer.key_hash),
        claim_notes(changes.released, sealer.key_hash),
    )  # fmt: skip
    add_facts(connection, rows_facts.facts_to_rows([fact]))
    add_outbox(connection, outbox(session))
    return session


def _is_active(connection: SqlConnection, number: Number) -> bool:
    row = run(connection, "number_state", number.e164).fetchone()
    return row is not None and row[0] == NumberState.ACTIVE


# -- claims ----------------------------------------------------------------------------------------------------------
def _change_claims(
    connection: SqlConnection, sealer: Sealer, old: Session, session: Session, now: float
) -> ClaimChanges:
    """Carry out what a change makes of a session's claims; returns it without those that another session has taken
    since. Raises `InvalidParameter` when a new one is another session's."""
    changes = claim_changes(old, session, now)
    kept = tuple(hold for hold in changes.kept if _hold(connection, sealer, session.id, hold))
    released = tuple(hold for hold in changes.released if _hold(connection, sealer, session.id, hold))
    lost = _take(connection, sealer, session.id, changes.taken, now, session.id)
    if lost is not None:
        raise claim_lost(lost)
    _set_exclusive(connection, (*kept, *released))
    return ClaimChanges(changes.taken, kept, released)


def _hold(connection: SqlConnection, sealer: Sealer, session_id: str, hold: Hold) -> bool:
    claim = hold.claim
    key, number = sealer.key_hash(claim.key), claim.virtual_number.e164
    values = (key, number, session_id, claim.role.value, hold.live_until, hold.held_until)
    return bool(run(connection, "hold_claim", *values).rowcount)


def _take(
    connection: SqlConnection, sealer: Sealer, session_id: str, holds: Sequence[Hold], now: float,
    previous: str | None,
) -> Claim | None:  # fmt: skip
    """Take all at once; returns one that another session holds, after which the unit must raise."""
    if not holds:
        return None
    values = [
        (sealer.key_hash(key), number.e164, str(key.kind), session_id, str(role), live_until, held_until)
        for (key, number, role), live_until, held_until in holds
    ]
    if run_all(connection, "take_claims", values, now, previous) != len(holds):
        return next(hold.claim for hold in holds if not _is_of(connection, sealer, session_id, hold.claim))
    _set_exclusive(connection, holds)
    for (key, number, _), _, _ in holds:
        if key.kind is KeyKind.PIN:
            run(connection, "lengthen_pin", number.e164, len(key.text))
    return None


def _is_of(connection: SqlConnection, sealer: Sealer, session_id: str, claim: Claim) -> bool:
    found = run(connection, "claim", sealer.key_hash(claim.key), claim.virtual_number.e164).fetchone()
    return found is not None and found[0] == session_id


def _set_exclusive(connection: SqlConnection, holds: Iterable[Hold]) -> None:
    for hold in holds:
        if hold.claim.key == ANYONE:
            run(connection, "set_exclusive", hold.claim.virtual_number.e164, hold.held_until)
