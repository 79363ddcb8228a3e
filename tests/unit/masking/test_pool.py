"""masking.pool: which numbers a session gets, and how a refusal explains itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.errors import InvalidParameter, MissingParameter, PoolExhausted
from maskline.masking import pool
from maskline.masking.claims import Held, party_key
from maskline.masking.e164 import Number
from maskline.masking.session import NewSession, PoolMode, Session, SessionOptions
from tests.support.pool_world import PoolNumber, PoolWorld, pool_of
from tests.support.store_values import ACCOUNT, ALICE, BOB, CAROL, DAVE, SUB, T0, new_session

ONE, TWO, THREE = (Number(f"65310{i:05}") for i in (1, 2, 3))
GB = Number("442071234567")
SPLIT, SHARED, PIN = PoolMode.SPLIT, PoolMode.SHARED, PoolMode.PIN
BY_PIN = SessionOptions(session_expiry=600, is_pin_authentication_required=True, generate_pin=True)
ALONE = SessionOptions(session_expiry=600, create_session_with_single_party=True)


def new(number: int = 1, **changes: Any) -> NewSession:
    return new_session(f"session-{number}", **changes)


def cooled(first: int, second: int) -> SessionOptions:
    return SessionOptions(session_expiry=600, first_party_cooloff=first, second_party_cooloff=second)


def refusal(world: PoolWorld, wish: NewSession) -> str:
    with pytest.raises(PoolExhausted) as caught:
        world.create(wish)
    assert caught.value.sentence == "Number pool exhausted or not available"
    return caught.value.detail


# -- shared ------------------------------------------------------------------------------------------------------
def test_the_first_number_of_the_pool_is_taken() -> None:
    session = pool_of(3).create(new())
    assert session.virtual_number == ONE
    assert session.second_virtual_number is None
    assert session.pool_mode is SHARED


def test_a_number_that_either_party_holds_is_passed_over() -> None:
    world = pool_of(3)
    world.create(new(1))
    assert world.create(new(2, second_party=CAROL)).virtual_number == TWO
    assert world.create(new(3, first_party=DAVE)).virtual_number == TWO
    assert world.create(new(4, first_party=CAROL)).virtual_number == THREE


@pytest.mark.row("6.2/the same pair again")
def test_the_same_pair_twice_at_a_time_gets_two_numbers() -> None:
    world = pool_of(3)
    assert [world.create(new(i)).virtual_number for i in (1, 2)] == [ONE, TWO]


@pytest.mark.row("6.2/many sessions on one number")
def test_one_number_serves_many_pairs() -> None:
    world = pool_of(1)
    assert (
        world.create(new(1)).virtual_number == world.create(new(2, first_party=CAROL, second_party=DAVE)).virtual_number
    )


def test_no_more_numbers_are_asked_for_than_are_blocked_and_one() -> None:
    world = pool_of(9)
    world.create(new(1))
    world.create(new(2))
    assert [ask.limit for ask in world.asked if isinstance(ask, pool.AskNumbers)] == [1, 2]


@pytest.mark.row("6.2/subaccount")
def test_a_subaccount_draws_from_its_own_numbers_only() -> None:
    world = pool_of(2)
    world.numbers[1].owner_id = SUB.id
    assert world.create(new(subaccount_id=SUB.id)).virtual_number == TWO


def test_a_party_that_is_not_given_needs_single_party() -> None:
    with pytest.raises(MissingParameter) as caught:
        pool_of(1).create(new(second_party=None))
    assert caught.value.parameter == "second_party"


def test_single_party_still_needs_one() -> None:
    with pytest.raises(MissingParameter):
        pool_of(1).create(new(first_party=None, second_party=None, options=ALONE))


def test_a_session_of_a_number_with_itself_is_refused_without_naming_it() -> None:
    with pytest.raises(InvalidParameter) as caught:
        pool_of(1).create(new(second_party=ALICE))
    assert caught.value.parameter == "second_party"
    assert ALICE.digits not in str(caught.value)


# -- sticky and quarantine ---------------------------------------------------------------------------------------
def test_the_pair_gets_its_last_number_again() -> None:
    world = pool_of(3)
    world.create(new(1, second_party=CAROL))
    world.create(new(2))
    world.end("session-2", T0 + 10)
    world.end("session-1", T0 + 10)
    assert world.create(new(3, created_at=T0 + 20)).virtual_number == TWO


def test_the_pair_gets_its_last_number_again_with_the_roles_swapped() -> None:
    world = pool_of(3)
    world.create(new(1, second_party=CAROL))
    world.create(new(2))
    world.end("session-2", T0 + 10)
    world.end("session-1", T0 + 10)
    again = world.create(new(3, created_at=T0 + 20, first_party=BOB, second_party=ALICE))
    assert again.virtual_number == TWO


def test_the_newest_of_several_former_sessions_decides() -> None:
    world = pool_of(3)
    world.create(new(1))
    world.create(new(2))
    world.end("session-2", T0 + 10)
    world.end("session-1", T0 + 20)
    assert world.create(new(3, created_at=T0 + 30)).virtual_number == ONE


def test_the_last_number_is_not_taken_when_another_session_has_it() -> None:
    world = pool_of(3)
    world.create(new(1))
    world.end("session-1", T0 + 10)
    world.create(new(2, second_party=CAROL, created_at=T0 + 11))
    assert world.create(new(3, created_at=T0 + 20)).virtual_number == TWO


def test_the_last_number_is_not_taken_when_it_rests() -> None:
    world = pool_of(2)
    world.create(new(1))
    world.end("session-1", T0 + 10)
    world.numbers[0].active = False
    assert world.create(new(2, created_at=T0 + 20)).virtual_number == TWO


def note(world: PoolWorld, party: Number, number: Number, live_until: float, held_until: float) -> None:
    """session-1 has, or had, this claim."""
    key = party_key(party)
    world.held[key, number] = Held(key, number, "session-1", live_until, held_until)


@pytest.mark.parametrize(("ends", "until"), [(T0 + 600, T0 + 600), (T0 + 15, T0 + 615)])
def test_who_was_replaced_in_a_session_does_not_get_the_claims_of_its_parties(ends: float, until: float) -> None:
    """Live or in quarantine, Alice's claim leads to Carol, or protects her; Bob was replaced by her before."""
    world = pool_of(3)
    note(world, ALICE, ONE, ends, until)
    note(world, CAROL, ONE, ends, until)
    note(world, BOB, ONE, T0 + 10, T0 + 10)
    assert world.create(new(2, created_at=T0 + 20)).virtual_number == TWO


