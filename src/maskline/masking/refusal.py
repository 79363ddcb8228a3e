"""Why a new session gets no number, in one sentence for the customer.

What it is: the words of a refusal, from what the search saw; a party is named by its role and a PIN by its parameter,
never by a value. What it is not: the search (`pool.py`, its only caller).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from maskline.masking.claims import Held, Key, KeyKind
from maskline.masking.e164 import Number
from maskline.masking.session import Role

_HOLDERS = {Role.FIRST: "first party", Role.SECOND: "second party"}
_OTHER_PIN = "choose another or generate_pin"


class Shortage(NamedTuple):
    """What a search saw that found no number."""

    numbers: Sequence[Number]
    """The whole pool: it had fewer numbers than were asked for."""
    blocking: Mapping[Number, Sequence[Held]]
    """Other sessions' claims on them with a key of the new session."""
    keys: Mapping[Role, Sequence[Key]]
    """The new session's."""

    def holds_all(self, kind: KeyKind, *roles: Role) -> bool:
        """Whether keys of this kind and these roles are held on all the numbers."""
        keys = {key for role in roles for key in self.keys[role] if key.kind is kind}
        return all(any(row.key in keys for row in self.blocking.get(number, ())) for number in self.numbers)


def no_free_number(shortage: Shortage, role: Role, country: str | None, now: float) -> str:
    """Why no number of the pool is free for the party of `role`, and from when one is, at wall second `now`."""
    numbers, blocking = shortage.numbers, shortage.blocking
    of_country = f" of {country}" if country else ""
    if not numbers:
        if country:
            return f"there is no virtual number of country {country} in this pool, and geomatch asks for one"
        return "there is no virtual number in this pool; add one with: maskline number add"
    free_at = min(max(row.held_until for row in blocking[number]) for number in numbers)
    free = f"{of_country}; earliest free {_clock(free_at, now)}"
    every = "the only number" if len(numbers) == 1 else f"all {len(numbers)} numbers"
    for one in (role, role.other):
        if shortage.holds_all(KeyKind.PARTY, one):
            return f"{_HOLDERS[one]} already holds {every}{free}"
    if shortage.holds_all(KeyKind.PARTY, *Role):
        return f"the two parties together already hold {every}{free}"
    where = f"{'the only' if len(numbers) == 1 else 'every'} number"
    for one in (role, role.other):
        if shortage.holds_all(KeyKind.PIN, one):
            return f"{one}_pin is in use on {where}{of_country}; {_OTHER_PIN}"
    return f"a party or a given PIN of this session is in use on {where}{free}; {_OTHER_PIN}"


def no_pin_number(shortage: Shortage) -> str:
    """Why none of the numbers reserved for PINs takes the session."""
    if not shortage.numbers:
        return "no number of this pool is reserved for PINs"
    for role in Role:
        if shortage.holds_all(KeyKind.PIN, role):
            return f"{role}_pin is in use on every number reserved for PINs; {_OTHER_PIN}"
    if shortage.holds_all(KeyKind.PIN, *Role):
        return f"a given PIN is in use on every number reserved for PINs; {_OTHER_PIN}"
    return "every number reserved for PINs has no PIN left"


def _clock(at: float, now: float) -> str:
    """`14:02Z`, with the date when it is another day; rounded up, so that a retry at that minute succeeds."""
    minute = math.ceil(at / 60) * 60
    same_day = minute // 86_400 == now // 86_400
    return datetime.fromtimestamp(minute, UTC).strftime("%H:%MZ" if same_day else "%Y-%m-%d %H:%MZ")
