"""Calls whose media ends: silence from both phones, and a relay process that freezes or dies."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from maskline.lab.phone import Behaviour
from tests.support.media_call import (
    away_and_back,
    media_is,
    media_workers,
    refused_call,
    said,
    signal_workers,
    sounding_call,
    talk,
)
from tests.support.rig import Rig, happened, opened_rig
from tests.support.waiting import until

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with opened_rig(
        tmp_path_factory.mktemp("rig"), MASKLINE_MEDIA="embedded", MASKLINE_MEDIA_TIMEOUT="2"
    ) as made:
        yield made


async def cause_of_last_call(rig: Rig) -> tuple[str, str, str]:
    await rig.summary()
    newest = (await rig.cli("call", "list", "--limit", "1"))["calls"][0]
    return newest["outcome"], newest["cause"], newest["hung_up_by"]


async def test_a_call_in_which_nobody_speaks_any_more_is_ended(rig: Rig) -> None:
    await talk(rig)
    for phone in (rig.caller, rig.callee):
        assert phone.audio is not None
        phone.audio.stop()
    assert await happened(rig.caller.ended)
    assert await happened(rig.callee.ended)
    assert await cause_of_last_call(rig) == ("completed", "media_timeout", "platform")


async def test_a_call_in_which_one_still_speaks_goes_on(rig: Rig) -> None:
    """A caller on hold sends nothing for minutes."""
    await talk(rig)
    caller, callee = rig.caller.audio, rig.callee.audio
    assert caller is not None and callee is not None
    caller.stop()
    heard = caller.heard_packets
    await until(lambda: caller.heard_packets > heard + 200, within=30, what="four seconds of the other one's voice")
    assert not rig.caller.ended.is_set()
    rig.caller.hang_up()
    assert await happened(rig.callee.ended)
    assert (await cause_of_last_call(rig))[1] == "normal"


async def test_a_relay_that_dies_is_replaced_and_its_calls_go_on(rig: Rig) -> None:
    await talk(rig)
    caller, callee = rig.caller.audio, rig.callee.audio
    assert caller is not None and callee is not None
    restored = len(said(rig, "media_restored"))
    before = signal_workers(rig, signal.SIGKILL)  # the one in waiting too
    assert before
    await until(lambda: len(said(rig, "media_restored")) == restored + 1, within=30, what="a new relay process")
    assert not set(media_workers(rig)) & set(before)
    heard = caller.heard_packets, callee.heard_packets
    await until(
        lambda: caller.heard_packets > heard[0] + 50 and callee.heard_packets > heard[1] + 50, what="both voices again"
    )
    rig.caller.hang_up()
    assert await happened(rig.callee.ended)
    assert (await cause_of_last_call(rig))[1] == "normal"
    await media_is(rig, True)
    await sounding_call(rig)


async def test_a_frozen_relay_refuses_calls_with_one_line_and_thaws(rig: Rig) -> None:
    lines = away_and_back(rig)
    assert signal_workers(rig, signal.SIGSTOP)
    try:
        await rig.prepare(Behaviour.ANSWER)
        rig.dial()
        assert await happened(rig.caller.ended, 20)
        assert rig.caller.final_status == 503
        await rig.summary()
        await media_is(rig, False)
        for _ in range(3):
            await refused_call(rig)
    finally:
        signal_workers(rig, signal.SIGCONT)
    await media_is(rig, True)
    await sounding_call(rig)
    assert away_and_back(rig) == [one + 1 for one in lines]