@pytest.mark.parametrize(("freed", "number"), [(T0 + 10, TWO), (T0 + 500, THREE)])
def test_a_live_session_that_gave_a_number_up_keeps_the_one_it_has(freed: float, number: Number) -> None:
    world = pool_of(3)
    for party in (ALICE, BOB):
        note(world, party, ONE, T0 + 600, T0 + 600)
        note(world, party, TWO, T0 + 10, freed)
    assert world.create(new(2, created_at=T0 + 20)).virtual_number == number


def test_the_pair_itself_need_not_wait_for_its_cooloff() -> None:
    world = pool_of(1)
    world.create(new(1, options=cooled(3600, 3600)))
    world.end("session-1", T0 + 10)
    assert world.create(new(2, created_at=T0 + 20)).virtual_number == ONE


def test_others_wait_for_the_cooloff_of_the_party_they_share() -> None:
    world = pool_of(1)
    world.create(new(1, options=cooled(100, 3600)))
    world.end("session-1", T0 + 10)
    refusal(world, new(2, created_at=T0 + 109, second_party=CAROL))
    world.create(new(3, created_at=T0 + 110, second_party=CAROL))
    refusal(world, new(4, created_at=T0 + 3609, first_party=DAVE))
    world.create(new(5, created_at=T0 + 3610, first_party=DAVE))


