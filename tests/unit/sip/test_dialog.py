"""Dialogs: addressing, sequence numbers, persistence."""

from __future__ import annotations

import json

import pytest

from maskline.sip.dialog import Dialog, dialog_of_request
from maskline.sip.events import Flow
from maskline.sip.grammar import ParseError
from maskline.sip.message import Response
from maskline.sip.parser import parse
from tests.support.sip_wire import PEER, read_request, request, response


def dialog(
    target: str = "sip:b@192.0.2.7", routes: tuple[str, ...] = (), flow: Flow = PEER, remote_cseq: int | None = None
) -> Dialog:
    return Dialog(
        call_id="c", local_tag="l", remote_tag="r", local_uri="sip:a@x", remote_uri="sip:b@y", remote_target=target,
        route_set=routes, local_cseq=1, remote_cseq=remote_cseq, flow=flow,
    )  # fmt: skip


def test_without_routes_the_target_is_asked_directly() -> None:
    one = dialog("sip:b@192.0.2.7:5070")
    assert (one.target, one.routes, one.hop) == ("sip:b@192.0.2.7:5070", "", Flow("udp", "192.0.2.7", 5070))


def test_loose_routers_are_listed_and_the_first_is_the_hop() -> None:
    one = dialog(routes=("<sip:192.0.2.8:5080;lr>", "<sip:192.0.2.9;lr>"))
    assert one.target == "sip:b@192.0.2.7"
    assert one.routes == "Route: <sip:192.0.2.8:5080;lr>\r\nRoute: <sip:192.0.2.9;lr>\r\n"
    assert one.hop == Flow("udp", "192.0.2.8", 5080)


def test_a_strict_router_takes_the_request_uri() -> None:
    one = dialog(routes=("<sip:192.0.2.8>", "<sip:192.0.2.9;lr>"))
    assert one.target == "sip:192.0.2.8"
    assert one.routes == "Route: <sip:192.0.2.9;lr>\r\nRoute: <sip:b@192.0.2.7>\r\n"


@pytest.mark.parametrize(
    ("target", "flow"),
    [
        ("sip:b@carrier.example.com", PEER),
        ("sip:b@192.0.2.50;transport=tcp", PEER),
        ("sip:b@10.0.0.1", Flow("udp", "8.8.8.8", 5060)),
        ("sip:b@127.0.0.1", Flow("udp", "8.8.8.8", 5060)),
        ("sip:b@239.0.0.1", PEER),
        ("sip:b@0.0.0.0", PEER),
        ("sip:b@[2001:db8::1]", PEER),
        ("sip:b@192.0.2.50;maddr=name.example.com", PEER),
        ("tel:+15550100", PEER),
    ],
)
def test_a_target_we_cannot_or_should_not_reach_is_asked_the_way_we_came(target: str, flow: Flow) -> None:
    assert dialog(target, flow=flow).hop == flow


@pytest.mark.parametrize(
    ("target", "host", "port"),
    [("sip:b@192.0.2.50;transport=UDP", "192.0.2.50", 5060), ("sip:b@x;maddr=192.0.2.51", "192.0.2.51", 5060),
     ("sip:b@192.0.2.7", "192.0.2.7", 5060)],
)  # fmt: skip
def test_an_address_we_can_reach_is_asked_itself(target: str, host: str, port: int) -> None:
    assert dialog(target).hop == Flow("udp", host, port)


def test_a_refresh_moves_the_target_and_a_bad_contact_does_not() -> None:
    one = dialog()
    for contact, expected in (
        ("<sip:b@192.0.2.60>", "sip:b@192.0.2.60"), ("<sip:b@192.0.2.60>", "sip:b@192.0.2.60"),
        ("<nonsense>", "sip:b@192.0.2.60"), ("<sip:b@x;;>", "sip:b@192.0.2.60"), ("", "sip:b@192.0.2.60"),
    ):  # fmt: skip
        one.refresh_target(read_request(request("UPDATE", branch="u", contact=contact)))
        assert one.remote_target == expected
    assert one.hop == Flow("udp", "192.0.2.60", 5060)


def test_sequence_numbers_rise() -> None:
    one = dialog()
    assert (one.next_cseq(), one.next_cseq()) == (2, 3)
    assert one.accepts_cseq(7)
    assert not one.accepts_cseq(6)
    assert one.accepts_cseq(9)


def test_a_dialog_survives_a_restart() -> None:
    one = dialog("sip:b@192.0.2.7:5070", ("<sip:192.0.2.8;lr>",), remote_cseq=4)
    again = Dialog.restore(json.loads(json.dumps(one.snapshot())))
    assert again.snapshot() == one.snapshot()
    assert (again.hop, again.target, again.routes) == (one.hop, one.target, one.routes)
    assert again.envelope("z9hG4bKx", 5).to_value == "<sip:b@y>;tag=r"


def test_too_many_routes_are_refused() -> None:
    routes = "Record-Route: " + ", ".join(["<sip:192.0.2.8;lr>"] * 33) + "\r\n"
    with pytest.raises(ParseError):
        dialog_of_request(read_request(request("INVITE", branch="a", headers=routes)), PEER, "l")


@pytest.mark.parametrize(
    ("contact", "nat", "host"),
    [
        ("10.0.0.5", False, "10.0.0.5"),
        ("10.0.0.5", True, "192.168.1.9"),
        ("8.8.8.8", True, "8.8.8.8"),
        ("192.168.1.9", True, "192.168.1.9"),
    ],
)
def test_behind_a_nat_of_ours_a_private_contact_is_not_followed(contact: str, nat: bool, host: str) -> None:
    flow = Flow("udp", "192.168.1.9", 40_000)
    made = Dialog(
        call_id="c", local_tag="1", remote_tag="2", local_uri="sip:a@x", remote_uri="sip:b@y",
        remote_target=f"sip:b@{contact}:5070", route_set=(), local_cseq=1, remote_cseq=None, flow=flow, nat=nat,
    )  # fmt: skip
    assert made.hop.host == host
    assert made.target == f"sip:b@{contact}:5070", "whatever the way, the Request-URI is theirs"
    assert Dialog.restore(made.snapshot()).hop == made.hop


@pytest.mark.parametrize(
    ("contact", "is_the_same"),
    [
        ("<sip:b@192.0.2.7>", True),
        ('"Bob" <sip:b@192.0.2.7>;expires=60', True),
        ("<sip:b@192.0.2.8>", False),
        ("sip:b@192.0.2.7", True),
        ("", False),
    ],
)
def test_a_2xx_confirms_the_early_dialog_that_says_the_same_however_written(contact: str, is_the_same: bool) -> None:
    answer = parse(response(request("INVITE", branch="b"), 200, contact=contact))
    assert isinstance(answer, Response)
    assert dialog().is_confirmed_by(answer) == is_the_same
