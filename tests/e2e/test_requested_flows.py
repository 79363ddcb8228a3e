"""Call flows that are asked for while the server is killed: nobody is called twice, and none is forgotten."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from maskline.lab.platform import Platform
from maskline.lab.ports import free_ports
from maskline.sip import events as sip
from maskline.sip.events import Event
from tests.support.platform_commands import typed
from tests.support.udp_phone import UdpPhone

pytestmark = pytest.mark.wire

VIRTUAL = "+6531000001"
REQUESTS, AT_A_TIME, RUNG_BEFORE_THE_KILL = 60, 3, 5


class Town:
    """Everybody who may be called, all busy: how often each was invited, by Call-ID."""

    def __init__(self) -> None:
        self.invited: dict[str, set[str]] = defaultdict(set)
        self.kills: int | None = None
        """Process that is killed once some telephones ring: their calls are not on its disk yet, which comes after."""
        self.killed = asyncio.Event()
        self.phone = UdpPhone(self._refuse)

    def _refuse(self, phone: UdpPhone, event: Event, now: float) -> None:
        if isinstance(event, sip.InviteReceived):
            user = event.request.request_uri.user
            assert user is not None
            self.invited[user].add(event.request.call_id)
            phone.agent.reject(event.usage, 486, now)
        if self.kills is not None and len(self.invited) >= RUNG_BEFORE_THE_KILL:
            os.kill(self.kills, signal.SIGKILL)
            self.kills = None
            self.killed.set()


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    low, high = free_ports(200)
    platform = Platform(tmp_path, MASKLINE_MEDIA_PORTS=f"{low}-{high}")
    await platform.start()
    yield platform
    platform.stop(calls_may_end=False)


class Customer:
    def __init__(self, platform: Platform, account: str, key: str) -> None:
        self._url = f"{platform.url}/api/v1/subaccounts/{account}/callflows"
        self._headers = {"Authorization": f"Bearer {key}"}
        self.sessions: dict[int, str] = {}
        """Acknowledged, by number of the request."""

    async def ask_all(self, http: aiohttp.ClientSession, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self.ask(http, number)

    async def ask(self, http: aiohttp.ClientSession, number: int) -> None:
        """Send the request of this number, the same whenever it is sent; no answer is no answer."""
        params = {"source": VIRTUAL, "destination": callee(number)}
        body = {"callflow": [{"action": "makeCall", "params": params}]}
        headers = self._headers | {"Idempotency-Key": f"request-{number}"}
        try:
            async with http.post(self._url, json=body, headers=headers) as response:
                answer = await response.json()
        except aiohttp.ClientError:
            return
        assert response.status == 200, answer
        assert self.sessions.setdefault(number, answer["sessionId"]) == answer["sessionId"]


def callee(number: int) -> str:
    return f"+65900010{number:02}"


def until_none_waits(platform: Platform, seconds: float = 30.0) -> None:
    late = time.monotonic() + seconds
    while subjects(platform, "requested_flows", "id"):
        assert time.monotonic() < late, "a flow was not begun"
        time.sleep(0.05)


def subjects(platform: Platform, table: str, column: str) -> set[str]:
    with closing(sqlite3.connect(platform.folder / "maskline.db")) as database:
        return {row[0] for row in database.execute(f"SELECT {column} FROM {table}")}


def let_a_minute_pass(platform: Platform) -> None:
    """What the killed server had taken is known to be nobody's by then."""
    with closing(sqlite3.connect(platform.folder / "maskline.db")) as database, database:
        database.execute("UPDATE requested_flows SET leased_until = 0 WHERE leased_until > 0")


def configured(platform: Platform, town: Town) -> Customer:
    account: Any = typed(platform, "account", "create", "Acme", "--country", "anywhere")
    typed(platform, "number", "add", VIRTUAL, "--account", account["auth_id"])
    typed(platform, "trunk", "add", "carrier", "--host", "127.0.0.1", "--port", str(town.phone.flow.port))
    key: Any = typed(platform, "account", "key", "create", account["auth_id"])
    return Customer(platform, account["auth_id"], key["key"])


@pytest.mark.row("8x8:14/Idempotency-Key")
async def test_a_server_that_is_killed_calls_nobody_twice_and_forgets_no_flow(platform: Platform) -> None:
    town = Town()
    customer = await asyncio.to_thread(configured, platform, town)
    async with aiohttp.ClientSession() as http:
        town.kills = platform.pid
        numbers = iter(range(REQUESTS))
        await asyncio.gather(*(customer.ask_all(http, numbers) for _ in range(AT_A_TIME)))
        async with asyncio.timeout(30):
            await town.killed.wait()
    platform.stop()
    let_a_minute_pass(platform)
    await platform.start()
    async with aiohttp.ClientSession() as http:
        await customer.ask_all(http, iter(range(REQUESTS)))
    await asyncio.to_thread(until_none_waits, platform)
    platform.stop()
    assert len(set(customer.sessions.values())) == REQUESTS
    assert set(customer.sessions.values()) <= subjects(platform, "facts", "subject")
    assert max(len(ids) for ids in town.invited.values()) == 1
    assert set(town.invited) <= {callee(number) for number in range(REQUESTS)}
    assert len(town.invited) > RUNG_BEFORE_THE_KILL
    town.phone.close()
