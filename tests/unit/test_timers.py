"""Deadlines come in order, once, and not when they were cancelled or moved."""

from __future__ import annotations

from maskline.timers import _LOOK, Timers


def test_keys_come_by_deadline_and_of_one_deadline_in_the_order_they_were_set() -> None:
    timers: Timers[str] = Timers()
    for key, deadline in (("c", 2.0), ("a", 1.0), ("b", 1.0), ("d", 3.0)):
        timers.set(key, deadline)
    assert timers.next_deadline() == 1.0
    assert [*timers.expired(2.0)] == ["a", "b", "c"]
    assert len(timers) == 1
    assert "d" in timers
    assert [*timers.expired(2.9)] == []


def test_a_cancelled_or_moved_timer_does_not_fire() -> None:
    timers: Timers[str] = Timers()
    for key in ("a", "b", "c"):
        timers.set(key, 1.0)
    timers.cancel("a")
    timers.cancel("unknown")
    timers.set("b", 2.0)
    assert [*timers.expired(1.0)] == ["c"]
    assert timers.next_deadline() == 2.0
    timers.cancel("b")
    assert timers.next_deadline() is None


def test_a_timer_that_is_set_to_the_same_moment_again_fires_once() -> None:
    timers: Timers[str] = Timers()
    timers.set("a", 1.0)
    timers.set("a", 1.0)
    assert [*timers.expired(1.0)] == ["a"]
    assert timers.next_deadline() is None


def test_who_stops_in_the_middle_finds_the_rest_later_and_what_was_set_meanwhile() -> None:
    timers: Timers[str] = Timers()
    for key in ("a", "b", "c"):
        timers.set(key, 1.0)
    due = timers.expired(1.0)
    assert next(due) == "a"
    due.close()  # type: ignore[attr-defined]  # as one whose handler raised
    timers.set("earlier", 0.5)
    timers.set("a", 1.0)
    assert [*timers.expired(1.0)] == ["earlier", "b", "c", "a"]


def test_what_is_dead_is_forgotten_in_time_and_the_rest_keeps_its_order() -> None:
    timers: Timers[int] = Timers()
    for key in range(_LOOK - 3):
        timers.set(key, 10.0 + key)
    for key in range(_LOOK - 3):
        timers.cancel(key)
    for key in (1, 2, 3):
        timers.set(key, 5.0)
    assert [*timers._due] == [5.0]
    assert [*timers.expired(5.0)] == [1, 2, 3]
