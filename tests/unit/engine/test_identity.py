from dataclasses import replace

import pytest

from maskline.engine.effects import SendInvite
from maskline.engine.identity import called_of, caller_of, has_looped, outgoing_invite
from maskline.masking.facts import LegName
from maskline.masking.trunk import IdentityHeader, NumberFormat, Presentation, Trunk
from maskline.sip.events import Flow
from maskline.sip.message import Request
from maskline.sip.parser import parse
from tests.support.call_machine import CALLEE, TRUNK_B, VIRTUAL


def invite(*lines: str, from_: str = "<sip:+6591112222@192.0.2.10>", to: str = "+6531590001") -> Request:
    head = (
        f"INVITE sip:{to}@203.0.113.1 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKx", f"From: {from_};tag=1",
        f"To: <sip:{to}@203.0.113.1>", "Call-ID: 1", "CSeq: 1 INVITE", *lines, "", "",
    )  # fmt: skip
    request = parse("\r\n".join(head).encode())
    assert isinstance(request, Request)
    return request


def digits(*lines: str, **changes: str) -> str | None:
    caller = caller_of(invite(*lines, **changes))
    return None if caller is None else caller.digits


@pytest.mark.parametrize(
    ("from_", "expected"),
    [
        ("<sip:+6591112222@192.0.2.10>", "6591112222"),
        ("<sip:006591112222@192.0.2.10>", "6591112222"),
        ("<sip:6591112222@192.0.2.10;user=phone>", "6591112222"),
        ("<sip:+65-9111-2222;phone-context=x@192.0.2.10>", "6591112222"),
        ("<tel:+6591112222>", "6591112222"),
        ('"Anonymous" <sip:anonymous@anonymous.invalid>', None),
        ("<sip:192.0.2.10>", None),
        ("<sip:07911123456@192.0.2.10>", None),
        ("<sip:+0065911122@192.0.2.10>", None),
        ("<sip:alice@192.0.2.10>", None),
    ],
)
def test_the_caller_is_read_from_every_usual_form(from_: str, expected: str | None) -> None:
    assert digits(from_=from_) == expected


def test_an_asserted_identity_beats_from() -> None:
    assert digits("P-Asserted-Identity: <sip:+6590000000@c>") == "6590000000"
    assert digits("P-Asserted-Identity: <tel:+6590000000>", from_="<sip:anonymous@anonymous.invalid>") == "6590000000"


def test_an_asserted_identity_that_is_no_number_is_passed_over() -> None:
    assert digits("P-Asserted-Identity: <sip:trunk-7@c>, <tel:+6590000000>") == "6590000000"
    assert digits("P-Asserted-Identity: <sip:trunk-7@c>") == "6591112222"
    # The agent refuses such a request; the reader must not depend on that.
    assert digits("P-Asserted-Identity: <sip:bad") == "6591112222"


def test_an_asserted_national_number_is_nobody_and_not_whom_from_names() -> None:
    assert digits("P-Asserted-Identity: <sip:07911123456@c>") is None
    assert digits("P-Asserted-Identity: <tel:020-7946.0000>") is None
    assert digits("P-Asserted-Identity: <sip:07911123456@c>, <tel:+447911123456>") == "447911123456"


def test_a_trunk_of_a_country_may_write_its_numbers() -> None:
    national = invite("P-Asserted-Identity: <sip:trunk-7@c>, <tel:020-7946.0000>", to="02079460001")
    british = Presentation(country_code="+44")
    caller, called = caller_of(national, british), called_of(national, british)
    assert caller is not None and caller.e164 == "+442079460000"
    assert called is not None and called.e164 == "+442079460001"
    assert called_of(national) is None
    from_alone = caller_of(invite(from_="<sip:07911123456@192.0.2.10>"), british)
    assert from_alone is not None and from_alone.e164 == "+447911123456"


