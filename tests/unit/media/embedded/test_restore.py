"""A call set up as it was under a worker that died: told by the driver's memory, seen by both parties."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.masking.call_record import Quality
from maskline.media.embedded.events import Latched, Stands
from maskline.media.embedded.outgoing import Position
from maskline.media.embedded.relay import NoPorts
from maskline.media.embedded.wanted import CallWanted, LegWanted, Playing, read_call, write_call
from maskline.media.port import DigitPressed, FarMedia, PlayDone, RecordingLost
from maskline.media.rtp import RtpPacket, build, parse
from maskline.media.spool import SpooledPacket, read_spool, spool_parts
from tests.support.relay_bench import A, B, Bench
from tests.support.rtp_party import PCMU, VOICE, Party
from tests.support.wav_clip import tone, write_clip


@pytest.fixture
def bob() -> Iterator[Party]:
    with Party(0x0B0B0B0B, nat=True) as party:
        yield party


def wanted(bench: Bench, alice: Party, bob: Party, *, bridged: bool = True) -> CallWanted:
    """As a driver would remember a call on the first ports of the bench."""
    now = time.monotonic()
    low = bench.ports[0] + (bench.ports[0] & 1)
    alice.to, bob.to = ("127.0.0.1", low), ("127.0.0.1", low + 2)
    legs = {
        A: LegWanted(low, VOICE, Position(0xA11CE, 100, 5000, now - 1.0), alice.far),
        B: LegWanted(low + 2, VOICE, Position(0xB0B, 65_535, 0xFFFFFFFF, now - 1.0), bob.far),
    }
    return CallWanted("call", legs, bridged)


def test_a_call_is_remembered_as_json(bench: Bench, alice: Party, bob: Party) -> None:
    call = wanted(bench, alice, bob)
    call.legs[A].playing = Playing("/clip.wav", 3, 0, 12.5)
    call.legs[A].collecting = True
    call.legs[B].source = ("192.0.2.1", 4000)
    call.recording = "rec"
    assert read_call(json.loads(json.dumps(write_call(call)))) == call


def test_the_memory_keeps_what_was_asked_last(alice: Party, bob: Party, bench: Bench) -> None:
    call = wanted(bench, alice, bob, bridged=False)
    leg = call.legs[B]
    leg.source = ("192.0.2.1", 4000)
    leg.attached(leg.far)
    leg.attached(None)
    assert leg.source is not None
    leg.attached(alice.far)
    assert (leg.far, leg.source) == (alice.far, None)
    leg.playing = Playing("/clip.wav", 3, 0, 12.5)
    call.stopped(B, 2)
    assert leg.playing is not None
    call.stopped(B, 3)
    call.stopped(A)
    assert leg.playing is None
    leg.playing = Playing("/clip.wav", 4, 0, 12.5)
    call.bridge(digits=False)
    call.bridge(digits=True)
    assert (call.bridged, call.digits, leg.playing) == (True, False, None)
    call.unbridge()
    assert not call.bridged


def test_the_memory_adds_what_each_worker_counted(alice: Party, bob: Party, bench: Bench) -> None:
    call = wanted(bench, alice, bob)
    first, second = Quality(4.3, 0.0, 1.0, 100, 0, 100), Quality(4.3, 0.0, 1.0, 50, 0, 50)
    call.legs[A].figures = first
    call.worker_died()
    call.worker_died()  # before anything was told of the second one
    figures = call.with_earlier({B: second})
    assert figures == {A: first, B: second}
    assert call.with_earlier({A: second})[A].packets_received == 150


def test_both_streams_go_on_where_they_must_be_by_now(bench: Bench, alice: Party, bob: Party) -> None:
    bench.relay.restore(wanted(bench, alice, bob), time.monotonic())
    heard = bench.pass_on(bob, alice, bob.next(b"b" * 160))
    assert (heard.ssrc, heard.payload) == (0xA11CE, b"b" * 160)
    assert 150 <= heard.sequence <= 160
    assert 13_000 - 400 <= heard.timestamp <= 13_000 + 2000
    heard = bench.pass_on(alice, bob, alice.next(b"a" * 160))
    assert heard.ssrc == 0xB0B
    assert 49 <= heard.sequence <= 60
    assert heard.timestamp < 10_000
    assert bench.relay.close("call", 0.0)[A].packets_received == 1


def test_a_far_side_behind_nat_is_known_again_and_nobody_else(bench: Bench, alice: Party, bob: Party) -> None:
    call = wanted(bench, alice, bob)
    with Party(0xB) as behind, Party(0x666) as stranger:
        call.legs[B].source = ("127.0.0.1", behind.port)
        behind.to = stranger.to = bob.to
        bench.relay.restore(call, time.monotonic())
        stranger.send(b"x" * 160)
        assert bench.pass_on(behind, alice, behind.next(b"b" * 160)).payload == b"b" * 160
        assert bench.pass_on(alice, behind, alice.next(b"a" * 160)).payload == b"a" * 160
        assert not alice.queued()
        assert not stranger.queued()


def test_where_it_was_found_is_told(bench: Bench, alice: Party, bob: Party) -> None:
    bench.connect(alice, bob)
    bench.pass_on(bob, alice, bob.next())
    assert bench.events == [Latched("call", B, ("127.0.0.1", bob.port))]


def test_where_the_streams_stand_is_told_with_each_report(bench: Bench, alice: Party, bob: Party) -> None:
    bench.connect(alice, bob)
    heard = bench.pass_on(alice, bob, alice.next())
    bench.relay.tick(20.0)
    (stands,) = (event for event in bench.events if isinstance(event, Stands))
    position = stands.positions[B]
    assert (position.ssrc, position.timestamp) == (heard.ssrc, heard.timestamp)
    assert position.sequence == (heard.sequence + 1) & 0xFFFF
    assert abs(position.at - time.monotonic()) < 5.0


def test_a_clip_goes_on_from_its_place_and_one_that_is_over_by_now_is_done(
    bench: Bench, alice: Party, bob: Party, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.wav", tone(440, 1.0))
    now = time.monotonic()
    call = wanted(bench, alice, bob, bridged=False)
    call.legs[A].playing = Playing(clip.path, 1, 2, now - 1.895)  # five frames are left of the second pass
    call.legs[B].playing = Playing(clip.path, 2, 1, now - 1.5)
    call.legs[A].collecting = True
    bench.relay.restore(call, now)
    assert bench.events == [PlayDone("call", B, 2)]
    for beat in range(1, 12):
        bench.relay.tick(now + 0.02 * beat)
    packets = []
    while alice.queued():
        packets.append(parse(alice.rtp.recv(2048)))
    assert 5 <= len(packets) <= 6
    assert {packet.ssrc for packet in packets if packet} == {0xA11CE}
    assert PlayDone("call", A, 1) in bench.events
    alice.rtp.sendto(build(RtpPacket(101, 1, 1, 1, b"\x05\x8a\x01\x40")), alice.to)
    bench.turn()
    assert DigitPressed("call", A, "5") in bench.events


def test_a_clip_that_is_gone_is_done(bench: Bench, alice: Party, bob: Party, tmp_path: Path) -> None:
    call = wanted(bench, alice, bob, bridged=False)
    call.legs[A].playing = Playing(str(tmp_path / "gone.wav"), 1, 0, 0.0)
    bench.relay.restore(call, time.monotonic())
    assert bench.events == [PlayDone("call", A, 1)]


def test_a_recording_goes_on_in_a_second_part(bench: Bench, alice: Party, bob: Party, tmp_path: Path) -> None:
    call = wanted(bench, alice, bob)
    call.recording = "rec"
    (tmp_path / "spool").mkdir()
    first = tmp_path / "spool" / "rec.spool"
    first.write_bytes(b"MASKSPL1")
    bench.relay.restore(call, time.monotonic())
    bench.pass_on(alice, bob, alice.next(b"a" * 160))
    bench.relay.close("call", 0.0)
    assert len(spool_parts(first)) == 2
    assert [item.data[-1:] for item in read_spool(first) if isinstance(item, SpooledPacket)] == [b"a"]


def test_or_is_lost_alone(bench: Bench, alice: Party, bob: Party, tmp_path: Path) -> None:
    call = wanted(bench, alice, bob)
    call.recording = "rec"
    (tmp_path / "spool").write_text("no folder")
    bench.relay.restore(call, time.monotonic())
    assert bench.events == [RecordingLost("call")]
    assert bench.pass_on(alice, bob, alice.next(b"a" * 160)).payload == b"a" * 160


def test_a_call_that_cannot_be_had_again_holds_nothing(bench: Bench, alice: Party, bob: Party) -> None:
    free = len(bench.relay._ports)
    call = wanted(bench, alice, bob)
    call.legs[B].far = FarMedia("no.address", 1, 2, (PCMU,))
    with pytest.raises(NoPorts):
        bench.relay.restore(call, 0.0)
    call.legs[B].port = 9
    with pytest.raises(NoPorts):
        bench.relay.restore(call, 0.0)
    assert len(bench.relay) == 0
    assert len(bench.relay._ports) >= free - 1
    with Party(3) as sitting:
        call = wanted(bench, alice, bob)
        bench.relay._ports._free.append(sitting.port)
        call.legs[A].port = sitting.port
        with pytest.raises(NoPorts):
            bench.relay.restore(call, 0.0)
