"""Digits that a leg presses: told while collected, passed on or kept as asked."""

from __future__ import annotations

import secrets
import struct

import pytest

from maskline.media.dtmf import press
from maskline.media.embedded.call import UnknownCall
from maskline.media.g711 import A_OF_LINEAR
from maskline.media.port import DigitPressed, MediaEvent
from maskline.media.rtp import RtpPacket, build, parse
from maskline.sdp.session import Codec
from tests.support.relay_bench import A, B, Bench
from tests.support.rtp_party import EVENTS, PCMA, PCMU, VOICE, Party
from tests.support.wav_clip import tone


def send_digit(bench: Bench, party: Party, digit: str, payload_type: int = 101, *, lose: int = 0) -> None:
    """As a phone does: one timestamp, a marker first; the last `lose` packets are lost."""
    timestamp = party.timestamp
    payloads = press(digit, 100)
    for index, payload in enumerate(payloads):
        packet = RtpPacket(payload_type, party.sequence & 0xFFFF, timestamp, party.ssrc, payload, marker=index == 0)
        party.sequence += 1
        if index < len(payloads) - lose:
            party.rtp.sendto(build(packet), party.to)
    party.timestamp += 160 * len(payloads)
    bench.turn()


def open_a(bench: Bench, alice: Party) -> None:
    alice.aim(bench.relay.open_leg("call", A, alice.far, alice.codecs, 0.0))


def told(*digits: str) -> list[MediaEvent]:
    return [DigitPressed("call", A, digit) for digit in digits]


def test_digits_of_a_leg_that_is_alone_are_told_while_collected(bench: Bench, alice: Party) -> None:
    open_a(bench, alice)
    send_digit(bench, alice, "1")
    bench.relay.collect("call", A, False, 0.0)
    send_digit(bench, alice, "2")
    bench.relay.collect("call", A, True, 0.0)
    send_digit(bench, alice, "3")
    send_digit(bench, alice, "#")
    alice.send()
    bench.turn()
    bench.relay.collect("call", A, False, 0.0)
    send_digit(bench, alice, "4")
    assert bench.told == told("3", "#")
    assert bench.relay.stats("call").keys() == {A}


def test_the_end_packets_of_a_digit_are_not_a_new_one_when_collecting_begins_again(bench: Bench, alice: Party) -> None:
    open_a(bench, alice)
    bench.relay.collect("call", A, True, 0.0)
    ends = press("#", 100)[-3:]
    for index, payload in enumerate(ends):
        alice.rtp.sendto(build(RtpPacket(101, index, 5000, 9, payload)), alice.to)
        bench.turn()
        bench.relay.collect("call", A, index > 0, 0.0)
    assert bench.told == told("#")


def test_a_lost_end_is_noticed_in_time(bench: Bench, alice: Party) -> None:
    open_a(bench, alice)
    bench.relay.collect("call", A, True, 0.0)
    send_digit(bench, alice, "5", lose=3)
    deadline = bench.relay.next_deadline()
    assert deadline is not None
    assert deadline <= 0.05
    bench.relay.tick(1e9)
    assert bench.told == told("5")
    bench.relay.collect("call", A, False, 2e9)
    bench.relay.tick(2e9)
    deadline = bench.relay.next_deadline()
    assert deadline is not None
    assert deadline > 2e9 + 1.0, "nobody looks any more"


def test_any_payload_type_that_was_agreed_is_understood_also_the_phone_s_own(bench: Bench) -> None:
    with Party(1, codecs=(PCMU, Codec(96, "telephone-event"))) as alice:
        local = bench.relay.open_leg("call", A, alice.far, (PCMU, Codec(110, "telephone-event")), 0.0)
        alice.aim(local)
        bench.relay.collect("call", A, True, 0.0)
        send_digit(bench, alice, "7", 110)
        send_digit(bench, alice, "8", 96)
        send_digit(bench, alice, "9", 101)
        assert bench.told == told("7", "8")


def test_on_a_bridge_they_are_told_and_cross(bench: Bench, alice: Party) -> None:
    with Party(2, codecs=(PCMU, Codec(96, "telephone-event"))) as bob:
        bench.connect(alice, bob)
        bench.relay.collect("call", A, True, 0.0)
        bench.relay.collect("call", A, True, 0.0)
        send_digit(bench, alice, "6")
        assert bench.told == told("6")
        packets = [parse(bob.rtp.recv(2048)) for _ in press("6", 100)]
        assert {packet.payload_type for packet in packets if packet} == {96}
        assert packets[0] is not None
        assert packets[0].marker
        assert packets[0].payload == struct.pack(">BBH", 6, 10, 160)


