"""engine.trunk_book: whose messages are read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.engine import trunk_book
from maskline.engine.counters import EngineCounters
from maskline.engine.trunk_book import TrunkBook
from maskline.masking.trunk import Trunk
from maskline.sip.flow import Flow

PLAIN = Trunk("p", "plain", None, "192.0.2.1", 5060, sources=("192.0.2.1/32",))
WIDE = Trunk("w", "wide", None, "192.0.2.2", 5060, sources=("198.51.100.0/24", "203.0.113.9/32", "2001:db8::/64"))
NARROW = Trunk("n", "narrow", None, "carrier.example", 0, sources=("198.51.100.16/28",))
SAFE = Trunk("s", "safe", None, "sip.example", 0, "tls")


def udp(host: str, port: int = 5060) -> Flow:
    return Flow("udp", host, port)


def book(*trunks: Trunk) -> TrunkBook:
    return TrunkBook(lambda: trunks, EngineCounters())


def test_a_host_is_known_or_a_stranger() -> None:
    known = book(PLAIN)
    assert known.knows(udp("192.0.2.1"))
    assert not known.knows(udp("192.0.2.2"))
    assert not known.knows(Flow("tls", "192.0.2.2", 5061, "sip.example"))


def test_networks_and_further_addresses_are_its_own() -> None:
    known = book(PLAIN, WIDE, NARROW)
    for host in ("198.51.100.7", "203.0.113.9", "2001:db8::7", "198.51.100.7"):
        assert known.knows(udp(host))
        assert known.match(udp(host, 40_000))[0] is WIDE
    assert not known.knows(udp("198.51.101.7"))
    assert not known.knows(udp("198.51.101.7"))
    assert not known.knows(udp("carrier.example/"))


def test_the_narrowest_network_says_whose_it_is() -> None:
    known = book(WIDE, NARROW)
    assert known.knows(udp("198.51.100.17"))
    assert known.match(udp("198.51.100.17", 40_000))[0] is NARROW


def test_a_host_that_a_trunk_names_is_that_trunks_before_a_networks() -> None:
    inside = replace(PLAIN, host="198.51.100.7")
    known = book(WIDE, inside)
    assert known.knows(udp("198.51.100.7"))
    assert known.match(udp("198.51.100.7", 40_000))[0] is inside
    other = book(WIDE, replace(inside, transport="tcp"))
    assert other.knows(udp("198.51.100.7"))
    assert other.match(udp("198.51.100.7")) == (WIDE,)


def test_a_certificate_is_known_wherever_it_comes_from() -> None:
    known = book(PLAIN, SAFE)
    flow = Flow("tls", "198.51.100.200", 40_000, "sip.example")
    assert known.knows(flow)
    assert known.match(flow) == (SAFE,)
    assert not known.knows(replace_name(flow, "other.example"))
    assert known.match(replace_name(flow, "other.example")) == ()


def replace_name(flow: Flow, name: str) -> Flow:
    return flow._replace(name=name)


def test_a_changed_table_is_read_again() -> None:
    trunks: tuple[Trunk, ...] = (PLAIN,)
    known = TrunkBook(lambda: trunks, EngineCounters())
    assert not known.knows(udp("192.0.2.2"))
    trunks = (WIDE,)
    assert known.knows(udp("192.0.2.2"))
    assert not known.knows(udp("192.0.2.1"))


def test_made_up_addresses_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk_book, "REMEMBERED", 8)
    known = book(WIDE)
    for last in range(1, 60):
        assert not known.knows(udp(f"192.0.9.{last}"))
        assert known.knows(udp(f"198.51.100.{last}"))
    assert len(known._strangers) <= 8
    assert len(known._by_host) <= 12


def test_who_is_behind_a_nat_is_said_by_its_trunk() -> None:
    home = replace(PLAIN, id="h", host="192.0.2.3", sources=(), nat=True)
    known, other = book(PLAIN, home), book(PLAIN)
    assert known.knows(udp("192.0.2.3")) and other.knows(udp("192.0.2.1")), "read before anything else is asked"
    assert [known.is_behind_nat(udp(host)) for host in ("192.0.2.1", "192.0.2.3", "192.0.2.9")] == [False, True, False]
    assert not other.is_behind_nat(udp("192.0.2.1"))


A = replace(PLAIN, id="a", account_id="A", username="one", password="p", challenge=True)
B = replace(PLAIN, id="b", account_id="B", username="two", password="q", challenge=True)


def test_all_trunks_of_an_address_may_be_meant_until_one_has_proved_itself() -> None:
    known = book(A, B, PLAIN)
    assert known.knows(udp("192.0.2.1"))
    asked = known.who_must_prove(udp("192.0.2.1"))
    assert [None if one is None else one.username for one in asked] == ["one", "two", None]
    (first, second) = asked[:2]
    assert first is not None and second is not None
    assert known.match(udp("192.0.2.1")) == (PLAIN,), "who has proved nothing is of those that need not"
    assert known.match(udp("192.0.2.1"), (second,)) == (B,)
    assert known.match(udp("192.0.2.1"), (first, second)) == (A, B)
    assert book(PLAIN).who_must_prove(udp("192.0.2.1")) == ()


def test_the_proxy_in_front_is_heard_though_it_is_no_trunk() -> None:
    known = book(PLAIN)
    known.front = udp("10.0.0.5", 5070)
    assert known.knows(udp("10.0.0.5", 5070))
    assert known.match(udp("10.0.0.5", 5070)) == ()
    assert not known.knows(udp("10.0.0.5", 5071))
