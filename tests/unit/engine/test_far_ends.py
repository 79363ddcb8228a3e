"""Far ends of datagrams are remembered, and not for ever."""

from __future__ import annotations

from maskline.engine.far_ends import MOST, FarEnds
from maskline.sip.flow import Flow


def test_each_far_end_is_one_object() -> None:
    ends = FarEnds()
    first = ends.of("192.0.2.1", 5060)
    assert first == Flow("udp", "192.0.2.1", 5060) and ends.of("192.0.2.1", 5060) is first
    assert ends.of("192.0.2.1", 5061) != first


def test_forged_addresses_take_no_more_room_than_that() -> None:
    ends = FarEnds()
    for port in range(MOST + 1):
        ends.of("192.0.2.1", port)
    assert len(ends) == 1
