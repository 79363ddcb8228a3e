"""UDP sockets of both families, spoken to as one."""

from __future__ import annotations

import socket
import time

import pytest

from maskline.net.udp_family import UdpFamilies
from tests.support.waiting import until

V4, V6 = "127.0.0.1", "::1"


class Pair:
    def __init__(self) -> None:
        self.heard: list[tuple[bytes, str, float]] = []
        self.gone: list[tuple[str, int]] = []
        self.batches = 0
        self.udp = UdpFamilies(self.on_datagram, self.on_batch, lambda *who: self.gone.append(who), time.time)

    def on_datagram(self, data: bytes, host: str, port: int) -> None:
        self.heard.append((data, host, self.udp.age))

    def on_batch(self) -> None:
        self.batches += 1


async def test_each_peer_is_heard_and_answered_at_the_address_of_its_family() -> None:
    here, there = Pair(), Pair()
    (host, port), (_, other) = here.udp.bind((V4, V6), 0), there.udp.bind((V6, V4), 0)
    assert host == V4
    for family in (V4, V6):
        there.udp.send(family.encode(), family, port)
        here.udp.send(b"back", family, other)
    await until(lambda: len(here.heard) == len(there.heard) == 2)
    assert {(data.decode(), host) for data, host, _ in here.heard} == {(V4, V4), (V6, V6)}
    assert {host for _, host, _ in there.heard} == {V4, V6}
    assert here.batches >= 1 and 0 <= here.udp.age < 5
    here.udp.read()
    assert (here.udp.behind, here.udp.dropped_sends, here.udp.kernel_drops()) == (0.0, 0, 0)
    for pair in (here, there):
        pair.udp.close()
    here.udp.send(b"late", V4, other)


async def test_a_family_we_have_no_address_of_is_unreachable() -> None:
    pair = Pair()
    pair.udp.bind((V4,), 0)
    pair.udp.send(b"x", V6, 5060)
    assert pair.gone == []
    await until(lambda: pair.gone == [(V6, 5060, b"x")])
    assert pair.udp.dropped_sends == 1
    pair.udp.close()
    assert (pair.udp.age, pair.udp.behind) == (0.0, 0.0)


async def test_a_port_that_one_family_has_not_is_not_taken_by_the_other() -> None:
    pair = Pair()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taken:
        taken.bind((V6, 0))
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            pair.udp.bind((V4, V6), port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind((V4, port))
