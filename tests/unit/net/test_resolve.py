"""net.resolve: RFC 3263's questions, against a name server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from maskline.clock import VirtualClock
from maskline.net import resolve
from maskline.net.resolve import LONGEST, MOST_SERVERS, RETRY_SECONDS, ResolveError, Resolver, reachable
from maskline.sip.locate import Place
from tests.support.name_server import NameServer

DOMAIN = "carrier.test"


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    made = NameServer()
    await made.open()
    made.add("one.test", "A", "192.0.2.1")
    made.add("two.test", "A", "192.0.2.2", ttl=20)
    made.add("two.test", "AAAA", "2001:db8::2")
    yield made
    made.close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def resolver(server: NameServer, clock: VirtualClock, *kinds: str) -> Resolver:
    return Resolver(clock, servers=[("127.0.0.1", server.port)], kinds=kinds or ("A",))


async def test_srv_names_the_servers_of_a_domain(server: NameServer, clock: VirtualClock) -> None:
    server.add(f"_sip._udp.{DOMAIN}", "SRV", "10 60 5070 one.test.", "20 5 5060 two.test.")
    found = await resolver(server, clock, "A", "AAAA").locate(DOMAIN, 0, "udp")
    assert found.places == (
        Place("udp", 10, 60, 5070, ("192.0.2.1",)), Place("udp", 20, 5, 5060, ("192.0.2.2", "2001:db8::2")),
    )  # fmt: skip
    assert found.seconds == pytest.approx(20.0), "the shortest of all that was asked"


async def test_naptr_says_which_transport_is_liked_best(server: NameServer, clock: VirtualClock) -> None:
    server.add(
        DOMAIN, "NAPTR", f'20 1 "s" "SIP+D2U" "" _sip._udp.{DOMAIN}.', f'10 1 "s" "SIPS+D2T" "" _sips._tcp.{DOMAIN}.'
    )
    server.add(f"_sip._udp.{DOMAIN}", "SRV", "1 1 5060 one.test.")
    server.add(f"_sips._tcp.{DOMAIN}", "SRV", "5 1 5061 two.test.")
    found = await resolver(server, clock).locate(DOMAIN, 0, "auto")
    ranked = sorted(found.places, key=lambda place: place.rank)
    assert [(place.transport, place.port) for place in ranked] == [("tls", 5061), ("udp", 5060)]


async def test_a_domain_without_srv_has_addresses_and_the_usual_port(server: NameServer, clock: VirtualClock) -> None:
    made = resolver(server, clock)
    assert (await made.locate("one.test", 0, "tls")).places == (Place("tls", 0, 0, 5061, ("192.0.2.1",)),)
    assert (await made.locate("one.test", 5080, "auto")).places == (Place("udp", 0, 0, 5080, ("192.0.2.1",)),)
    assert server.asked[("_sip._udp.one.test", "SRV")] == 0, "a port leaves nothing to ask of SRV (RFC 3263 §4.2)"


async def test_a_service_that_is_decidedly_not_there_is_not_tried(server: NameServer, clock: VirtualClock) -> None:
    server.add("_sip._udp.one.test", "SRV", "0 0 0 .")
    assert (await resolver(server, clock).locate("one.test", 0, "udp")).places == ()


async def test_a_server_without_an_address_is_left_out(server: NameServer, clock: VirtualClock) -> None:
    server.add(f"_sip._udp.{DOMAIN}", "SRV", "1 1 5060 gone.test.", "2 1 5060 one.test.")
    found = await resolver(server, clock).locate(DOMAIN, 0, "udp")
    assert [place.addresses for place in found.places] == [("192.0.2.1",)]


async def test_of_too_many_servers_the_ones_tried_first_are_taken(server: NameServer, clock: VirtualClock) -> None:
    server.add(f"_sip._udp.{DOMAIN}", "SRV", *[f"{priority} 1 5060 one.test." for priority in range(30, 0, -1)])
    found = await resolver(server, clock).locate(DOMAIN, 0, "udp")
    assert [place.rank for place in found.places] == list(range(1, MOST_SERVERS + 1))


async def test_a_server_has_all_its_addresses_of_both_families(server: NameServer, clock: VirtualClock) -> None:
    """Its calls may come from each."""
    server.add("big.test", "AAAA", *[f"2001:db8::{last}" for last in range(1, 13)])
    server.add("big.test", "A", *[f"192.0.2.{last}" for last in range(1, 13)])
    (place,) = (await resolver(server, clock, "AAAA", "A").locate("big.test", 5060, "udp")).places
    assert len(place.addresses) == 24


async def test_answers_are_kept_as_long_as_they_say(server: NameServer, clock: VirtualClock) -> None:
    made = resolver(server, clock)
    for _ in range(2):
        await made.locate("two.test", 5060, "udp")
    assert server.asked[("two.test", "A")] == 1
    clock.advance(20.0)
    await made.locate("two.test", 5060, "udp")
    assert server.asked[("two.test", "A")] == 2


async def test_that_there_is_nothing_is_kept_too_but_not_for_long(server: NameServer, clock: VirtualClock) -> None:
    made = resolver(server, clock)
    for _ in range(2):
        found = await made.locate("nobody.test", 5060, "udp")
        assert (found.places, found.seconds) == ((), 30.0)
    assert server.asked[("nobody.test", "A")] == 1
    clock.advance(30.0)
    await made.locate("nobody.test", 5060, "udp")
    assert server.asked[("nobody.test", "A")] == 2


async def test_a_ttl_of_a_month_is_an_hour(server: NameServer, clock: VirtualClock) -> None:
    server.add("slow.test", "A", "192.0.2.9", ttl=2_592_000)
    assert (await resolver(server, clock).locate("slow.test", 5060, "udp")).seconds == LONGEST


async def test_the_memory_is_bounded(server: NameServer, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "MOST_ANSWERS", 4)
    made = resolver(server, clock)
    for number in range(10):
        await made.locate(f"n{number}.test", 5060, "udp")
    assert len(made._known) <= 4


async def test_a_name_server_that_refuses_or_is_silent_is_an_error(
    server: NameServer, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "LIFETIME", 0.3)
    server.refuses = True
    with pytest.raises(ResolveError, match="NoNameservers"):
        await resolver(server, clock).locate(DOMAIN, 0, "udp")
    server.silent = True
    with pytest.raises(ResolveError, match="LifetimeTimeout"):
        await resolver(server, clock).locate(DOMAIN, 0, "udp")


@pytest.mark.parametrize("kind", ["AAAA", "NAPTR", "none"])
async def test_a_question_that_fails_takes_nothing_from_the_others(
    server: NameServer, clock: VirtualClock, kind: str
) -> None:
    """Load balancers that stand for a name server often know A and SRV alone."""
    server.fails = {kind}
    server.add(f"_sip._udp.{DOMAIN}", "SRV", "10 60 5070 one.test.", ttl=600)
    found = await resolver(server, clock, "A", "AAAA").locate(DOMAIN, 0, "auto")
    assert found.places == (Place("udp", 2 * 65_536 + 10, 60, 5070, ("192.0.2.1",)),)
    assert (found.seconds, found.failed) == ((30.0, "") if kind == "none" else (RETRY_SECONDS, "NoNameservers"))


async def test_what_cannot_be_asked_for_again_is_what_it_was(server: NameServer, clock: VirtualClock) -> None:
    server.add(f"_sip._udp.{DOMAIN}", "SRV", "10 60 5070 one.test.", "20 5 5060 two.test.", ttl=600)
    made = resolver(server, clock)
    first = await made.locate(DOMAIN, 0, "udp")
    clock.advance(61.0)
    server.fails = {"A"}
    again = await made.locate(DOMAIN, 0, "udp")
    assert (again.places, again.seconds, again.failed) == (first.places, RETRY_SECONDS, "NoNameservers")


async def test_where_srv_cannot_be_asked_for_nobody_goes_on_without_it(server: NameServer, clock: VirtualClock) -> None:
    """The port, and maybe the server, would be other ones than the carrier's."""
    server.fails = {"SRV"}
    with pytest.raises(ResolveError):
        await resolver(server, clock).locate("one.test", 0, "udp")


def test_only_addresses_that_can_be_reached_are_asked_for() -> None:
    assert [reachable(hosts) for hosts in (("0.0.0.0",), ("2001:db8::1",), ("127.0.0.1", "::"))] == [
        ("A",), ("AAAA",), ("AAAA", "A"),
    ]  # fmt: skip


def test_a_machine_without_name_servers_starts_all_the_same(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve.dns.resolver.BaseResolver, "read_resolv_conf", _no_configuration)
    assert Resolver(clock)._resolver.nameservers == []


def _no_configuration(*_: object) -> None:
    raise resolve.dns.resolver.NoResolverConfiguration