OLD = Presentation((IdentityHeader.FROM, IdentityHeader.REMOTE_PARTY))
"""A trunk that speaks Remote-Party-ID."""
RPID = "Remote-Party-ID: <sip:+6590000000@c>"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((RPID,), "6590000000"),
        ((RPID + ";party=calling;screen=yes;privacy=off",), "6590000000"),
        ((RPID + ";Party=CALLING;privacy=name",), "6590000000"),
        ((RPID + ";screen=no",), "6591112222"),
        ((RPID + ";party=called", "Remote-Party-ID: <sip:+6593333333@c>"), "6593333333"),
        ((RPID + ";privacy=full;screen=yes",), None),
        ((RPID + ";privacy=URI-network",), None),
        ((RPID, "P-Asserted-Identity: <sip:+6594444444@c>"), "6594444444"),
        ((RPID, "P-Asserted-Identity: <sip:trunk-7@c>"), "6590000000"),
        ((RPID, "P-Asserted-Identity: <sip:07911123456@c>"), None),
        (("Remote-Party-ID: <sip:07911123456@c>",), None),
        (("Remote-Party-ID: <tel:6590000000;phone-context=+1>",), "16590000000"),
        (("Remote-Party-ID: <tel:6590000000;phone-context=other.example>",), None),
        (("Remote-Party-ID: <sip:alice@c>",), "6591112222"),
        (("Remote-Party-ID: <sip:bad",), "6591112222"),
        (("Remote-Party-ID: <<>",), "6591112222"),
    ],
)
def test_a_trunk_of_remote_party_ids_names_its_callers_in_them(lines: tuple[str, ...], expected: str | None) -> None:
    caller = caller_of(invite(*lines), OLD)
    assert (None if caller is None else caller.digits) == expected


def test_a_remote_party_id_of_another_trunk_may_be_a_phones_own_and_says_nothing() -> None:
    assert digits(RPID + ";screen=yes") == "6591112222"
    assert digits(RPID + ";privacy=full") == "6591112222"


PLACES = ("carrier.example", "203.0.113.1")
"""Domains that are the trunk's or ours."""
IN_CONTEXT = [
    ("tel:91110042;phone-context=+65", "6591110042"),
    ("tel:9111-0042;phone-context=+6-5", "6591110042"),
    ("tel:6591110042;phone-context=+1", "16591110042"),
    ("sip:6591110042;phone-context=+1@gw.example;user=phone", "16591110042"),
    ("sip:6591110042;phone-context=%2B1@gw.example;user=phone", "16591110042"),
    ("sip:6591110042@gw.example;user=phone;phone-context=+1", "16591110042"),
    ("sip:6591110042;phone-context=carrier.example@gw.example;user=phone", "6591110042"),
    ("tel:6591110042;phone-context=Carrier.Example", "6591110042"),
    ("sip:6591110042;phone-context=203.0.113.1@gw.example", "6591110042"),
    ("sip:6591110042;phone-context=other.example@carrier.example", None),
    ("tel:6591110042;phone-context=other.example", None),
    ("tel:6591110042;phone-context=", None),
    ("tel:6591110042;phone-context=+", None),
    ("tel:6591110042;phone-context=+065", None),
    ("tel:6591110042;phone-context=+1x", None),
    ("tel:*6591110042;phone-context=+1", None),
    ("tel:;phone-context=+6591110042", None),
    ("tel:91110042;phone-context=+65911100429111", None),
    ("tel:+6591110042;phone-context=+1", "6591110042"),
]
"""URI and the number it means (RFC 3966 §5.1.5)."""


@pytest.mark.parametrize(("uri", "expected"), IN_CONTEXT)
def test_a_local_number_is_of_the_country_or_domain_its_context_names(uri: str, expected: str | None) -> None:
    others = {"from_": "<sip:+6590000000@192.0.2.10>"}
    readings = [
        caller_of(invite(from_=f"<{uri}>"), places=PLACES),
        # Whom From names does not count where somebody is asserted of whom nobody can tell who it is.
        caller_of(invite(f"P-Asserted-Identity: <{uri}>", **others), places=PLACES),
    ]
    readings.append(called_of(Request("INVITE", uri, invite().headers, b""), places=PLACES))
    assert [None if number is None else number.digits for number in readings] == [expected] * 3


def test_a_context_without_angle_brackets_is_a_context_all_the_same() -> None:
    assert digits(from_="tel:6591110042;phone-context=+1") == "16591110042"
    assert digits("P-Asserted-Identity: tel:6591110042;Phone-Context=Other.Example") is None


def test_an_asserted_number_of_an_unknown_domain_gives_way_to_a_whole_one() -> None:
    local = "P-Asserted-Identity: <tel:6591110042;phone-context=other.example>"
    assert digits(local + ", <tel:+6590000000>") == "6590000000"


def test_a_local_number_of_the_trunks_domain_is_read_by_the_trunks_rules() -> None:
    british = Presentation(country_code="+44")
    for context, expected in (("carrier.example", "+447911123456"), ("other.example", None)):
        caller = caller_of(invite(from_=f"<tel:07911123456;phone-context={context}>"), british, PLACES)
        assert (None if caller is None else caller.e164) == expected


def test_the_dialled_number_comes_from_the_request_uri() -> None:
    called = called_of(invite())
    assert called == VIRTUAL
    assert called_of(invite(to="echo")) is None


