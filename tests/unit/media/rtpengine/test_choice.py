"""media.rtpengine.choice: several daemons, of which some are away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maskline.errors import MediaUnavailable
from maskline.masking.facts import LegName
from maskline.media.port import FarMedia, HeldLeg, HeldMedia, LocalMedia
from maskline.media.rtpengine.driver import RtpengineDriver
from maskline.sdp.session import Codec
from tests.support.ng_daemon import NgDaemon

A = LegName.A
VOICE = (Codec(0, "PCMU"),)
FAR = FarMedia("127.0.0.1", 6000, 6001, VOICE)
HELD = HeldMedia((HeldLeg(A, LocalMedia("127.0.0.1", 4000, 4001), FAR, VOICE),))
NO = {"result": "error", "error-reason": "Unknown call-id"}
CALLS = [f"call-{number}" for number in range(40)]


@pytest.fixture
async def pair() -> AsyncIterator[tuple[NgDaemon, NgDaemon]]:
    made = await NgDaemon().start(), await NgDaemon().start()
    yield made
    for daemon in made:
        await daemon.stop()


@pytest.fixture
async def driver(pair: tuple[NgDaemon, NgDaemon], tmp_path: Path) -> AsyncIterator[RtpengineDriver]:
    made = RtpengineDriver([("127.0.0.1", one.port) for one in pair], recordings=tmp_path)
    await made.start(lambda event: None)
    yield made
    await made.stop()


def calls_of(daemon: NgDaemon) -> set[str]:
    return {message["call-id"] for message in daemon.asked if "call-id" in message}


async def test_calls_are_spread_and_each_stays_with_its_daemon(
    driver: RtpengineDriver, pair: tuple[NgDaemon, NgDaemon]
) -> None:
    for call_id in CALLS:
        await driver.open_leg(call_id, A, FAR, codecs=VOICE)
        await driver.close(call_id)
    first, second = map(calls_of, pair)
    assert first | second == set(CALLS) and not first & second
    assert min(len(first), len(second)) > len(CALLS) // 5


async def test_a_daemon_that_has_just_died_costs_a_second_try_and_not_the_call(
    driver: RtpengineDriver, pair: tuple[NgDaemon, NgDaemon]
) -> None:
    pair[0].silent = True
    for call_id in CALLS[:6]:
        await driver.open_leg(call_id, A, FAR, codecs=VOICE)
    assert calls_of(pair[1]) == set(CALLS[:6])
    pair[1].silent = True
    with pytest.raises(MediaUnavailable):
        await driver.open_leg("another", A, FAR, codecs=VOICE)


async def test_a_call_is_found_on_the_daemon_that_has_it_though_its_place_was_another(
    driver: RtpengineDriver, pair: tuple[NgDaemon, NgDaemon]
) -> None:
    """It was opened while that was away."""
    pair[0].replies["query"] = NO
    for call_id in CALLS[:6]:
        await driver.adopt(call_id, HELD)
        assert driver.calls[call_id].node.port == pair[1].port
    pair[1].replies["query"] = NO
    with pytest.raises(MediaUnavailable, match="gone"):
        await driver.adopt("another", HELD)