def test_a_session_with_two_former_numbers_of_the_pair_is_not_sticky_in_shared_mode() -> None:
    world = pool_of(3)
    world.create(new(1, second_party=CAROL))
    world.create(new(2, modes=(SPLIT,)))
    assert world.sessions["session-2"].second_virtual_number == ONE
    assert world.sessions["session-2"].virtual_number == TWO
    world.end("session-2", T0 + 10)
    world.end("session-1", T0 + 10)
    assert world.create(new(3, created_at=T0 + 20)).virtual_number == ONE


# -- geomatch ----------------------------------------------------------------------------------------------------
def mixed() -> PoolWorld:
    return PoolWorld([PoolNumber(ONE, "SG"), PoolNumber(GB, "GB"), PoolNumber(TWO, "SG")])


@pytest.mark.row("6.2/geomatch")
@pytest.mark.parametrize("geomatch", [True, None])
def test_a_number_of_the_first_partys_country_is_taken(geomatch: bool | None) -> None:
    session = mixed().create(new(first_party=Number("447700900123"), geomatch=geomatch))
    assert session.virtual_number == GB
    assert session.options.geomatch


def test_any_country_will_do_without_geomatch() -> None:
    session = mixed().create(new(first_party=Number("447700900123"), geomatch=False))
    assert session.virtual_number == ONE
    assert not session.options.geomatch


def test_any_country_will_do_when_geomatch_is_left_out_and_the_pool_has_none_of_it() -> None:
    session = mixed().create(new(first_party=Number("33142278186"), geomatch=None))
    assert session.virtual_number == ONE
    assert not session.options.geomatch


def test_geomatch_left_out_is_strict_where_the_pool_has_the_country() -> None:
    world = mixed()
    world.create(new(1, first_party=Number("447700900123")))
    assert "all" not in (detail := refusal(world, new(2, first_party=Number("447700900123"))))
    assert detail.startswith("first party already holds the only number of GB; earliest free ")


def test_a_country_that_the_pool_lacks_is_named() -> None:
    detail = refusal(mixed(), new(first_party=Number("33142278186"), geomatch=True))
    assert detail == "there is no virtual number of country FR in this pool, and geomatch asks for one"


def test_a_plan_without_country_matches_any_number() -> None:
    session = mixed().create(new(first_party=Number("999"), geomatch=True))
    assert session.virtual_number == ONE
    assert not session.options.geomatch


# -- split -------------------------------------------------------------------------------------------------------
def test_each_party_gets_its_own_first_number() -> None:
    world = pool_of(3)
    world.create(new(1, second_party=CAROL))
    session = world.create(new(2, modes=(SPLIT,)))
    assert (session.virtual_number, session.second_virtual_number) == (TWO, ONE)
    assert session.pool_mode is SPLIT


def test_each_party_gets_a_number_of_its_own_country() -> None:
    session = mixed().create(new(first_party=Number("447700900123"), second_party=BOB, modes=(SPLIT,)))
    assert (session.virtual_number, session.second_virtual_number) == (GB, ONE)
    assert session.options.geomatch


def test_each_party_gets_its_former_number_again() -> None:
    world = pool_of(3)
    world.create(new(1, second_party=CAROL))
    world.create(new(2, modes=(SPLIT,)))
    world.end("session-1", T0 + 10)
    world.end("session-2", T0 + 10)
    session = world.create(new(3, modes=(SPLIT,), created_at=T0 + 20))
    assert (session.virtual_number, session.second_virtual_number) == (TWO, ONE)


def test_the_next_mode_is_tried_when_one_has_no_number() -> None:
    world = pool_of(2)
    for i, (first, second) in enumerate([(ALICE, CAROL), (ALICE, DAVE), (BOB, CAROL)], 1):
        world.create(new(i, first_party=first, second_party=second, modes=(SPLIT,)))
    assert "shared" not in refusal(world, new(7, first_party=ALICE, second_party=BOB))
    split = world.create(new(8, first_party=BOB, second_party=DAVE, modes=(SHARED, SPLIT)))
    assert split.pool_mode is SHARED


