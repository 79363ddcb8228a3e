"""The media port's contract for what is played, pressed and recorded, over both drivers with real packets."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import cast

import pytest

from maskline.masking.facts import LegName
from maskline.media.port import DigitPressed, MediaDriver, PlayDone, Spool
from maskline.media.spool import SpooledPacket, read_pcap, read_spool
from tests.support.media_harness import CALL, Harness, attach_both, connect
from tests.support.media_sound import clip, drain, hear, loudness, press, whistle
from tests.support.rtp_party import PCMU, Party
from tests.support.waiting import until

pytestmark = pytest.mark.wire

A, B = LegName.A, LegName.B
LOUD = 3000.0


def sounding(media: Harness) -> MediaDriver:
    return cast(MediaDriver, media.driver)


def digits(media: Harness) -> list[tuple[LegName, str]]:
    return [(event.leg, event.digit) for event in media.events if isinstance(event, DigitPressed)]


def done(media: Harness) -> list[int]:
    return [event.play_id for event in media.events if isinstance(event, PlayDone)]


async def caller(media: Harness, alice: Party) -> None:
    alice.aim(await media.driver.open_leg(CALL, A, alice.far, codecs=alice.codecs))


async def is_recorded(spool: Spool, leg: LegName) -> list[bytes]:
    """RTP of one party, in order."""
    found = {one.port: index for index, one in enumerate(spool.legs)}
    path = Path(spool.path)
    read = read_pcap(path, found) if spool.format == "pcap" else read_spool(path)
    wanted = [one.leg for one in spool.legs].index(leg)
    return [item.data for item in read if isinstance(item, SpooledPacket) and item.leg == wanted]


# --- clips ------------------------------------------------------------------------------------------------------


async def test_a_caller_alone_hears_a_clip_and_its_end_is_told(media: Harness, tmp_path: Path) -> None:
    with Party(1) as alice:
        await caller(media, alice)
        started = time.monotonic()
        await sounding(media).play(CALL, A, clip(tmp_path, 0.3), 7)
        first = await alice.receive()
        assert time.monotonic() - started < 2.0  # 2 ms on a quiet machine
        await until(lambda: done(media) == [7])
        assert 0.25 <= time.monotonic() - started <= 5.0
        heard = [first, *drain(alice)]
        assert len(heard) == 15
        assert all(packet.payload_type == 0 for packet in heard)
        assert all(loudness(packet) > LOUD for packet in heard[1:])


async def test_a_party_that_we_dialled_first_hears_a_clip_when_it_answers(media: Harness, tmp_path: Path) -> None:
    with Party(1) as alice:
        driver = sounding(media)
        alice.aim(await driver.open_leg(CALL, A, None, codecs=alice.codecs))
        await driver.attach(CALL, A, alice.far)
        await driver.play(CALL, A, clip(tmp_path), 1)
        assert loudness(await alice.receive()) >= 0.0
        await until(lambda: done(media) == [1])


async def test_who_was_only_spoken_to_has_figures_too(media: Harness, tmp_path: Path) -> None:
    with Party(1) as alice:
        await caller(media, alice)
        await sounding(media).play(CALL, A, clip(tmp_path, 0.6), 1)
        for _ in range(20):
            alice.send()
            await asyncio.sleep(0.02)
        await until(lambda: done(media) == [1])
        figures = (await media.driver.close(CALL))[A]
        assert figures.packets_received == 20 and 4.0 <= figures.mos <= 4.5


async def test_a_clip_is_repeated_as_often_as_wished(media: Harness, tmp_path: Path) -> None:
    with Party(1) as alice:
        await caller(media, alice)
        await sounding(media).play(CALL, A, clip(tmp_path, 0.2), 1, repeat=3)
        await until(lambda: done(media) == [1])
        assert len(drain(alice)) == 30


async def test_a_clip_without_end_is_heard_until_it_is_stopped(media: Harness, tmp_path: Path) -> None:
    with Party(1) as alice:
        await caller(media, alice)
        await sounding(media).play(CALL, A, clip(tmp_path, 0.1), 1, repeat=0)
        assert len(await hear(alice, 0.5)) >= 20
        await sounding(media).stop_playing(CALL, A)
        await asyncio.sleep(0.05)
        drain(alice)
        assert await hear(alice, 0.15) == []
        assert done(media) == []


async def test_what_replaces_a_clip_is_heard_instead_and_only_its_end_is_told(media: Harness, tmp_path: Path) -> None:
    with Party(1) as alice:
        await caller(media, alice)
        await sounding(media).play(CALL, A, clip(tmp_path, 1.0), 1)
        await alice.receive()
        await sounding(media).play(CALL, A, clip(tmp_path, 0.2, 660), 2)
        await until(lambda: done(media) != [])
        await hear(alice, 0.1)
        assert done(media) == [2]
        assert await hear(alice, 0.2) == []


async def test_stopping_where_nothing_plays_does_nothing(media: Harness) -> None:
    with Party(1) as alice:
        await caller(media, alice)
        await sounding(media).stop_playing(CALL, A)
        assert media.events == []


async def test_attached_legs_hear_their_own_clips_and_not_each_other_until_the_bridge(
    media: Harness, tmp_path: Path
) -> None:
    with Party(0xA) as alice, Party(0xB) as bob:
        await attach_both(media, alice, bob)
        driver = sounding(media)
        await driver.play(CALL, A, clip(tmp_path, 0.2), 1, repeat=0)
        await driver.play(CALL, B, clip(tmp_path, 0.2, 660), 2)
        for _ in range(5):
            alice.send(b"a" * 160)
            bob.send(b"b" * 160)
        await press(alice, "5")
        await until(lambda: done(media) == [2])
        assert all(packet.payload != b"a" * 160 and packet.payload_type == 0 for packet in drain(bob))
        assert all(packet.payload != b"b" * 160 for packet in drain(alice))
        await driver.bridge(CALL)
        await asyncio.sleep(0.05)
        drain(alice)
        alice.send(b"c" * 160)
        assert (await bob.receive()).payload == b"c" * 160
        bob.send(b"d" * 160)
        assert (await alice.receive()).payload == b"d" * 160
        assert await hear(alice, 0.1) == []
        assert done(media) == [2]


async def test_who_stays_when_the_other_is_gone_hears_us_and_is_heard_by_nobody_but_us(
    media: Harness, tmp_path: Path
) -> None:
    with Party(0xA) as alice, Party(0xB) as bob:
        await connect(media, alice, bob)
        alice.send(b"a" * 160)
        assert (await bob.receive()).payload == b"a" * 160
        driver = sounding(media)
        await driver.unbridge(CALL)
        await driver.attach(CALL, A, alice.far)
        await driver.collect(CALL, A, True)
        await driver.play(CALL, A, clip(tmp_path, 0.2), 1)
        for _ in range(5):
            alice.send(b"a" * 160)
            bob.send(b"b" * 160)
        await press(alice, "5")
        await until(lambda: done(media) == [1] and DigitPressed(CALL, A, "5") in media.events)
        heard = drain(alice)
        assert len(heard) >= 8 and all(packet.payload != b"b" * 160 for packet in heard)
        assert drain(bob) == []


async def test_a_clip_in_a_conversation_is_heard_instead_of_the_other_side_which_is_back_after_it(
    media: Harness, tmp_path: Path
) -> None:
    with Party(0xA) as alice, Party(0xB) as bob:
        await connect(media, alice, bob)
        await sounding(media).play(CALL, A, clip(tmp_path, 0.2), 1)
        bob.send(b"b" * 160)
        alice.send(b"a" * 160)
        assert (await bob.receive()).payload == b"a" * 160
        await until(lambda: done(media) == [1])
        assert all(packet.payload != b"b" * 160 for packet in drain(alice))
        await asyncio.sleep(0.05)
        bob.send(b"c" * 160)
        assert (await alice.receive()).payload == b"c" * 160


# --- digits -----------------------------------------------------------------------------------------------------


async def test_digits_are_reported_only_while_and_where_they_are_collected(media: Harness) -> None:
    with Party(0xA) as alice, Party(0xB) as bob:
        await connect(media, alice, bob)
        driver = sounding(media)
        await press(alice, "1")
        await hear(bob, 0.1)
        await driver.collect(CALL, A, True)
        await press(alice, "2")
        await press(bob, "3")
        await until(lambda: digits(media) != [])
        await press(alice, "*")
        await until(lambda: len(digits(media)) == 2)
        await driver.collect(CALL, A, False)
        await press(alice, "4")
        await driver.collect(CALL, B, True)
        await press(bob, "#")
        await until(lambda: len(digits(media)) == 3)
        assert digits(media) == [(A, "2"), (A, "*"), (B, "#")]


async def test_a_digit_is_heard_during_a_clip_and_when_only_its_last_packet_comes(
    media: Harness, tmp_path: Path
) -> None:
    with Party(0xA) as alice:
        await caller(media, alice)
        driver = sounding(media)
        await driver.collect(CALL, A, True)
        await driver.play(CALL, A, clip(tmp_path, 0.2), 1, repeat=0)
        await alice.receive()
        await press(alice, "5", ends=1)
        await until(lambda: digits(media) == [(A, "5")])


async def test_tones_in_the_audio_are_digits_where_the_phone_knows_no_events(media: Harness, tmp_path: Path) -> None:
    with Party(0xA, codecs=(PCMU,)) as alice:
        await caller(media, alice)
        driver = sounding(media)
        await whistle(alice, "1")
        await driver.collect(CALL, A, True)
        await whistle(alice, "5")
        await until(lambda: digits(media) == [(A, "5")])
        await driver.play(CALL, A, clip(tmp_path, 0.5), 1, repeat=0)
        await whistle(alice, "9")
        await until(lambda: digits(media) == [(A, "5"), (A, "9")])


async def test_digits_cross_the_bridge_or_stay_as_wished(media: Harness) -> None:
    with Party(0xA) as alice, Party(0xB) as bob:
        await attach_both(media, alice, bob)
        await sounding(media).bridge(CALL, digits=False)
        await press(alice, "5")
        alice.send(b"a" * 160)
        assert (await bob.receive()).payload == b"a" * 160
        await press(bob, "6")
        bob.send(b"b" * 160)
        assert (await alice.receive()).payload == b"b" * 160


async def test_a_digit_we_press_is_a_telephone_event_for_the_far_side(media: Harness) -> None:
    with Party(0xA) as alice, Party(0xB) as bob:
        await connect(media, alice, bob)
        alice.send()
        bob.send()
        await bob.receive()
        await alice.receive()
        await sounding(media).send_digit(CALL, B, "7")
        heard = []
        for _ in range(40):  # the other party's stream carries it
            alice.send()
            heard += await hear(bob, 0.02)
        events = [packet for packet in heard if packet.payload_type == 101]
        assert events
        assert {packet.payload[0] for packet in events} == {7}
        assert {packet.payload[1] & 0x3F for packet in events} == {10}
        assert len({packet.timestamp for packet in events}) == 1
        assert events[-1].payload[1] & 0x80


async def test_a_digit_we_press_is_heard_behind_keys_of_the_other_party_and_in_order(media: Harness) -> None:
    with Party(0xA) as alice, Party(0xB) as bob:
        await connect(media, alice, bob)
        for key in "159":
            for _ in range(5):
                alice.send()
                bob.send()
                await asyncio.sleep(0.01)
            await press(alice, key)
        for digit in "720":
            await sounding(media).send_digit(CALL, B, digit)
        ends: dict[int, int] = {}
        for _ in range(500):  # ten seconds; usually one
            alice.send()
            heard = await hear(bob, 0.02)
            ends |= {packet.timestamp: packet.payload[0] for packet in heard if packet.payload_type == 101}
            if list(ends.values())[-1:] == [0]:
                break
        # The keys above were pressed faster than the clock, and rtpengine paces what it passes.
        assert list(ends.values())[-3:] == [7, 2, 0]


# --- recording --------------------------------------------------------------------------------------------------


async def test_what_both_parties_say_is_recorded_from_start_to_stop(media: Harness) -> None:
    with Party(0xA) as alice, Party(0xB) as bob:
        await connect(media, alice, bob)
        driver = sounding(media)
        alice.send(b"0" * 160)
        await bob.receive()
        spool = await driver.start_recording(CALL, "rec-1")
        assert {leg.leg: leg.port for leg in spool.legs} == {A: alice.to[1], B: bob.to[1]}
        for index in range(20):
            alice.send(bytes([index]) * 160)
            bob.send(bytes([100 + index]) * 160)
            await bob.receive()
            await alice.receive()
        await driver.stop_recording(CALL)
        said = {leg: await is_recorded(spool, leg) for leg in (A, B)}
        assert [data[-1] for data in said[A]] == list(range(20))
        assert [data[-1] for data in said[B]] == [100 + index for index in range(20)]
        await driver.stop_recording(CALL)


async def test_a_recording_ends_with_the_call(media: Harness) -> None:
    with Party(0xA) as alice, Party(0xB) as bob:
        await connect(media, alice, bob)
        spool = await sounding(media).start_recording(CALL, "rec-2")
        alice.send(b"a" * 160)
        await bob.receive()
        await media.driver.close(CALL)
        assert [data[-160:] for data in await is_recorded(spool, A)] == [b"a" * 160]