def test_our_own_mark_is_known_and_a_foreign_one_is_not() -> None:
    assert has_looped(invite("Maskline-Loop: mine"), "mine")
    assert not has_looped(invite("Maskline-Loop: theirs"), "mine")
    assert not has_looped(invite(), "mine")


@pytest.mark.row("6.1/registered party")
def test_leg_b_shows_the_virtual_number_alone() -> None:
    made = outgoing_invite(SendInvite(LegName.B, CALLEE, VIRTUAL, TRUNK_B, 69, b"sdp"), "203.0.113.1", "mine")
    assert made.flow == Flow("udp", "192.0.2.20", 5060)
    assert (made.request_uri, made.to_uri) == ("sip:+6583334444@192.0.2.20:5060", "sip:+6583334444@192.0.2.20")
    assert made.from_uri == "sip:+6531590001@203.0.113.1"
    assert made.headers == (("P-Asserted-Identity", "<sip:+6531590001@203.0.113.1>"), ("Maskline-Loop", "mine"))
    assert (made.max_forwards, made.body, made.content_type) == (69, b"sdp", "application/sdp")


def test_a_trunk_is_spoken_to_as_it_wants() -> None:
    how = Presentation((IdentityHeader.ASSERTED,), NumberFormat.NATIONAL, "+65", "9", privacy=True, national_prefix="0")
    trunk = replace(TRUNK_B, presentation=how)
    made = outgoing_invite(SendInvite(LegName.B, CALLEE, VIRTUAL, trunk, 69, b"sdp"), "203.0.113.1", "mine")
    assert (made.request_uri, made.to_uri) == ("sip:9083334444@192.0.2.20:5060", "sip:9083334444@192.0.2.20")
    assert (made.from_display, made.from_uri) == ('"Anonymous" ', "sip:anonymous@anonymous.invalid")
    assert made.headers == (
        ("P-Asserted-Identity", "<sip:031590001@203.0.113.1>"), ("Privacy", "id"), ("Maskline-Loop", "mine"),
    )  # fmt: skip


def test_ipv6_hosts_stand_in_brackets() -> None:
    trunk = Trunk("t", "t", None, "2001:db8::7", 5070)
    made = outgoing_invite(SendInvite(LegName.B, CALLEE, VIRTUAL, trunk, 69, b""), "2001:db8::1", "mine")
    assert made.request_uri == "sip:+6583334444@[2001:db8::7]:5070"
    assert made.from_uri == "sip:+6531590001@[2001:db8::1]"


def test_the_way_to_a_trunk_names_what_its_certificate_must_prove() -> None:
    for trunk, name in (
        (replace(TRUNK_B, transport="tcp"), ""),
        (replace(TRUNK_B, transport="tls"), TRUNK_B.host),
        (replace(TRUNK_B, transport="tls", tls_name="sip.carrier.example"), "sip.carrier.example"),
    ):
        made = outgoing_invite(SendInvite(LegName.B, CALLEE, VIRTUAL, trunk, 69, b"sdp"), "203.0.113.1", "mine")
        assert made.flow == Flow(trunk.transport, TRUNK_B.host, TRUNK_B.port, name)


def test_the_callee_is_sought_at_the_address_that_was_looked_up() -> None:
    target = Flow("tls", "198.51.100.7", 5071, "sip.carrier.example")
    trunk = replace(TRUNK_B, host="carrier.example", port=0, transport="tls")
    made = outgoing_invite(SendInvite(LegName.B, CALLEE, VIRTUAL, trunk, 69, b"sdp", target), "203.0.113.1", "mine")
    assert made.flow == target
    assert made.request_uri == made.to_uri == f"sip:{CALLEE.e164}@carrier.example", "and asked for by the name"
    invite = SendInvite(LegName.B, CALLEE, VIRTUAL, replace(trunk, port=5071), 69, b"sdp", target)
    made = outgoing_invite(invite, "203.0.113.1", "mine")
    assert made.request_uri == f"sip:{CALLEE.e164}@carrier.example:5071"


def test_a_place_that_a_3xx_names_is_asked_for_by_its_address() -> None:
    """RFC 3261 §8.1.3.4: the Request-URI is the Contact's."""
    target = Flow("udp", "198.51.100.8", 5070)
    trunk = replace(TRUNK_B, host="carrier.example", port=0)
    invite = SendInvite(LegName.B, CALLEE, VIRTUAL, trunk, 69, b"sdp", target, moved=True)
    made = outgoing_invite(invite, "203.0.113.1", "mine")
    assert made.request_uri == f"sip:{CALLEE.e164}@198.51.100.8:5070"