def test_split_finds_numbers_where_shared_finds_none() -> None:
    world = pool_of(2)
    world.create(new(1, first_party=ALICE, second_party=CAROL))
    world.create(new(2, first_party=BOB, second_party=DAVE))
    world.create(new(3, first_party=BOB, second_party=CAROL))
    world.end("session-2", T0 + 1)
    wish = new(4, created_at=T0 + 2)
    refusal(world, wish)
    session = world.create(replace(wish, modes=(SHARED, SPLIT)))
    assert (session.virtual_number, session.second_virtual_number, session.pool_mode) == (TWO, ONE, SPLIT)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] != pair[1]), max_size=40))
def test_split_needs_exactly_the_largest_number_of_sessions_of_one_party(pairs: list[tuple[int, int]]) -> None:
    load = Counter(party for pair in pairs for party in pair)
    world = pool_of(max(load.values(), default=0))
    people = [Number(f"6591000{i}") for i in range(6)]
    for i, (first, second) in enumerate(pairs):
        world.create(new(i, first_party=people[first], second_party=people[second], modes=(SPLIT,)))


@pytest.mark.row("6.2/2C-1 numbers suffice", "6.2/no stranger")
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] != pair[1]), max_size=40))
def test_shared_needs_no_more_than_both_parties_sessions_less_one(pairs: list[tuple[int, int]]) -> None:
    load = Counter(party for pair in pairs for party in pair)
    bound = max((load[a] + load[b] - 1 for a, b in pairs), default=0)
    world = pool_of(bound)
    people = [Number(f"6591000{i}") for i in range(6)]
    for i, (first, second) in enumerate(pairs):
        world.create(new(i, first_party=people[first], second_party=people[second]))


# -- PINs --------------------------------------------------------------------------------------------------------
def by_pin(number: int, first: str, second: str, **changes: Any) -> NewSession:
    return new(number, options=BY_PIN, first_party_pin=first, second_party_pin=second, **changes)


def test_given_pins_are_kept() -> None:
    session = pool_of(1).create(by_pin(1, "1111", "2222"))
    assert (session.first_party_pin, session.second_party_pin) == ("1111", "2222")


def test_two_given_pins_must_differ() -> None:
    with pytest.raises(InvalidParameter) as caught:
        pool_of(1).create(by_pin(1, "1111", "1111"))
    assert caught.value.parameter == "second_party_pin"
    assert "1111" not in str(caught.value)


@pytest.mark.row("6.2/PIN and single party")
def test_a_pin_that_is_in_use_on_a_number_moves_the_session_to_another_number() -> None:
    world = pool_of(2)
    world.create(by_pin(1, "1111", "2222"))
    other = world.create(by_pin(2, "2222", "3333", first_party=CAROL, second_party=DAVE))
    assert other.virtual_number == TWO


def test_pins_are_made_of_candidates_that_are_free_on_the_number() -> None:
    world = pool_of(1)
    world.create(by_pin(1, "1111", "2222"))
    candidates = ("1111", "2222", "3333", "4444")
    other = world.create(
        new(2, options=BY_PIN, pin_candidates=candidates, first_party=CAROL, second_party=DAVE)
    )  # fmt: skip
    assert (other.first_party_pin, other.second_party_pin) == ("3333", "4444")


def test_a_made_pin_differs_from_the_given_one() -> None:
    session = pool_of(1).create(
        new(1, options=BY_PIN, second_party_pin="3333", pin_candidates=("3333", "4444"))
    )  # fmt: skip
    assert (session.first_party_pin, session.second_party_pin) == ("4444", "3333")


def test_no_pin_left_is_said() -> None:
    assert "no PIN of this length" in refusal(pool_of(1), new(1, options=BY_PIN, pin_candidates=("3333",)))


