"""The judge of wire tests is not blind, and leaves what a side may have alone."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

import pytest

from tests.support.wire_judge import Judge
from tests.support.wire_tap import End, Message, StreamTap, read_frame

OURS, ALICE, BOB = ("127.0.0.1", 5060), ("127.0.0.77", 5062), ("127.0.0.81", 5064)


def sip(source: End, target: End, first: str, call_id: str, *lines: str, body: str = "") -> Message:
    mark = "Server: Maskline" if first.startswith("SIP/2.0") else "User-Agent: Maskline"
    text = [first, f"Call-ID: {call_id}", *lines, *([mark] if source == OURS else []), "", body]
    return Message(source, target, "\r\n".join(text).encode())


CALL = (
    sip(ALICE, OURS, "INVITE sip:+18005550199@127.0.0.1 SIP/2.0", "anna-call-1", "CSeq: 1 INVITE",
        "Via: SIP/2.0/UDP 127.0.0.77:5062;branch=z9hG4bKanna", "From: <sip:+447700900001@127.0.0.77>;tag=annatag1",
        "User-Agent: AnnaPhone/3", body="v=0\r\no=anna 53 54 IN IP4 127.0.0.77\r\ns=-"),
    sip(OURS, BOB, "INVITE sip:+919900000001@127.0.0.81 SIP/2.0", "our-call-2", "CSeq: 1 INVITE",
        "From: <sip:+18005550199@127.0.0.1>;tag=ourtag22", "To: <sip:+919900000001@127.0.0.81>"),
    sip(BOB, OURS, "SIP/2.0 200 OK", "our-call-2", "CSeq: 1 INVITE", "Server: BobPhone/9",
        "Contact: <sip:b@127.0.0.81>", "To: <sip:+919900000001@127.0.0.81>;tag=bobstag99",
        "From: <sip:+18005550199@127.0.0.1>;tag=ourtag22"),
    sip(OURS, ALICE, "SIP/2.0 200 OK", "anna-call-1", "CSeq: 1 INVITE",
        "Via: SIP/2.0/UDP 127.0.0.77:5062;branch=z9hG4bKanna", "From: <sip:+447700900001@127.0.0.77>;tag=annatag1",
        "To: <sip:+18005550199@127.0.0.1>;tag=ourtag11"),
)  # fmt: skip


def test_a_call_that_keeps_its_sides_apart_passes() -> None:
    judge = Judge({OURS})
    assert judge.look(list(CALL)) == []
    assert judge.read == 4


@pytest.mark.parametrize(
    "word",
    [
        "447700900001",
        "+447700900001",
        "0447700900001;x",
        "anna-call-1",
        "annatag1",
        "z9hG4bKanna",
        "127.0.0.77",
        "anna 53 54 IN IP4 127.0.0.77",
        "AnnaPhone/3",
        "+44 7700 900001",
        "44-(7700)-900-001",
        "44.7700/900001",
        "%34%34%37%37%30%30%39%30%30%30%30%31",
        "100009007744",
        base64.b64encode(b"447700900001").decode(),
        base64.b64encode(b"a+447700900001;x").decode(),
        base64.urlsafe_b64encode(b"??447700900001>>").decode().rstrip("="),
        b"447700900001".hex(),
        "a" + b"447700900001".hex().upper(),
    ],
)
def test_a_word_of_the_caller_to_the_callee_is_found(word: str) -> None:
    judge = Judge({OURS})
    judge.look(list(CALL))
    assert judge.look([sip(OURS, BOB, "BYE sip:b@127.0.0.81 SIP/2.0", "our-call-2", f"Subject: {word}")])


@pytest.mark.parametrize("word", ["919900000001", "our-call-2", "bobstag99", "127.0.0.81", "BobPhone/9"])
def test_a_word_of_the_callee_to_the_caller_is_found(word: str) -> None:
    judge = Judge({OURS})
    judge.look(list(CALL))
    assert judge.look([sip(OURS, ALICE, "SIP/2.0 487 x", "anna-call-1", f"Warning: {word}")])


def test_it_may_come_in_pieces() -> None:
    judge = Judge({OURS})
    assert [judge.look([message]) for message in CALL] == [[], [], [], []]
    assert judge.read == 4


def test_platforms_of_others_are_not_judged() -> None:
    judge = Judge(set())
    assert judge.look([*CALL, sip(OURS, BOB, "BYE sip:b SIP/2.0", "our-call-2", "Subject: 447700900001")]) == []
    assert judge.read == 0


def test_frames_of_udp_and_tcp_are_read() -> None:
    payload = b"BYE sip:x SIP/2.0\r\n\r\n"
    ends = bytes((127, 0, 0, 77, 127, 0, 0, 1))
    for protocol, head in (
        (17, struct.pack("!HHHH", 5062, 5060, 8, 0)),
        (6, struct.pack("!HH8xBxHHH", 5062, 5060, 0x50, 0, 0, 0)),
    ):
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, protocol, 0) + ends
        assert read_frame(bytes(14) + b"\x08\x00" + ip + head + payload) == Message(ALICE, OURS, payload)
        ip6 = struct.pack("!IHBB", 0x60000000, 0, protocol, 64) + (1).to_bytes(16, "big") + (2).to_bytes(16, "big")
        six = Message(("::1", 5062), ("::2", 5060), payload)
        assert read_frame(bytes(14) + b"\x86\xdd" + ip6 + head + payload) == six
    assert read_frame(bytes(14) + b"\x86\xdd" + bytes(60)) is None
    assert read_frame(bytes(14) + b"\x08\x06" + bytes(60)) is None


def test_hosts_of_ipv6_are_words_too() -> None:
    ours, anna, ben = ("fd00::1", 5060), ("fd00::a", 5062), ("fd00::b", 5064)
    judge = Judge({ours})
    judge.look([
        sip(anna, ours, "INVITE sip:+18005550199@[fd00::1] SIP/2.0", "anna-call-1", "CSeq: 1 INVITE",
            "Via: SIP/2.0/UDP [fd00::abba]:5062;branch=z9hG4bKanna", "From: <sip:+447700900001@x>;tag=annatag1"),
        sip(ours, ben, "INVITE sip:+919900000001@[fd00::b] SIP/2.0", "our-call-2", "To: <sip:+919900000001@[fd00::b]>"),
    ])  # fmt: skip
    assert judge.look([sip(ours, ben, "BYE sip:b SIP/2.0", "our-call-2", "Warning: fd00::abba")])
    assert judge.look([sip(ours, ben, "BYE sip:b SIP/2.0", "our-call-2", "Warning: fd00::1")]) == []


def test_a_party_is_found_in_what_an_operator_reads() -> None:
    judge = Judge({OURS})
    judge.look(list(CALL))
    log = b"call_begun number=+44\xe2\x80\xa20001\nengine_fault error='no +447700900001'\nvirtual=+18005550199\n"
    assert judge.find_persons(OURS, log) == ["engine_fault error='no +447700900001'"]
    assert judge.find_persons(OURS, b'x{number="0919900000001"} 1') == ['x{number="0919900000001"} 1']


def test_streams_are_read_as_far_as_they_are_written(tmp_path: Path) -> None:
    tap = StreamTap(tmp_path / "streams", OURS)
    assert tap.messages() == []
    tap.path.write_bytes(b"1 127.0.0.77 5062 5\nBYE 1" + b"0 127.0.0.77 5062 9\nSIP/")
    assert tap.messages() == [Message(ALICE, OURS, b"BYE 1")]
    with tap.path.open("ab") as file:
        file.write(b"2.0 2")
    assert tap.messages() == [Message(OURS, ALICE, b"SIP/2.0 2")]
    assert tap.messages() == []
