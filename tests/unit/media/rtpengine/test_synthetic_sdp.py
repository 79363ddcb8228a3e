"""The SDP rtpengine is shown."""

from __future__ import annotations

import pytest

from maskline.media.port import FarMedia, LocalMedia
from maskline.media.rtpengine.synthetic_sdp import UnreadableReply, missing_voice, nobody, read_local, write
from maskline.sdp.secure import Crypto, Secure
from maskline.sdp.session import Codec

PCMU, PCMA, EVENTS = Codec(0, "PCMU"), Codec(8, "PCMA"), Codec(101, "telephone-event", fmtp="0-15")


def test_it_says_address_ports_and_codecs_and_nothing_else() -> None:
    text = write(FarMedia("192.0.2.7", 4000, 4009, (PCMU, EVENTS)))
    assert text == (
        "v=0\r\no=- 0 0 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n"
        "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:4009\r\na=sendrecv\r\n"
    )


def test_ipv6_and_channels_are_written() -> None:
    text = write(FarMedia("2001:db8::7", 4000, 4001, (Codec(96, "opus", 48_000, 2),)))
    assert "c=IN IP6 2001:db8::7\r\n" in text
    assert "a=rtpmap:96 opus/48000/2\r\n" in text


def test_our_ports_are_read_from_the_reply() -> None:
    reply = "v=0\r\nc=IN IP4 203.0.113.5\r\nm=audio 43018 RTP/AVP 0\r\n"
    assert read_local(reply + "a=rtcp:43019\r\n") == LocalMedia("203.0.113.5", 43018, 43019)
    assert read_local(reply) == LocalMedia("203.0.113.5", 43018, 43019)


@pytest.mark.parametrize("reply", ["", "c=IN IP4 203.0.113.5\r\n", "m=audio 1 RTP/AVP 0\r\n"])
def test_a_reply_without_audio_is_unreadable(reply: str) -> None:
    with pytest.raises(UnreadableReply):
        read_local(reply)


def test_what_a_leg_is_to_be_offered_beside_the_others_codecs_needs_transcoding() -> None:
    assert missing_voice((PCMU, EVENTS), (PCMA, EVENTS)) == ["PCMA"]
    assert missing_voice((PCMU, EVENTS), (PCMU, PCMA)) == ["PCMA"]
    assert missing_voice((PCMU, PCMA), (PCMA,)) == []
    assert missing_voice((PCMU,), ()) == []


def test_keys_go_both_ways() -> None:
    secure = Secure("RTP/SAVP", (Crypto(1, "AEAD_AES_256_GCM", "inline:" + "A" * 40),))
    text = write(FarMedia("192.0.2.7", 4000, 4001, (PCMU,), secure=secure))
    assert "m=audio 4000 RTP/SAVP 0" in text
    assert read_local(text) == LocalMedia("192.0.2.7", 4000, 4001, secure)


def test_nobody_sits_on_the_discard_port() -> None:
    assert nobody((PCMU,)).port == 9
