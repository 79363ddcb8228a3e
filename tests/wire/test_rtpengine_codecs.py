"""Legs that share no codec, and wideband: what only rtpengine does."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maskline.masking.facts import LegName
from maskline.sdp.session import Codec
from tests.support.media_harness import CALL, Harness
from tests.support.media_sound import drain, press
from tests.support.rtp_party import EVENTS, PCMA, PCMU, Party
from tests.support.rtpengine_process import RtpengineHarness

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(shutil.which("rtpengine") is None, reason="not installed (Debian: rtpengine-daemon)"),
]

A, B = LegName.A, LegName.B
G722 = Codec(9, "G722")
NOISE = Codec(13, "CN")


@pytest.fixture
async def media(tmp_path: Path) -> AsyncIterator[Harness]:
    harness = RtpengineHarness(tmp_path)
    await harness.start()
    yield harness
    await harness.stop()


async def call(media: Harness, alice: Party, bob: Party, offered: tuple[Codec, ...]) -> None:
    driver = media.driver
    alice.aim(await driver.open_leg(CALL, A, alice.far, codecs=alice.codecs))
    bob.aim(await driver.open_leg(CALL, B, None, codecs=offered))
    await driver.attach(CALL, B, bob.far)
    await driver.bridge(CALL)


async def heard_as(sender: Party, payload_type: int, listener: Party) -> tuple[int, int]:
    """Payload type and size in which packets of 20 ms arrive; the transcoder's first one may be late."""
    for _ in range(5):
        sender.send(b"\xfa" * 160, payload_type)
    packet = await listener.receive()
    return packet.payload_type, len(packet.payload)


async def test_legs_without_a_common_codec_are_transcoded_and_their_digits_cross(media: Harness) -> None:
    with Party(0xA, codecs=(G722, EVENTS)) as alice, Party(0xB, codecs=(PCMA, EVENTS)) as bob:
        await call(media, alice, bob, (G722, PCMU, PCMA, EVENTS))
        assert await heard_as(alice, 9, bob) == (8, 160)
        assert await heard_as(bob, 8, alice) == (9, 160)
        drain(bob)
        await press(alice, "7")
        while (packet := await bob.receive()).payload_type != 101:
            pass
        assert packet.payload[0] == 7


async def test_wideband_and_comfort_noise_pass_untouched_when_both_have_them(media: Harness) -> None:
    codecs = (G722, NOISE, EVENTS)
    with Party(0xA, codecs=codecs) as alice, Party(0xB, codecs=codecs) as bob:
        await call(media, alice, bob, (G722, PCMU, PCMA, NOISE, EVENTS))
        alice.send(b"w" * 160, 9)
        assert (await bob.receive()).payload == b"w" * 160
        bob.send(b"\x40", 13)
        quiet = await alice.receive()
        assert (quiet.payload_type, quiet.payload) == (13, b"\x40")
