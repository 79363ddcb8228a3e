"""The session description among other parts of a body."""

from __future__ import annotations

import pytest

from maskline.sip.events import InviteAcked, InviteReceived, RequestReceived
from maskline.sip.message import Request, Response
from maskline.sip.multipart import MAX_PARTS, sdp_of_parts
from maskline.sip.parser import parse
from tests.support.sip_wire import SDP, Bench, request

MIXED = "multipart/mixed;boundary=b1"
NUMBER = b"6591112222"
ISUP = (b"Content-Type: application/ISUP;version=itu-t92+", b"\x01\x00" + NUMBER + b"\x00\x7f\r\n\x0a")
PIDF = (b"Content-Type: application/pidf+xml\r\nContent-ID: <" + NUMBER + b"@h>", b"<tel>" + NUMBER + b"</tel>")
PART = (b"Content-Type: application/sdp", SDP)


def wrapped(*parts: tuple[bytes, bytes], boundary: bytes = b"b1", start: bytes = b"", end: bytes = b"--\r\n") -> bytes:
    inside = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, head, content) for head, content in parts)
    return start + inside + b"--" + boundary + end


def with_handling(part: tuple[bytes, bytes], disposition: bytes) -> tuple[bytes, bytes]:
    return part[0] + b"\r\nContent-Disposition: " + disposition, part[1]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MIXED, wrapped(PART, ISUP)),
        (MIXED, wrapped(ISUP, PIDF, PART)),
        ('Multipart/Mixed; charset=x ; Boundary="b1"', wrapped(PIDF, PART)),
        ('multipart/mixed;boundary="a b"', wrapped(PART, boundary=b"a b")),
        ("multipart/alternative;boundary=b1", wrapped((b"Content-Type: text/plain", NUMBER), PART)),
        (
            MIXED,
            wrapped(PART, start=b"for those who know no MIME " + NUMBER + b"\r\n", end=b"--\r\nand after " + NUMBER),
        ),
        (MIXED, wrapped(PART, end=b"--")),
        (MIXED, wrapped(PART).replace(b"--b1\r\n", b"--b1 \t\r\n")),
        (MIXED, wrapped((b"c:  Application/SDP ;x=" + NUMBER, SDP))),
        (MIXED, wrapped((b"Content-Type:\r\n application/sdp\r\nX:\r\n\t1", SDP))),
        (MIXED, wrapped((b"Content-Type: application/sdp\r\nContent-Transfer-Encoding: 8bit", SDP))),
        (MIXED, wrapped((PART[0], SDP.removesuffix(b"\r\n")))),
        (MIXED, wrapped(PART, (PART[0], b"v=0\r\n" + NUMBER))),
        (MIXED, wrapped(with_handling(PART, b"early-session"), with_handling(PART, b"Session; handling=required"))),
        (MIXED, wrapped(with_handling(ISUP, b"signal;handling=optional"), with_handling(PIDF, b"render"), PART)),
        (MIXED, b"--b1\r\n\r\n" + NUMBER + b"\r\n" + wrapped(PART)),
    ],
)
def test_the_part_that_describes_the_session_is_taken_and_no_other(content_type: str, body: bytes) -> None:
    assert sdp_of_parts(body, content_type) == SDP


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/mixed", wrapped(PART)),
        ("multipart/mixed;boundary", wrapped(PART)),
        ("multipart/mixed;boundary=b1;;", wrapped(PART)),
        (f'multipart/mixed;boundary="{"b" * 71}"', wrapped(PART, boundary=b"b" * 71)),
        ('multipart/mixed;boundary="b1 "', wrapped(PART, boundary=b"b1 ")),
        ("multipart/mixed;boundary=b2", wrapped(PART)),
        (MIXED, wrapped(PART, boundary=b"b12")),
        (MIXED, wrapped(ISUP, PIDF)),
        (MIXED, wrapped()),
        (MIXED, wrapped(PART, end=b"")),
        (MIXED, b"--b1\r\nContent-Type: application/sdp\r\n--b1--\r\n"),
        (MIXED, wrapped((b"Content-Type: application/sdp\r\nX-Y: " + b"x" * 2_048, SDP))),
        (MIXED, wrapped((b"Content-Type: application/sdp\r\nbad name: 1", SDP))),
        (MIXED, wrapped(with_handling(PART, b"session;;"))),
        (MIXED, wrapped((b"Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64", SDP))),
        (MIXED, wrapped((b"Content-Type: application/sdp\r\nContent-Encoding: gzip", SDP))),
        (MIXED, wrapped((PART[0], b""))),
        (MIXED, wrapped((PART[0], b""), PART)),
        (MIXED, wrapped(with_handling(PART, b"early-session"))),
        (MIXED, wrapped(PART, with_handling(ISUP, b"signal; Handling=Required"))),
        (MIXED, wrapped(with_handling(ISUP, b"signal; handling=required"), PART)),
        (MIXED, wrapped(*[PIDF] * MAX_PARTS, PART)),
        (MIXED, wrapped((MIXED.replace("b1", "b2").encode(), wrapped(PART, boundary=b"b2")))),
    ],
)
def test_what_is_cut_wrongly_or_insists_on_more_has_to_be_refused(content_type: str, body: bytes) -> None:
    assert sdp_of_parts(body, content_type) is None


