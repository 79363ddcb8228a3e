"""Two rtpengine daemons: calls are spread, one is killed, and comes back by itself."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maskline.lab.ports import free_ports
from maskline.masking.facts import LegName
from maskline.media.port import FarMedia, MediaEvent, MediaLost
from maskline.media.rtpengine.driver import RtpengineDriver
from maskline.sdp.session import Codec
from tests.support.rtpengine_process import RtpengineProcess
from tests.support.waiting import until

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(not shutil.which("rtpengine"), reason="not installed (Debian: rtpengine-daemon)"),
]
A = LegName.A
VOICE = (Codec(0, "PCMU"),)
FAR = FarMedia("127.0.0.1", 6000, 6001, VOICE)
MANY = 24
"""Calls; that all of them hash to one of two daemons would happen once in eight million runs."""


class Pair:
    def __init__(self, folder: Path) -> None:
        self.daemons = []
        for name in ("first", "second"):
            (folder / name).mkdir()
            self.daemons.append(RtpengineProcess(folder / name, free_ports(4 * 3 * MANY)))
        self.driver = RtpengineDriver([("127.0.0.1", one.ng_port) for one in self.daemons])
        self.events: list[MediaEvent] = []

    async def open(self, *names: str) -> dict[int, set[str]]:
        """Calls of these names, by the port of the daemon that has each."""
        found: dict[int, set[str]] = {one.ng_port: set() for one in self.daemons}
        for name in names:
            await self.driver.open_leg(name, A, FAR, codecs=VOICE)
            found[self.driver.calls[name].node.port].add(name)
        return found


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    made = Pair(tmp_path)
    try:
        for one in made.daemons:
            await asyncio.to_thread(one.start)
        await made.driver.start(made.events.append)
        await until(lambda: len(made.driver.living()) == 2, what="both daemons")
        yield made
    finally:
        await made.driver.stop()
        for one in made.daemons:
            await asyncio.to_thread(one.end)


async def test_calls_of_a_daemon_that_dies_are_lost_alone_and_no_new_one_is_refused(pair: Pair) -> None:
    dies, stays = pair.daemons
    before = await pair.open(*[f"a{number}" for number in range(MANY // 2)])
    assert all(before.values()), "spread over both"
    await asyncio.to_thread(dies.end)

    meanwhile = await pair.open(*[f"b{number}" for number in range(MANY // 2)])
    assert not meanwhile[dies.ng_port] and len(meanwhile[stays.ng_port]) == MANY // 2
    assert pair.driver.living() == [f"127.0.0.1:{stays.ng_port}"]

    await asyncio.to_thread(dies.start)
    await until(lambda: len(pair.driver.living()) == 2, what="the one that is back")
    lost = before[dies.ng_port]
    await until(lambda: {event.call_id for event in pair.events} == lost, what="word of the calls that are lost")
    assert {type(event) for event in pair.events} == {MediaLost}
    after = await pair.open(*[f"c{number}" for number in range(MANY)])
    assert all(after.values()), "spread over both again"
    for name in (*before[stays.ng_port], *meanwhile[stays.ng_port]):
        assert pair.driver.calls[name].node.port == stays.ng_port
