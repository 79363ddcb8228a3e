"""Whoever sends from elsewhere is not in the call: a flood of strangers' packets through all of a call's life, over
both drivers with real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.masking.facts import LegName
from maskline.media.port import DigitPressed
from tests.support.media_harness import CALL, Harness
from tests.support.media_sound import clip, hear, press
from tests.support.media_strangers import ROUNDS, Ears, flood_a_while, flooded
from tests.support.rtp_party import Party
from tests.support.waiting import until

pytestmark = pytest.mark.wire

A, B = LegName.A, LegName.B


def digits(media: Harness) -> list[tuple[LegName, str]]:
    return [(event.leg, event.digit) for event in media.events if isinstance(event, DigitPressed)]


async def test_strangers_are_not_heard_at_any_time_of_a_call(media: Harness, tmp_path: Path) -> None:
    driver, ears = media.driver, Ears()
    with Party(0xA) as alice, Party(0xB) as bob, Party(0xC) as moved:
        async with flooded(alice, bob) as strangers:
            # Before the true parties' first packets, and while the caller hears a prompt and enters a PIN.
            alice.aim(await driver.open_leg(CALL, A, alice.far, codecs=alice.codecs))
            await driver.collect(CALL, A, True)
            await driver.play(CALL, A, clip(tmp_path, 0.2), 1, repeat=0)
            await flood_a_while(strangers)
            await press(alice, "5")
            await until(lambda: digits(media) != [])
            await flood_a_while(strangers)
            ears.packets += await hear(alice, 0.05)
            bob.aim(await driver.open_leg(CALL, B, None, codecs=bob.codecs))
            await flood_a_while(strangers)
            await driver.attach(CALL, B, bob.far)
            await driver.collect(CALL, A, False)
            await flood_a_while(strangers)
            await driver.stop_playing(CALL, A)
            await driver.bridge(CALL)
            await flood_a_while(strangers)  # in a bridged call nobody has spoken in
            await ears.talk(alice, bob)
            # A re-INVITE: who was there before is a stranger from now on.
            await driver.attach(CALL, B, moved.far)
            moved.to, moved.rtcp_to = bob.to, bob.rtcp_to
            strangers.victims[1] = moved
            strangers.use(bob)
            await flood_a_while(strangers)
            await ears.talk(alice, moved)
            figures = await driver.close(CALL)
            assert strangers.sent > 2000
            assert not strangers.heard_anything()
        assert ears.foreign == 0
        for party in (alice, bob, moved):
            ears.packets += await hear(party, 0.05)
        assert ears.foreign == 0
    assert digits(media) == [(A, "5")]
    for quality in figures.values():  # nobody but strangers reported
        assert (quality.packet_loss, quality.far_packet_loss) == (0.0, None)
    if not media.needs_reports:  # rtpengine takes strangers' RTCP on the RTP port off its count twice
        assert (figures[A].packets_received, figures[B].packets_received) == (2 * ROUNDS, 2 * ROUNDS)


async def test_a_party_behind_nat_is_followed_to_its_first_sender_and_to_nobody_after(media: Harness) -> None:
    driver, ears = media.driver, Ears()
    with Party(0xA, nat=True) as signalled, Party(0xA) as alice, Party(0xB) as bob:
        alice.aim(await driver.open_leg(CALL, A, signalled.far, codecs=signalled.codecs))
        bob.aim(await driver.open_leg(CALL, B, None, codecs=bob.codecs))
        await driver.attach(CALL, B, bob.far)
        await driver.bridge(CALL)
        alice.send(b"a" * 160)  # from where its router sends, which is not what the SDP says
        assert (await bob.receive()).payload == b"a" * 160
        async with flooded(alice, bob) as strangers:
            await flood_a_while(strangers)
            await ears.talk(alice, bob)
            await driver.attach(CALL, A, signalled.far)  # a re-INVITE that changes nothing
            await flood_a_while(strangers)
            await ears.talk(alice, bob)
            assert not strangers.heard_anything()
        assert ears.foreign == 0


async def test_strangers_are_not_heard_after_the_media_process_was_started_again(media: Harness) -> None:
    if not media.restores:
        pytest.skip("rtpengine without Redis has no call after a restart; with it: tests/wire/test_rtpengine_redis.py")
    driver, ears = media.driver, Ears()
    with Party(0xA) as alice, Party(0xB) as bob:
        alice.aim(await driver.open_leg(CALL, A, alice.far, codecs=alice.codecs))
        bob.aim(await driver.open_leg(CALL, B, None, codecs=bob.codecs))
        await driver.attach(CALL, B, bob.far)
        await driver.bridge(CALL)
        async with flooded(alice, bob) as strangers:
            await ears.talk(alice, bob)
            before = media.pid
            await media.kill()
            await media.revive()
            await until(lambda: media.driver.available and media.pid != before)
            await flood_a_while(strangers)
            await ears.talk(alice, bob)
            assert not strangers.heard_anything()
        assert ears.foreign == 0
        assert media.events == []
