"""SDP bodies: what is kept, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.sdp import parse as module
from maskline.sdp.parse import MAX_BODY, MAX_LINES, SdpError, parse
from maskline.sdp.session import Codec, RefusedStream

OFFER = (
    b"v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.1\r\ns=Call of Alice\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 49170 RTP/AVP 0 8 97 101\r\na=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=30\r\n"
    b"a=rtpmap:101 TELEPHONE-EVENT/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendonly\r\n"
)
START = b"v=0\r\nc=IN IP4 192.0.2.1\r\n"


def status(body: bytes, content_type: str = "application/sdp") -> int:
    with pytest.raises(SdpError) as caught:
        parse(body, content_type)
    return caught.value.status


def test_an_offer_is_read() -> None:
    offer = parse(OFFER)
    assert (offer.address, offer.port, offer.rtcp_port) == ("192.0.2.1", 49170, 49171)
    assert (offer.direction, offer.ptime, offer.refused, offer.audio_index) == ("sendonly", 20, (), 0)
    assert offer.codecs == (
        Codec(0, "PCMU"),
        Codec(8, "PCMA"),
        Codec(97, "ILBC", fmtp="mode=30"),
        Codec(101, "telephone-event", fmtp="0-16"),
    )


def test_lines_may_end_in_lf_alone_and_be_followed_by_empty_ones() -> None:
    assert parse(OFFER.replace(b"\r\n", b"\n") + b"\r\n\r\n") == parse(OFFER)


def test_media_level_lines_beat_session_level_ones() -> None:
    body = (
        START
        + b"a=inactive\r\na=ptime:30\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\na=rtcp:4010 IN IP4 x\r\n"
    )
    offer = parse(body)
    assert (offer.address, offer.direction, offer.ptime, offer.rtcp_port) == ("2001:db8::1", "inactive", 30, 4010)


def test_other_streams_are_listed_as_refused_in_their_order() -> None:
    body = (
        START + b"m=video 9 RTP/AVP 31\r\nm=audio 9 RTP/SAVP 0\r\nm=audio 4000/2 rtp/avp 0\r\nm=image 8 udptl t38\r\n"
    )
    offer = parse(body)
    assert offer.port == 4000
    assert offer.audio_index == 2
    assert offer.refused == (
        RefusedStream("video", "RTP/AVP", "31"),
        RefusedStream("audio", "RTP/SAVP", "0"),
        RefusedStream("image", "UDPTL", "t38"),
    )


def test_formats_without_a_meaning_or_given_twice_are_left_out() -> None:
    body = START + b"m=audio 4000 RTP/AVP 0 0 96 127 128 x 18\r\na=rtpmap:127 opus/48000/2\r\na=rtpmap:127 L16/8000\r\n"
    assert parse(body).codecs == (Codec(0, "PCMU"), Codec(127, "OPUS", 48000, 2), Codec(18, "G729"))


def test_the_unspecified_address_means_hold() -> None:
    body = b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n"
    assert parse(body).direction == "sendonly"
    assert parse(body + b"a=inactive\r\n").direction == "inactive"


def test_a_stream_refused_with_port_0_needs_no_usable_address() -> None:
    answer = parse(b"v=0\r\nc=IN IP4 host.invalid\r\nm=audio 0 RTP/AVP 0\r\n")
    assert answer.port == 0


def test_the_highest_port_has_an_rtcp_port_in_range() -> None:
    assert parse(START + b"m=audio 65535 RTP/AVP 0\r\n").rtcp_port == 65535


@pytest.mark.parametrize(
    "line", [b"a=ptime:x", b"a=ptime:0", b"a=ptime:9999999", b"a=fmtp:0", b"a=unknown", b"k=clear"]
)
def test_lines_that_say_nothing_useful_are_skipped(line: bytes) -> None:
    offer = parse(START + b"m=audio 4000 RTP/AVP 0\r\n" + line + b"\r\n")
    assert (offer.ptime, offer.codecs) == (None, (Codec(0, "PCMU"),))


@pytest.mark.parametrize("content_type", ["multipart/mixed", "application/isup", "text/plain"])
def test_other_bodies_are_unsupported_media(content_type: str) -> None:
    assert status(OFFER, content_type) == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"<audio/>",
        b"v=1\r\n",
        START + b"garbage\r\n",
        START + b"m =video 1 RTP/AVP 0\r\n",
        START + b"\xc3\xa4=x\r\n",
        START + b"m=audio x RTP/AVP 0\r\n",
        START + b"m=audio 65536 RTP/AVP 0\r\n",
        START + b"m=audio 4000 RTP/AVP\r\n",
        START + b"c=IN IP4\r\n",
        START + b"c=ATM NSAP x\r\n",
        START + b"a=rtpmap:0 PCMU\r\n",
        START + b"a=rtpmap:128 PCMU/8000\r\n",
        START + b"m=audio 4000 RTP/AVP 0\r\na=rtcp:0\r\n",
        START + b"m=audio 4000 RTP/AVP 0\r\na=rtcp:none\r\n",
        b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n",
        b"v=0\r\n" + b"b=AS:1\r\n" * MAX_LINES,
        b"v=0\r\n" + b"m=audio 1 RTP/AVP 0\r\n" * 17,
        b"v=0\r\n" + b"x" * MAX_BODY,
    ],
)
def test_malformed_sdp_is_a_bad_request(body: bytes) -> None:
    assert status(body) == 400


@pytest.mark.parametrize(
    "body",
    [
        START,
        START + b"m=video 4000 RTP/AVP 31\r\n",
        START + b"m=audio 4000 RTP/SAVP 0\r\n",
        START + b"m=audio 4000 RTP/AVP 0\r\nc=IN IP4 media.example.com\r\n",
        START + b"m=audio 4000 RTP/AVP 0\r\nc=IN IP4 224.2.1.1/127\r\n",
        START + b"m=audio 4000 RTP/AVP 0\r\nc=IN IP6 fe80::1%eth0\r\n",
    ],
)
def test_sdp_without_a_stream_we_can_take_is_not_acceptable(body: bytes) -> None:
    assert status(body) == 488


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 350), st.integers(0, 20), st.binary(max_size=8)), max_size=6))
def test_mutated_sdp_raises_nothing_but_sdp_error(cuts: list[tuple[int, int, bytes]]) -> None:
    body = OFFER
    for start, length, replacement in cuts:
        body = body[:start] + replacement + body[start + length :]
    try:
        offer = parse(body)
    except SdpError:
        return
    assert 0 <= offer.port <= 65_535


# The same SDP but for a line that nobody reads, by which it is read the long way.
UNUSUAL = (b"t=0 0\r\n", b"b=AS:64\r\nt=0 0\r\n")
LINES = (
    (b"", b""),
    (b"192.0.2.1\r\nt", b"0.0.0.0\r\nt"),
    (b"192.0.2.1\r\nt", b"192.0.2.999\r\nt"),
    (b"49170", b"0"),
    (b"49170", b"65535"),
    (b"49170", b"65536"),
    (b"a=sendonly\r\n", b""),
    (b"a=sendonly\r\n", b"a=inactive"),
    (b"a=ptime:20\r\n", b"a=rtcp:5000\r\n"),
    (b"a=ptime:20\r\na=sendonly\r\n", b"a=rtcp:5000"),
    (b"a=ptime:20\r\n", b"a=rtcp:0\r\n"),
    (b"a=ptime:20\r\n", b"a=rtcp:123456\r\n"),
    (b"a=ptime:20\r\n", b"a=rtcp:5000 IN IP4 192.0.2.1\r\n"),
    (b"a=rtpmap:97 iLBC", b"a=rtpmap:128 iLBC"),
    (b"mode=30", b"mode=15550100"),
    (b" 97 101", b" 97 101 97 999"),
)


@pytest.mark.parametrize(("usual", "other"), LINES)
def test_a_usual_sdp_is_read_as_any_other(usual: bytes, other: bytes) -> None:
    def outcome(body: bytes) -> object:
        try:
            return parse(body)
        except SdpError as error:
            return error.status, error.reason

    # 0.0.0.0 is where RFC 2543 peers put a call on hold, so a=sendrecv or none is looked at too.
    for body in (OFFER.replace(usual, other), OFFER.replace(b"a=sendonly", b"a=sendrecv").replace(usual, other)):
        assert outcome(body) == outcome(body) == outcome(body.replace(*UNUSUAL))


def test_what_is_remembered_of_streams_is_bounded_and_holds_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered: dict[bytes, object] = {}
    monkeypatch.setattr(module, "_streams", remembered)
    for number in (b"mode=15550100", b"mode=1555010"):
        parse(OFFER.replace(b"mode=30", number))
    assert not remembered
    for text in range(module.MAX_REMEMBERED + 1):
        parse(OFFER.replace(b"mode=30", b"mode=%d" % text))
    assert len(remembered) == 1
