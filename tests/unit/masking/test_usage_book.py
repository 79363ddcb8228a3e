"""masking.usage_book: calls of many accounts, each held to its own limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.masking.facts import Cause, LegName
from maskline.masking.limits import Alarm, Limits, Watch
from maskline.masking.permit import Dialled, Permit
from maskline.masking.usage_book import AccountRaised, UsageBook
from maskline.masking.usage_day import Raised

NOON = 43_200.0
ONE = Permit("MA1", "+6531230000", "s", (Dialled(LegName.B, country="GB"),))
OTHER = replace(ONE, account_id="MA2")
LIMITS = Limits(concurrent=1, minutes_per_day=1, watch=Watch(new_country=True))


@pytest.fixture
def book() -> UsageBook:
    book = UsageBook()
    book.usage("MA1", LIMITS, 0, NOON)
    return book


def test_an_account_is_held_to_its_own_limits(book: UsageBook) -> None:
    assert (book.look(ONE, 0, NOON), book.enter("a", ONE, 0, NOON)) == (None, None)
    assert (book.look(ONE, 0, NOON), book.enter("b", ONE, 0, NOON)) == (Cause.ACCOUNT_FULL, Cause.ACCOUNT_FULL)
    assert (book.look(OTHER, 0, NOON), book.enter("c", OTHER, 0, NOON)) == (None, None), "without any"
    assert (book.seconds_left(ONE, 0, NOON), book.seconds_left(OTHER, 0, NOON)) == (60, float("inf"))
    book.leave("a", 1, NOON)
    book.leave("b", 1, NOON)
    assert not book.calls
    assert book.enter("d", ONE, 1, NOON) is None
    assert book.calls


def test_changed_limits_hold_for_the_usage_that_there_is(book: UsageBook) -> None:
    book.enter("a", ONE, 0, NOON)
    usage = book.usage("MA1", replace(LIMITS, concurrent=2), 0, NOON)
    assert (usage, usage.concurrent) == (book.find("MA1"), 1)
    assert book.usage("MA1", usage.limits, 0, NOON) is usage
    assert book.enter("b", ONE, 0, NOON) is None


def test_calls_whose_minutes_are_used_up_are_named(book: UsageBook) -> None:
    book.enter("a", ONE, 0, NOON)
    book.answered("a", LegName.B, 0, NOON)
    book.answered("b", LegName.B, 0, NOON)
    assert (book.run_out(59, NOON), book.run_out(60, NOON)) == ([], ["a"])


def test_a_call_that_dials_again_is_the_same_call(book: UsageBook) -> None:
    book.enter("a", ONE, 0, NOON)
    book.answered("a", LegName.B, 0, NOON)
    book.hung_up("a", LegName.B, 20, NOON)
    book.hung_up("b", LegName.B, 20, NOON)
    assert book.enter("a", ONE, 30, NOON) is None
    book.answered("a", LegName.B, 30, NOON)
    assert book.enter("a", ONE, 60, NOON) is None, "the leg before it is over for sure"
    book.answered("a", LegName.B, 60, NOON)
    assert book.run_out(70, NOON) == ["a"]
    assert book.enter("a", ONE, 70, NOON) is Cause.ACCOUNT_SPENT


def test_an_alarm_is_told_once_and_stops_an_account_that_wants_it(book: UsageBook) -> None:
    book.enter("a", ONE, 0, NOON)
    raised = Raised(Alarm.NEW_COUNTRY, "GB")
    assert list(book.raised()) == [AccountRaised("MA1", raised, False)]
    assert list(book.raised()) == []
    stopping = Limits(watch=Watch(new_country=True, stop_on=(Alarm.NEW_COUNTRY,)))
    book.usage("MA2", stopping, 0, NOON)
    book.enter("b", OTHER, 0, NOON)
    book.enter("c", replace(OTHER, dialled=(Dialled(LegName.B, country="FR"),)), 0, NOON)
    assert [one.stops for one in book.raised()] == [True, False]
    assert (book.look(OTHER, 0, NOON), book.enter("d", OTHER, 0, NOON)) == (Cause.ACCOUNT_STOPPED,) * 2


def test_a_stop_that_the_store_has_not_heard_of_stays(book: UsageBook) -> None:
    book.stopped.add("MA1")
    book.unsaved.add("MA1")
    book.heed("MA1", stopped=False)
    assert book.look(ONE, 0, NOON) is Cause.ACCOUNT_STOPPED
    book.unsaved.clear()
    book.heed("MA1", stopped=False)
    assert book.look(ONE, 0, NOON) is None


def test_where_engines_share_each_call_that_enters_is_known_as_our_own() -> None:
    alone, book = UsageBook(), UsageBook()
    book.share()
    for one in (alone, book):
        one.usage("MA1", Limits(minutes_per_day=5), 0.0, 0.0)
        assert one.enter("c", Permit("MA1", "+6531230000", "", ()), 0.0, 0.0) is None
    assert (alone.own, alone.shared()) == (None, {})
    assert (book.own, list(book.shared())) == ({"c"}, ["MA1"])
