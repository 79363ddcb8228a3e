"""A worker of the embedded relay killed -9: another takes its place, and its calls go on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maskline.errors import MediaUnavailable
from maskline.masking.facts import LegName
from maskline.media.embedded import link as link_module
from maskline.media.port import DigitPressed, MediaLost, PlayDone
from maskline.media.rtp import RtpPacket
from maskline.media.spool import SpooledEnd, SpooledPacket, read_spool, spool_parts
from tests.support.hypervisor import Taken
from tests.support.media_harness import EmbeddedHarness, connect
from tests.support.media_load import set_up
from tests.support.media_sound import clip, drain, hear, press
from tests.support.rtp_load import Load
from tests.support.rtp_party import Party
from tests.support.waiting import until

pytestmark = [pytest.mark.wire, pytest.mark.alone]

A, B = LegName.A, LegName.B
CALLS = 50
SECONDS = 4.0


@pytest.fixture
async def media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmbeddedHarness]:
    monkeypatch.setattr(link_module, "_PING_EVERY", 0.1)  # the standby is started with the first one
    harness = EmbeddedHarness(tmp_path / "m", ports=6 * CALLS)
    await harness.start()
    yield harness
    await harness.stop()


async def kill(media: EmbeddedHarness) -> None:
    """Returns when the next one has its calls."""
    before = media.pid
    os.kill(before, signal.SIGKILL)
    await until(lambda: media.driver.available and media.pid != before)


def assert_goes_on(before: RtpPacket, after: RtpPacket) -> None:
    """One stream for the phone: some numbers are missing, none comes twice."""
    assert after.ssrc == before.ssrc
    assert 0 < (after.sequence - before.sequence) & 0xFFFF < 500
    assert 0 < (after.timestamp - before.timestamp) & 0xFFFFFFFF < 5 * 8000


async def test_fifty_calls_have_one_gap_of_less_than_a_second(media: EmbeddedHarness) -> None:
    load = await asyncio.to_thread(Load, CALLS, SECONDS)
    try:
        targets = [port for index in range(CALLS) for port in await set_up(media, load, index)]
        with Taken() as taken:
            running = asyncio.create_task(asyncio.to_thread(load.run, targets))
            await asyncio.sleep(SECONDS / 3)
            await kill(media)
            outcome = await running
    finally:
        load.end()
    print(f"longest gap {outcome.longest_gap_ms:.0f} ms, lost {outcome.lost} of {outcome.sent}")
    assert media.events == []
    for index in range(CALLS):
        assert set(await media.driver.close(f"load-{index}")) == {A, B}
    assert outcome.longest_gap_ms > 20.0
    with taken.judged(f"every call went on after {outcome.longest_gap_ms:.0f} ms"):
        assert outcome.longest_gap_ms < 1000.0
        assert outcome.lost < outcome.sent / SECONDS  # not more than that gap


async def test_the_streams_of_both_parties_go_on_and_no_stranger_gets_in(media: EmbeddedHarness) -> None:
    with Party(0xA) as alice, Party(0xB, nat=True) as bob, Party(0xB) as behind, Party(0x666) as stranger:
        await connect(media, alice, bob)
        behind.to = bob.to  # Bob's router sends from elsewhere
        behind.send(b"b" * 160)
        to_alice = await alice.receive()
        alice.send(b"a" * 160)
        to_bob = await behind.receive()

        async def intrude() -> None:
            while True:
                for target in (alice.to, bob.to):
                    stranger.to = target
                    stranger.send(b"x" * 160)
                await asyncio.sleep(0.001)

        intruder = asyncio.create_task(intrude())
        await kill(media)
        for _ in range(5):
            alice.send(b"a" * 160)
            behind.send(b"b" * 160)
            heard, said = await behind.receive(), await alice.receive()
            assert (heard.payload, said.payload) == (b"a" * 160, b"b" * 160)
        intruder.cancel()
        assert_goes_on(to_bob, heard)
        assert_goes_on(to_alice, said)
        assert not drain(stranger)
        assert not drain(bob)
        assert media.events == []


async def test_what_was_asked_for_a_call_is_asked_again(media: EmbeddedHarness, tmp_path: Path) -> None:
    driver = media.driver
    with Party(0xA) as listener, Party(0xC) as alice, Party(0xD) as bob:
        listener.aim(await driver.open_leg("listens", A, listener.far, codecs=listener.codecs))
        await driver.play("listens", A, clip(tmp_path, 2.0), 1)
        await driver.play("listens", A, clip(tmp_path, 2.5), 2)
        await driver.collect("listens", A, True)
        first = await listener.receive()
        alice.aim(await driver.open_leg("talks", A, alice.far, codecs=alice.codecs))
        bob.aim(await driver.open_leg("talks", B, bob.far, codecs=bob.codecs))
        await driver.bridge("talks", digits=False)
        spool = await driver.start_recording("talks", "rec")
        alice.send(b"1" * 160)
        await bob.receive()
        await asyncio.sleep(0.6)  # the worker hands it to the kernel twice a second

        await kill(media)

        drain(listener)
        assert_goes_on(first, await listener.receive())
        await press(listener, "5")
        await until(lambda: DigitPressed("listens", A, "5") in media.events)
        await until(lambda: PlayDone("listens", A, 2) in media.events)
        await press(alice, "7")
        alice.send(b"2" * 160)
        assert (await bob.receive()).payload == b"2" * 160
        await driver.close("talks")
        assert len(spool_parts(Path(spool.path))) == 2
        records = list(read_spool(Path(spool.path)))
        kept = [record.data[12:] for record in records if isinstance(record, SpooledPacket)]
        assert [data for data in kept if len(data) == 160] == [b"1" * 160, b"2" * 160]
        assert isinstance(records[-1], SpooledEnd)
        assert len(media.events) == 2


async def test_what_is_asked_meanwhile_waits_and_what_is_over_stays_over(
    media: EmbeddedHarness, tmp_path: Path
) -> None:
    driver = media.driver
    with Party(0xA) as alice, Party(0xB) as bob:
        await connect(media, alice, bob, "first")
        await connect(media, alice, bob, "second")
        await driver.play("second", A, clip(tmp_path, 0.1), 1, repeat=0)
        await driver.stop_playing("second", A)
        await driver.collect("second", A, True)
        await driver.collect("second", A, False)
        await driver.start_recording("second", "rec")
        await driver.stop_recording("second")
        os.kill(media.pid, signal.SIGKILL)
        await until(lambda: not driver.available)
        with contextlib.suppress(MediaUnavailable):  # on a machine so slow that nobody is there after 0.7 s
            assert await driver.close("first") == {}
        await until(lambda: driver.available and driver.calls() == {"second"})
        drain(alice)
        await press(alice, "1")
        assert await hear(alice, 0.1) == []
        assert not (tmp_path / "m" / "spool" / "rec.spool.2").exists()
        with pytest.raises(MediaUnavailable):
            await driver.stats("first")
        assert media.events == []


async def test_a_call_whose_ports_are_gone_is_lost_and_the_others_are_not(media: EmbeddedHarness) -> None:
    driver = media.driver
    with Party(0xA) as alice, Party(0xB) as bob:
        await connect(media, alice, bob, "stays")
        to = alice.to, bob.to
        await connect(media, alice, bob, "goes")
        driver._links[0].wanted["goes"].legs[A].port += 2000  # as if another program had it now
        await kill(media)
        await until(lambda: media.events == [MediaLost("goes")])
        alice.to, bob.to = to
        alice.send(b"a" * 160)
        assert (await bob.receive()).payload == b"a" * 160
        assert await driver.close("goes") == {}
