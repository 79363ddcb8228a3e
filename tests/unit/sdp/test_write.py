"""The SDP we write."""

from __future__ import annotations

from maskline.sdp.parse import parse
from maskline.sdp.session import AudioDescription, Codec, RefusedStream
from maskline.sdp.write import write


def test_every_line_is_ours() -> None:
    local = AudioDescription(
        "192.0.2.9", 30000, 30001, (Codec(0, "PCMU"), Codec(101, "telephone-event", fmtp="0-15")), ptime=20
    )
    assert write(local, session_id=7, version=2) == (
        b"v=0\r\no=- 7 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 101\r\n"
        b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )


def test_ipv6_channels_and_an_rtcp_port_of_its_own_are_written() -> None:
    local = AudioDescription("2001:db8::9", 30000, 30005, (Codec(96, "OPUS", 48000, 2),), "recvonly")
    body = write(local, session_id=1, version=1)
    assert b"o=- 1 1 IN IP6 2001:db8::9\r\n" in body
    assert b"c=IN IP6 2001:db8::9\r\n" in body
    assert b"a=rtpmap:96 OPUS/48000/2\r\na=rtcp:30005\r\na=recvonly\r\n" in body


def test_refused_streams_keep_their_place_with_port_0() -> None:
    refused = (RefusedStream("video", "RTP/AVP", "31"), RefusedStream("image", "udptl", "t38"))
    local = AudioDescription("192.0.2.9", 30000, 30001, (Codec(0, "PCMU"),), refused=refused, audio_index=1)
    body = write(local, session_id=1, version=1)
    kinds = [line for line in body.split(b"\r\n") if line.startswith(b"m=")]
    assert kinds == [b"m=video 0 RTP/AVP 31", b"m=audio 30000 RTP/AVP 0", b"m=image 0 udptl t38"]


def test_a_refused_audio_stream_is_one_line() -> None:
    body = write(AudioDescription("192.0.2.9", 0, 1, ()), session_id=1, version=1)
    assert body.endswith(b"t=0 0\r\nm=audio 0 RTP/AVP 0\r\n")


def test_what_we_write_we_read_back() -> None:
    local = AudioDescription(
        "192.0.2.9", 30000, 30005, (Codec(8, "PCMA"), Codec(97, "ILBC", fmtp="mode=20")), "inactive", 30,
        (RefusedStream("video", "RTP/AVP", "31"),), 1,
    )  # fmt: skip
    assert parse(write(local, session_id=1, version=1)) == local
