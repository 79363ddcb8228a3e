"""What a fuzzer begins with: whole and broken messages of each kind, written as `fuzz_targets` reads them.

What it is: `seeds`, target -> inputs; `rfc4475` the same of that RFC's messages, which are not part of the repository
and are taken where they are. Who uses it: `tools/fuzz.py`, tests/fuzz.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from tests.support.call_machine import A_SDP, B_SDP, sdp
from tests.support.fuzz_live import CUT

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "tests" / "torture" / "corpus"
RFC4475 = Path(os.environ.get("MASKLINE_TORTURE_DIR", ROOT / ".." / "shared" / "data" / "rfc4475"))

_NEW = (
    "INVITE sip:+6531590001@203.0.113.1 SIP/2.0\r\nVia: SIP/2.0/UDP $host;branch=z9hG4bK{branch};rport\r\n"
    'From: "$me" <sip:$me@h.example>;tag=f\r\nTo: <sip:+6531590001@203.0.113.1>\r\nCall-ID: {branch}@$me\r\n'
    "CSeq: 1 {method}\r\nContact: <sip:$me@$host>\r\nMax-Forwards: 70\r\n{more}"
)
_INSIDE = (
    "{method} sip:x@203.0.113.1 SIP/2.0\r\nVia: SIP/2.0/UDP $host;branch=z9hG4bK{method}\r\nFrom: $to\r\n"
    "To: $from\r\nCall-ID: $callid\r\nCSeq: {number} {method}\r\nContact: <sip:$me@$host>\r\nMax-Forwards: 9\r\n{more}"
)
_ECHOED = (
    "{method} sip:x@203.0.113.1 SIP/2.0\r\nVia: $via\r\nFrom: $from\r\nTo: $to\r\nCall-ID: $callid\r\n"
    "CSeq: $n {method}\r\nMax-Forwards: 70\r\n{more}"
)
_ANSWER = (
    "SIP/2.0 {status} $me\r\nVia: $via\r\nFrom: $from\r\nTo: $to;tag=t{tag}\r\nCall-ID: $callid\r\nCSeq: $cseq\r\n"
    "Contact: <sip:$me@$host>\r\n{more}"
)
_TYPE = "Content-Type: application/sdp\r\n"


def _whole(head: str, body: bytes = b"", **words: object) -> bytes:
    words = {"more": _TYPE if body else "", "method": "INVITE", "branch": "seed", "number": 7, "tag": "", **words}
    return head.format(**words).encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _answers() -> list[bytes]:
    bodies = {180: b"", 183: B_SDP, 200: B_SDP}
    more = {
        183: _TYPE + "Require: 100rel\r\nRSeq: 1\r\n", 401: 'WWW-Authenticate: Digest realm="r", nonce="n"\r\n',
        200: _TYPE + "Session-Expires: 90;refresher=uas\r\nRecord-Route: <sip:$host;lr>\r\n",
        422: "Min-SE: 1800\r\n", 302: "Contact: <sip:$me@192.0.2.9>\r\n", 503: "Retry-After: 9\r\n",
    }  # fmt: skip
    return [
        _whole(_ANSWER, bodies.get(status, b""), status=status, more=more.get(status, ""))
        for status in (100, 180, 183, 199, 200, 302, 401, 407, 422, 481, 486, 491, 503, 603)
    ]


def _requests() -> list[bytes]:
    reliable = _TYPE + "Supported: 100rel, timer\r\nRequire: 100rel\r\nSession-Expires: 1800\r\nMin-SE: 90\r\n"
    return [
        _whole(_NEW, A_SDP), _whole(_NEW), _whole(_NEW, A_SDP, more=reliable),
        _whole(_NEW, A_SDP, method="OPTIONS"), _whole(_NEW, b"", more="P-Asserted-Identity: <tel:+$me>\r\n"),
        *[_whole(_INSIDE, A_SDP, method=method) for method in ("INVITE", "UPDATE")],
        _whole(_INSIDE, sdp(direction="sendonly"), method="INVITE", number=8),
        _whole(_INSIDE, b"", method="INVITE", number=9),
        *[_whole(_INSIDE, b"", method=method, more=more) for method, more in (
            ("BYE", "Reason: Q.850;cause=16;text=\"$me\"\r\n"), ("REFER", "Refer-To: <sip:$me@h.example>\r\n"),
            ("NOTIFY", "Event: refer\r\n"), ("PRACK", "RAck: 1 $cseq\r\n"), ("MESSAGE", ""),
        )],
        _whole(_INSIDE, b"Signal=5\r\n", method="INFO", more="Content-Type: application/dtmf-relay\r\n"),
        _whole(_ECHOED, b"", method="ACK"), _whole(_ECHOED, b"", method="CANCEL"), _whole(_ECHOED, A_SDP, method="ACK"),
    ]  # fmt: skip


def _torture(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(folder.rglob("*.dat"))]


def rfc4475(target: str) -> list[bytes]:
    """Inputs for `target`; none for one that reads no whole message, or where the files are not."""
    lead = {"parser": b"", "agent": b"\x02"}.get(target)
    return [] if lead is None else [lead + message for message in _torture(RFC4475)]


def _descriptions() -> list[bytes]:
    return [
        A_SDP, B_SDP, sdp(codecs="18 96 97 101", extra="a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
            "a=rtpmap:97 AMR/8000\r\na=fmtp:97 mode-set=0,2,4,7;octet-align=1\r\n"),
        sdp(direction="inactive", extra="m=video 4 RTP/AVP 31\r\na=rtcp:9 IN IP6 ::1\r\n"), sdp(port=0),
        A_SDP.replace(b"RTP/AVP", b"RTP/SAVP") + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
        b"MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm\r\n",
        A_SDP.replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVPF") + b"a=fingerprint:sha-256 " + b":".join([b"AB"] * 32)
        + b"\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=rtcp-mux\r\na=mid:0\r\n"
        b"a=candidate:1 1 UDP 2130706431 192.0.2.99 4999 typ host\r\n",
    ]  # fmt: skip


def _proofs() -> list[bytes]:
    """Right, wrong and old answers, by each algorithm and for each door (`fuzz_doors.prove`)."""
    forged = b'Digest username="carrier", realm="realm", nonce="$nonce", uri="sip:x@203.0.113.1", response="%b"'
    lines = [
        b"$proof", b"$wrong", b"Basic x\n$proof", b"$proof, realm=x", forged % (b"0" * 64), forged % b"",
        forged % b"$response" + b", algorithm=SHA-256", b'Digest username="", realm="", nonce="$nonce", response=""',
    ]  # fmt: skip
    alone = [bytes([door, manner]) + line for door, manner in ((0, 0), (1, 4), (2, 8), (3, 12)) for line in lines]
    again = [
        bytes([door]) + CUT.join([b"\x00$proof", b"\x80$proof", b"\x90$proof", b"\xe0$proof"]) for door in range(4)
    ]
    return [*alone, *again]


def _knocks(requests: list[bytes], answers: list[bytes]) -> list[bytes]:
    """Each message once from a trunk, one that must prove itself and a stranger; floods of some."""
    lone = [bytes([limits, source]) + one for limits, source in ((0, 0), (0x1F, 1), (0, 2)) for one in requests]
    floods = [
        bytes([limits])
        + CUT.join([b"\x60junk $i", b"\x60" + one.replace(b"seed", b"s$i"), b"\x02" + one, b"\x08" + one])
        for limits in (0x05, 0x1F, 0x3A) for one in (*requests[:4], *requests[9:12])
    ]  # fmt: skip
    talks = [b"\x00" + CUT.join([b"\x10" + requests[0], b"\x00" + one, b"\x02" + one, b"\x0c" + one])
             for one in (*requests[-3:], *answers[:3])]  # fmt: skip
    return [*lone, *floods, *talks]


def seeds(target: str) -> list[bytes]:
    """Inputs for `target`, never empty."""
    answers, requests = _answers(), _requests()
    if target == "parser":
        return [*_torture(OURS), *requests, *answers]
    if target == "sdp":
        return _descriptions()
    if target == "framer":
        return [bytes([size]) + b"\r\n\r\n".join(requests[:3]) + b"".join(answers[:4]) for size in (1, 7, 200)]
    if target == "digest":
        return [
            b'Digest realm="realm", nonce="n", algorithm=SHA-256, qop="auth,auth-int", opaque="o", stale=true',
            b'Digest username="carrier", realm="realm", nonce="n", uri="sip:x", response="' + b"a" * 64
            + b'", algorithm=SHA-256, cnonce="c", qop=auth, nc=00000001',
            b'Digest realm="a, \\"b", nonce=n\nDigest realm=r, nonce="n", algorithm=MD5-sess', b"Basic x", b"Digest ",
        ]  # fmt: skip
    if target == "proof":
        return _proofs()
    if target == "intake":
        return _knocks(requests, answers)
    if target == "agent":
        lone = [bytes([manner]) + message for manner in (0, 2, 3) for message in (*requests, *answers)]
        talks = [CUT.join(b"\x03" + message for message in answers[begin : begin + 4]) for begin in range(0, 12, 3)]
        moves = [CUT.join([b"\x02" + requests[0], b"\x00" + one, b"\x48" + two]) for one, two in
                 pairwise(requests[5:])]  # fmt: skip
        return [*lone, *talks, *moves, *[b"\x02" + message for message in _torture(OURS) if len(message) < 2000]]
    sides = [CUT.join([bytes([0xE0 | side]) + message, bytes([0xA0 | side]) + message]) for message in
             (*requests, *answers) for side in (0, 1)]  # fmt: skip
    return [bytes([story % 8]) + talk for story, talk in enumerate(sides)]