@pytest.mark.parametrize("collected", [False, True])
def test_blocked_digits_stay_here_and_leave_no_gap(bench: Bench, alice: Party, bob: Party, collected: bool) -> None:
    alice.aim(bench.relay.open_leg("call", A, alice.far, VOICE, 0.0))
    bob.aim(bench.relay.open_leg("call", B, bob.far, VOICE, 0.0))
    bench.relay.bridge("call", 0.0, digits=False)
    bench.relay.collect("call", A, collected, 0.0)
    send_digit(bench, alice, "1")
    first = bench.pass_on(alice, bob, alice.next(b"a" * 160))
    send_digit(bench, alice, "2")
    second = bench.pass_on(alice, bob, alice.next(b"a" * 160))
    assert not bob.queued()
    assert (second.sequence - first.sequence) & 0xFFFF == 1
    assert second.payload == b"a" * 160
    assert bench.told == (told("1", "2") if collected else [])
    figures = bench.relay.stats("call")[A]
    assert (figures.packets_received, figures.packets_lost) == (2 + 2 * len(press("1", 100)), 0)
    send_digit(bench, bob, "3")
    assert not alice.queued()


def test_digits_that_the_other_phone_cannot_take_are_no_loss(bench: Bench, alice: Party) -> None:
    with Party(2, codecs=(PCMU,)) as bob:
        bench.connect(alice, bob)
        first = bench.pass_on(alice, bob, alice.next())
        send_digit(bench, alice, "1")
        second = bench.pass_on(alice, bob, alice.next())
        assert (second.sequence - first.sequence) & 0xFFFF == 1
        assert bench.relay.stats("call")[A].packets_lost == 0


class TestTones:
    def play(self, bench: Bench, party: Party, frequencies: tuple[int, int], law: bytes, payload_type: int) -> None:
        low, high = (tone(frequency, 0.08, 8000) for frequency in frequencies)
        samples = [one + two for one, two in zip(low, high, strict=True)] + [0] * 640
        audio = bytes(law[sample & 0xFFFF] for sample in samples)
        for start in range(0, len(audio), 160):
            party.send(audio[start : start + 160], payload_type)
            bench.turn()

    def test_they_are_listened_for_where_there_are_no_telephone_events(self, bench: Bench, bob: Party) -> None:
        with Party(1, codecs=(PCMA,)) as alice:
            alice.aim(bench.relay.open_leg("call", A, alice.far, (PCMA, EVENTS), 0.0))
            bench.relay.collect("call", A, True, 0.0)
            self.play(bench, alice, (770, 1336), A_OF_LINEAR, 8)
            assert bench.told == told("5")
            bench.connect(alice, bob)
            self.play(bench, alice, (852, 1477), A_OF_LINEAR, 8)
            assert bench.told == told("5", "9")
            assert bench.relay.stats("call")[A].packets_relayed == 8
            bench.relay.collect("call", A, False, 0.0)
            self.play(bench, alice, (697, 1209), A_OF_LINEAR, 8)
            assert bench.told == told("5", "9")

    def test_and_nowhere_else(self, bench: Bench) -> None:
        with Party(1, codecs=(PCMA, EVENTS)) as alice:
            open_a(bench, alice)
            bench.relay.collect("call", A, True, 0.0)
            self.play(bench, alice, (770, 1336), A_OF_LINEAR, 8)
            assert bench.told == []


def test_ears_need_a_leg(bench: Bench, alice: Party) -> None:
    with pytest.raises(UnknownCall):
        bench.relay.collect("call", A, True, 0.0)
    open_a(bench, alice)
    with pytest.raises(UnknownCall):
        bench.relay.collect("call", B, True, 0.0)


def test_rubbish_in_any_shape_is_survived_by_a_listening_leg(bench: Bench, alice: Party, bob: Party) -> None:
    open_a(bench, alice)
    bench.relay.collect("call", A, True, 0.0)
    for bridged in (False, True):
        if bridged:
            bench.connect(alice, bob)
        for _ in range(500):
            head = bytes((0x80 | secrets.randbelow(64), secrets.choice((101, 229, 0, 128, 13))))
            alice.rtp.sendto(head + secrets.token_bytes(secrets.randbelow(40)), alice.to)
            bench.turn()
    while bob.queued():
        bob.rtp.recv(2048)
    bench.events.clear()
    alice.ssrc = 0x12345678
    send_digit(bench, alice, "5")
    assert bench.told[-1:] == told("5")
