"""Bounds on handshakes with whom only a certificate can admit."""

from __future__ import annotations

from maskline.net.guests import Guests


def test_so_many_at_a_time() -> None:
    guests = Guests(2, 100.0)
    assert [guests.enter(1.0) for _ in range(3)] == [True, True, False]
    guests.leave()
    assert guests.enter(1.0)


def test_so_many_a_second_and_twice_as_many_at_once() -> None:
    guests = Guests(1_000, 10.0)
    assert sum(guests.enter(0.0) for _ in range(50)) == 20
    assert sum(guests.enter(0.5) for _ in range(50)) == 5
    assert sum(guests.enter(100.0) for _ in range(50)) == 20