@pytest.mark.parametrize(
    ("first", "second", "detail"),
    [
        ("1111", "9999", "first_party_pin is in use on every number of SG; choose another or generate_pin"),
        ("9999", "1111", "second_party_pin is in use on every number of SG; choose another or generate_pin"),
        (
            "1111", "2222",
            "first_party_pin is in use on every number of SG; choose another or generate_pin",
        ),
    ],
)  # fmt: skip
def test_a_given_pin_that_is_taken_everywhere_is_named_by_its_parameter(first: str, second: str, detail: str) -> None:
    world = pool_of(2)
    world.create(by_pin(1, "1111", "2222"))
    world.create(by_pin(2, "2222", "1111"))
    wish = by_pin(3, first, second, first_party=CAROL, second_party=DAVE)
    assert refusal(world, wish) == detail
    assert "hold" not in refusal(world, replace(wish, modes=(SPLIT,)))


def test_a_given_pin_on_the_only_number_is_named_too() -> None:
    world = pool_of(1)
    world.create(by_pin(1, "1111", "2222"))
    detail = refusal(world, by_pin(2, "1111", "3333", first_party=CAROL, second_party=DAVE, geomatch=False))
    assert detail == "first_party_pin is in use on the only number; choose another or generate_pin"


def test_parties_and_pins_that_block_all_numbers_only_together_are_both_named() -> None:
    world = pool_of(2)
    world.create(by_pin(1, "1111", "2222"))
    world.create(by_pin(2, "3333", "4444"))
    both = refusal(world, by_pin(3, "1111", "3333", first_party=CAROL, second_party=DAVE))
    assert both == (
        "a party or a given PIN of this session is in use on every number of SG; earliest free 22:24Z; "
        "choose another or generate_pin"
    )
    assert refusal(world, by_pin(3, "1111", "9999")).startswith("first party already holds all 2 numbers of SG")


def test_an_allocation_does_not_print_its_pins() -> None:
    world = pool_of(1)
    wish = by_pin(1, "1111", "2222")
    _, allocation = world.allocate(pool.allocate(wish), T0, wish)
    assert allocation.first_party_pin == "1111"
    assert "1111" not in repr(allocation) and "2222" not in repr(allocation)


def test_a_given_pin_that_is_taken_on_all_reserved_numbers_is_named() -> None:
    world = pool_of(2, for_pins=True)
    world.create(by_pin(1, "1111", "2222", modes=(PIN,)))
    world.create(by_pin(2, "1111", "3333", modes=(PIN,)))
    everywhere = "is in use on every number reserved for PINs; choose another or generate_pin"
    assert refusal(world, by_pin(3, "1111", "9999", modes=(PIN,))) == f"first_party_pin {everywhere}"
    assert refusal(world, by_pin(3, "9999", "1111", modes=(PIN,))) == f"second_party_pin {everywhere}"
    assert refusal(world, by_pin(3, "2222", "3333", modes=(PIN,))) == f"a given PIN {everywhere}"
    some = by_pin(3, "2222", "", modes=(PIN,), pin_candidates=("1111", "3333"))
    assert refusal(world, some) == "every number reserved for PINs has no PIN left"


def reserved() -> PoolWorld:
    world = pool_of(2)
    world.numbers[1].for_pins = True
    return world


def test_pin_mode_is_the_last_resort_on_a_reserved_number() -> None:
    world = reserved()
    modes, candidates = (SHARED, PIN), ("1234", "4321", "5678", "8765")
    assert world.create(new(1, modes=modes, pin_candidates=candidates)).pool_mode is SHARED
    second = world.create(new(2, modes=modes, pin_candidates=candidates))
    third = world.create(new(3, modes=modes, pin_candidates=candidates))
    assert second.pool_mode is third.pool_mode is PIN
    assert second.virtual_number == third.virtual_number == TWO
    assert second.options.is_pin_authentication_required
    assert {second.first_party_pin, second.second_party_pin}.isdisjoint({third.first_party_pin, third.second_party_pin})


