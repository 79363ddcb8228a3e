"""Claims: what a session holds so that no caller can reach a stranger.

What it is: the values of the rule and which claims a session has. A *claim* is a pair (key, virtual number) that
belongs to one session while that session is live or its cool-off runs. A key is what a call brings: the caller's
number, a PIN, or nothing at all (*anyone*, for the open number of a single-party session). Two sessions never
hold the same claim, so (what the call brings, dialled number) always names one session at most. What it is not:
a choice of numbers (`pool.py`) or a table (`storage`), which backs the rule by a unique index. Who uses it:
`pool.py`, the stores, the replay behind `maskline pool verify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from maskline.errors import InvalidParameter
from maskline.masking.e164 import Number
from maskline.masking.facts import ClaimNote
from maskline.masking.session import PoolMode, Role, Session

FORGET_AFTER = 7 * 86_400.0
"""Seconds a released claim still answers "expired" instead of "unknown caller", and keeps the pair's number
sticky, unless another session took it."""
_ROLES = (Role.FIRST, Role.SECOND)


class KeyKind(StrEnum):
    PARTY = "party"
    PIN = "pin"
    ANYONE = "anyone"
    # An enum hashes its name in Python; an allocation looks up a key for each session a party has.
    __hash__ = str.__hash__


class Key(NamedTuple):
    """What a call is recognised by. Stores keep its keyed hash only."""

    kind: KeyKind
    text: str = ""
    """Digits of the number, the PIN, or nothing."""

    def __repr__(self) -> str:
        return f"Key({self.kind.value})"


ANYONE = Key(KeyKind.ANYONE)


def party_key(party: Number) -> Key:
    return Key(KeyKind.PARTY, party.digits)


def pin_key(pin: str) -> Key:
    return Key(KeyKind.PIN, pin)


class Claim(NamedTuple):
    """One (key, virtual number) pair of a session."""

    key: Key
    virtual_number: Number
    role: Role
    """Whose cool-off holds it after the end."""


class Held(NamedTuple):
    """A claim as the store has it: held, in quarantine, or free but not forgotten."""

    key: Key
    virtual_number: Number
    session_id: str
    live_until: float
    """Wall seconds: planned end of its session, or the moment it ended."""
    held_until: float
    """Wall seconds from which another session may take it."""


def claims_of(session: Session) -> tuple[Claim, ...]:
    """All claims of a live session, in a fixed order."""
    claims = []
    mode, first = session.pool_mode, session.virtual_number
    second = session.second_virtual_number or first
    for role, party, pin, number in (
        (Role.FIRST, session.first_party, session.first_party_pin, first),
        (Role.SECOND, session.second_party, session.second_party_pin, second),
    ):
        # In PIN mode many sessions of one caller share the number: only what it types tells them apart.
        if party is not None and mode is not PoolMode.PIN:
            claims.append(Claim(party_key(party), number, role))
        if pin:
            claims.append(Claim(pin_key(pin), number, role))
    # Once the missing party is filled in, nobody else is connected any more.
    if mode is PoolMode.OPEN and session.missing is not None:
        claims.append(Claim(ANYONE, first, session.missing))
    return tuple(claims)


def held_until(session: Session, role: Role) -> float:
    """When a claim of this role becomes free for other sessions: quarantine of the pair, not of the whole number
    (architecture decision 6)."""
    return session.expires_at + session.options.cooloff(role)


def number_free_at(session: Session) -> float:
    """When the open number of a session may be given to others."""
    return max(held_until(session, role) for role in _ROLES)


# -- what a change makes of the claims -----------------------------------------------------------------------------
class Hold(NamedTuple):
    """A claim with its times, as a session has it from a change on."""

    claim: Claim
    live_until: float
    """Wall seconds, as in `Held`."""
    held_until: float


class ClaimChanges(NamedTuple):
    """What a store has to do to the claims of one session."""

    taken: tuple[Hold, ...]
    """New ones: each must be free, or of a session whose claims may be taken over."""
    kept: tuple[Hold, ...]
    """It has them: their times move, unless another session has taken them since."""
    released: tuple[Hold, ...]
    """Not its own any more: in quarantine from now on."""


def claim_changes(old: Session | None, new: Session, now: float) -> ClaimChanges:
    """From a session as it was (None: it is just made) to what a change at wall second `now` makes of it."""
    if old is None:
        return ClaimChanges(tuple([_hold(claim, new) for claim in claims_of(new)]), (), ())
    before = {claim[:2]: claim for claim in claims_of(old)}
    after = {claim[:2]: claim for claim in claims_of(new)}
    return ClaimChanges(
        taken=tuple(_hold(claim, new) for pair, claim in after.items() if pair not in before),
        kept=tuple(_hold(claim, new) for pair, claim in after.items() if pair in before),
        released=tuple(_hold(claim, new.ended(now)) for pair, claim in before.items() if pair not in after),
    )


def _hold(claim: Claim, session: Session) -> Hold:
    anyone = claim.key.kind is KeyKind.ANYONE
    until = number_free_at(session) if anyone else held_until(session, claim.role)
    return Hold(claim, session.expires_at, until)


def claim_notes(holds: Iterable[Hold], key_hash: Callable[[Key], bytes]) -> tuple[ClaimNote, ...]:
    """The claims as a session's fact tells them."""
    return tuple([
        # `str` of an enum's member is its value as well, and `.value` is a function written in Python.
        ClaimNote(key_hash(key).hex(), str(key.kind), str(role), number.e164, until)
        for (key, number, role), _, until in holds
    ])  # fmt: skip


def claim_lost(claim: Claim) -> InvalidParameter:
    """The error of an update whose new party holds its virtual number in another session."""
    return InvalidParameter(
        f"Invalid parameter. {claim.role} holds the virtual number in another session", parameter=claim.role.value
    )
