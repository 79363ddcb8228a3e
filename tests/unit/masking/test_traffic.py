"""masking.traffic: 20 % more of the same."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from maskline.masking.traffic import PlannedSession, grow

DAY = [
    PlannedSession(float(60 * i), 60.0 * i + 600, i % 5, 100 + i, "SG", "GB" if i % 2 else "SG") for i in range(1000)
]
"""Five restaurants, a thousand customers with one order each."""


def added(grown: list[PlannedSession]) -> list[PlannedSession]:
    return list((Counter(grown) - Counter(DAY)).elements())


def test_a_fifth_is_added_and_nothing_is_taken_away() -> None:
    grown = grow(DAY, 0.2, 1)
    assert len(grown) == 1200
    assert not Counter(DAY) - Counter(grown)
    assert grown == sorted(grown, key=lambda one: one.start)


def test_the_same_seed_adds_the_same() -> None:
    assert grow(DAY, 0.2, 5) == grow(DAY, 0.2, 5) != grow(DAY, 0.2, 6)


def test_the_countries_keep_their_shares() -> None:
    assert Counter(one.second_country for one in added(grow(DAY, 0.2, 1))) == {"SG": 100, "GB": 100}


def test_an_added_session_is_near_one_of_the_busy_party_and_as_long() -> None:
    for one in added(grow(DAY, 0.2, 1)):
        assert round(one.end - one.start, 6) == 600
        assert any(abs(one.start - model.start) <= 3600 for model in DAY if model.first == one.first)


def test_an_added_session_moves_by_its_length_when_that_is_more_than_an_hour() -> None:
    long = [PlannedSession(0.0, 86_400.0, 1, 10 + i, None, None) for i in range(100)]
    moved = {one.start for one in grow(long, 0.5, 1) if one.start}
    assert len(moved) == 50
    assert max(map(abs, moved)) > 3600
    assert max(map(abs, moved)) <= 86_400


def test_the_busy_side_may_be_either() -> None:
    turned = [one._replace(first=one.second, second=one.first) for one in DAY]
    for seed in range(3):
        plain = [(one.start, one.first, one.second) for one in grow(DAY, 0.2, seed)]
        other = [(one.start, one.second, one.first) for one in grow(turned, 0.2, seed)]
        assert len(plain) == len(other) == 1200
    extra = [one for one in grow(turned, 0.2, 1) if one not in turned]
    assert all(one.second is not None and one.second < 5 <= one.first for one in extra)


def test_single_party_sessions_stay_single() -> None:
    alone = [one._replace(second=None, second_country=None) for one in DAY]
    assert all(one.second is None for one in grow(alone, 0.2, 1))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda pair: pair[0] != pair[1]), max_size=30),
       st.integers(0, 99))  # fmt: skip
def test_nobody_ever_meets_himself(pairs: list[tuple[int, int]], seed: int) -> None:
    sessions = [PlannedSession(0.0, 60.0, first, second, None, None) for first, second in pairs]
    grown = grow(sessions, 1.0, seed)
    assert len(grown) == 2 * len(pairs)
    assert all(one.first != one.second for one in grown)