def test_every_mode_says_why_it_has_no_number() -> None:
    world = reserved()
    modes = (SHARED, PIN)
    world.create(new(1))
    detail = refusal(world, new(2, modes=modes, pin_candidates=("1234",)))
    assert detail == (
        "first party already holds the only number of SG; earliest free 22:24Z; "
        "every number reserved for PINs has no PIN left"
    )
    assert "no number of this pool is reserved for PINs" in refusal(pool_of(0), new(3, modes=(PIN,)))


def test_two_modes_that_lack_the_same_say_it_once() -> None:
    world = pool_of(1)
    world.create(new(1))
    assert refusal(world, new(2, modes=(SHARED, SPLIT))).count("first party already holds the only number") == 1


def test_a_reserved_number_on_which_a_given_pin_is_in_use_is_passed_over() -> None:
    world = pool_of(2, for_pins=True)
    world.create(by_pin(1, "1111", "2222", modes=(PIN,)))
    assert world.create(by_pin(2, "1111", "3333", modes=(PIN,))).virtual_number == TWO


def test_a_reserved_number_of_another_country_is_better_than_none() -> None:
    world = pool_of(1, for_pins=True)
    wish = new(1, modes=(PIN,), first_party=Number("447700900123"), pin_candidates=("1234", "4321"))
    assert not world.create(wish).options.geomatch
    refusal(world, replace(wish, id="session-2", geomatch=True))


# -- single party ------------------------------------------------------------------------------------------------
def test_a_single_party_gets_a_number_of_its_own_from_the_end_of_the_pool() -> None:
    world = pool_of(3)
    session = world.create(new(1, second_party=None, options=ALONE))
    assert (session.virtual_number, session.pool_mode) == (THREE, PoolMode.OPEN)


def test_the_first_party_may_be_the_missing_one() -> None:
    session = pool_of(3).create(new(1, first_party=None, options=ALONE))
    assert session.missing is not None
    assert session.virtual_number == THREE


@pytest.mark.row("6.2/PIN and single party")
def test_nobody_else_gets_the_number_of_a_single_party() -> None:
    world = pool_of(1)
    world.create(new(1, second_party=None, options=ALONE))
    assert "there is no virtual number" in refusal(world, new(2, first_party=CAROL, second_party=DAVE))


@pytest.mark.row("6.2/PIN and single party")
def test_a_single_party_is_not_put_on_a_number_that_others_use() -> None:
    world = pool_of(1)
    world.create(new(1))
    detail = refusal(world, new(2, first_party=CAROL, second_party=None, options=ALONE))
    assert detail == (
        "a single-party session without PIN needs a number that no other session holds, and there is none"
    )  # fmt: skip


def test_a_single_party_takes_a_number_of_another_country_only_where_the_pool_lacks_its_own() -> None:
    british = Number("447700900123")
    abroad = pool_of(1).create(new(1, first_party=british, second_party=None, options=ALONE))
    assert not abroad.options.geomatch
    world = mixed()
    world.create(new(1, first_party=british))
    refusal(world, new(2, first_party=Number("447700900456"), second_party=None, options=ALONE))


def test_a_single_party_with_pins_shares_its_number() -> None:
    options = replace(BY_PIN, create_session_with_single_party=True)
    world = pool_of(1)
    wish = new(1, second_party=None, options=options, pin_candidates=("1111", "2222", "3333", "4444"))
    first = world.create(wish)
    second = world.create(replace(wish, id="session-2", first_party=BOB))
    assert first.virtual_number == second.virtual_number
    assert first.pool_mode is SHARED


# -- refusals ----------------------------------------------------------------------------------------------------
def test_an_empty_pool_says_how_to_add_a_number() -> None:
    assert refusal(pool_of(0), new(geomatch=False)) == (
        "there is no virtual number in this pool; add one with: maskline number add"
    )


