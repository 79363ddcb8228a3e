"""What a leg hears beside the other party: clips and digits, in one stream with it."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from maskline.media.embedded.call import UnknownCall, Unplayable
from maskline.media.embedded.clips import UnplayableClip
from maskline.media.g711 import A_OF_LINEAR, MU_OF_LINEAR
from maskline.media.port import Clip, FarMedia, PlayDone
from maskline.media.rtp import Report, RtpPacket, parse, parse_rtcp
from maskline.sdp.session import Codec
from tests.support.relay_bench import A, B, Bench
from tests.support.rtp_party import EVENTS, PCMA, PCMU, VOICE, Party
from tests.support.wav_clip import tone, write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Five frames."""
    return write_clip(tmp_path / "clip.wav", tone(440, 0.1))


SAMPLES = bytes(MU_OF_LINEAR[sample & 0xFFFF] for sample in tone(440, 0.1))


def take(party: Party) -> list[RtpPacket]:
    """All that waits."""
    packets = []
    while party.queued():
        packet = parse(party.rtp.recv(2048))
        assert packet is not None
        packets.append(packet)
    return packets


def open_a(bench: Bench, alice: Party, now: float = 0.0) -> None:
    alice.aim(bench.relay.open_leg("call", A, alice.far, alice.codecs, now))


def beats(bench: Bench, now: float, count: int) -> float:
    for _ in range(count):
        now += 0.02
        bench.relay.tick(now)
    return now


def assert_one_stream(packets: list[RtpPacket]) -> None:
    assert len({packet.ssrc for packet in packets}) == 1
    for before, packet in pairwise(packets):
        assert (packet.sequence - before.sequence) & 0xFFFF == 1
        assert 0 <= (packet.timestamp - before.timestamp) & 0xFFFFFFFF < 16_000


