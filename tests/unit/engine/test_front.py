"""engine.front: what the proxy says is believed from the proxy's address, and what it is told."""

from __future__ import annotations

import pytest

from maskline.engine.front import Front
from maskline.sip.flow import Flow
from tests.support.sip_wire import request

FRONT = Front("10.0.0.5", 5070)
PEER = "X-Maskline-Peer: "


def brought(*values: str, method: str = "INVITE") -> bytes:
    line, _, rest = request(method, branch="a").partition(b"\r\n")
    return b"\r\n".join([line, *[(PEER + value).encode() for value in values], rest])


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("sip:203.0.113.9:5060;transport=udp", Flow("udp", "203.0.113.9", 5060)),
        ("sip:203.0.113.9:4001;transport=tls;name=SBC.c.example", Flow("tls", "203.0.113.9", 4001, "sbc.c.example")),
        ("sip:[2001:DB8::7]:5060;transport=tcp", Flow("tcp", "2001:db8::7", 5060)),
    ],
)  # fmt: skip
def test_a_request_is_from_whom_the_proxy_says(said: str, meant: Flow) -> None:
    assert FRONT.peer(brought(said), "10.0.0.5", 5070) == meant


def test_the_proxys_own_header_counts_and_not_one_that_a_peer_wrote_behind_it() -> None:
    data = brought("sip:203.0.113.9:5060;transport=udp", "sip:198.51.100.1:5060;transport=udp")
    assert FRONT.peer(data, "10.0.0.5", 5070) == Flow("udp", "203.0.113.9", 5060)


@pytest.mark.parametrize(("host", "port"), [("10.0.0.5", 5060), ("10.0.0.6", 5070), ("203.0.113.9", 5060)])
def test_nobody_else_is_believed(host: str, port: int) -> None:
    assert FRONT.peer(brought("sip:203.0.113.9:5060;transport=udp"), host, port) is None


@pytest.mark.parametrize(
    "said", ["", "sip:carrier.example:5060;transport=udp", "sip:203.0.113.9;transport=udp", "203.0.113.9:5060"]
)
def test_what_names_no_peer_is_the_proxys_own(said: str) -> None:
    assert FRONT.peer(brought(said), "10.0.0.5", 5070) == FRONT.flow


def test_a_header_in_the_body_is_none() -> None:
    data = request("OPTIONS", branch="a") + b"\r\nX-Maskline-Peer: sip:203.0.113.9:5060;transport=udp\r\n"
    assert FRONT.peer(data, "10.0.0.5", 5070) == FRONT.flow


def test_responses_are_the_proxys_whoever_made_them() -> None:
    data = b"SIP/2.0 200 OK\r\nX-Maskline-Peer: sip:203.0.113.9:5060;transport=udp\r\n\r\n"
    assert FRONT.peer(data, "10.0.0.5", 5070) == FRONT.flow


@pytest.mark.parametrize(
    "flow",
    [Flow("udp", "192.0.2.9", 5060), Flow("tls", "192.0.2.9", 5061, "sbc.c.example"), Flow("tcp", "2001:db8::7", 5060)],
)  # fmt: skip
def test_a_request_of_ours_says_where_it_is_to_go_in_the_same_words(flow: Flow) -> None:
    data = request("INVITE", branch="a")
    told = FRONT.address(data, flow)
    assert FRONT.peer(told, "10.0.0.5", 5070) == flow
    lines = told.split(b"\r\n")
    assert b"\r\n".join([lines[0], *lines[2:]]) == data


def test_responses_and_what_is_the_proxys_own_go_as_they_are() -> None:
    answer, own = b"SIP/2.0 200 OK\r\n\r\n", request("OPTIONS", branch="a")
    assert FRONT.address(answer, Flow("udp", "203.0.113.9", 5060)) is answer
    assert FRONT.address(own, FRONT.flow) is own
