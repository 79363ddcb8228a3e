"""Cutting a stream into messages: whatever the segments, the same messages; whatever the lengths, bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.sip.framer import MAX_HEAD, PING, Framer
from maskline.sip.grammar import MAX_MESSAGE


def message(body: bytes = b"", length: str | None = None, name: str = "Content-Length") -> bytes:
    said = str(len(body)) if length is None else length
    return b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKa\r\n%s: %s\r\n\r\n%s" % (
        name.encode(), said.encode(), body,
    )  # fmt: skip


def test_one_segment_is_one_message() -> None:
    framer = Framer()
    assert framer.feed(message(b"hello")) == [message(b"hello")]
    assert not framer.is_partial


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff" + message(b"hello"),
        b"\x00" + message(),
        message(b"x" * MAX_MESSAGE),
        message().replace(b"Via", b"X: " + b"x" * MAX_HEAD + b"\r\nVia"),
    ],
)
def test_what_comes_in_one_segment_is_judged_as_what_comes_in_many(segment: bytes) -> None:
    at_once, pieces = Framer(), Framer()
    found = at_once.feed(segment)
    assert at_once.fault
    cut: list[bytes] = []
    for begin in range(0, len(segment), 1000):
        cut += pieces.feed(segment[begin : begin + 1000])
    assert (cut, pieces.fault) == (found, at_once.fault)


def test_two_messages_may_share_a_segment_and_one_may_begin_in_it() -> None:
    framer = Framer()
    assert framer.feed(message() + message(b"x") + b"OPT") == [message(), message(b"x")]
    assert framer.is_partial
    assert framer.feed(message(b"yy")[3:]) == [message(b"yy")]


@given(
    st.lists(st.binary(max_size=60), min_size=1, max_size=5),
    st.lists(st.integers(min_value=1, max_value=50), min_size=1, max_size=40),
)
def test_however_it_is_cut_the_messages_are_the_same(bodies: list[bytes], cuts: list[int]) -> None:
    framer, sent, found, at = Framer(), [message(body) for body in bodies], [], 0
    stream = b"".join(sent)
    for cut in cuts:
        found += framer.feed(stream[at : at + cut])
        at += cut
    found += framer.feed(stream[at:])
    assert found == sent
    assert not framer.fault and not framer.is_partial


@pytest.mark.parametrize(
    "line", ["Content-Length: 2", "l:2", "CONTENT-length \t:  2  ", "Content-Length:\r\n 2", "L: 2\r\nl: 2"]
)
def test_a_length_may_be_written_in_many_ways(line: str) -> None:
    data = b"OPTIONS sip:x SIP/2.0\r\n%s\r\n\r\nab" % line.encode()
    assert Framer().feed(data + b"INVITE") == [data]


@pytest.mark.parametrize("length", ["", "x", "-1", "1, 2", "0x1", "1\r\nl: 2", "9999999999"])
def test_a_length_that_is_none_gives_the_head_and_ends_the_stream(length: str) -> None:
    data, framer = message(b"body", length), Framer()
    assert framer.feed(data + message()) == [data[:-4]]
    assert framer.fault == "no message length"
    assert framer.feed(message()) == [] and not framer.is_partial


def test_without_a_length_nobody_knows_where_the_next_message_begins() -> None:
    framer = Framer()
    head = b"OPTIONS sip:x SIP/2.0\r\nTo: x\r\n\r\n"
    assert framer.feed(head + message()) == [head]
    assert framer.fault == "no message length"


def test_a_length_in_the_body_is_none() -> None:
    framer = Framer()
    body = b"a\r\nContent-Length: 500\r\n\r\n"
    assert framer.feed(message(body)) == [message(body)]
    assert not framer.fault


def test_a_message_longer_than_any_may_be_is_not_waited_for() -> None:
    framer, data = Framer(), message(length=str(MAX_MESSAGE))
    assert framer.feed(data) == [data]
    assert framer.fault == "message too long"


def test_headers_without_end_are_not_waited_for() -> None:
    framer = Framer()
    assert framer.feed(b"OPTIONS sip:x SIP/2.0\r\n") == []
    for _ in range(MAX_HEAD // 1024):
        assert not framer.fault
        assert framer.feed(b"X: " + b"a" * 1019 + b"\r\n") == []
    assert framer.fault == "headers too long"


def test_a_ping_is_two_line_breaks_between_messages() -> None:
    framer = Framer()
    assert framer.feed(PING) == [PING]
    assert framer.feed(message() + PING + PING + message()) == [message(), PING, PING, message()]
    for byte in (b"\r", b"\n", b"\r"):
        assert framer.feed(byte) == [] and not framer.is_partial
    assert framer.feed(b"\n") == [PING]


def test_a_single_line_break_before_a_message_is_passed_over() -> None:
    framer = Framer()
    assert framer.feed(b"\r\n" + message() + b"\r\n") == [message()]
    assert framer.feed(message()) == [message()]


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00", b"\x00\x00\x00\x00", b"\n", b"\rX", b" OPTIONS"])
def test_what_cannot_be_sip_is_not_waited_for(noise: bytes) -> None:
    framer = Framer()
    assert framer.feed(noise) == []
    assert framer.fault == "no SIP"
