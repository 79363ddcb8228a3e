"""Requests and responses: values at first use."""

from __future__ import annotations

import pytest

from maskline.sip.grammar import ParseError
from maskline.sip.message import Request, Response


def request(**headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("INVITE", "sip:+15550100@192.0.2.1", named, b"")


def test_addresses_are_parsed_once() -> None:
    message = request(**{"from": "<sip:+1555@x>;tag=f", "to": "<sip:+1666@y>;tag=t", "contact": "<sip:c@z>, <sip:d@z>"})
    assert message.from_uri is message.from_uri
    assert message.request_uri is message.request_uri
    assert (message.from_uri.user, message.to_uri.user, message.request_uri.user) == ("+1555", "+1666", "+15550100")
    assert (message.from_tag, message.to_tag) == ("f", "t")
    assert message.contact is not None
    assert message.contact is message.contact
    assert message.contact.uri_text == "sip:c@z"


def test_missing_headers_are_none_or_empty() -> None:
    message = request()
    assert message.contact is None
    assert message.max_forwards is None
    assert message.content_type == ""
    assert message.q850_cause is None
    assert message.header("Privacy") is None
    assert message.values("Require") == []
    with pytest.raises(ParseError):
        _ = message.via


def test_header_text_is_found_in_any_case_and_repeats_are_listed() -> None:
    message = request(p_asserted_identity="<tel:+1555>\n<sip:a@b>", supported="100rel, timer\n, path")
    assert message.header("P-Asserted-Identity") == "<tel:+1555>"
    assert message.header("p-asserted-identity") == "<tel:+1555>"
    assert message.values("Supported") == ["100rel", "timer", "path"]


def test_the_top_via_is_cut_from_its_line() -> None:
    message = request(via="SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b\nSIP/2.0/UDP c")
    assert message.split_top_via() == ("SIP/2.0/UDP a;branch=1", "SIP/2.0/UDP b\nSIP/2.0/UDP c")
    assert message.via.branch == "1"
    assert request(via="SIP/2.0/UDP a, SIP/2.0/UDP b").split_top_via() == ("SIP/2.0/UDP a", "SIP/2.0/UDP b")
    assert request(via="SIP/2.0/UDP a\nSIP/2.0/UDP b").split_top_via() == ("SIP/2.0/UDP a", "SIP/2.0/UDP b")


def test_content_type_is_lower_case_without_parameters() -> None:
    assert request(content_type="Application/SDP ; charset=utf-8").content_type == "application/sdp"


def test_the_reason_header_gives_the_isdn_cause() -> None:
    assert request(reason="Q.850;cause=17").q850_cause == 17


def test_max_forwards_is_held_to_its_range() -> None:
    assert request(max_forwards="0068").max_forwards == 68
    with pytest.raises(ParseError):
        _ = request(max_forwards="256").max_forwards


@pytest.mark.parametrize(("text", "seconds"), [("120 (busy);duration=5", 120), ("18;x", 18), ("soon", None)])
def test_retry_after_is_read_or_absent(text: str, seconds: int | None) -> None:
    assert Response(503, "", {"retry-after": text}, b"").retry_after == seconds
    assert Response(503, "", {}, b"").retry_after is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("4294967295", 4_294_967_295), ("4294967296", None), ("5;x", None)]
)
def test_an_expiry_is_read_or_absent(text: str, seconds: int | None) -> None:
    assert request(expires=text).expires == seconds
    assert request().expires is None
    assert request(expires="5\n6").expires is None


def test_messages_show_no_numbers_in_a_traceback() -> None:
    assert repr(request()) == "Request(INVITE)"
    response = Response(200, "OK", {}, b"")
    response.cseq_method = "BYE"
    assert repr(response) == "Response(200 BYE)"
