"""masking.trunk_state: where trunks are, whether they live, and how much they carry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.masking.trunk import Trunk, TrunkLimits
from maskline.masking.trunk_state import AVOID_SECONDS, LONGEST_AVOID, MOST_DEBT, Health, TrunkState
from maskline.sip.flow import Flow
from maskline.sip.locate import Place

PLAIN = Trunk("t", "carrier", None, "192.0.2.1", 5060, options_seconds=10)
NAMED = replace(PLAIN, id="n", host="carrier.example", port=0)
TARGET = Flow("udp", "192.0.2.1", 5060)
ONE, TWO = Place("udp", 1, 1, 5060, ("192.0.2.7",)), Place("udp", 1, 1, 5060, ("192.0.2.8",))


def low() -> float:
    return 0.0


def high() -> float:
    return 0.99


@pytest.fixture
def state() -> TrunkState:
    return TrunkState()


def test_a_plain_host_is_its_own_target(state: TrunkState) -> None:
    assert state.targets(PLAIN, low) == (TARGET,)
    assert state.targets(PLAIN, low) is state.targets(PLAIN, low), "and costs nothing the second time"
    assert state.targets(replace(PLAIN, port=5070), low) == (Flow("udp", "192.0.2.1", 5070),), "a changed trunk counts"


def test_a_name_has_the_targets_that_dns_said_last(state: TrunkState) -> None:
    assert state.targets(NAMED, low) == ()
    state.locate("n", [ONE])
    assert [flow.host for flow in state.targets(NAMED, low)] == ["192.0.2.7"]
    state.locate("n", [ONE, TWO])
    assert [flow.host for flow in state.targets(NAMED, low)] == ["192.0.2.7", "192.0.2.8"]
    assert [flow.host for flow in state.targets(NAMED, high)] == ["192.0.2.8", "192.0.2.7"], "each call draws anew"


def test_a_removed_trunk_is_forgotten(state: TrunkState) -> None:
    state.locate("n", [ONE])
    state.targets(NAMED, low)
    state.keep_only(frozenset({"t"}))
    assert state.targets(NAMED, low) == ()


def test_a_target_that_failed_is_avoided_for_a_while(state: TrunkState) -> None:
    state.failed(TARGET, 100.0)
    assert state.health(TARGET, 100.0 + AVOID_SECONDS - 1) is Health.AVOIDED
    assert state.health(TARGET, 100.0 + AVOID_SECONDS) is Health.UP
    assert state.health(Flow("udp", "192.0.2.2", 5060), 100.0) is Health.UP


def test_it_is_avoided_as_long_as_it_asks_for_within_reason(state: TrunkState) -> None:
    state.failed(TARGET, 0.0, 2.0)
    assert (state.health(TARGET, 1.0), state.health(TARGET, 2.0)) == (Health.AVOIDED, Health.UP)
    state.failed(TARGET, 0.0, 86_400.0)
    assert state.health(TARGET, LONGEST_AVOID) is Health.UP


def test_one_answered_call_ends_that(state: TrunkState) -> None:
    state.worked(TARGET)
    state.failed(TARGET, 0.0)
    state.worked(TARGET)
    assert state.health(TARGET, 1.0) is Health.UP


def test_two_missed_checks_are_down_and_one_answer_is_up_again(state: TrunkState) -> None:
    assert state.due(PLAIN, 0.0) == [TARGET]
    assert state.due(PLAIN, 1.0) == [], "asked already"
    assert state.due(PLAIN, 10.0) == [TARGET]
    assert state.health(TARGET, 10.0) is Health.UP, "one missed"
    state.due(PLAIN, 14.0)
    assert state.health(TARGET, 14.0) is Health.DOWN
    state.failed(TARGET, 14.0)
    assert state.due(PLAIN, 20.0) == [TARGET], "asked all the same"
    state.checked(TARGET, 200, True, 0.0)
    assert state.health(TARGET, 20.0) is Health.UP, "and not avoided either"


def test_every_address_of_a_name_is_checked(state: TrunkState) -> None:
    state.locate("n", [ONE, TWO])
    assert {flow.host for flow in state.due(NAMED, 0.0)} == {"192.0.2.7", "192.0.2.8"}


def test_a_refused_check_is_a_missed_one(state: TrunkState) -> None:
    for now in (0.0, 10.0):
        state.due(PLAIN, now)
        state.checked(TARGET, 503, False, 0.0)
    assert state.health(TARGET, 10.0) is Health.DOWN
    state.checked(Flow("udp", "192.0.2.9", 5060), 200, True, 0.0)


def test_what_is_checked_no_more_is_forgotten(state: TrunkState) -> None:
    for now in (0.0, 10.0):
        state.due(PLAIN, now)
        state.checked(TARGET, 503, False, 0.0)
    state.failed(TARGET, 10.0)
    state.check_only([PLAIN], 20.0)
    assert state.health(TARGET, 20.0) is Health.DOWN
    state.check_only([], 20.0)
    assert state.health(TARGET, 20.0) is Health.AVOIDED
    state.check_only([], 20.0 + AVOID_SECONDS)
    assert state.health(TARGET, 20.0) is Health.UP


def test_a_trunk_without_limits_is_never_full(state: TrunkState) -> None:
    assert all(state.enter(PLAIN, 0.0) for _ in range(1_000))
    assert state.calls("t") == 0, "and nobody counts"
    state.leave("t")


def test_calls_of_both_directions_count_until_they_leave(state: TrunkState) -> None:
    trunk = replace(PLAIN, limits=TrunkLimits(concurrent=2))
    assert [state.enter(trunk, 0.0) for _ in range(3)] == [True, True, False]
    state.leave("t")
    assert state.calls("t") == 1
    assert state.enter(trunk, 0.0)
    for _ in range(3):
        state.leave("t")
    assert state.calls("t") == 0


def test_a_second_brings_as_many_calls_as_the_rate_says(state: TrunkState) -> None:
    trunk = replace(PLAIN, limits=TrunkLimits(calls_per_second=2.0))
    assert [state.enter(trunk, 100.0) for _ in range(3)] == [True, True, False]
    assert not state.enter(trunk, 100.4)
    assert state.enter(trunk, 100.5)
    assert [state.enter(trunk, 200.0) for _ in range(3)] == [True, True, False], "a pause saves up one second"


def test_a_rate_below_one_lets_a_call_through_now_and_then(state: TrunkState) -> None:
    trunk = replace(PLAIN, limits=TrunkLimits(calls_per_second=0.1))
    assert [state.enter(trunk, now) for now in (0.0, 5.0, 10.0)] == [True, False, True]


def test_a_limit_that_was_taken_away_binds_no_more(state: TrunkState) -> None:
    assert state.enter(replace(PLAIN, limits=TrunkLimits(calls_per_second=0.1)), 0.0)
    assert state.enter(replace(PLAIN, limits=TrunkLimits(concurrent=5)), 0.0)


def test_calls_of_other_engines_count_as_last_heard(state: TrunkState) -> None:
    trunk = replace(PLAIN, limits=TrunkLimits(concurrent=3))
    state.hear({"t": 2, "other": 9})
    assert [state.enter(trunk, 0.0) for _ in range(2)] == [True, False]
    assert [(one.trunk_id, one.calls, one.begun) for one in state.carried()] == [("t", 1, 1)]
    state.hear({})
    assert [state.enter(trunk, 0.0) for _ in range(3)] == [True, True, False]
    state.leave("t")
    assert [(one.calls, one.begun) for one in state.carried()] == [(2, 3)]
    state.restore(trunk)
    assert [(one.calls, one.begun) for one in state.carried()] == [(3, 3)], "one that goes on has not begun now"


def test_calls_begun_elsewhere_are_taken_from_the_rate_for_some_seconds_at_most(state: TrunkState) -> None:
    trunk = replace(PLAIN, limits=TrunkLimits(calls_per_second=2.0))
    state.begun_elsewhere("t", 5, 0.0)
    assert state.enter(trunk, 0.0), "on a trunk that was never asked for nothing is counted"
    state.begun_elsewhere("t", 2, 0.0)
    assert [state.has_room(trunk, now) for now in (0.0, 0.9, 1.0)] == [False, False, True]
    state.begun_elsewhere("t", 10_000, 1.0)
    assert not state.has_room(trunk, 1.0 + MOST_DEBT)
    assert state.has_room(trunk, 1.0 + MOST_DEBT + 1.0)
    unlimited = replace(PLAIN, limits=TrunkLimits(concurrent=2))
    assert state.has_room(unlimited, 7.0)
    state.begun_elsewhere("t", 10_000, 7.0)
    assert state.has_room(unlimited, 7.0)


def test_addresses_are_counted_by_state(state: TrunkState) -> None:
    assert set(state.tally(0.0).values()) == {0}
    state.due(PLAIN, 0.0)
    state.failed(Flow("udp", "192.0.2.9", 5060), 0.0)
    assert state.tally(1.0) == {Health.UP: 1, Health.AVOIDED: 1, Health.DOWN: 0}
    state.checked(TARGET, 503, False, 0.0)
    state.checked(TARGET, 503, False, 0.0)
    assert state.tally(1.0) == {Health.UP: 0, Health.AVOIDED: 1, Health.DOWN: 1}


def test_what_is_known_of_an_address_is_told_with_its_last_answer(state: TrunkState) -> None:
    def told() -> tuple[str, float | None, int | None]:
        (one,) = state.addresses(PLAIN, 50.0)
        assert one.target == TARGET
        return one.state, one.since, one.status

    assert told() == ("unchecked", None, None)
    state.failed(TARGET, 45.0)
    assert told() == ("avoided", None, None)
    state.worked(TARGET)
    state.due(PLAIN, 0.0)
    assert told() == ("unchecked", None, None), "asked, and not answered yet"
    state.checked(TARGET, 404, True, 1.0)
    state.checked(TARGET, 200, True, 11.0)
    assert told() == ("up", 1.0, 200)
    state.checked(TARGET, 503, False, 21.0)
    assert told() == ("up", 1.0, 503), "one miss is none"
    state.due(PLAIN, 30.0)
    state.due(PLAIN, 34.0)
    assert told() == ("down", 34.0, None), "silence has no status"
    state.checked(TARGET, 200, True, 41.0)
    assert told() == ("up", 41.0, 200)
    assert state.addresses(NAMED, 50.0) == ()
