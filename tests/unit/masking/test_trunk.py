"""masking.trunk: who sent this, and what a trunk is called."""

from __future__ import annotations

from dataclasses import replace

from maskline.masking.trunk import Trunk, certificate_name, match_inbound, of_account, own_target
from maskline.sip.flow import Flow

HOST = "192.0.2.1"


def trunk(name: str, port: int = 5060, host: str = HOST, **more: object) -> Trunk:
    return Trunk(name, name, None, host, port, **more)  # type: ignore[arg-type]


def test_a_message_belongs_to_the_trunk_of_its_exact_address() -> None:
    trunks = [trunk("a"), trunk("b", port=5070)]
    assert match_inbound(trunks, Flow("udp", HOST, 5070))[0] is trunks[1]


def test_the_host_alone_is_enough_when_no_port_matches() -> None:
    trunks = [trunk("a"), trunk("b", port=5070)]
    assert match_inbound(trunks, Flow("udp", HOST, 40000))[0] is trunks[0]


def test_all_trunks_of_one_address_may_be_meant() -> None:
    trunks = [trunk("a"), trunk("b"), trunk("c", port=5070)]
    assert match_inbound(trunks, Flow("udp", HOST, 5060)) == (trunks[0], trunks[1])
    assert match_inbound(trunks, Flow("udp", HOST, 40000)) == tuple(trunks)


def test_a_call_came_by_the_own_trunk_of_whose_number_it_is_else_by_a_shared_one() -> None:
    shared, also = trunk("s"), trunk("s2")
    one, two = replace(trunk("a"), account_id="A"), replace(trunk("b"), account_id="B")
    assert of_account((shared, also, one, two), "B") is two
    assert of_account((one, shared, also), "B") is shared
    assert of_account((one,), "B") is None


def test_another_transport_is_another_trunk() -> None:
    assert match_inbound([trunk("a")], Flow("tls", HOST, 5060)) == ()
    assert match_inbound([trunk("a", transport="tcp")], Flow("udp", HOST, 5060)) == ()
    both = [trunk("a"), trunk("b", transport="tcp")]
    assert match_inbound(both, Flow("tcp", HOST, 5060))[0] is both[1]


def test_what_a_trunk_of_udp_sends_by_tcp_is_its_own_where_no_trunk_of_tcp_is_there() -> None:
    """RFC 3261 §18.1.1: above 1,300 bytes it has to."""
    trunks = [trunk("a"), trunk("b", port=5070), trunk("c", transport="tls")]
    assert match_inbound(trunks, Flow("tcp", HOST, 40000)) == (trunks[0], trunks[1])
    assert match_inbound([*trunks, trunk("d", transport="auto")], Flow("tcp", HOST, 40000))[0].name == "d"


def test_a_trunk_that_takes_what_the_domain_offers_sends_by_any() -> None:
    open_to_all = trunk("a", host="carrier.example", port=0, transport="auto")
    assert match_inbound([open_to_all], Flow("tls", HOST, 40000))[0] is open_to_all


def test_a_certificate_tells_trunks_of_one_address_apart() -> None:
    trunks = [trunk("a", transport="tls", tls_name="a.example"), trunk("b", transport="tls", tls_name="b.example")]
    assert match_inbound(trunks, Flow("tls", HOST, 40000, "b.example"))[0] is trunks[1]
    assert match_inbound(trunks, Flow("tls", HOST, 40000, "c.example")) == ()
    assert match_inbound(trunks, Flow("tls", HOST, 40000))[0] is trunks[0], "no certificate was asked for"


def test_the_name_of_a_certificate_is_the_given_one_or_the_hosts() -> None:
    assert certificate_name(trunk("a", transport="tls", tls_name="a.example")) == "a.example"
    assert certificate_name(trunk("a", transport="tls", host="sip.example")) == "sip.example"
    assert certificate_name(trunk("a", transport="tls")) == ""
    assert certificate_name(trunk("a", tls_name="a.example")) == ""


def test_a_host_is_a_name_or_an_address() -> None:
    assert [trunk("a", host=host).named for host in (HOST, "2001:db8::1", "sip.example", "4.example")] == [
        False, False, True, True,
    ]  # fmt: skip


def test_its_own_address_says_what_a_certificate_must_prove() -> None:
    assert own_target(trunk("a")) == Flow("udp", HOST, 5060)
    assert own_target(trunk("a", transport="tls")) == Flow("tls", HOST, 5060, HOST)
    assert own_target(trunk("a", transport="tls", tls_name="x.example")).name == "x.example"
