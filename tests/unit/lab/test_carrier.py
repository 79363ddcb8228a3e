"""The lab carrier routes like a proxy: requests by line or platform, responses by Via, dialogs by Record-Route."""

import pytest

from maskline.lab.carrier import Carrier
from maskline.masking.e164 import Number

PLATFORM = ("127.0.0.1", 5060)
PHONE = ("127.0.0.1", 40001)
CARRIER = ("127.0.0.1", 5999)


class Wire:
    """Stands in for the transport and keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, tuple[str, int]]] = []

    def sendto(self, data: bytes, addr: tuple[str, int]) -> None:
        self.sent.append((data.decode(), addr))


@pytest.fixture
def carrier() -> Carrier:
    made = Carrier(PLATFORM)
    made.address = CARRIER
    made._transport = Wire()  # type: ignore[assignment]
    made.add_line(Number("6598760007"), PHONE)
    return made


def sent(carrier: Carrier) -> list[tuple[str, tuple[str, int]]]:
    return carrier._transport.sent  # type: ignore[union-attr, return-value]


def invite(uri: str, hops: int = 70) -> bytes:
    return (
        f"INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40001;branch=z9hG4bKx1;rport\r\nMax-Forwards: {hops}\r\n"
        "From: <sip:+6598760007@h>;tag=a\r\nTo: <sip:x@h>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\nbody"
    ).encode()


def test_an_unknown_user_goes_to_the_platform_with_the_callers_identity(carrier: Carrier) -> None:
    carrier.datagram_received(invite("sip:+6531580001@h"), PHONE)
    text, target = sent(carrier)[0]
    assert target == PLATFORM
    assert "P-Asserted-Identity: <sip:+6598760007@127.0.0.1>" in text
    assert "Record-Route: <sip:127.0.0.1:5999;lr>" in text
    assert "received=127.0.0.1;rport=40001" in text
    assert "Max-Forwards: 69" in text
    assert text.endswith("\r\n\r\nbody")


def test_a_line_gets_calls_to_its_number(carrier: Carrier) -> None:
    carrier.datagram_received(invite("sip:+6598760007@h"), PLATFORM)
    assert sent(carrier)[0][1] == PHONE
    assert "P-Asserted-Identity" not in sent(carrier)[0][0]


def test_the_same_transaction_keeps_its_branch(carrier: Carrier) -> None:
    carrier.datagram_received(invite("sip:1@h"), PHONE)
    carrier.datagram_received(invite("sip:1@h").replace(b"INVITE sip:", b"CANCEL sip:"), PHONE)
    first, second = (text.split("\r\n")[1] for text, _ in sent(carrier))
    assert first == second


def test_hops_run_out(carrier: Carrier) -> None:
    carrier.datagram_received(invite("sip:1@h", hops=0), PHONE)
    assert sent(carrier) == []


def test_a_response_goes_back_along_its_vias(carrier: Carrier) -> None:
    response = (
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bKp\r\n"
        b"Via: SIP/2.0/UDP 10.0.0.1:40001;branch=z9hG4bKx1;received=127.0.0.1;rport=40001\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    carrier.datagram_received(response, PLATFORM)
    text, target = sent(carrier)[0]
    assert target == PHONE
    assert text.count("Via:") == 1
    assert "5999" not in text


def test_a_response_that_is_not_ours_is_dropped(carrier: Carrier) -> None:
    carrier.datagram_received(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKp\r\n\r\n", PLATFORM)
    assert sent(carrier) == []


def test_an_in_dialog_request_follows_our_route_to_its_target(carrier: Carrier) -> None:
    bye = invite("sip:127.0.0.1:41234").replace(b"INVITE", b"BYE")
    carrier.datagram_received(bye.replace(b"CSeq", b"Route: <sip:127.0.0.1:5999;lr>\r\nCSeq"), PLATFORM)
    text, target = sent(carrier)[0]
    assert target == ("127.0.0.1", 41234)
    assert "Route:" not in text


def test_a_second_route_is_the_next_hop(carrier: Carrier) -> None:
    bye = invite("sip:127.0.0.1:41234").replace(b"INVITE", b"BYE")
    route = b"Route: <sip:127.0.0.1:5999;lr>, <sip:127.0.0.9:7000;lr>\r\nCSeq"
    carrier.datagram_received(bye.replace(b"CSeq", route), PLATFORM)
    text, target = sent(carrier)[0]
    assert target == ("127.0.0.9", 7000)
    assert "Route: <sip:127.0.0.9:7000;lr>" in text
