"""masking.plan: the planner chooses as the store does, and its figures obey the theorems."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.masking.claims import FORGET_AFTER
from maskline.masking.e164 import Number
from maskline.masking.plan import NOTHING, Cooloff, Need, Place, Pools, count_numbers, make_plan
from maskline.masking.session import NewSession, PoolMode, SessionOptions
from maskline.masking.traffic import PlannedSession
from tests.support.pool_world import PoolNumber, PoolWorld

SHARED, SPLIT = PoolMode.SHARED, PoolMode.SPLIT
NONE = Cooloff(0, 0)
MODES = st.sampled_from([SHARED, SPLIT])
PREFIX = {"SG": "658123451", "GB": "447700900"}


def one(start: float, end: float, first: int, second: int | None, *countries: str | None) -> PlannedSession:
    first_country, second_country = countries or ("SG", "SG")
    return PlannedSession(start, end, first, second, first_country, second_country)


def country_of(party: int) -> str:
    return "GB" if party % 4 == 3 else "SG"


@st.composite
def traffics(draw: st.DrawFn) -> list[PlannedSession]:
    """Any multigraph of up to eight parties, each in either role, pairs repeated, in whole seconds."""
    parties = st.integers(0, 7)
    found, start = [], 0
    for _ in range(draw(st.integers(1, 40))):
        start += draw(st.integers(0, 30))
        first = draw(parties)
        second = draw(parties.filter(lambda party, first=first: party != first))
        end = start + draw(st.integers(1, 200))
        found.append(PlannedSession(start, end, first, second, country_of(first), country_of(second)))
    return found


COOLOFFS = st.builds(Cooloff, st.sampled_from([0, 50, 500]), st.sampled_from([0, 50, 500]))


# -- the same choices as production --------------------------------------------------------------------------------
def allocate_for_real(sessions: list[PlannedSession], mode: PoolMode, cooloff: Cooloff) -> list[tuple[Place, Place]]:
    """The places that `pool.allocate` gives, with more numbers than can be needed."""
    numbers = {Number(f"{code}31{i:05}"): Place(country, i) for country, code in (("SG", 65), ("GB", 44))
               for i in range(len(sessions))}  # fmt: skip
    world = PoolWorld([PoolNumber(number, place.country or "") for number, place in numbers.items()])
    found = []
    for index, session in enumerate(sessions):
        parties = [Number(f"{PREFIX[country_of(party)]}{party:03}") for party in (session.first, session.second or 0)]
        options = SessionOptions(
            session_expiry=int(session.end - session.start),
            first_party_cooloff=int(cooloff.first), second_party_cooloff=int(cooloff.second),
        )  # fmt: skip
        owner = "MA" + "A" * 18
        new = NewSession(f"{index:03}", owner, None, *parties, options, session.start, modes=(mode,))
        made = world.create(new)
        second = made.second_virtual_number or made.virtual_number
        found.append((numbers[made.virtual_number], numbers[second]))
    return found


@settings(max_examples=60, deadline=None)
@given(traffics(), MODES, COOLOFFS)
def test_every_choice_is_the_one_that_a_create_would_get(
    sessions: list[PlannedSession], mode: PoolMode, cooloff: Cooloff
) -> None:
    pools = Pools(mode, cooloff)
    assert [pools.add(session) for session in sessions] == allocate_for_real(sessions, mode, cooloff)


def test_a_pair_is_forgotten_when_the_store_forgets_it() -> None:
    for later, position in ((FORGET_AFTER - 1, 1), (FORGET_AFTER, 0)):
        pools = Pools(SHARED, Cooloff(10, 20))
        pools.add(one(0, 100, 1, 3))
        assert pools.add(one(0, 100, 1, 2)) == (Place("SG", 1),) * 2
        # The claim that is free first is forgotten first.
        assert pools.add(one(110 + later, 111 + later, 2, 1)) == (Place("SG", position),) * 2


# -- the theorems --------------------------------------------------------------------------------------------------
@settings(max_examples=150, deadline=None)
@given(traffics(), COOLOFFS)
def test_split_needs_exactly_the_peak_for_any_multigraph(sessions: list[PlannedSession], cooloff: Cooloff) -> None:
    for need in count_numbers(sessions, SPLIT, cooloff).values():
        assert need.numbers == need.peak == need.bound(SPLIT)


@settings(max_examples=150, deadline=None)
@given(traffics(), COOLOFFS)
def test_shared_stays_between_the_peak_and_the_bound_for_any_multigraph(
    sessions: list[PlannedSession], cooloff: Cooloff
) -> None:
    for need in count_numbers(sessions, SHARED, cooloff).values():
        assert need.peak <= need.numbers <= need.bound(SHARED) <= need.plivo


@settings(max_examples=60, deadline=None)
@given(traffics(), MODES)
def test_the_peak_is_the_most_sessions_of_one_party_at_one_moment(
    sessions: list[PlannedSession], mode: PoolMode
) -> None:
    """Counted the plain way, without cool-off: then no pair can have its claims back while they are held."""
    alike = [session._replace(first_country=None, second_country=None) for session in sessions]
    most = 0
    for now in {session.start for session in alike}:
        live = [session for session in alike if session.start <= now < session.end]
        most = max(most, *Counter(party for s in live for party in (s.first, s.second)).values())
    assert count_numbers(alike, mode, NONE)[None].peak == most


# -- counting ------------------------------------------------------------------------------------------------------
def test_a_claim_is_free_at_the_second_its_cooloff_ends() -> None:
    for start, numbers in ((109, 2), (110, 1)):
        sessions = [one(0, 100, 1, 2), one(start, 200, 1, 3)]
        assert count_numbers(sessions, SHARED, Cooloff(10, 0))["SG"].numbers == numbers


def test_a_pair_that_comes_back_within_its_cooloff_counts_once() -> None:
    sessions = [one(0, 10, 1, 2), one(20, 30, 1, 2), one(40, 50, 2, 1)]
    for mode in (SHARED, SPLIT):
        assert count_numbers(sessions, mode, Cooloff(1000, 1000)) == {"SG": Need(3, 1, 1, 0, 1)}


def test_the_sides_may_have_cooloffs_of_their_own() -> None:
    sessions = [one(0, 10, 1, 2), one(20, 30, 1, 3), one(20, 30, 4, 2)]
    assert count_numbers(sessions, SPLIT, Cooloff(0, 100))["SG"] == Need(3, 1, 2, 0, 2)


def test_shared_numbers_are_of_the_first_partys_country_and_split_ones_of_each_partys_own() -> None:
    sessions = [one(0, 10, 1, 2, "SG", "GB"), one(0, 10, 1, 3, "SG", "GB"), one(0, 10, 4, 2, "DE", None)]
    shared = count_numbers(sessions, SHARED, NONE)
    assert shared == {"SG": Need(2, 2, 1, 0, 2), "DE": Need(1, 1, 1, 0, 1)}
    split = count_numbers(sessions, SPLIT, NONE)
    assert split == {
        "SG": Need(2, 2, 0, 0, 2), "GB": Need(2, 0, 1, 0, 1), "DE": Need(1, 1, 0, 0, 1), None: Need(1, 0, 1, 0, 1),
    }  # fmt: skip


def test_a_number_of_another_country_is_not_taken_again_when_the_pair_comes_back_the_other_way_round() -> None:
    pools = Pools(SHARED, Cooloff(50, 50))
    assert pools.add(one(0, 10, 1, 2, "SG", "GB")) == (Place("SG", 0),) * 2
    assert pools.add(one(20, 30, 2, 1, "GB", "SG")) == (Place("GB", 0),) * 2


def test_a_single_party_session_adds_a_number_of_its_own() -> None:
    sessions = [one(0, 100, 1, None), one(10, 20, 2, None), one(15, 90, 3, 4), one(30, 40, 2, None)]
    for mode in (SHARED, SPLIT):
        need = count_numbers(sessions, mode, NONE)["SG"]
        assert need == Need(4, 1, 1, 2, 3)
        assert (need.bound(mode), need.plivo) == (3, 3)
    held = count_numbers(sessions, SHARED, Cooloff(0, 15))["SG"]
    assert held.open_peak == 3


def test_a_country_with_single_party_sessions_alone_has_no_peak() -> None:
    need = count_numbers([one(0, 100, 1, None)], SHARED, NONE)["SG"]
    assert (need.peak, need.numbers, need.bound(SHARED), need.bound(SPLIT), need.plivo) == (0, 1, 1, 1, 1)


# -- the plan ------------------------------------------------------------------------------------------------------
def test_a_plan_has_a_row_for_each_country_mode_and_cooloff_in_that_order() -> None:
    sessions = [one(start, start + 50, start % 7, 10 + start % 5, "SG", "GB") for start in range(100, 0, -1)]
    hour = Cooloff(3600, 3600)
    rows = make_plan(sessions, [hour, NONE])
    assert [(row.country, row.mode, row.cooloff) for row in rows] == [
        ("GB", SPLIT, hour), ("GB", SPLIT, NONE), ("SG", SHARED, hour), ("SG", SHARED, NONE),
        ("SG", SPLIT, hour), ("SG", SPLIT, NONE),
    ]  # fmt: skip
    assert {(row.today.sessions, row.grown.sessions) for row in rows} == {(100, 120)}
    assert all(row.grown.peak >= row.today.peak for row in rows if row.cooloff == NONE)


def test_sessions_of_unknown_country_come_last() -> None:
    rows = make_plan([one(0, 1, 1, 2, None, None), one(0, 1, 1, 3, "SG", "SG")], [NONE])
    assert [row.country for row in rows] == ["SG", "SG", None, None]


def test_the_same_seed_gives_the_same_plan() -> None:
    sessions = [one(start, start + 90, start % 11, 20 + start % 13) for start in range(200)]
    assert make_plan(sessions, [NONE], 7) == make_plan(sessions, [NONE], 7)


@pytest.mark.parametrize("mode", [SHARED, SPLIT])
def test_nothing_needs_nothing(mode: PoolMode) -> None:
    assert count_numbers([], mode, NONE) == {}
    assert (NOTHING.peak, NOTHING.bound(mode), NOTHING.plivo) == (0, 0, 0)
