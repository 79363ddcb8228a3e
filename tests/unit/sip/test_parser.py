"""One datagram -> one message or one ParseError."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.sip.grammar import MAX_HEADERS, MAX_LINE, MAX_MESSAGE, ParseError
from maskline.sip.message import Request, Response
from maskline.sip.parser import parse

INVITE = (
    b"INVITE sip:+15550100@192.0.2.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKabc;rport\r\n"
    b"From: <sip:+15550101@192.0.2.7>;tag=f1\r\n"
    b"To: <sip:+15550100@192.0.2.1>\r\n"
    b"Call-ID: c1\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Max-Forwards: 70\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"body"
)
RINGING = (
    b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=1\r\n"
    b"To: <sip:b@y>;tag=2\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)


def refused(data: bytes) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(data)
    return caught.value


def test_a_request_is_read() -> None:
    message = parse(INVITE)
    assert isinstance(message, Request)
    assert (message.method, message.call_id, message.cseq, message.cseq_method) == ("INVITE", "c1", 1, "INVITE")
    assert (message.body, message.via.branch, message.max_forwards) == (b"body", "z9hG4bKabc", 70)


def test_a_response_is_read() -> None:
    message = parse(RINGING)
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.to_tag) == (180, "Ringing", "2")


def test_line_breaks_before_the_start_line_are_ignored() -> None:
    assert isinstance(parse(b"\r\n\r\n" + INVITE), Request)


def test_the_version_may_be_written_in_any_case() -> None:
    assert isinstance(parse(INVITE.replace(b" SIP/2.0\r\nVia", b" sip/2.0\r\nVia")), Request)


def test_bytes_after_content_length_are_ignored() -> None:
    assert parse(INVITE + b"more").body == b"body"


def test_without_content_length_the_body_ends_with_the_datagram() -> None:
    assert parse(INVITE.replace(b"Content-Length: 4\r\n", b"") + b"more").body == b"bodymore"


def test_bytes_outside_utf8_survive_in_headers_and_body() -> None:
    data = INVITE.replace(b"To: <", b"To: \xff <").replace(b"body", b"\xff\x00\x01\x02")
    message = parse(data)
    assert message.headers["to"].encode("utf-8", "surrogateescape").startswith(b"\xff <")
    assert message.body == b"\xff\x00\x01\x02"


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b" SIP/2.0\r\nVia", b" SIP/3.0\r\nVia", 505),
        (b" SIP/2.0\r\nVia", b" HTTP/1.1\r\nVia", 400),
        (b"sip:+15550100@192.0.2.1 SIP", b"sip:a b@x SIP", 400),
        (b"sip:+15550100@192.0.2.1 SIP", b" SIP", 400),
        (b"sip:+15550100@192.0.2.1 SIP", b"sip:a@x?Route=y SIP", 400),
        (b"From: ", b"X-From: ", 400),
        (b"To: <", b"To: \r\nX: <", 400),
        (b"Call-ID: c1", b"Call-ID: c1 c2", 400),
        (b"Call-ID: c1", b"Call-ID: ", 400),
        (b"CSeq: 1 INVITE", b"CSeq: 1 BYE", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: many", 400),
        (b"Content-Length: 4", b"Content-Length: 5", 400),
        (b"Content-Length: 4", b"Content-Length: -4", 400),
        (b"Content-Length: 4", b"Content-Length: 4\r\nl: 4", 400),
        (b"Max-Forwards: 70", b"no colon here", 400),
        (b"Max-Forwards: 70", b"bad name: x", 400),
        (b"Max-Forwards: 70", b"X: " + b"y" * MAX_LINE, 400),
        (b"Max-Forwards: 70", b"X: y\r\n" * MAX_HEADERS + b"Z: z", 400),
        (b"\r\n\r\nbody", b"\r\n", 400),
    ],
)
def test_a_field_fault_names_its_status_and_can_be_answered(old: bytes, new: bytes, status: int) -> None:
    error = refused(INVITE.replace(old, new, 1))
    assert error.status == status
    assert error.request is not None
    assert error.request.headers["via"].startswith("SIP/2.0/UDP 192.0.2.7:5060")


def test_the_first_of_two_faults_is_named() -> None:
    data = INVITE.replace(b"Max-Forwards: 70", b"no colon here\r\nbad name: x")
    assert refused(data).reason == "Malformed header name"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x00" * 100,
        b"x" * (MAX_MESSAGE + 1),
        INVITE.replace(b"Via:", b"X-Via:"),
        INVITE.replace(b"INVITE sip", b"INV(TE sip"),
        INVITE.replace(b"INVITE sip", b"I" * MAX_LINE + b" sip"),
        INVITE.replace(b"Max-Forwards: 70\r\n", b"Max-Forwards: 70\n"),
        INVITE.replace(b"tag=f1", b"tag=f1\rX: y"),
        INVITE.replace(b"INVITE", b"ACK").replace(b"Call-ID", b"X-Call-ID"),
        RINGING.replace(b"180", b"1800"),
        RINGING.replace(b"180", b"099"),
        RINGING.replace(b"180", "¹80".encode()),
        RINGING.replace(b"SIP/2.0 180", b"SIP/3.0 180"),
        RINGING.replace(b"Ringing", b"R" * MAX_LINE),
        RINGING.replace(b"Call-ID", b"bad name"),
        RINGING.replace(b"CSeq: 1 INVITE", b"CSeq: x INVITE"),
    ],
)
def test_a_framing_fault_or_a_faulty_response_leaves_nothing_to_answer(data: bytes) -> None:
    assert refused(data).request is None


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=600))
def test_random_bytes_raise_nothing_but_parse_error(data: bytes) -> None:
    try:
        parse(data)
    except ParseError:
        return


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.sampled_from([INVITE, RINGING]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 20), st.binary(max_size=12)), min_size=1, max_size=6),
)
def test_mutated_messages_raise_nothing_but_parse_error(data: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    for start, length, replacement in cuts:
        data = data[:start] + replacement + data[start + length :]
    try:
        message = parse(data)
    except ParseError:
        return
    assert message.via.host
    assert message.to_tag is not None
    assert message.call_id


def test_a_header_continued_on_further_lines_is_one_line() -> None:
    message = parse(
        INVITE.replace(b"From: <", b"From:\r\n \t<").replace(b"Max-Forwards: 70", b"Max-Forwards:\r\n\t 70")
    )
    assert isinstance(message, Request)
    assert (message.from_tag, message.headers["from"], message.max_forwards) == (
        "f1",
        "<sip:+15550101@192.0.2.7>;tag=f1",
        70,
    )


def test_headers_are_counted_once_their_folds_are_joined() -> None:
    folded = b"X-Y: y" + b"\r\n z" * MAX_HEADERS
    assert parse(INVITE.replace(b"Max-Forwards: 70", folded)).headers["x-y"] == "y" + " z" * MAX_HEADERS


USUAL_TO_ODD = (
    (b"Via: SIP/2.0/UDP", b"Via: SIP / 2.0 / UDP"),
    (b"branch=z9hG4bKabc", b"branch=old"),
    (b"From: <", b'From: "A \\" B" <'),
    (b"From: <", b"From: A B <"),
    (b"To: <sip:+15550100@192.0.2.1>", b"To: sip:+15550100@192.0.2.1"),
    (b"CSeq: 1 ", b"CSeq: 0000000001 "),
    (b"Via: ", b"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKtop\r\nVia: "),
)


@pytest.mark.parametrize(("usual", "odd"), USUAL_TO_ODD)
def test_what_is_read_in_one_go_is_what_each_header_says(usual: bytes, odd: bytes) -> None:
    for data in (INVITE, INVITE.replace(usual, odd)):
        message = parse(data)
        via = message.via
        assert (message.branch, message.sent_by) == (via.branch, f"{via.host}|{via.port}")
        assert (message.from_tag, message.to_tag) == (message.from_address.tag, message.to_address.tag)
        assert (message.cseq, message.cseq_method, message.call_id) == (1, "INVITE", "c1")


@pytest.mark.parametrize(
    ("start", "reason"), [(b"sip/2.0 180 Ringing", "Ringing"), (b"SIP/2.0 180", ""), (b"SIP/2.0 180 ", "")]
)
def test_a_status_line_may_be_short_or_in_any_case(start: bytes, reason: str) -> None:
    message = parse(RINGING.replace(b"SIP/2.0 180 Ringing", start))
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.to_tag) == (180, reason, "2")
