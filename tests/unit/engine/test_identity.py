import pytest

from maskline.engine.effects import SendInvite
from maskline.engine.identity import called_of, caller_of, has_looped, outgoing_invite
from maskline.masking.facts import LegName
from maskline.masking.trunk import Trunk
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
    assert made.flow == ("udp", "192.0.2.20", 5060)
    assert (made.request_uri, made.to_uri) == ("sip:+6583334444@192.0.2.20:5060", "sip:+6583334444@192.0.2.20")
    assert made.from_uri == "sip:+6531590001@203.0.113.1"
    assert made.headers == (("P-Asserted-Identity", "<sip:+6531590001@203.0.113.1>"), ("Maskline-Loop", "mine"))
    assert (made.max_forwards, made.body, made.content_type) == (69, b"sdp", "application/sdp")


def test_ipv6_hosts_stand_in_brackets() -> None:
    trunk = Trunk("t", "t", None, "2001:db8::7", 5070)
    made = outgoing_invite(SendInvite(LegName.B, CALLEE, VIRTUAL, trunk, 69, b""), "2001:db8::1", "mine")
    assert made.request_uri == "sip:+6583334444@[2001:db8::7]:5070"
    assert made.from_uri == "sip:+6531590001@[2001:db8::1]"
