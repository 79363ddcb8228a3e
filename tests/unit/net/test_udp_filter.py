"""Datagrams the kernel drops by their source: the program as it is, and as the kernel runs it."""

from __future__ import annotations

import socket

import pytest

from maskline.net import udp_filter
from maskline.net.udp_filter import program, shut_out

linux = pytest.mark.skipif(not udp_filter.sys.platform.startswith("linux"), reason="sockets are filtered on Linux")


def test_the_longest_program_fits_into_the_kernels_limit() -> None:
    many = program([f"2001:db8::{number:x}" for number in range(udp_filter.MOST)])
    assert len(many) <= 4096 and all(jump <= 255 for _, yes, no, _ in many for jump in (yes, no))
    assert len(program([f"192.0.2.{number}" for number in range(200)])) < 500


def heard(bound: str, sender: str, hosts: list[str]) -> bool:
    """Whether a datagram of the sender reaches a socket with these shut out."""
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    own = socket.AF_INET6 if ":" in sender else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as ears, socket.socket(own, socket.SOCK_DGRAM) as mouth:
        ears.bind((bound, 0))
        ears.setblocking(False)
        shut_out(ears, hosts)
        mouth.bind((sender, 0))
        mouth.sendto(b"hello", ("::1" if own == socket.AF_INET6 else "127.0.0.1", ears.getsockname()[1]))
        try:
            return ears.recv(100) == b"hello"
        except BlockingIOError:
            return False


@linux
@pytest.mark.parametrize(
    ("sender", "hosts", "reaches"),
    [
        ("127.0.0.5", [], True),
        ("127.0.0.5", ["127.0.0.5"], False),
        ("127.0.0.5", ["127.0.0.4", "::1", "127.0.0.6"], True),
        ("127.0.0.5", ["127.0.0.4", "::1", "127.0.0.6", "127.0.0.5"], False),
        ("127.0.0.5", ["::ffff:127.0.0.5"], False),
        ("127.0.0.5", [f"10.0.{n // 200}.{n % 200}" for n in range(udp_filter.MOST)] + ["127.0.0.5"], True),
        ("127.0.0.5", [f"10.0.{n // 200}.{n % 200}" for n in range(udp_filter.MOST - 1)] + ["127.0.0.5"], False),
    ],
)
@pytest.mark.parametrize("bound", ["127.0.0.1", "::"])
def test_only_who_is_shut_out_is_not_heard(bound: str, sender: str, hosts: list[str], reaches: bool) -> None:
    if bound == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("no socket of both families here")
    assert heard(bound, sender, hosts) is reaches


@linux
@pytest.mark.parametrize(
    ("hosts", "reaches"),
    [(["::2", "1::1", "0:0:1::1", "127.0.0.1"], True), (["::2", "::1"], False), (["2001:db8::7", "10.0.0.1"], True)],
)
def test_addresses_of_ipv6_are_compared_whole(hosts: list[str], reaches: bool) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    assert heard("::1", "::1", hosts) is reaches


@linux
def test_the_filter_can_be_replaced_and_taken_away() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ears,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a,
    ):
        ears.bind(("127.0.0.1", 0))
        ears.setblocking(False)
        a.bind(("127.0.0.5", 0))
        for hosts in (["127.0.0.5"], ["127.0.0.6"], ["127.0.0.5"], []):
            shut_out(ears, hosts)
            a.sendto(",".join(hosts).encode(), ears.getsockname())
        assert (ears.recv(99), ears.recv(99)) == (b"127.0.0.6", b"")


def test_elsewhere_it_is_said_that_it_cannot_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp_filter.sys, "platform", "darwin")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(OSError, match="Linux"):
        shut_out(sock, ["192.0.2.1"])
