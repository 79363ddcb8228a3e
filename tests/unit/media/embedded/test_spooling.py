"""Recordings in a worker: what is kept, and what a full disk does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.media.dtmf import press
from maskline.media.embedded.call import UnknownCall
from maskline.media.embedded.spooling import FLUSH_EVERY
from maskline.media.port import RecordingLost, SpoolLeg
from maskline.media.rtp import RtpPacket, build, parse
from maskline.media.spool import SpooledCodecs, SpooledEnd, SpooledPacket, SpoolError, read_spool
from maskline.sdp.session import Codec
from tests.support.relay_bench import A, B, Bench
from tests.support.rtp_party import EVENTS, PCMA, PCMU, VOICE, Party


@pytest.fixture
def bob() -> Iterator[Party]:
    with Party(0x0B0B0B0B, codecs=(PCMA, EVENTS)) as party:
        yield party


def said(path: str, leg: int) -> list[bytes]:
    return [item.data for item in read_spool(Path(path)) if isinstance(item, SpooledPacket) and item.leg == leg]


def test_both_parties_are_kept_as_they_spoke_until_the_end(bench: Bench, alice: Party, bob: Party) -> None:
    bench.connect(alice, bob)
    bench.pass_on(alice, bob, alice.next(b"0" * 160))
    spool = bench.relay.start_recording("call", "rec", time.monotonic())
    assert spool.legs == (SpoolLeg(A, alice.to[1], alice.codecs), SpoolLeg(B, bob.to[1], bob.codecs))
    assert bench.relay.start_recording("call", "rec", 0.0) == spool
    packets = [alice.next(b"a" * 160), bob.next(b"b" * 160, 8)]
    bench.pass_on(alice, bob, packets[0])
    bench.pass_on(bob, alice, packets[1])
    alice.rtp.sendto(build(packets[0]), alice.to)  # a duplicate
    bench.turn()
    bench.relay.stop_recording("call", time.monotonic())
    bench.relay.stop_recording("call", time.monotonic())
    bench.pass_on(alice, bob, alice.next(b"z" * 160))
    assert (said(spool.path, 0), said(spool.path, 1)) == ([build(packets[0])], [build(packets[1])])
    records = list(read_spool(Path(spool.path)))
    assert isinstance(records[-1], SpooledEnd)
    arrivals = [item.arrival for item in records if isinstance(item, SpooledPacket)]
    assert all(abs(arrival - 1_700_000_000.0) < 5.0 for arrival in arrivals)
    assert bench.told == []


def test_also_while_the_other_side_is_on_hold_or_hears_a_clip_and_digits_that_stay_here(
    bench: Bench, alice: Party, bob: Party
) -> None:
    alice.aim(bench.relay.open_leg("call", A, alice.far, VOICE, 0.0))
    bob.aim(bench.relay.open_leg("call", B, bob.far, VOICE, 0.0))
    bench.relay.bridge("call", 0.0, digits=False)
    spool = bench.relay.start_recording("call", "rec", 0.0)
    bench.relay._calls["call"].legs[B].take_floor()
    alice.send(b"a" * 160)
    alice.send(press("1", 100)[0], 101)
    bench.turn()
    bench.relay.close("call", 1.0)
    assert [parse(data).payload_type for data in said(spool.path, 0)] == [0, 101]  # type: ignore[union-attr]


def test_what_is_kept_reaches_the_file_every_half_second(bench: Bench, alice: Party, bob: Party) -> None:
    bench.connect(alice, bob)
    spool = bench.relay.start_recording("call", "rec", 0.0)
    bench.pass_on(alice, bob, alice.next())
    bench.relay.tick(FLUSH_EVERY)
    assert len(said(spool.path, 0)) == 1
    bench.pass_on(alice, bob, alice.next())
    bench.relay.tick(2 * FLUSH_EVERY)
    assert len(said(spool.path, 0)) == 2
    bench.relay.stop_recording("call", 3.0)
    bench.relay.tick(3 * FLUSH_EVERY)
    assert bench.told == []


def test_a_changed_codec_is_noted(bench: Bench, alice: Party, bob: Party) -> None:
    bench.connect(alice, bob)
    spool = bench.relay.start_recording("call", "rec", 0.0)
    wide = (Codec(9, "G722"), PCMU)
    bench.relay.open_leg("call", B, None, bob.codecs, 1.0)
    bench.relay.open_leg("call", B, None, wide, 1.0)
    bench.relay.stop_recording("call", 2.0)
    changes = [item for item in read_spool(Path(spool.path)) if isinstance(item, SpooledCodecs)]
    assert [(item.leg, item.codecs) for item in changes] == [(0, alice.codecs), (1, bob.codecs), (1, wide)]


def test_a_full_disk_ends_the_recording_and_not_the_call(
    bench: Bench, alice: Party, bob: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.connect(alice, bob)
    bench.relay.start_recording("call", "rec", 0.0)
    bench.pass_on(alice, bob, alice.next())

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    bench.relay.tick(1.0)
    bench.relay.tick(2.0)
    assert bench.told == [RecordingLost("call")]
    assert bench.pass_on(alice, bob, alice.next(b"a" * 160)).payload_type == 8
    bench.relay.stop_recording("call", 3.0)
    assert bench.told == [RecordingLost("call")]


def test_a_disk_that_is_full_at_the_end_is_told_too(
    bench: Bench, alice: Party, bob: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.connect(alice, bob)
    bench.relay.start_recording("call", "rec", 0.0)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    bench.relay.close("call", 3.0)
    assert bench.told == [RecordingLost("call")]


def test_a_recording_needs_both_legs_a_folder_and_a_fit_name(
    bench: Bench, alice: Party, bob: Party, tmp_path: Path
) -> None:
    with pytest.raises(UnknownCall):
        bench.relay.start_recording("call", "rec", 0.0)
    bench.relay.open_leg("call", A, alice.far, VOICE, 0.0)
    with pytest.raises(UnknownCall):
        bench.relay.start_recording("call", "rec", 0.0)
    bench.relay.open_leg("call", B, bob.far, VOICE, 0.0)
    for name in ("../rec", "", ".rec", "a/b"):
        with pytest.raises(SpoolError):
            bench.relay.start_recording("call", name, 0.0)
    (tmp_path / "spool").write_text("a file where the folder should be")
    with pytest.raises(SpoolError):
        bench.relay.start_recording("call", "rec", 0.0)
    (tmp_path / "spool").unlink()
    bench.relay.start_recording("call", "rec", 0.0)
    with pytest.raises(SpoolError):
        bench.relay.start_recording("call", "another", 0.0)


def test_rtp_that_carried_more_is_kept_as_plain_rtp(bench: Bench, alice: Party, bob: Party) -> None:
    bench.connect(alice, bob)
    spool = bench.relay.start_recording("call", "rec", 0.0)
    packet = build(RtpPacket(0, 1, 2, alice.ssrc, b"audio"))
    bench.pass_on(alice, bob, bytes((0xA0,)) + packet[1:] + b"\0\0\x03")
    bench.relay.close("call", 1.0)
    assert said(spool.path, 0) == [packet]
