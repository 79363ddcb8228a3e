"""`MASKLINE_MEDIA=rtpengine`: a whole platform with a real rtpengine; it goes away and comes back."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from maskline.lab.phone import Behaviour
from tests.support.media_call import away_and_back, media_is, refused_call, said, sounding_call, talk
from tests.support.rig import Rig, happened
from tests.support.rtpengine_process import RtpengineProcess

pytestmark = [
    pytest.mark.wire,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which("rtpengine") is None, reason="not installed (Debian: rtpengine-daemon)"),
]


@dataclass
class Office:
    rig: Rig
    daemon: RtpengineProcess


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    tmp_path = tmp_path_factory.mktemp("office")
    daemon = RtpengineProcess(tmp_path)
    await asyncio.to_thread(daemon.start)
    folder = tmp_path / "platform"
    folder.mkdir()
    rig = Rig(folder, MASKLINE_MEDIA="rtpengine", MASKLINE_RTPENGINE=f"127.0.0.1:{daemon.ng_port}")
    try:
        await rig.open()
        yield Office(rig, daemon)
    finally:
        await rig.close()
        await asyncio.to_thread(daemon.end)


async def test_both_phones_hear_each_other_and_neither_learns_the_other(office: Office) -> None:
    payload = await sounding_call(office.rig, with_reports=True)
    for leg in payload["details"].values():
        assert 4.0 <= leg["callQuality"]["mos"] <= 4.5


async def test_away_means_503_and_one_line_and_back_means_calls(office: Office) -> None:
    rig, lines = office.rig, away_and_back(office.rig)
    await talk(rig)
    await asyncio.to_thread(office.daemon.end)
    await media_is(rig, False)
    rig.caller.hang_up()
    assert await happened(rig.callee.ended)
    await rig.summary()
    for _ in range(3):
        await refused_call(rig)
    assert len(said(rig, "media_away")) == lines[0] + 1
    await asyncio.to_thread(office.daemon.start)
    await media_is(rig, True)
    await sounding_call(rig)
    assert away_and_back(rig) == [one + 1 for one in lines]


async def test_a_frozen_rtpengine_refuses_calls_and_thaws(office: Office) -> None:
    rig, process = office.rig, office.daemon.process
    assert process is not None
    lines = away_and_back(rig)
    process.send_signal(signal.SIGSTOP)
    try:
        await rig.prepare(Behaviour.ANSWER)
        rig.dial()
        assert await happened(rig.caller.ended, 20)
        assert rig.caller.final_status == 503
        await rig.summary()
    finally:
        process.send_signal(signal.SIGCONT)
    await media_is(rig, True)
    await sounding_call(rig)
    assert len(said(rig, "media_away")) == lines[0] + 1
