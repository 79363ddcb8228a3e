"""What repeats earlier headers word for word is read as if it were parsed, and nothing else is taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.sip import recall as room
from maskline.sip.events import Flow
from maskline.sip.grammar import ParseError
from maskline.sip.message import Message, Request, Response
from maskline.sip.parser import parse
from maskline.sip.recall import Memory
from tests.support.sip_wire import SDP, Bench, request, response


def memory_of(bench: Bench) -> Memory:
    return bench.agent._memory


def recalled(bench: Bench, data: bytes) -> Request | Response | None:
    head, _, body = data.partition(b"\r\n\r\n")
    return memory_of(bench).recall(head.decode("utf-8", "surrogateescape"), body)


def shown(message: Message) -> tuple[object, ...]:
    """All that anybody reads of it."""
    if isinstance(message, Request):
        own: tuple[object, ...] = (message.method, message.uri_text, message.request_uri.text, message.max_forwards)
    else:
        assert isinstance(message, Response)
        own = (message.status, message.reason)
    parties = [(one.display, one.uri_text, one.tag, one.uri.text) for one in (message.from_address, message.to_address)]
    assert (message.from_tag, message.to_tag) == (message.from_tag, message.to_tag)
    return (
        *own, message.headers, message.body, message.call_id, message.cseq, message.cseq_method, message.branch,
        message.via.text, message.sent_by, message.from_tag, message.to_tag, parties, message.content_type,
    )  # fmt: skip


def outcome(data: bytes, memory: Memory | None) -> object:
    try:
        return shown(parse(data, memory))
    except ParseError as error:
        return error.status, error.reason, None if error.request is None else error.request.headers


def same(bench: Bench, data: bytes) -> None:
    assert outcome(data, memory_of(bench)) == outcome(data, None)


def asked() -> tuple[Bench, bytes]:
    """An agent that waits for the answer to this INVITE of its own."""
    bench = Bench()
    return bench, bench.inviting()[1]


def called(**values: object) -> tuple[Bench, str]:
    """An agent in a call that its peer began, and the tag it has there."""
    bench = Bench()
    return bench, bench.answered(**values).id


@pytest.mark.parametrize("tag", ["", "b1", "9.-!%*_+`'~"])
@pytest.mark.parametrize(
    ("ours", "back"),
    [
        (b";rport", b";rport"),
        (b";rport", b""),
        (b";rport", b";rport=5060"),
        (b";rport", b";rport=5060;received=192.0.2.1"),
        (b";rport", b";received=2001:db8::1;rport=1"),
        (b"SIP/2.0 180 x", b"SIP/2.0 180 "),
        (b"Contact: <sip:b@192.0.2.7>\r\n", b""),
        (b"Contact: ", b"Record-Route: <sip:192.0.2.8;lr>\r\nRecord-Route: <sip:192.0.2.9;lr>\r\nX-Own: 1\r\nm:"),
        (b"Content-Length: 0", b"Content-Length: 0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx"),
        (b"Content-Length: 0", b"l: 0"),
        (b"\r\nContact: <sip:b@192.0.2.7>\r\nContent-Length: 0", b""),
    ],
)
def test_a_response_that_says_what_we_said_is_not_parsed_again(tag: str, ours: bytes, back: bytes) -> None:
    bench, invite = asked()
    data = response(invite, 180, tag).replace(ours, back, 1)
    assert isinstance(recalled(bench, data), Response)
    same(bench, data)


@pytest.mark.parametrize(
    ("ours", "back"),
    [
        (b"SIP/2.0 180 x", b"SIP/2.0  180 x"),
        (b"SIP/2.0 180 x", b"SIP/2.0 180"),
        (b"SIP/2.0 180 x", b"SIP/2.0 099 x"),
        (b"SIP/2.0 180 x", b"SIP/2.0 180 " + b"x" * 65),
        (b"SIP/2.0 180 x\r\n", b"SIP/2.0 180 x"),
        (b";rport", b";rport=5060;received=[x]"),
        (b";rport", b";ttl=1"),
        (b";branch=z9hG4bK", b";branch=z9hG4bK0"),
        (b"Via: ", b"v: "),
        (b"SIP/2.0/UDP 192.0.2.1", b"SIP/2.0/UDP 192.0.2.2"),
        (b"SIP/2.0/UDP", b"SIP/2.0/TCP"),
        (b"From: <sip:vn", b"From: <sip:vm"),
        (b"To: <sip:b", b"To:  <sip:b"),
        (b";tag=b1\r\n", b";tag=b1;x=1\r\n"),
        (b";tag=b1\r\n", b";tag=b\xc3\xa41\r\n"),
        (b";tag=b1\r\n", b";tag=\r\n"),
        (b";tag=b1\r\n", b"1\r\n"),
        (b"Call-ID: ", b"Call-ID: 1"),
        (b"Call-ID: ", b"X: 1\r\nCall-ID: "),
        (b"CSeq: 1 INVITE", b"CSeq: 2 INVITE"),
        (b"CSeq: 1 INVITE", b"CSeq: 1 BYE"),
        (b"CSeq: 1 INVITE", b"CSeq: 1 MESSAGE"),
        (b"CSeq: 1 INVITE", b"CSeq: 1  INVITE"),
        (b"CSeq: ", b"cseq: "),
        (b"Content-Length: 0", b"Content-Length: 1"),
        (b"Content-Length: 0", b"Content-Length: 0\r\nFrom: <sip:x@y>;tag=1"),
        (b"Content-Length: 0", b"Content-Length: 0\r\nt: <sip:x@y>;tag=1"),
        (b"Content-Length: 0", b"Content-Length: 0\nX: 1"),
        (b"Content-Length: 0", b"Content-Length: 0\rX: 1"),
        (b"Content-Length: 0", b"Content-Length: 0\r\n more: 1"),
        (b"Content-Length: 0", b"Content-Type: Multipart/mixed\r\nContent-Length: 0"),
        (b"Content-Length: 0", b"X: 1\r\n" * 201 + b"Content-Length: 0"),
        (b"Content-Length: 0", b"X: " + b"1" * 9000 + b"\r\nContent-Length: 0"),
    ],
)
def test_a_response_that_says_anything_else_is_parsed(ours: bytes, back: bytes) -> None:
    bench, invite = asked()
    data = response(invite, 180, "b1")
    assert isinstance(recalled(bench, data), Response)
    data = data.replace(ours, back, 1)
    same(bench, data)
    if len(data) < 8000:  # beyond that it is not asked
        assert recalled(bench, data) is None


def test_a_response_in_a_dialog_repeats_the_tag_that_it_has() -> None:
    bench, _ = asked()
    usage, _ = bench.connected()
    bench.agent.bye(usage, bench.now)
    data = response(bench.sent()[0], 200)
    answer = recalled(bench, data)
    assert answer is not None
    assert (answer.to_tag, answer.from_tag) == ("b1", usage.id)
    same(bench, data)


def test_responses_over_ipv6_are_parsed() -> None:
    bench = Bench(other_host="2001:db8::1")
    flow = Flow("udp", "2001:db8::7", 5060)
    bench.agent.options(flow, "sip:b@[2001:db8::7]", "sip:a@[2001:db8::1]", "sip:b@[2001:db8::7]", 0.0)
    data = response(bench.sent()[0], 200, "b1")
    assert recalled(bench, data) is None
    same(bench, data)


@pytest.mark.parametrize(
    ("theirs", "now"),
    [
        (b"", b""),
        (b"branch=", b"rport;branch="),
        (b"192.0.2.7:5060", b"Proxy.Example"),
        (b"From: ", b"Max-Forwards: 70\r\nRoute: <sip:192.0.2.1;lr>\r\nFrom: "),
        (b"From: ", b"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\nFrom: "),
        (b"\r\nContact: <sip:+15550101@192.0.2.7>\r\nMax-Forwards: 70\r\nContent-Length: 0", b""),
    ],
)
def test_a_request_that_says_what_its_dialog_said_is_not_parsed_again(theirs: bytes, now: bytes) -> None:
    bench, tag = called()
    data = request("BYE", branch="bye", cseq=2, to_tag=tag).replace(theirs, now, 1)
    if data.count(b"Max-Forwards") > 1:
        data = data.replace(b"\r\nMax-Forwards: 70\r\nContent", b"\r\nContent")
    assert isinstance(recalled(bench, data), Request)
    same(bench, data)


@pytest.mark.parametrize(
    ("theirs", "now"),
    [
        (b"BYE sip:+15550100@", b"BYE  sip:+15550100@"),
        (b"BYE sip:+15550100@192.0.2.1", b"BYE sip:+15550100@192.0.2.1?x=1"),
        (b"BYE sip:", b"MESSAGE sip:"),
        (b"SIP/2.0\r\n", b"SIP/2.1\r\n"),
        (b"SIP/2.0\r\nVia:", b"SIP/2.0\r\nRoute: <sip:192.0.2.1;lr>\r\nVia:"),
        (b"192.0.2.7:5060", b"192.0.2.7:99999"),
        (b"z9hG4bK", b"old"),
        (b"From: <sip:+15550101", b"From: <sip:+15550102"),
        (b";tag=f1", b";tag=f2"),
        (b"To: <sip:+15550100", b"To: <sip:+15550101"),
        (b"\r\nCall-ID: c1", b"0\r\nCall-ID: c1"),
        (b"Call-ID: c1", b"Call-ID: c2"),
        (b"CSeq: 2 BYE", b"CSeq: 2 INVITE"),
        (b"CSeq: 2 BYE", b"CSeq: 2 DO"),
        (b"Max-Forwards: 70", b"Max-Forwards: 256"),
        (b"Max-Forwards: 70", b"Max-Forwards: 70\r\nMax-Forwards: 70"),
        (b"Content-Length: 0", b"Content-Length: 7"),
        (b"Content-Length: 0", b"Content-Length: 0\r\nCall-ID: c1"),
    ],
)
def test_a_request_that_says_anything_else_is_parsed(theirs: bytes, now: bytes) -> None:
    bench, tag = called()
    data = request("BYE", branch="bye", cseq=2, to_tag=tag)
    assert isinstance(recalled(bench, data), Request)
    data = data.replace(theirs, now, 1)
    assert recalled(bench, data) is None
    same(bench, data)


def test_a_request_that_begins_with_its_dialog_is_parsed() -> None:
    bench, tag = called()
    text = f"From: <sip:+15550101@192.0.2.7>;tag=f1\r\nTo: <sip:+15550100@192.0.2.1>;tag={tag}\r\nCall-ID: c1\r\n"
    for data in (f"\r\n{text}CSeq: 2 BYE\r\n\r\n", f"BYE sip:a@b SIP/2.0\r\n{text}CSeq: 2 BYE\r\n\r\n", text[-60:]):
        assert recalled(bench, data.encode()) is None
        same(bench, data.encode())


def test_an_invite_as_few_write_it_makes_nothing_to_recall() -> None:
    bench = Bench()
    bench.put(request("INVITE", branch="inv", body=SDP).replace(b";tag=f1", b" ; tag=f1"))
    (event,) = bench.events()
    assert event.usage.known is None  # type: ignore[union-attr]


def test_who_was_called_is_known_from_the_first_request_on() -> None:
    bench, _ = asked()
    usage, invite = bench.connected()
    sent = parse(invite)
    ours = sent.headers["from"].encode()
    data = request("INFO", branch="i1", to_tag=usage.id, call_id=sent.call_id, from_tag="b1")
    data = data.replace(b"<sip:+15550100@192.0.2.1>;tag=" + usage.id.encode(), ours)
    assert recalled(bench, data) is None
    bench.put(data)
    assert recalled(bench, data) is not None
    same(bench, data)
    unusual = data.replace(b"branch=z9hG4bKi1", b"branch=z9hG4bKi2;x=1").replace(b"CSeq: 1", b"CSeq: 2")
    bench.put(unusual)
    assert recalled(bench, data) is not None


def test_a_dialog_that_is_over_is_forgotten() -> None:
    bench, tag = called()
    data = request("BYE", branch="bye", cseq=2, to_tag=tag)
    usage = bench.agent._core.usages[tag]
    bench.put(data)
    assert recalled(bench, data) is None
    assert usage.known is None


def test_what_is_remembered_of_peers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_REMEMBERED", 3)
    bench, tag = called()
    for number in range(2, 9):
        data = request("BYE", branch="bye", cseq=number, to_tag=tag).replace(b"BYE sip:", f"BYE sip:{number}".encode())
        assert recalled(bench, data) is not None
        assert recalled(bench, response(asked()[1], 180).replace(b"180 x", f"18{number} x".encode())) is None
    assert 0 < len(room._numbers) <= 3
    assert 0 < len(room._targets) <= 3
    assert 0 < len(room._statuses) <= 3


FOUND = asked()
ANSWER = response(FOUND[1], 200, "b1", "Record-Route: <sip:192.0.2.8;lr>\r\n", SDP)
CALLED, TAG = called()
HANG_UP = request("BYE", branch="bye", cseq=2, to_tag=TAG)
PIECES = [b"\r\n", b"\r", b"\n", b" ", b";", b":", b"From: x", b"\r\nTo: ", b"\r\nCSeq: 1 INVITE", b"\r\nCall-ID: c1"]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([(FOUND[0], ANSWER), (CALLED, HANG_UP)]),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 40), st.sampled_from(PIECES) | st.binary(max_size=4))),
)
def test_however_a_message_is_mangled_memory_changes_nothing(
    known: tuple[Bench, bytes], edits: list[tuple[int, int, bytes]]
) -> None:
    bench, data = known
    for at, length, piece in edits:
        data = data[:at] + piece + data[at + length :]
    same(bench, data)
