"""masking.limits: what an operator may lay down, and local days."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.errors import InvalidParameter
from maskline.masking.destinations import Destinations
from maskline.masking.limits import SAFE_LIMITS, Limits, PrefixLimit, Watch, check_limits, day_of, find_zone

HOUR = 3_600


def test_limits_of_nothing_are_not_counted() -> None:
    assert not Limits().is_counted
    assert not Limits(destinations=Destinations()).is_counted
    assert SAFE_LIMITS.is_counted
    assert Limits(prefixes=(PrefixLimit("+44", 1),)).is_counted


def test_a_day_is_a_local_one() -> None:
    singapore = day_of(1_767_225_600.0, "Asia/Singapore")
    assert (singapore.start, singapore.end - singapore.start) == (1_767_225_600.0 - 8 * HOUR, 24 * HOUR)
    assert day_of(1_767_225_599.0, "UTC").key + 1 == day_of(1_767_225_600.0, "UTC").key


def test_a_day_on_which_the_clock_changes_is_shorter_or_longer() -> None:
    noon = 1_774_782_000.0  # 2026-03-29, the last Sunday of March
    days = day_of(noon, "Europe/Paris"), day_of(noon + 210 * 86_400, "Europe/Paris")
    assert [day.end - day.start for day in days] == [23 * HOUR, 25 * HOUR]


def test_a_time_zone_that_is_not_known_is_not_found_and_its_days_are_utc() -> None:
    assert find_zone("Mars/Olympus") is None
    assert find_zone("../etc/passwd") is None
    assert day_of(86_400.0, "Mars/Olympus") == day_of(86_400.0, "UTC")


@pytest.mark.parametrize(
    ("watch", "nights"),
    [(Watch(), {0, 5}), (Watch(night_from=22, night_until=5), {0, 22, 23}), (Watch(night_until=24), {0, 5, 6, 22, 23})],
)
def test_a_night_may_begin_before_midnight(watch: Watch, nights: set[int]) -> None:
    assert {hour for hour in (0, 5, 6, 22, 23) if watch.is_night(hour)} == nights


def test_what_can_be_meant_is_taken() -> None:
    assert check_limits(SAFE_LIMITS) is SAFE_LIMITS


@pytest.mark.parametrize(
    ("wrong", "parameter"),
    [
        (Limits(concurrent=-1), "concurrent"),
        (Limits(calls_per_second=float("nan")), "calls_per_second"),
        (Limits(prefixes=(PrefixLimit("+44", -1),)), "prefix_minutes"),
        (Limits(time_zone="Mars/Olympus"), "time_zone"),
        (Limits(watch=Watch(night_from=24)), "watch"),
        (Limits(watch=Watch(night_until=0)), "watch"),
        (Limits(watch=replace(Watch(), short_share=0)), "watch"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: Limits, parameter: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        check_limits(wrong)
    assert refused.value.parameter == parameter
