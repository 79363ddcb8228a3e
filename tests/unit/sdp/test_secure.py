"""Encrypted streams in SDP: what is read, what is left out, and that it is written as it was read."""

from __future__ import annotations

import pytest

from maskline.sdp.errors import SdpError
from maskline.sdp.parse import parse
from maskline.sdp.secure import MAX_LINES, Candidate, Crypto, Ice, Secure
from maskline.sdp.write import write

HEAD = "v=0\r\no=alice 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
KEY = "inline:" + "A" * 40
PRINT = ":".join(["AB"] * 32)


def audio(protocol: str, *attributes: str) -> bytes:
    lines = "".join(f"a={line}\r\n" for line in attributes)
    return f"{HEAD}m=audio 4000 {protocol} 0 101\r\na=rtpmap:101 telephone-event/8000\r\n{lines}".encode()


def secure(protocol: str, *attributes: str) -> Secure:
    found = parse(audio(protocol, *attributes)).secure
    assert found is not None
    return found


def test_keys_in_the_sdp_are_read_in_order() -> None:
    found = secure(
        "RTP/SAVP", f"crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20|1:4 KDR=1", f"crypto:2 AEAD_AES_256_GCM {KEY}"
    )
    assert found == Secure(
        "RTP/SAVP",
        (Crypto(1, "AES_CM_128_HMAC_SHA1_80", f"{KEY}|2^20|1:4"), Crypto(2, "AEAD_AES_256_GCM", KEY)),
    )
    assert "AAAA" not in repr(found)


BROWSER = (
    f"fingerprint:SHA-256 {PRINT.lower()}", "setup:actpass", "ice-ufrag:abcd", "ice-pwd:" + "p" * 22,
    "candidate:1 1 udp 2130706431 192.0.2.7 4000 typ host generation 0",
    "candidate:2 1 UDP 1694498815 198.51.100.7 4001 typ srflx raddr 192.0.2.7 rport 4000",
    "candidate:3 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
    "candidate:4 1 udp 2130706431 laptop.local 4000 typ host",
    "rtcp-mux", "mid:0", "ice-lite",
)  # fmt: skip


def test_a_browsers_offer_is_read() -> None:
    found = secure("UDP/TLS/RTP/SAVPF", *BROWSER)
    host = Candidate("1", 1, 2130706431, "192.0.2.7", 4000, "host")
    reflexive = Candidate("2", 1, 1694498815, "198.51.100.7", 4001, "srflx", ("192.0.2.7", 4000))
    ice = Ice("abcd", "p" * 22, (host, reflexive), lite=True)
    assert found == Secure("UDP/TLS/RTP/SAVPF", (), ("sha-256", PRINT), "actpass", ice, rtcp_mux=True, mid="0")


def test_what_is_written_is_read_as_the_same() -> None:
    for body in (
        audio("UDP/TLS/RTP/SAVPF", *BROWSER[:-1]),
        audio("RTP/SAVP", f"crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}"),
    ):
        description = parse(body)
        assert parse(write(description, session_id=1, version=1)) == description


def test_a_fingerprint_may_stand_for_the_whole_session() -> None:
    body = audio("UDP/TLS/RTP/SAVP", "setup:active").decode()
    body = body.replace("t=0 0\r\n", f"t=0 0\r\na=fingerprint:sha-256 {PRINT}\r\na=setup:passive\r\n")
    found = parse(body.encode()).secure
    assert found is not None
    assert (found.fingerprint, found.setup, found.ice) == (("sha-256", PRINT), "active", None)


@pytest.mark.parametrize(
    "attribute",
    [
        "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:15550100;call me", "crypto:x", "fingerprint:sha-256 15550100",
        "setup:15550100", "ice-ufrag:+1 555 0100", "mid:call 15550100", "rtcp-mux:15550100", "candidate:15550100",
    ],
)  # fmt: skip
def test_words_that_are_none_of_these_values_have_no_place(attribute: str) -> None:
    found = secure("RTP/SAVP", f"crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}", attribute)
    assert "0100" not in repr(found)
    assert found == Secure("RTP/SAVP", (Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY),))


def test_only_so_many_keys_and_candidates_are_kept() -> None:
    keys = [f"crypto:{index} AEAD_AES_256_GCM {KEY}" for index in range(MAX_LINES + 5)]
    ways = [f"candidate:1 1 udp {index} 192.0.2.7 4000 typ host" for index in range(MAX_LINES + 5)]
    found = secure("RTP/SAVP", *keys, *ways, "ice-ufrag:abcd", "ice-pwd:efgh")
    assert found.ice is not None
    assert len(found.cryptos) == len(found.ice.candidates) == MAX_LINES


def test_an_encrypted_stream_without_a_key_is_refused() -> None:
    with pytest.raises(SdpError) as caught:
        parse(audio("RTP/SAVP", "rtcp-mux"))
    assert caught.value.status == 488


def test_where_both_are_offered_the_plain_stream_is_read_and_the_first_encrypted_one_else() -> None:
    both = audio("RTP/SAVP", f"crypto:1 AEAD_AES_256_GCM {KEY}") + b"m=audio 5000 RTP/AVP 0\r\n"
    assert (parse(both).port, parse(both).secure) == (5000, None)
    two = audio("RTP/SAVP", f"crypto:1 AEAD_AES_256_GCM {KEY}") + b"m=audio 5000 RTP/SAVPF 0\r\n"
    assert parse(two).port == 4000


def test_a_refused_encrypted_stream_is_written_with_its_protocol() -> None:
    description = parse(audio("RTP/SAVP", f"crypto:1 AEAD_AES_256_GCM {KEY}").replace(b"audio 4000", b"audio 0"))
    assert b"m=audio 0 RTP/SAVP 0 101" in write(description, session_id=1, version=1)
