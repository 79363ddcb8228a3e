"""SIP, SIPS and TEL URIs."""

from __future__ import annotations

import pytest

from maskline.sip import uri as room
from maskline.sip.grammar import ParseError
from maskline.sip.uri import Uri, bracketed, is_plain, parse_host_port


def test_all_parts_of_a_sip_uri_are_read() -> None:
    uri = Uri("SIP:alice:secret@Example.COM:5070;Transport=UDP;lr?Subject=x")
    assert (uri.scheme, uri.user, uri.host, uri.port, uri.headers) == ("sip", "alice", "example.com", 5070, "Subject=x")
    assert uri.transport == "udp"
    assert uri.is_loose_router
    assert uri.parameters is uri.parameters


def test_a_bare_host_has_no_user_port_or_parameters() -> None:
    uri = Uri("sips:example.com")
    assert (uri.user, uri.port, uri.parameters, uri.transport, uri.is_loose_router) == ("", None, {}, "", False)


def test_ipv6_hosts_lose_their_brackets_and_get_them_back() -> None:
    assert Uri("sip:a@[2001:DB8::1]:5060").host == "2001:db8::1"
    assert Uri("sip:a@[2001:0DB8:0:0::0:1]").host == "2001:db8::1", "as sockets write it (RFC 5954 §4.2)"
    assert Uri("sip:a@[2001:DB8:1]").host == "2001:db8:1", "no address, and none is made of it"
    assert bracketed("2001:db8::1") == "[2001:db8::1]"
    assert bracketed("192.0.2.1") == "192.0.2.1"


def test_escapes_in_the_user_part_are_resolved() -> None:
    assert Uri("sip:%75se%72@x").user == "user"
    assert Uri("sip:sips%3Auser%40example.com@example.net").user == "sips:user@example.com"
    assert Uri("sip:null-%00-null@x").user == "null-\x00-null"


@pytest.mark.parametrize("text", ["sip:+15550100;npdi;rn=1@x", "tel:+15550100;phone-context=+1"])
def test_a_telephone_subscriber_comes_without_its_parameters(text: str) -> None:
    assert Uri(text).user == "+15550100"


def test_an_escaped_subscriber_is_one_all_the_same() -> None:
    assert Uri("sip:%2B15550100;npdi@x").user == "+15550100"
    assert Uri("sip:%2B15550100;npdi;rn=%2B1@x").user == "+15550100"
    # An escaped semicolon is a character of the name, and ends nothing.
    assert Uri("sip:%2B15550100%3Bnpdi@x").user == "+15550100;npdi"


def test_a_name_keeps_its_semicolons() -> None:
    assert Uri("sip:user;par=u%40example.net@example.com").user == "user;par=u@example.net"


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("tel:5550100;phone-context=+1", "+1"),
        ("tel:5550100;isub=9;Phone-Context=Carrier.Example", "carrier.example"),
        ("sip:5550100;phone-context=+1-201@x;user=phone", "+1-201"),
        ("sip:5550100;phone-context=%2B1@x;user=phone", "+1"),
        ("sip:5550100;phone%2Dcontext=%2B1@x", "+1"),
        ("sip:5550100;phone-context=+1:secret@x", "+1:secret"),
        ("sip:5550100@x;user=phone;phone-context=carrier.example", "carrier.example"),
        ("sip:5550100@x;phone-context=+1?Subject=;phone-context=+2", "+1"),
        ("sip:5550100;phone-context=a@x;phone-context=b", "a"),
        ("tel:5550100;phone-context=", ""),
        ("tel:5550100;phone-context", ""),
        ("sip:5550100@x;user=phone", None),
        ("sip:5550100@x;context=%2B1", None),
        ("sip:5550100@x?X=;phone-context=+1", None),
        ("tel:+15550100", None),
    ],
)
def test_the_context_of_a_local_number_is_read_wherever_it_stands(text: str, context: str | None) -> None:
    assert Uri(text).context == context


def test_tel_parameters_are_read() -> None:
    assert Uri("tel:5550100;phone-context=+1").parameters == {"phone-context": "+1"}
    assert Uri("tel:+15550100").parameters == {}


def test_other_schemes_stay_opaque() -> None:
    uri = Uri("soap.beep://192.0.2.103:3002")
    assert (uri.scheme, uri.user, uri.host) == ("soap.beep", "", "")


@pytest.mark.parametrize(
    "text",
    ["", "sip", ":x", "<sip:x>", "sip:", "sip:a@", "sip:a b@x", "sip:a@x:0", "sip:a@x:99999", "sip:a@x:1234567",
     "sip:%4@x", "sip:a@h%st", "sip:a@[::1", 'sip:"a"@x', "sip:a@x\x01", "1sip:x"],
)  # fmt: skip
def test_malformed_uris_are_refused(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        Uri(text)
    assert caught.value.status == 400


def test_malformed_parameters_are_refused_when_asked_for() -> None:
    with pytest.raises(ParseError):
        _ = Uri("sip:x;;").parameters


def test_the_user_is_not_shown_in_a_traceback() -> None:
    assert "15550100" not in repr(Uri("sip:15550100@x"))


def test_host_and_port_of_a_via_may_have_spaces_around_the_colon() -> None:
    assert parse_host_port("Example.com : 5060") == ("example.com", 5060)
    assert parse_host_port("[::1]") == ("::1", None)
    with pytest.raises(ParseError):
        parse_host_port("a b")


@pytest.mark.parametrize("user", ["bob", "+15550100", "15550100", "b.ob", "b+1", "+", "b", "1٣3", "ä1234", "a b1", ""])
@pytest.mark.parametrize("place", ["Host.Example:5070;lr", "h", "h:0", "h:99999", "h ", "h?x=1", "[::1]", "h@h", ""])
@pytest.mark.parametrize("scheme", ["sip", "SIP", "sips"])
def test_a_uri_means_the_same_whether_its_place_was_met_before_or_not(user: str, place: str, scheme: str) -> None:
    def read(text: str) -> object:
        try:
            uri = Uri(text)
        except ParseError as error:
            return error.reason
        return uri.text, uri.scheme, uri.user, uri.host, uri.port, uri.headers, uri.parameters, uri.transport

    text = f"{scheme}:{user}@{place}"
    room._places.clear()
    plain, new = is_plain(text), read(text)
    for known in ("sip:1234@Host.Example:5070;lr", "sip:1234@h", "sip:1234@h@h"):
        read(known)
    assert (is_plain(text), read(text)) == (plain, new)


def test_places_that_are_remembered_are_few_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_REMEMBERED", 3)
    room._places.clear()
    assert Uri(f"sip:12345@{'h' * 200}").host == "h" * 200
    assert not room._places
    for number in range(9):
        assert Uri(f"sip:12345@h{number}").host == f"h{number}"
        assert 0 < len(room._places) <= 3