class TestClips:
    def test_a_clip_is_heard_from_the_command_on_by_a_leg_that_is_alone(
        self, bench: Bench, alice: Party, clip: Clip
    ) -> None:
        open_a(bench, alice)
        bench.relay.play("call", A, clip.path, 7, 1, 1.0)
        assert len(take(alice)) == 1
        now = beats(bench, 1.01, 4)
        assert bench.told == []
        beats(bench, now, 2)
        assert bench.told == [PlayDone("call", A, 7)]
        assert bench.relay.next_deadline() == 60.0

    def test_its_packets_are_one_stream_with_a_marker_at_the_start(
        self, bench: Bench, alice: Party, clip: Clip
    ) -> None:
        open_a(bench, alice)
        bench.relay.play("call", A, clip.path, 7, 2, 1.0)
        beats(bench, 1.01, 12)
        packets = take(alice)
        assert b"".join(packet.payload for packet in packets) == 2 * SAMPLES
        assert [packet.marker for packet in packets] == [True, *[False] * 9]
        assert {(later.timestamp - sooner.timestamp) for sooner, later in pairwise(packets)} == {160}
        assert {packet.payload_type for packet in packets} == {0}
        assert_one_stream(packets)
        assert bench.told == [PlayDone("call", A, 7)]

    def test_for_ever_is_until_it_is_stopped(self, bench: Bench, alice: Party, clip: Clip) -> None:
        open_a(bench, alice)
        bench.relay.play("call", A, clip.path, 7, 0, 1.0)
        now = beats(bench, 1.01, 40)
        assert len(take(alice)) >= 40
        bench.relay.stop_playing("call", A)
        bench.relay.stop_playing("call", A)
        beats(bench, now, 5)
        assert take(alice) == []
        assert bench.told == []

    def test_another_one_replaces_it_without_an_event(self, bench: Bench, alice: Party, clip: Clip) -> None:
        open_a(bench, alice)
        bench.relay.play("call", A, clip.path, 1, 1, 1.0)
        now = beats(bench, 1.01, 2)
        bench.relay.play("call", A, clip.path, 2, 1, now)
        beats(bench, now, 8)
        packets = take(alice)
        assert [packet.marker for packet in packets].count(True) == 2
        assert_one_stream(packets)
        assert bench.told == [PlayDone("call", A, 2)]

    def test_it_is_encoded_for_the_leg(self, bench: Bench, clip: Clip) -> None:
        with Party(1, codecs=(Codec(9, "G722"), PCMA, PCMU)) as alice, Party(2, codecs=(PCMU, PCMA)) as bob:
            open_a(bench, alice)
            bench.relay.play("call", A, clip.path, 1, 1, 1.0)
            assert take(alice)[0].payload_type == 8
            bob.aim(bench.relay.open_leg("call", B, bob.far, (PCMA,), 0.0))
            bench.relay.play("call", B, clip.path, 1, 1, 1.0)
            assert take(bob)[0].payload_type == 8, "what both sides named comes first"

    def test_a_far_side_agreed_with_anew_hears_the_rest_in_its_new_law(self, bench: Bench, clip: Clip) -> None:
        with Party(1, codecs=(PCMU, PCMA)) as alice:
            open_a(bench, alice)
            bench.relay.play("call", A, clip.path, 1, 1, 1.0)
            now = beats(bench, 1.01, 1)
            far = alice.far
            bench.relay.attach("call", A, FarMedia(far.address, far.port, far.rtcp_port, (PCMA,)), 0.0)
            beats(bench, now, 6)
            packets = take(alice)
            assert [packet.payload_type for packet in packets] == [0, 0, 8, 8, 8]
            samples = bytes(A_OF_LINEAR[sample & 0xFFFF] for sample in tone(440, 0.1))
            assert b"".join(packet.payload for packet in packets[2:]) == samples[320:]
            assert_one_stream(packets)

    def test_what_cannot_be_played_is_refused_and_changes_nothing(
        self, bench: Bench, alice: Party, clip: Clip, tmp_path: Path
    ) -> None:
        with pytest.raises(UnknownCall):
            bench.relay.play("call", A, clip.path, 1, 1, 1.0)
        open_a(bench, alice)
        with pytest.raises(UnknownCall):
            bench.relay.play("call", B, clip.path, 1, 1, 1.0)
        bench.relay.open_leg("call", B, None, VOICE, 0.0)
        with pytest.raises(Unplayable):
            bench.relay.play("call", B, clip.path, 1, 1, 1.0)
        with pytest.raises(UnplayableClip):
            bench.relay.play("call", A, str(tmp_path / "none.wav"), 1, 1, 1.0)
        bench.relay.attach(
            "call", A, FarMedia("127.0.0.1", alice.port, alice.port + 1, (Codec(9, "G722"), EVENTS)), 0.0
        )
        with pytest.raises(Unplayable):
            bench.relay.play("call", A, clip.path, 1, 1, 1.0)
        assert take(alice) == []

    def test_a_held_far_side_hears_nothing_and_the_clip_ends_in_its_time(
        self, bench: Bench, alice: Party, clip: Clip
    ) -> None:
        bench.relay.open_leg("call", A, FarMedia("0.0.0.0", 0, 0, VOICE), VOICE, 0.0)
        bench.relay.play("call", A, clip.path, 1, 1, 1.0)
        beats(bench, 1.01, 7)
        assert take(alice) == []
        assert bench.told == [PlayDone("call", A, 1)]


