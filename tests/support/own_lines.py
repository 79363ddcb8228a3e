"""A platform between lab phones that are trunks of their own, each on an address and over a transport of its choice.

What it is: what `tests/support/rig.py` is with one carrier for all, without that carrier. What it is not: the calls.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from maskline.lab.leaks import find_leaks
from maskline.lab.phone import Phone
from maskline.lab.platform import Platform
from maskline.lab.tones import heard_tone
from maskline.masking.call_record import CallRecord
from maskline.masking.e164 import parse_number
from maskline.net.tls import Tls
from maskline.workflows.add_trunk import TrunkWish
from tests.support.platform_store import provision, services_of
from tests.support.rig import happened
from tests.support.rtpengine_process import RtpengineProcess
from tests.support.waiting import until

CALLER, CALLEE, VIRTUAL = "+6591110042", "+6598760007", "+6531580001"
TONES = {"caller": 440, "callee": 1000}


@asynccontextmanager
async def lines_of(driver: str, folder: Path, host: str, interface: str, **settings: str) -> AsyncIterator[OwnLines]:
    """Lines of a platform on `host` whose audio goes by this driver; `interface`: where rtpengine relays."""
    daemon = None
    if driver == "rtpengine":
        if shutil.which("rtpengine") is None:
            pytest.skip("rtpengine is not installed (Debian: rtpengine-daemon)")
        daemon = RtpengineProcess(folder / "daemon", interface=interface)
        await asyncio.to_thread(daemon.start)
        settings |= {"MASKLINE_MEDIA": "rtpengine", "MASKLINE_RTPENGINE": f"127.0.0.1:{daemon.ng_port}"}
    made = OwnLines(folder, host, **settings)
    try:
        yield made
    finally:
        made.close()
        if daemon is not None:
            daemon.end()


class OwnLines:
    def __init__(self, folder: Path, host: str = "127.0.0.1", **settings: str) -> None:
        self.platform = Platform(folder, host, **settings)
        self.caller = Phone("caller", parse_number(CALLER), TONES["caller"])
        self.callee = Phone("callee", parse_number(CALLEE), TONES["callee"])
        self._account = ("", "")

    async def open_phones(
        self, caller: tuple[str, str], callee: tuple[str, str], tls: dict[str, Tls] | None = None
    ) -> None:
        """(host, transport) of each."""
        for phone, (host, transport) in ((self.caller, caller), (self.callee, callee)):
            await phone.open(host, transport, (tls or {}).get(phone.name))

    async def open(self, *trunks: TrunkWish) -> None:
        self._account = await provision(self.platform, "lines", VIRTUAL, *trunks)
        await self.platform.start()
        # On a busy machine the relay may come after the rest.
        await until(lambda: self._is_whole(), within=30, pause=0.1, what="the media driver")
        body = {"first_party": CALLER, "second_party": CALLEE}
        path = f"/v1/Account/{self._account[0]}/Masking/Session/"
        status, answer = await self.platform.rest("POST", path, self._account, body)
        assert status == 201, answer

    def _is_whole(self) -> bool:
        with urllib.request.urlopen(f"{self.platform.url}/healthz", timeout=5.0) as answer:
            return bool(json.load(answer)["status"] == "ok")

    def close(self) -> None:
        for phone in (self.caller, self.callee):
            phone.close()
        self.platform.stop(calls_may_end=False)

    def dial(self, host: str, port: int = 0, name: str = "") -> None:
        self.caller.dial(parse_number(VIRTUAL), (host, port or self.platform.sip_port), name)

    async def talk(self) -> None:
        """Until both hear each other's tone."""
        for phone in (self.callee, self.caller):
            assert await happened(phone.answered), f"{phone.name}: {self.story()}\n{self.platform.log_tail()}"
        await until(lambda: self.hears(self.caller, 1000) and self.hears(self.callee, 440), pause=0.05)

    @staticmethod
    def hears(phone: Phone, tone: int) -> bool:
        """In the newest second of what came."""
        heard = phone.ear.mu_law[-8_000:]
        return len(heard) >= 4_000 and heard_tone(heard, tuple(TONES.values())) == tone

    async def hang_up(self, phone: Phone) -> CallRecord:
        phone.hang_up()
        for one in (self.callee, self.caller):
            assert await happened(one.ended), one.name
        return await self.record()

    async def record(self) -> CallRecord:
        async with services_of(self.platform) as services:
            for _ in range(600):
                if found := await services.store.calls(self._account[0], limit=1):
                    return found[0]
                await asyncio.sleep(0.05)
        raise AssertionError("no call record")

    def story(self) -> list[str]:
        return [f"{'>' if seen.sent else '<'} {seen.first_line}" for seen in self.caller.trace + self.callee.trace]

    def leaks(self) -> list[Any]:
        """What of one party reached the other: its number, or an address of its own."""
        caller, callee = f":{self.caller.address[1]}".encode(), f":{self.callee.address[1]}".encode()
        return find_leaks(self.callee.received, self.caller.number, secrets=[caller]) + find_leaks(
            self.caller.received, self.callee.number, secrets=[callee]
        )
