"""masking.pool: first-fit under the "no stranger" rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.errors import InvalidParameter
from maskline.masking import pool
from maskline.masking.e164 import Number
from maskline.masking.session import SessionOptions
from tests.support.store_values import ALICE, BOB, SUB, VN1, VN2, VN3, new_session

GEOMATCH = SessionOptions(geomatch=True)


def test_the_first_number_that_neither_party_holds_is_chosen() -> None:
    assert pool.choose([VN1, VN2, VN3], {VN1}) == VN2


def test_no_number_is_chosen_when_the_parties_hold_all() -> None:
    assert pool.choose([VN1, VN2], {VN1, VN2, VN3}) is None


def test_an_empty_pool_has_no_number() -> None:
    assert pool.choose([], set()) is None


def test_a_session_without_a_subaccount_draws_from_the_account() -> None:
    new = new_session()
    assert pool.pool_of(new) == (new.account_id, None)


def test_a_subaccount_draws_from_its_own_numbers_only() -> None:
    assert pool.pool_of(new_session(subaccount_id=SUB.id)).owner_id == SUB.id


def test_geomatch_asks_for_the_country_of_the_first_party() -> None:
    assert pool.pool_of(new_session(options=GEOMATCH)).country == "SG"


def test_geomatch_for_a_number_without_a_country_matches_nothing() -> None:
    assert pool.pool_of(new_session(options=GEOMATCH, first_party=Number("999"))).country == ""


def test_a_session_claims_one_pair_per_party() -> None:
    assert pool.claims_of(ALICE, BOB, VN1) == ((ALICE, VN1), (BOB, VN1))


def test_two_parties_are_fine() -> None:
    pool.check_parties(new_session())


def test_a_session_of_a_number_with_itself_is_refused_without_naming_it() -> None:
    with pytest.raises(InvalidParameter) as caught:
        pool.check_parties(new_session(second_party=ALICE))
    assert ALICE.digits not in caught.value.sentence


def test_pairs_are_held_until_the_end_of_the_cool_off() -> None:
    assert pool.held_until(1000.0, replace(SessionOptions(), virtual_number_cooloff_period=60)) == 1060.0


PARTY = st.integers(0, 6)
STEPS = st.lists(st.tuples(PARTY, PARTY, st.integers(0, 3)).filter(lambda step: step[0] != step[1]), max_size=80)


@pytest.mark.row("6.2/2C-1 numbers suffice", "6.2/no stranger")
@given(STEPS)
def test_first_fit_needs_at_most_2c_minus_1_numbers_and_never_gives_a_caller_two_sessions_on_one(
    steps: list[tuple[int, int, int]],
) -> None:
    numbers = [Number(f"6531{i:06}") for i in range(200)]
    live: list[tuple[pool.Claim, pool.Claim]] = []
    most_held = 0
    for first, second, ended in steps:
        del live[:ended]
        a, b = Number(f"6581{first:06}"), Number(f"6582{second:06}" if second < 3 else f"6581{second:06}")
        held = {claim.virtual_number for pair in live for claim in pair if claim.party in (a, b)}
        # What a store fetches is enough: the first len(held) + 1 numbers of the pool.
        chosen = pool.choose(numbers[: pool.candidates_needed(len(held))], held)
        assert chosen is not None
        live.append(pool.claims_of(a, b, chosen))
        claims = Counter(claim for pair in live for claim in pair)
        assert max(claims.values()) == 1
        most_held = max(most_held, *Counter(claim.party for claim in claims).values())
        assert numbers.index(chosen) < 2 * most_held - 1
