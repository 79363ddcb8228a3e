"""sip.locate: RFC 3263 and RFC 2782 without a resolver."""

from __future__ import annotations

from collections import Counter
from random import Random

from maskline.sip.flow import Flow
from maskline.sip.locate import AUTO, Naptr, Place, by_weight, in_order, plain_transport, srv_questions

UDP = Naptr(50, 50, "SIP+D2U", "_sip._udp.carrier.example")
TCP = Naptr(90, 50, "SIP+D2T", "_sip._tcp.carrier.example")
TLS = Naptr(50, 10, "sips+d2t", "_sips._tcp.carrier.example")
OTHER = Naptr(1, 1, "E2U+sip", "elsewhere.example")


def never() -> float:
    raise AssertionError("nothing is left to chance")


def test_the_domain_says_which_transport_it_likes_best() -> None:
    """RFC 3263 §4.1: order, then preference; services that are not SIP's are none of ours."""
    assert srv_questions("carrier.example", AUTO, [TCP, OTHER, UDP, TLS]) == [
        ("tls", TLS.replacement), ("udp", UDP.replacement), ("tcp", TCP.replacement),
    ]  # fmt: skip


def test_a_domain_without_a_preference_is_asked_for_each_transport() -> None:
    assert [transport for transport, _ in srv_questions("carrier.example", AUTO, [OTHER])] == ["tls", "tcp", "udp"]


def test_a_chosen_transport_leaves_nothing_to_ask_of_naptr() -> None:
    assert srv_questions("carrier.example", "tls", [UDP]) == [("tls", "_sips._tcp.carrier.example")]


def test_a_name_with_addresses_only_is_spoken_to_at_the_usual_port() -> None:
    assert [plain_transport(one) for one in (AUTO, "udp", "tcp", "tls")] == [
        ("udp", 5060), ("udp", 5060), ("tcp", 5060), ("tls", 5061),
    ]  # fmt: skip


def test_one_server_is_tried_at_each_of_its_addresses() -> None:
    place = Place("tls", 0, 0, 5061, ("192.0.2.1", "2001:db8::1"))
    assert in_order([place], "carrier.example", never) == (
        Flow("tls", "192.0.2.1", 5061, "carrier.example"), Flow("tls", "2001:db8::1", 5061, "carrier.example"),
    )  # fmt: skip


def test_lower_ranks_go_first_whatever_their_weight() -> None:
    places = [Place("udp", 20, 90, 5060, ("192.0.2.2",)), Place("udp", 10, 0, 5070, ("192.0.2.1",))]
    assert in_order(places, "carrier.example", never) == (
        Flow("udp", "192.0.2.1", 5070),
        Flow("udp", "192.0.2.2", 5060),
    )
    assert in_order([], "carrier.example", never) == ()


def test_servers_of_one_rank_share_by_weight() -> None:
    random = Random(2)
    places = [Place("udp", 1, 60, 5060, ("192.0.2.1",)), Place("udp", 1, 20, 5060, ("192.0.2.2",))]
    first = Counter(in_order(places, "", random.random)[0].host for _ in range(1_000))
    assert 700 < first["192.0.2.1"] < 800


def test_every_item_is_drawn_once_and_weight_zero_hardly_ever_first() -> None:
    random = Random(3)
    drawn = [by_weight("abc", [0, 5, 5], random.random) for _ in range(500)]
    assert all(sorted(one) == ["a", "b", "c"] for one in drawn)
    assert sum(one[0] == "a" for one in drawn) < 5
    assert by_weight("ab", [0, 0], lambda: 0.99) == ["b", "a"]
    assert by_weight("ab", [1, 1], lambda: 1.0) == ["b", "a"], "rounding never draws nobody"