def test_the_party_that_holds_all_is_named_by_its_role_with_the_time_of_the_first_free_number() -> None:
    world = pool_of(2)
    for i in (1, 2):
        world.create(new(i, first_party=CAROL, options=SessionOptions(session_expiry=600 * i)))
    detail = refusal(world, new(3))
    assert detail == "second party already holds all 2 numbers of SG; earliest free 22:24Z"
    assert BOB.digits not in detail


def test_two_parties_that_hold_all_numbers_together_are_named_so() -> None:
    world = pool_of(2)
    world.create(new(1, second_party=CAROL))
    world.create(new(2, first_party=CAROL))
    assert refusal(world, new(3)).startswith("the two parties together already hold all 2 numbers of SG")


def test_a_time_on_another_day_has_its_date() -> None:
    world = pool_of(1)
    world.create(new(1, options=SessionOptions(session_expiry=86_400)))
    assert refusal(world, new(2)).endswith("earliest free 2023-11-15 22:14Z")


def test_a_split_refusal_names_the_party_that_lacks_a_number() -> None:
    world = pool_of(1)
    world.create(new(1, first_party=CAROL))
    assert refusal(world, new(2, modes=(SPLIT,))).startswith("second party already holds the only number")


# -- other numbers for a live session ----------------------------------------------------------------------------
def moved(world: PoolWorld, session: Session, now: float = T0 + 5) -> pool.Allocation:
    wish = new_session(session.id, options=session.options)
    return world.allocate(pool.reallocate(session, now), now, wish)[1]


def test_a_shared_session_moves_to_the_first_other_number_that_is_free() -> None:
    world = pool_of(3)
    session = world.create(new(1))
    world.numbers[0].active = False
    found = moved(world, session)
    assert (found.virtual_number, found.previous) == (TWO, session.id)


def test_the_number_of_the_other_party_stays_in_split_mode() -> None:
    world = pool_of(3)
    world.create(new(1, second_party=CAROL))
    session = world.create(new(2, modes=(SPLIT,)))
    world.number(session.virtual_number).active = False
    found = moved(world, session)
    assert (found.virtual_number, found.second_virtual_number) == (THREE, ONE)


def test_pins_move_with_their_session() -> None:
    world = pool_of(2, for_pins=True)
    session = world.create(by_pin(1, "1111", "2222", modes=(PIN,)))
    world.numbers[0].active = False
    found = moved(world, session)
    assert (found.virtual_number, found.first_party_pin, found.second_party_pin) == (TWO, "1111", "2222")


def test_an_open_session_moves_to_an_empty_number() -> None:
    world = pool_of(2)
    session = world.create(new(1, second_party=None, options=ALONE))
    world.number(session.virtual_number).active = False
    assert moved(world, session).virtual_number == ONE


def test_a_session_stays_where_no_other_number_is_free() -> None:
    world = pool_of(1)
    session = world.create(new(1, geomatch=False))
    world.numbers[0].active = False
    with pytest.raises(PoolExhausted):
        moved(world, session)


def test_the_account_in_the_questions_is_the_sessions() -> None:
    world = pool_of(1)
    world.create(new())
    asked = [ask for ask in world.asked if isinstance(ask, pool.AskNumbers)]
    assert asked == [pool.AskNumbers(ACCOUNT.id, "SG", 1)]


@pytest.mark.parametrize("geomatch", [True, False])
def test_a_moved_session_says_whether_its_new_number_is_of_the_country(geomatch: bool) -> None:
    session = pool.session_of(new(), pool.Allocation(PoolMode.SHARED, ONE, None, "", "", True, None))
    moved = pool.moved(session, pool.Allocation(PoolMode.SHARED, TWO, None, "", "", geomatch, session.id), T0 + 5)
    assert (moved.virtual_number, moved.options.geomatch, moved.modified_at) == (TWO, geomatch, T0 + 5)