class TestOnABridge:
    def test_a_clip_takes_the_place_of_the_other_party_for_one_leg_and_gives_it_back(
        self, bench: Bench, alice: Party, bob: Party, clip: Clip
    ) -> None:
        bench.connect(alice, bob)
        heard = [bench.pass_on(bob, alice, bob.next(b"b" * 160)) for _ in range(3)]
        now = time.monotonic()
        bench.relay.play("call", A, clip.path, 1, 1, now)
        heard += take(alice)
        bob.send(b"x" * 160)
        alice.send(b"a" * 160)
        bench.turn()
        assert [packet.payload for packet in take(bob)] == [b"a" * 160]
        beats(bench, now + 0.01, 7)
        heard += take(alice)
        assert b"".join(packet.payload for packet in heard[3:]) == SAMPLES
        heard += [bench.pass_on(bob, alice, bob.next(b"b" * 160)) for _ in range(2)]
        assert [packet.payload for packet in heard[-2:]] == [b"b" * 160] * 2
        assert_one_stream(heard)
        figures = bench.relay.stats("call")[B]
        assert (figures.packets_received, figures.packets_lost, figures.packets_relayed) == (6, 0, 5)

    def test_a_new_stream_of_the_other_party_meanwhile_is_part_of_the_same(
        self, bench: Bench, alice: Party, bob: Party, clip: Clip
    ) -> None:
        bench.connect(alice, bob)
        heard = [bench.pass_on(bob, alice, bob.next())]
        now = time.monotonic()
        bench.relay.play("call", A, clip.path, 1, 0, now)
        for ssrc in (5, 6):
            bob.ssrc = ssrc
            bob.send()
            bench.turn()
        bench.relay._calls["call"].legs[A].report(now, 1.0)
        bench.relay.stop_playing("call", A)
        heard += take(alice)
        heard.append(bench.pass_on(bob, alice, bob.next()))
        assert_one_stream(heard)
        (report,) = parse_rtcp(alice.rtcp.recv(2048))
        assert isinstance(report, Report)
        assert report.sender is not None
        assert report.sender.packets == len(heard) - 1

    def test_the_bridge_ends_what_plays(self, bench: Bench, alice: Party, bob: Party, clip: Clip) -> None:
        now = time.monotonic()
        open_a(bench, alice)
        bench.relay.play("call", A, clip.path, 1, 0, now)
        heard = take(alice)
        bench.connect(alice, bob)
        beats(bench, now + 0.01, 3)
        assert take(alice) == []
        heard.append(bench.pass_on(bob, alice, bob.next(b"b" * 160)))
        assert_one_stream(heard)
        bench.relay.play("call", A, clip.path, 2, 0, now)
        bench.relay.bridge("call", now)
        beats(bench, now + 0.01, 3)
        assert len(take(alice)) > 1, "a re-attach must not end it"
        bench.relay.close("call", now)
        beats(bench, now + 1.0, 3)
        assert not any(isinstance(event, PlayDone) for event in bench.events)


class TestKeys:
    def test_digits_are_pressed_one_after_the_other_in_place_of_the_audio(self, bench: Bench, alice: Party) -> None:
        with Party(2, codecs=(PCMU, Codec(96, "telephone-event"))) as bob:
            bench.connect(alice, bob)
            heard = [bench.pass_on(alice, bob, alice.next()) for _ in range(2)]
            now = time.monotonic()
            for digit in "4#":
                bench.relay.send_digit("call", B, digit, 100, now)
            alice.send()
            bench.turn()
            beats(bench, now + 0.01, 30)
            pressed = take(bob)
            heard += pressed
            heard.append(bench.pass_on(alice, bob, alice.next()))
            assert_one_stream(heard)
            assert {packet.payload_type for packet in pressed} == {96}
            assert [packet.marker for packet in pressed].count(True) == 2
            assert len({packet.timestamp for packet in pressed}) == 2
            assert [packet.payload[0] for packet in pressed] == [4] * 7 + [11] * 7
            assert [packet.payload[1] >> 7 for packet in pressed] == [0, 0, 0, 0, 1, 1, 1] * 2

    def test_a_far_side_without_telephone_events_hears_nothing(self, bench: Bench, bob: Party) -> None:
        with Party(1, codecs=(PCMU,)) as alice:
            bench.connect(alice, bob)
            bench.relay.send_digit("call", A, "1", 100, 0.0)
            assert take(alice) == []
            with pytest.raises(ValueError, match="key"):
                bench.relay.send_digit("call", B, "x", 100, 0.0)

    def test_a_digit_and_a_clip_share_the_stream(self, bench: Bench, alice: Party, clip: Clip) -> None:
        open_a(bench, alice)
        bench.relay.play("call", A, clip.path, 1, 0, 1.0)
        bench.relay.send_digit("call", A, "9", 100, 1.0)
        now = beats(bench, 1.01, 12)
        bench.relay.stop_playing("call", A)
        beats(bench, now, 3)
        packets = take(alice)
        assert {packet.payload_type for packet in packets} == {0, 101}
        assert [(later.sequence - sooner.sequence) & 0xFFFF for sooner, later in pairwise(packets)] == [1] * (
            len(packets) - 1
        )
        for _ in range(40):
            bench.relay.send_digit("call", A, "9", 100, 2.0)
        bench.relay.close("call", 3.0)
