"""What a lab phone hears: laid out in time, in order, searched and kept."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from maskline.lab import sound
from maskline.lab.ear import Ear
from maskline.lab.sound import FRAME, PCMA, PCMU, Samples

SOUND = sound.speech(3, 1.0)


def packet(kind: int, sequence: int, stamp: int, payload: bytes, ssrc: int = 7) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + payload


def feed(
    ear: Ear, samples: Samples, at: float, *, law: int = PCMU, sequence: int = 0, stamp: int = 0, ssrc: int = 7
) -> None:
    for index, start in enumerate(range(0, len(samples), FRAME)):
        payload = sound.encode(samples[start : start + FRAME], law)
        ear.hear(packet(law, sequence + index, stamp + start, payload, ssrc), at + start / sound.RATE)


def test_a_stream_is_laid_out_by_its_own_clock_and_not_by_the_networks_jitter() -> None:
    ear, draw = Ear(), np.random.default_rng(2)
    for index in range(50):
        payload = sound.encode(SOUND[index * FRAME : (index + 1) * FRAME])
        ear.hear(packet(0, index, index * FRAME, payload), 5.0 + index * 0.02 + draw.uniform(0, 0.06))
    match = ear.find(SOUND)
    assert match.likeness > 0.99
    assert ear.began == ear.arrivals[0].at


def test_a_gap_is_silence_of_its_length() -> None:
    ear = Ear()
    feed(ear, SOUND, 1.0)
    feed(ear, SOUND, 3.5, sequence=50, stamp=20_000)
    heard = ear.samples()
    assert len(heard) == 28_000
    assert not heard[8_000:20_000].any()
    assert ear.find(SOUND, since=2.5).start == 0


def test_a_clock_that_jumps_is_placed_by_its_arrival() -> None:
    ear = Ear()
    feed(ear, SOUND, 1.0)
    feed(ear, SOUND, 2.0, sequence=50, stamp=9_000_000)
    assert len(ear.samples()) == 16_000


def test_packets_that_were_late_together_are_still_one_sound() -> None:
    """The sender had no CPU for half a second, and then sent what it had not."""
    ear = Ear()
    for index in range(50):
        payload = sound.encode(SOUND[index * FRAME : (index + 1) * FRAME])
        ear.hear(packet(0, index, index * FRAME, payload), 5.0 + (index if not 10 < index < 35 else 35) * 0.02)
    assert ear.find(SOUND).likeness > 0.99


def test_a_second_stream_is_placed_beside_the_first_and_both_laws_are_read() -> None:
    ear = Ear()
    feed(ear, SOUND, 1.0, sequence=65_530, stamp=0xFFFFFF00)
    feed(ear, sound.speech(4, 0.5), 2.0, law=PCMA, ssrc=8)
    assert ear.find(SOUND).start == 0
    assert ear.find(sound.speech(4, 0.5)).start == 8_000
    assert len(ear.mu_law) == 12_000
    assert sound.encode(SOUND) == ear.mu_law[:8_000]


def test_digits_reports_and_rubbish_are_no_sound() -> None:
    ear = Ear(event_type=97)
    for data in (b"", b"not RTP at all", packet(101, 1, 0, b"\1\2\3\4"), b"\x80\xc8" + bytes(26)):
        ear.hear(data, 1.0)
    for stamp in (0, 0, 160):
        ear.hear(packet(97, 2, stamp, b"\x0a\x8a\0\0"), 1.0)
    ear.hear(packet(97, 2, 320, b"\x20\x8a\0\0"), 1.0)
    assert ear.digits == "**?"
    assert ear.voices == []
    assert (ear.began, len(ear.samples())) == (0.0, 0)


async def test_waiting_ends_with_the_prompt_or_with_the_time() -> None:
    ear = Ear()
    feed(ear, SOUND, 1.0)
    assert (await ear.wait_for(SOUND, 30.0)).heard
    missed = await ear.wait_for(sound.speech(9, 0.5), 0.15)
    assert not missed.heard


def test_what_was_heard_can_be_kept(tmp_path: Path) -> None:
    ear = Ear()
    feed(ear, SOUND, 1.0)
    ear.save(tmp_path / "heard.wav")
    (kept,) = sound.read_wav(tmp_path / "heard.wav")
    assert (kept == ear.samples()).all()
