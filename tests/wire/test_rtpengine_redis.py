"""rtpengine killed -9 and started again, with Redis: its calls go on, and so does all that was asked for them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maskline.masking.facts import LegName
from maskline.media.port import DigitPressed, MediaLost, PlayDone
from maskline.media.spool import SpooledPacket, read_pcap, spool_parts
from tests.support.hypervisor import Taken
from tests.support.media_harness import attach_both, connect
from tests.support.media_load import set_up
from tests.support.media_sound import clip, drain, hear, loudness, press, whistle
from tests.support.media_strangers import Ears, flood_a_while, flooded
from tests.support.redis_process import RedisProcess
from tests.support.rtp_load import Load
from tests.support.rtp_party import PCMU, Party
from tests.support.rtpengine_process import RtpengineHarness
from tests.support.waiting import until

pytestmark = [
    pytest.mark.wire,
    pytest.mark.alone,
    pytest.mark.skipif(
        not (shutil.which("rtpengine") and shutil.which("redis-server")),
        reason="not installed (Debian: rtpengine-daemon, redis-server)",
    ),
]

A, B = LegName.A, LegName.B
CALLS = 50
SECONDS = 5.0
GAP = 2.0
"""Seconds: the daemon's own start with fifty calls to read back takes 0.7 to 1.2."""


@pytest.fixture
async def media(tmp_path: Path) -> AsyncIterator[RtpengineHarness]:
    redis = RedisProcess()
    await asyncio.to_thread(redis.start)
    harness = RtpengineHarness(tmp_path, ports=10 * CALLS, extra=f"redis = 127.0.0.1:{redis.port}/5\n")
    try:
        await harness.start()
        yield harness
    finally:
        await harness.stop()
        redis.end()


async def kill_and_start(media: RtpengineHarness) -> None:
    """As a supervisor does it; returns when the driver has asked again for what Redis does not hold."""
    await media.kill()
    await media.revive()
    await until(lambda: media.driver.renewed > 0)


async def test_fifty_calls_have_one_gap_no_longer_than_the_daemons_start(media: RtpengineHarness) -> None:
    load = await asyncio.to_thread(Load, CALLS, SECONDS)
    try:
        targets = [port for index in range(CALLS) for port in await set_up(media, load, index)]
        with Taken() as taken:
            running = asyncio.create_task(asyncio.to_thread(load.run, targets))
            await asyncio.sleep(SECONDS / 3)
            await kill_and_start(media)
            outcome = await running
    finally:
        load.end()
    print(f"longest gap {outcome.longest_gap_ms:.0f} ms, lost {outcome.lost} of {outcome.sent}")
    assert media.events == []
    for index in range(CALLS):
        assert set(await media.driver.close(f"load-{index}")) == {A, B}
    assert outcome.longest_gap_ms > 40.0
    with taken.judged(f"every call went on after {outcome.longest_gap_ms:.0f} ms"):
        assert outcome.longest_gap_ms < GAP * 1000.0
        assert outcome.lost < GAP * outcome.sent / SECONDS  # not more than that gap


async def test_what_was_asked_for_a_call_is_asked_again(media: RtpengineHarness, tmp_path: Path) -> None:
    driver = media.driver
    with (
        Party(0xA) as listener,
        Party(0xB, codecs=(PCMU,)) as whistler,
        Party(0xC) as alice,
        Party(0xD) as bob,
        Party(0xE) as carol,
        Party(0xF) as dave,
    ):
        listener.aim(await driver.open_leg("listens", A, listener.far, codecs=listener.codecs))
        await driver.play("listens", A, clip(tmp_path, 0.2), 1, repeat=0)
        whistler.aim(await driver.open_leg("whistles", A, whistler.far, codecs=whistler.codecs))
        await driver.collect("whistles", A, True)
        await driver.play("whistles", A, clip(tmp_path, 1.5), 2)
        await connect(media, alice, bob, "talks")
        spool = await driver.start_recording("talks", "rec")
        alice.send(b"1" * 160)
        await bob.receive()
        await attach_both(media, carol, dave, "waits")

        await kill_and_start(media)

        drain(listener)
        assert all(loudness(packet) > 100.0 for packet in (await hear(listener, 0.3))[1:])
        await whistle(whistler, "5")
        await until(lambda: DigitPressed("whistles", A, "5") in media.events)
        await until(lambda: PlayDone("whistles", A, 2) in media.events)
        carol.send(b"c" * 160)
        alice.send(b"2" * 160)
        assert (await bob.receive()).payload == b"2" * 160
        assert drain(dave) == []
        await driver.bridge("waits")
        carol.send(b"c" * 160)
        assert (await dave.receive()).payload == b"c" * 160
        await driver.collect("waits", B, True)
        await press(dave, "#")
        await until(lambda: DigitPressed("waits", B, "#") in media.events)
        await driver.stop_recording("talks")
        parts = spool_parts(Path(spool.path))
        legs = {one.port: index for index, one in enumerate(spool.legs)}
        kept = [item.data[-1:] for part in parts for item in read_pcap(part, legs) if isinstance(item, SpooledPacket)]
        # The daemon's file is buffered: up to 4 KB of the first part are lost with it.
        assert kept in ([b"1", b"2"], [b"2"])
        assert len(parts) == 2
        for call_id in ("listens", "whistles", "talks", "waits"):
            await driver.close(call_id)
        assert not [event for event in media.events if isinstance(event, MediaLost)]


async def test_strangers_are_not_heard_once_a_restarted_daemon_is_told_again(media: RtpengineHarness) -> None:
    ears = Ears()
    with Party(0xA) as alice, Party(0xB) as bob:
        await connect(media, alice, bob)
        async with flooded(alice, bob) as strangers:
            await ears.talk(alice, bob)
            await kill_and_start(media)
            # What the daemon restored follows anybody until it is told again (docs/howto/rtpengine.md, section 3).
            await hear(alice, 0.05)
            drain(bob)
            while strangers.heard_anything():
                pass
            await flood_a_while(strangers)
            await ears.talk(alice, bob)
            assert not strangers.heard_anything()
        assert ears.foreign == 0