NEED_NOT = b"signal; Handling=Optional"
LIST = (b"Content-Type: application/resource-lists+xml", b"<resource-lists/>")


@pytest.mark.parametrize(
    "parts",
    [
        (with_handling(ISUP, NEED_NOT),),
        (with_handling(LIST, b'recipient-list;handling="optional"'), with_handling(ISUP, NEED_NOT)),
        (with_handling(PART, b"early-session;handling=optional"),),
    ],
)
def test_parts_that_nobody_has_to_understand_describe_nothing(parts: tuple[tuple[bytes, bytes], ...]) -> None:
    assert sdp_of_parts(wrapped(*parts), MIXED) == b""


@pytest.mark.parametrize(
    "parts",
    [
        (with_handling(ISUP, NEED_NOT), PIDF),
        (with_handling(ISUP, NEED_NOT), with_handling(LIST, b"recipient-list")),
        (with_handling(ISUP, NEED_NOT), with_handling(LIST, b"recipient-list;handling=required")),
        (with_handling(ISUP, b"signal;handling=some-day"),),
        (with_handling(ISUP, NEED_NOT), (PART[0], b"")),
        (with_handling(ISUP, NEED_NOT), (PART[0] + b"\r\nContent-Encoding: gzip", SDP)),
    ],
)
def test_without_sdp_a_part_of_which_nothing_is_said_is_required(parts: tuple[tuple[bytes, bytes], ...]) -> None:
    """RFC 3261 §20.11, RFC 3204 §3."""
    assert sdp_of_parts(wrapped(*parts), MIXED) is None


def test_as_many_parts_as_are_read_are_read() -> None:
    assert sdp_of_parts(wrapped(*[PIDF] * (MAX_PARTS - 1), PART), MIXED) == SDP


def sent(method: str, body: bytes, branch: str = "a", **more: object) -> bytes:
    return request(method, branch=branch, body=body, **more).replace(b"application/sdp", MIXED.encode(), 1)  # type: ignore[arg-type]


def test_nobody_above_the_parser_sees_the_other_parts() -> None:
    body = wrapped(ISUP, PART, PIDF)
    message = parse(sent("INVITE", body))
    assert isinstance(message, Request)
    assert (message.body, message.content_type, message.whole_body) == (SDP, "application/sdp", body)
    plain = parse(request("INVITE", branch="a", body=SDP))
    assert plain.whole_body == plain.body == SDP


def test_an_answer_in_several_parts_is_read_too() -> None:
    body = wrapped(PART, ISUP)
    response = parse(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n"
        b"Call-ID: c\r\nCSeq: 1 INVITE\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
        % (MIXED.encode(), len(body), body)
    )
    assert isinstance(response, Response) and response.body == SDP and response.content_type == "application/sdp"


def test_an_invite_in_several_parts_is_taken_and_one_that_insists_on_another_refused() -> None:
    bench = Bench()
    bench.put(sent("INVITE", wrapped(ISUP, PART)))
    assert bench.kinds() == ["InviteReceived"]
    for parts in ((PART,), ()):
        bench = Bench()
        (refusal,) = bench.put(sent("INVITE", wrapped(with_handling(ISUP, b"signal;handling=required"), *parts)))
        assert refusal.startswith(b"SIP/2.0 415 ") and b"\r\nAccept: application/sdp\r\n" in refusal
        assert bench.kinds() == []


def test_requests_of_parts_that_need_not_be_understood_have_no_body() -> None:
    """A late offer of SIP-I; inside the dialog a re-INVITE without offer, and an UPDATE that only refreshes."""
    bench, body = Bench(), wrapped(with_handling(ISUP, NEED_NOT))
    bench.put(sent("INVITE", body))
    (event,) = bench.events()
    assert isinstance(event, InviteReceived)
    assert (event.request.body, event.request.sdp, event.request.whole_body) == (b"", b"", body)
    usage = event.usage
    bench.agent.answer(usage, bench.now, SDP)
    bench.sent()
    bench.put(sent("ACK", wrapped(with_handling(ISUP, NEED_NOT), PART), to_tag=usage.id))
    assert bench.events() == [InviteAcked(usage, SDP)]
    for number, method in enumerate(("UPDATE", "INVITE"), 2):
        bench.put(sent(method, body, f"in{number}", to_tag=usage.id, cseq=number))
        (asked,) = bench.events()
        assert isinstance(asked, RequestReceived)
        assert asked.request.body == b""
        bench.agent.respond(asked.key, 200, bench.now)
