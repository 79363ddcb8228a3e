"""The port pool."""

from __future__ import annotations

from maskline.media.embedded.ports import PortPool


def test_it_gives_each_even_port_with_its_odd_neighbour_once() -> None:
    pool = PortPool(20_001, 20_010)
    taken = [pool.take(0.0) for _ in range(5)]
    assert sorted(port for port in taken if port) == [20_002, 20_004, 20_006, 20_008]
    assert taken[4] is None
    assert len(pool) == 0


def test_a_port_rests_before_it_is_given_again() -> None:
    pool = PortPool(20_000, 20_001, rest_seconds=5.0)
    assert pool.take(0.0) == 20_000
    pool.give_back(20_000, 10.0)
    assert len(pool) == 1
    assert pool.take(14.9) is None
    assert pool.take(15.0) == 20_000


def test_the_order_does_not_tell_how_many_calls_there_are() -> None:
    assert [PortPool(20_000, 29_999).take(0.0) for _ in range(3)] != [20_000, 20_000, 20_000]
