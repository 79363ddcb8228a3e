"""masking.usage_shared: what an engine may of limits that it holds together with others."""

from __future__ import annotations

import pytest

from maskline.masking.facts import Cause, LegName
from maskline.masking.limits import Limits, PrefixLimit, day_of
from maskline.masking.meter import Line
from maskline.masking.permit import Dialled, Permit
from maskline.masking.price import Direction, Price
from maskline.masking.usage_shared import AT_ONCE, PROMISED_FOR, Running, Share, SharedUsage, Wish

B = LegName.B
NOON = 1_790_000_000.0 // 86_400 * 86_400 + 43_200
NUMBER = "+6531230000"
PRICE = Price("p", None, Direction.OUTBOUND, "+", 60_000, 10_000, 6)
TODAY = day_of(NOON, "UTC").key
NOTHING = Line(0.0, 0.0)


def permit(*dialled: Dialled) -> Permit:
    return Permit("MA1", NUMBER, "s", dialled or (Dialled(B),))


def opened(**limits: object) -> SharedUsage:
    return SharedUsage(Limits(**limits), NOON)  # type: ignore[arg-type]


def test_a_call_needs_a_place_and_asks_for_what_it_lacks() -> None:
    usage = opened(concurrent=3, number_concurrent=2)
    assert usage.look(permit(), 0, NOON) is Cause.ACCOUNT_FULL
    wishes = [Wish("MA1", "", 3, 0, 1), Wish("MA1", NUMBER, 2, 0, 1)]
    assert usage.wishes(permit(), 0) == wishes
    usage.give("", 1)
    assert usage.look(permit(), 0, NOON) is Cause.ACCOUNT_FULL
    usage.give(NUMBER, 1)
    assert usage.enter("a", permit(), 0, NOON) is None
    assert usage.look(permit(), 0, NOON) is Cause.ACCOUNT_FULL
    assert usage.enter("b", permit(), 0, NOON) is Cause.ACCOUNT_FULL, "what it had been promised went to another"
    assert usage.wishes(permit(), 0) == [one._replace(held=1) for one in wishes]


def test_without_a_limit_on_calls_at_a_time_no_place_is_needed() -> None:
    usage = opened(minutes_per_day=5)
    assert (usage.wishes(permit(), 0), usage.enter("a", permit(), 0, NOON)) == ([], None)
    usage.promise(permit(), 0)
    assert [one.places for one in usage.shares("MA1", 0, NOON)] == [0]


def test_a_place_is_kept_for_a_call_on_its_way_and_not_for_long() -> None:
    usage = opened(concurrent=5)
    usage.give("", 1)
    usage.promise(permit(), 0)
    assert usage.wishes(permit(), 1) == [Wish("MA1", "", 5, 1, 1)]
    assert [one.places for one in usage.shares("MA1", 1, NOON)] == [1]
    assert usage.enter("a", permit(), 1, NOON) is None
    usage.give("", 1)
    usage.promise(permit(), 1)
    assert [one.places for one in usage.shares("MA1", 1 + PROMISED_FOR, NOON)] == [1], "it never came"


def test_places_of_calls_that_are_over_are_given_back() -> None:
    usage = opened(concurrent=9, number_concurrent=9)
    usage.give("", 3)
    usage.give(NUMBER, 3)
    for name in "ab":
        usage.enter(name, permit(), 0, NOON)
    usage.leave("b", 1, NOON)
    told = usage.shares("MA1", 1, NOON)
    assert [(one.number, one.places, one.begun) for one in told] == [("", 1, 2), (NUMBER, 1, 0)]
    usage.leave("a", 2, NOON)
    assert [(one.number, one.places, one.is_nothing) for one in usage.shares("MA1", 2, NOON)] == [
        ("", 0, True), (NUMBER, 0, True),
    ]  # fmt: skip
    assert [one.number for one in usage.shares("MA1", 3, NOON)] == [""]


def test_a_large_limit_is_taken_in_parts() -> None:
    assert Wish("MA1", "", 10 * AT_ONCE, 0, 1).most == 10
    assert Wish("MA1", "", 10 * AT_ONCE, 0, 12).most == 12


