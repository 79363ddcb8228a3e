"""Via, addresses, CSeq, Reason."""

from __future__ import annotations

import pytest

from maskline.sip.grammar import ParseError
from maskline.sip.headers import Address, Via, parse_cseq, parse_q850_cause


def test_a_via_is_read_with_all_its_white_space() -> None:
    via = Via("SIP  / 2.0  / Tcp     Spindle.example.com : 5070  ;  branch  =   z9hG4bK9ikj8 ;rport")
    assert (via.transport, via.host, via.port, via.branch) == ("tcp", "spindle.example.com", 5070, "z9hG4bK9ikj8")
    assert via.parameters == {"branch": "z9hG4bK9ikj8", "rport": ""}
    assert via.has_cookie


def test_a_via_of_an_rfc_2543_peer_has_no_branch() -> None:
    via = Via("SIP/2.0/UDP 192.0.2.1")
    assert (via.branch, via.port, via.has_cookie, via.parameters) == ("", None, False, {})


@pytest.mark.parametrize(
    "text",
    ["", "UDP x", "SIP/2.0/UDP", "SIP/2.0/UDP x;;", "SIP/2.0/UDP x y", "SIP/2.0/UDP x;branch=z9hG4bK",
     "SIP/2.0/UDP x:0;branch=1"],
)  # fmt: skip
def test_malformed_vias_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        Via(text)


def test_a_name_addr_is_read() -> None:
    address = Address('"Mr. \\"J\\", User"  <sip:j@example.com;x=1>;tag=a1;p')
    assert (address.display, address.uri_text, address.tag) == ('Mr. "J", User', "sip:j@example.com;x=1", "a1")
    assert address.parameters == {"tag": "a1", "p": ""}
    assert address.uri is address.uri


def test_parameters_after_a_bare_uri_belong_to_the_header() -> None:
    address = Address("sip:j@example.com ;   tag    = 1918181833n")
    assert (address.display, address.uri_text, address.tag) == ("", "sip:j@example.com", "1918181833n")


def test_an_unquoted_display_name_may_hold_commas() -> None:
    assert Address("Bell, Alexander <sip:a@x>").display == "Bell, Alexander"
    assert Address("<sip:a@x>").display == ""
    assert Address("<sip:a@x>").parameters == {}


@pytest.mark.parametrize(
    "text",
    ["", '"open <sip:x>', "<sip:x", '"a" b <sip:x>', 'b "a" <sip:x>', "< sip:x >", "<sip:x >", "<>", '"a" sip:x',
     "sip:x?Route=y", "<sip:x>;;", ";tag=1"],
)  # fmt: skip
def test_malformed_addresses_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        Address(text)


def test_an_address_is_not_shown_in_a_traceback() -> None:
    assert "15550100" not in repr(Address("<sip:15550100@x>"))


def test_cseq_is_a_number_and_a_method() -> None:
    assert parse_cseq("0009   INVITE") == (9, "INVITE")


@pytest.mark.parametrize("text", ["", "1", "INVITE", "1 A B", "x INVITE", "2147483648 INVITE", "-1 BYE"])
def test_malformed_cseq_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_cseq(text)


@pytest.mark.parametrize(
    ("text", "cause"),
    [('Q.850;cause=16;text="a, b"', 16), ("SIP ;cause=200, q.850 ; cause=17", 17), ("SIP;cause=487", None),
     ("Q.850", None), ("Q.850;cause=x, Q.850;cause=19", 19), ("Q.850;cause=128", None), ("Q.850;;", None)],
)  # fmt: skip
def test_the_q850_cause_is_found_wherever_it_stands(text: str, cause: int | None) -> None:
    assert parse_q850_cause(text) == cause
