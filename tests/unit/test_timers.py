"""Deadlines come in order, once, and not when they were cancelled or moved."""

from __future__ import annotations

import random

from maskline.timers import _GONE, _LINES, _LOOK, Timers


def test_keys_come_by_deadline_and_of_one_deadline_in_the_order_they_were_set() -> None:
    timers: Timers[str, str] = Timers()
    for key, deadline in (("c", 2.0), ("a", 1.0), ("b", 1.0), ("d", 3.0)):
        timers.set("x", key, deadline)
    assert timers.next_deadline() == 1.0
    assert [key for _, key in timers.expired(2.0)] == ["a", "b", "c"]
    assert len(timers) == 1
    assert timers.runs("x", "d")
    assert [key for _, key in timers.expired(2.9)] == []


def test_a_cancelled_or_moved_timer_does_not_fire() -> None:
    timers: Timers[str, str] = Timers()
    for key in ("a", "b", "c"):
        timers.set("x", key, 1.0)
    timers.cancel("x", "a")
    timers.cancel("x", "unknown")
    timers.set("x", "b", 2.0)
    assert [key for _, key in timers.expired(1.0)] == ["c"]
    assert timers.next_deadline() == 2.0
    timers.cancel("x", "b")
    assert timers.next_deadline() is None


def test_a_timer_that_is_set_to_the_same_moment_again_fires_once() -> None:
    timers: Timers[str, str] = Timers()
    timers.set("x", "a", 1.0)
    timers.set("x", "a", 1.0)
    assert [key for _, key in timers.expired(1.0)] == ["a"]
    assert timers.next_deadline() is None


def test_who_stops_in_the_middle_finds_the_rest_later_and_what_was_set_meanwhile() -> None:
    timers: Timers[str, str] = Timers()
    for key in ("a", "b", "c"):
        timers.set("x", key, 1.0)
    due = timers.expired(1.0)
    assert next(due) == ("x", "a")
    due.close()  # type: ignore[attr-defined]  # as one whose handler raised
    timers.set("x", "earlier", 0.5)
    timers.set("x", "a", 1.0)
    assert [key for _, key in timers.expired(1.0)] == ["earlier", "b", "c", "a"]


def test_what_is_dead_is_forgotten_in_time_and_the_rest_keeps_its_order() -> None:
    timers: Timers[str, int] = Timers()
    for key in range(_LOOK - 3):
        timers.set("x", key, 10.0 + key)
    for key in range(_LOOK - 3):
        timers.cancel("x", key)
    for key in (1, 2, 3):
        timers.set("x", key, 5.0)
    assert [len(line) for line in timers._lines] == [0, 3]
    assert [key for _, key in timers.expired(5.0)] == [1, 2, 3]


def test_durations_make_lines_of_their_own_and_ties_between_lines_keep_their_order() -> None:
    timers: Timers[str, str] = Timers()
    for key, deadline in (("a", 10.0), ("b", 3.0), ("c", 9.0), ("d", 2.0), ("e", 3.0), ("f", 2.0), ("g", 9.0)):
        timers.set("x", key, deadline)
    assert [len(line) for line in timers._lines] == [1, 3, 2, 1]
    assert [key for _, key in timers.expired(20.0)] == ["d", "f", "b", "e", "c", "g", "a"]


def test_any_durations_whatever_fire_in_order_and_make_few_lines() -> None:
    """Against a list that is sorted, with keys set again, cancelled and fired in between."""
    chance = random.Random(7)
    timers: Timers[str, int] = Timers()
    expected: dict[int, tuple[float, int]] = {}
    now = 0.0
    for step in range(20_000):
        key = chance.randrange(2_000)
        if chance.random() < 0.3:
            timers.cancel("x", key)
            expected.pop(key, None)
        else:
            deadline = now + chance.choice((0.5, 5.0, 32.0, chance.randrange(100)))
            timers.set("x", key, deadline)
            expected[key] = (deadline, step)
        assert timers.next_deadline() == min(expected.values(), default=(None, 0))[0]
        if chance.random() < 0.02:
            now += chance.randrange(40) / 8
            due = sorted((when, key) for key, when in expected.items() if when[0] <= now)
            assert [key for _, key in timers.expired(now)] == [key for _, key in due]
            for _, fired in due:
                del expected[fired]
    assert len(timers) == len(expected)
    assert len(timers._lines) <= _LINES


def test_a_long_line_gives_back_the_places_of_what_is_over() -> None:
    timers: Timers[str, int] = Timers()
    for key in range(3 * _GONE):
        timers.set("x", key, float(key))
    assert len([key for _, key in timers.expired(2.0 * _GONE)]) == 2 * _GONE + 1
    assert len(timers._lines[0]._entries) < 2 * _GONE
    assert timers.next_deadline() == 2.0 * _GONE + 1


def test_kinds_of_one_key_are_timers_of_their_own() -> None:
    timers: Timers[str, str] = Timers()
    timers.cancel("first", "a")
    timers.set("first", "a", 1.0)
    timers.set("second", "a", 2.0)
    assert len(timers) == 2 and timers.runs("first", "a") and not timers.runs("third", "a")
    timers.cancel("first", "a")
    assert [*timers.expired(2.0)] == [("second", "a")]


def test_what_was_cancelled_behind_the_front_goes_with_it() -> None:
    timers: Timers[str, str] = Timers()
    for key in ("a", "b", "c", "d"):
        timers.set("x", key, 1.0)
    timers.cancel("x", "b")
    timers.cancel("x", "c")
    assert next(timers.expired(1.0)) == ("x", "a")
    assert [len(line) for line in timers._lines] == [1]
    timers.cancel("x", "d")
    assert timers.next_deadline() is None