def test_what_runs_is_told() -> None:
    usage = opened(minutes_per_day=5, spend_per_day=10**9, prefixes=(PrefixLimit("+65", 5), PrefixLimit("+44", 5)))
    legs = permit(Dialled(B, ("+65",), PRICE))
    usage.enter("a", legs, 0, NOON)
    ahead = legs.dialled[0].ahead
    (told,) = usage.shares("MA1", 0, NOON)
    assert told == Share("MA1", "", 0, 1, Running(TODAY, NOTHING, Line(ahead, 0.0), (("+65", NOTHING),)))
    usage.answered("a", B, 10, NOON)
    (told,) = usage.shares("MA1", 40, NOON)
    assert told.running == Running(TODAY, Line(30, 1), Line(ahead + 30_000, 1_000), (("+65", Line(30, 1)),))
    usage.leave("a", 40, NOON)
    (told,) = usage.shares("MA1", 40, NOON)
    assert told.is_nothing
    assert told.running == Running(TODAY, NOTHING, NOTHING)


def test_what_others_use_is_used() -> None:
    usage = opened(minutes_per_day=10, spend_per_day=1_000_000, prefixes=(PrefixLimit("+65", 5),))
    here = permit(Dialled(B, ("+65",), PRICE))
    lines = [Running(TODAY, Line(60, 1), Line(500.0, 100.0), (("+65", Line(60, 1)),))] * 2
    usage.hear([*lines, Running(TODAY - 1, Line(1e9, 1), NOTHING)], 100, NOON)
    assert (usage.seconds(100), usage.seconds(160), usage.spent(110)) == (120, 240, 3_000)
    assert usage.seconds_left(here, 100, NOON) == 180
    assert usage.look(here, 190, NOON) is Cause.ACCOUNT_SPENT, "two of the prefix's five minutes, and three since"
    usage.hear([], 190, NOON)
    assert (usage.seconds(190), usage.spent(190), usage.look(here, 190, NOON)) == (0, 0, None)


def test_calls_of_this_engine_are_ended_when_others_have_used_up_the_day() -> None:
    usage = opened(minutes_per_day=10)
    usage.enter("a", permit(), 0, NOON)
    usage.answered("a", B, 0, NOON)
    assert usage.run_out(60, NOON) == []
    usage.hear([Running(TODAY, Line(540, 3), NOTHING)], 60, NOON)
    assert usage.run_out(60, NOON) == ["a"]


def test_calls_that_others_begin_are_calls_of_this_second() -> None:
    usage = opened(calls_per_second=2, number_calls_per_second=1)
    usage.begun_elsewhere("", 3, 0)
    assert usage.look(permit(), 0.9, NOON) is Cause.ACCOUNT_FULL
    assert usage.look(permit(), 1.1, NOON) is None
    usage.begun_elsewhere(NUMBER, 2, 2)
    assert usage.look(permit(), 3.9, NOON) is Cause.ACCOUNT_FULL
    assert usage.look(permit(), 4.1, NOON) is None


def test_what_others_begin_is_nothing_to_an_account_without_that_limit() -> None:
    usage = opened(concurrent=1)
    usage.give("", 1)
    usage.begun_elsewhere("", 30, 0)
    usage.begun_elsewhere(NUMBER, 30, 0)
    assert usage.look(permit(), 0, NOON) is None


def test_calls_begun_are_told_by_number_where_that_matters() -> None:
    usage = opened(number_calls_per_second=5)
    usage.enter("a", permit(), 0, NOON)
    assert [(one.number, one.begun) for one in usage.shares("MA1", 0, NOON)] == [("", 1), (NUMBER, 1)]
    usage.change(Limits(minutes_per_day=1), 0, NOON)
    assert [(one.number, one.begun) for one in usage.shares("MA1", 0, NOON)] == [("", 1), (NUMBER, 1)]
    assert [(one.number, one.begun) for one in usage.shares("MA1", 0, NOON)] == [("", 1)]


def test_a_new_day_begins_with_nothing_of_the_others() -> None:
    usage = opened(minutes_per_day=10)
    usage.hear([Running(TODAY, Line(540, 3), NOTHING)], 0, NOON)
    assert usage.seconds(1) == 543
    assert usage.look(permit(), 2, NOON + 86_400) is None
    assert usage.seconds(2) == pytest.approx(0)
