"""Claims: what a session holds so that no caller can reach a stranger.

What it is: the values of the rule and which claims a session has. A *claim* is a pair (key, virtual number) that
belongs to one session while that session is live or its cool-off runs. A key is what a call brings: the caller's
number, a PIN, or nothing at all (*anyone*, for the open number of a single-party session). Two sessions never
hold the same claim, so (what the call brings, dialled number) always names one session at most. What it is not:
a choice of numbers (`pool.py`) or a table (`storage`), which backs the rule by a unique index. Who uses it:
`pool.py`, the stores, the replay behind `maskline pool verify`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from maskline.masking.e164 import Number
from maskline.masking.session import PoolMode, Role, Session

FORGET_AFTER = 7 * 86_400.0
"""Seconds a released claim still answers "expired" instead of "unknown caller", and keeps the pair's number
sticky, unless another session took it."""
_ROLES = (Role.FIRST, Role.SECOND)


class KeyKind(StrEnum):
    PARTY = "party"
    PIN = "pin"
    ANYONE = "anyone"


@dataclass(frozen=True, slots=True)
class Key:
    """What a call is recognised by. Stores keep its keyed hash only."""

    kind: KeyKind
    text: str = field(default="", repr=False)
    """Digits of the number, the PIN, or nothing."""


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
    for role in _ROLES:
        party, pin, number = session.party(role), session.pin(role), session.number_of(role)
        # In PIN mode many sessions of one caller share the number: only what it types tells them apart.
        if party is not None and session.pool_mode is not PoolMode.PIN:
            claims.append(Claim(party_key(party), number, role))
        if pin:
            claims.append(Claim(pin_key(pin), number, role))
    # Once the missing party is filled in, nobody else is connected any more.
    if session.pool_mode is PoolMode.OPEN and session.missing is not None:
        claims.append(Claim(ANYONE, session.virtual_number, session.missing))
    return tuple(claims)


def held_until(session: Session, role: Role) -> float:
    """When a claim of this role becomes free for other sessions: quarantine of the pair, not of the whole number
    (architecture decision 6)."""
    return session.expires_at + session.options.cooloff(role)


def number_free_at(session: Session) -> float:
    """When the open number of a session may be given to others."""
    return max(held_until(session, role) for role in _ROLES)
