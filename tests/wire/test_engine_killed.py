"""The engine killed -9 while people talk, and started again: nobody hears it, and every call ends as it should.

With the embedded relay and with rtpengine. The audio is a process of its own that stamps what it sends and takes the
kernel's time of what comes, so that what is measured is the relay and not this test. `make hundred` has as many calls
as the promise names.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
import urllib.request
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from maskline.lab.audio import Audio
from maskline.lab.carrier import Carrier
from maskline.lab.phone import Behaviour, Phone
from maskline.lab.platform import Platform
from maskline.lab.ports import free_ports
from maskline.masking.e164 import Number, parse_number
from maskline.masking.session import NewSession, SessionOptions
from tests.support.hypervisor import Taken
from tests.support.platform_store import services_of
from tests.support.rtp_load import Load
from tests.support.rtpengine_process import RtpengineProcess
from tests.support.waiting import until

pytestmark = [pytest.mark.wire, pytest.mark.alone, pytest.mark.timeout(600)]  # two starts on a busy machine

HOST = "127.0.0.1"
COUPLES = int(os.environ.get("MASKLINE_TEST_COUPLES", "4"))
VIRTUAL = parse_number("+6531000001")
GAP = 100.0
"""Milliseconds."""
AT_ONCE = 4
"""Calls that are begun together."""
BEFORE, AFTER = 1.0, 3.0
"""Seconds of audio before the engine is killed, and after the next one is there."""
AWAY = 5.0
"""Seconds for which there may be no engine."""
LONGEST = 120.0
"""Seconds of audio at most."""


class Elsewhere(Audio):
    """Audio that another process makes: `port` is its."""

    def __init__(self, port: int) -> None:
        super().__init__(HOST, 0)
        self.port = port
        self.target = 0

    def start(self, address: str, port: int) -> None:
        self.target = port

    def stop(self) -> None:
        """It goes on for as long as it was asked to."""


class Talker(Phone):
    speaks_from = 0

    async def _new_audio(self) -> None:
        self.audio = Elsewhere(self.speaks_from)


class Field:
    def __init__(self, folder: Path, rtpengine: bool) -> None:
        settings = {"MASKLINE_DRAIN_TIMEOUT": "0"}
        self.daemon: RtpengineProcess | None = None
        if rtpengine:
            self.daemon = RtpengineProcess(folder, ports=free_ports(8 * COUPLES + 40))
            self.daemon.start()
            settings |= {"MASKLINE_MEDIA": "rtpengine", "MASKLINE_RTPENGINE": f"{HOST}:{self.daemon.ng_port}"}
        self.platform = Platform(folder, HOST, **settings)
        self.carrier = Carrier(self.platform.sip_address)
        self.load = Load(COUPLES, LONGEST)
        self.couples: list[tuple[Phone, Phone]] = []

    async def open(self) -> None:
        await self.carrier.open(HOST)
        cli = self.platform.cli
        account = cli("account", "create", "Acme", "--country", "anywhere")["auth_id"]
        cli("number", "add", VIRTUAL.e164, "--account", account)
        cli("trunk", "add", "carrier", "--host", HOST, "--port", str(self.carrier.address[1]))
        ports = [*self.load.ports, *free_ports(2)]  # the last two never speak
        for index in range(COUPLES + 1):
            pair = [await self.phone(2 * index + side, ports[2 * index + side]) for side in (0, 1)]
            self.couples.append((pair[0], pair[1]))
        async with services_of(self.platform) as services:  # a command each would take half a second of CPU
            for caller, callee in self.couples:
                parties = caller.number, callee.number
                await services.store.create_session(
                    NewSession(services.ids.uuid(), account, None, *parties, SessionOptions(), services.clock.wall())
                )

        await self.platform.start()
        while not await asyncio.to_thread(self._is_whole):  # noqa: ASYNC110  calls are refused until the relay is up
            await asyncio.sleep(0.1)

    def _is_whole(self) -> bool:
        with urllib.request.urlopen(f"{self.platform.url}/healthz", timeout=10) as answer:
            return bool(json.load(answer)["status"] == "ok")

    async def phone(self, index: int, port: int) -> Phone:
        phone = Talker(f"p{index}", Number(f"65812{index:05}"), 0)
        phone.speaks_from = port
        await phone.open(HOST)
        self.carrier.add_line(phone.number, phone.address)
        return phone

    def targets(self) -> list[int]:
        """Where each side sends, in the order of its ports."""
        audios = [phone.audio for couple in self.couples[:-1] for phone in couple]
        return [audio.target for audio in audios if isinstance(audio, Elsewhere)]

    async def restart(self) -> float:
        """Seconds until it takes calls again. Beside the loop of the phones, which would be late meanwhile."""

        def restart() -> float:
            begun = time.monotonic()
            os.kill(self.platform.pid, signal.SIGKILL)
            self.platform.stop()  # it is dead, and reaped
            asyncio.run(self.platform.start(within=90.0))  # a busy machine
            return time.monotonic() - begun

        return await asyncio.to_thread(restart)

    def start_cpu(self) -> float:
        """Seconds of CPU that the engine has used since its start: what it would be away on an idle machine."""
        fields = Path(f"/proc/{self.platform.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        for phone in (phone for couple in self.couples for phone in couple):
            phone.close()
        self.platform.stop(calls_may_end=False)
        self.carrier.close()
        self.load.end()
        if self.daemon is not None:
            self.daemon.end()

    def records(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.platform.cli("call", "list", "--limit", str(COUPLES + 10))["calls"]
        return found


async def hold_and_resume(phone: Phone, other: Phone) -> None:
    """By re-INVITEs, which the next engine takes across to the other side and answers."""
    answered, heard = changes(phone, b"SIP/2.0 200 "), changes(other, b"INVITE ")
    for done, held in enumerate((True, False), 1):
        phone.hold(held)
        for side, start, before in ((phone, b"SIP/2.0 200 ", answered), (other, b"INVITE ", heard)):
            agreed = partial(_more, side, start, before + done)
            await until(agreed, within=60.0, what="a re-INVITE across")  # a busy machine


def _more(phone: Phone, start: bytes, wanted: int) -> bool:
    return changes(phone, start) >= wanted


def changes(phone: Phone, start: bytes) -> int:
    """INVITEs that came to it, or answers to its own: what is repeated counts once."""
    came = [item.data for item in phone.trace if not item.sent and item.data.startswith(start)]
    return len({found[1] for data in came if (found := re.search(rb"\r\nCSeq: (\d+) INVITE\r\n", data))})


@pytest.fixture(params=["embedded", "rtpengine"])
async def field(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Field]:
    made = Field(tmp_path, request.param == "rtpengine")
    try:
        await made.open()
        yield made
    finally:
        made.close()


async def test_calls_go_on_when_the_engine_is_killed(field: Field) -> None:
    couples, (waiting, silent) = field.couples[:-1], field.couples[-1]
    talking = [phone for couple in couples for phone in couple]
    for first in range(0, COUPLES, AT_ONCE):  # more at once may be refused where other work takes the time
        some = talking[2 * first : 2 * (first + AT_ONCE)]
        for caller in some[::2]:
            caller.dial(VIRTUAL, field.carrier.address)
        await asyncio.wait_for(asyncio.gather(*(phone.answered.wait() for phone in some)), 30)
    silent.behaviour = Behaviour.RING
    waiting.dial(VIRTUAL, field.carrier.address)
    await asyncio.wait_for(silent.ringing.wait(), 30)
    heard = asyncio.create_task(asyncio.to_thread(field.load.run, field.targets()))
    await asyncio.sleep(BEFORE)
    with Taken() as taken:
        took = await field.restart()
        used = field.start_cpu()
        await asyncio.sleep(AFTER)  # when the engine comes back, it takes the relay's calls up again
        field.load.stop()
        audio = await heard
    within = "within" if took < AWAY else "beyond"
    away = f"{took:.2f} s, {used:.2f} s of it on a CPU"
    print(f"the engine was away for {away}: {within} the {AWAY:.0f} s promised; {COUPLES} calls: {audio}")
    assert not any(phone.ended.is_set() for phone in talking)
    await asyncio.wait_for(silent.ended.wait(), 30)  # whom nobody calls any more
    assert any(item.first_line.startswith("CANCEL ") for item in silent.trace)
    assert audio.sent >= 2 * COUPLES * (BEFORE + took + AFTER) * 45
    assert audio.lost <= 2 * COUPLES * GAP / 20
    await asyncio.gather(*(hold_and_resume(*couple[:: 1 if index % 2 else -1]) for index, couple in enumerate(couples)))
    for index, (caller, callee) in enumerate(couples):
        (callee if index % 2 else caller).hang_up()
    await asyncio.wait_for(asyncio.gather(*(phone.ended.wait() for phone in talking)), 30)
    await until(lambda: len(field.records()) == COUPLES + 1, within=30.0, pause=0.5, what="the records")
    records = field.records()
    causes = sorted(record["cause"] for record in records)
    assert causes == ["engine_restarted", *["normal"] * COUPLES]
    assert all(record["recovered"] for record in records)
    assert all(record["ended_at"] > record["started_at"] for record in records)
    assert "calls_recovered" in field.platform.log_tail(400)
    with taken.judged(
        f"every call went on; the restart took {took:.1f} s, the longest gap {audio.longest_gap_ms:.0f} ms"
    ):
        assert took < AWAY
        assert audio.longest_gap_ms <= GAP
