"""The "no stranger" rule: which virtual number a new session gets, and how long its pairs are held.

What it is: the pure rules of allocation. A *claim* is a pair (party, virtual number) that belongs to one
session while that session is live or its cool-off runs; two sessions never hold the same claim, so the pair
(caller, dialled number) always names one session at most. Each shared-number session has two claims, one per
party, on the same virtual number. What it is not: a query. Stores ask here what to fetch and which number to
take, and back the rule by a unique index. Who calls it: the stores, inside the transaction of a create.

Why first-fit: a new session meets at most (C1 - 1) + (C2 - 1) claims when its parties hold C1 and C2 sessions
with it, so 2C - 1 numbers always suffice and real traffic needs about C
(competitors-and-pool-maths.md §5). Split mode (a number per party) and PIN mode decide differently which
number to take and join as further functions beside `choose`; claims and holding stay the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from maskline.errors import InvalidParameter
from maskline.masking.e164 import Number
from maskline.masking.session import NewSession, SessionOptions

FORGET_AFTER = 7 * 86_400.0
"""Seconds a released pair still answers "expired" instead of "unknown caller", unless another session took it."""


class Claim(NamedTuple):
    """One (party, virtual number) pair held for a session."""

    party: Number
    virtual_number: Number


class Pool(NamedTuple):
    """The numbers a session may be given, in order of their position."""

    owner_id: str
    """The subaccount that the numbers are assigned to, or the account for numbers without a subaccount."""
    country: str | None
    """ISO 3166-1 alpha-2 that the number must have; "" matches no number; None: any."""


def check_parties(new: NewSession) -> None:
    """Raises `InvalidParameter` when both parties are one number: its two claims would be one and the same, and
    nobody could tell who calls."""
    if new.first_party == new.second_party:
        raise InvalidParameter(
            "Invalid parameter. first_party and second_party cannot be the same number", parameter="second_party"
        )


def pool_of(new: NewSession) -> Pool:
    """Where a session's number comes from: only its subaccount's numbers when it has one (plivo-vts.md §2).

    Geomatch asks for the first party's country; when that is unknown no number can match.
    """
    country = (new.first_party.country or "") if new.options.geomatch else None
    return Pool(new.subaccount_id or new.account_id, country)


def candidates_needed(held: int) -> int:
    """How many numbers of the pool, in order, hold a free one for sure if there is any: pigeonhole."""
    return held + 1


def choose(candidates: Iterable[Number], held: Collection[Number]) -> Number | None:
    """First-fit: the first candidate that neither party holds; None when the pool is exhausted for this pair."""
    for number in candidates:
        if number not in held:
            return number
    return None


def claims_of(first_party: Number, second_party: Number, virtual_number: Number) -> tuple[Claim, Claim]:
    """The pairs a shared-number session holds."""
    return Claim(first_party, virtual_number), Claim(second_party, virtual_number)


def held_until(ends_at: float, options: SessionOptions) -> float:
    """When the claims of a session that ends at `ends_at` become free: quarantine of the pairs, not of the
    whole number (architecture decision 6). From that moment on another session may take them."""
    return ends_at + options.virtual_number_cooloff_period
