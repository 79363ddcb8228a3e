"""Digits as they come, and how long the next one is waited for."""

from __future__ import annotations

import pytest

from maskline.engine import effects as e
from maskline.engine.digit_entry import DigitEntry
from maskline.engine.inputs import TimerName


def waits(out: list[e.Effect]) -> list[float]:
    assert all(isinstance(effect, e.StartTimer) and effect.timer is TimerName.DIGITS for effect in out)
    return [effect.seconds for effect in out if isinstance(effect, e.StartTimer)]


@pytest.mark.parametrize(("pause", "expected"), [(4.0, [20.0, 4.0, 2.0]), (None, [20.0, 15.0, 2.0])])
def test_a_digit_is_awaited_for_a_pause_and_no_longer_than_the_whole_entry(
    pause: float | None, expected: list[float]
) -> None:
    out: list[e.Effect] = []
    entry = DigitEntry(20.0, pause)
    entry.await_first(100.0, out)
    entry.await_next(105.0, out)
    entry.await_next(118.0, out)
    assert waits(out) == expected


def test_an_entry_that_begins_with_a_digit_has_its_own_time() -> None:
    out: list[e.Effect] = []
    entry = DigitEntry(20.0, None)
    entry.await_first(100.0, out)
    entry.begin(119.0)
    entry.await_next(119.0, out)
    assert waits(out) == [20.0, 20.0]


def test_digits_are_taken_once() -> None:
    entry = DigitEntry(20.0, None)
    entry.digits += "47"
    assert (entry.take(), entry.take()) == ("47", "")
