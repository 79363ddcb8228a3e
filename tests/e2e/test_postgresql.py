"""`maskline serve` on PostgreSQL, as a process: made, used, and through a crash of the server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from maskline.lab.carrier import Carrier
from maskline.lab.inbox import Inbox
from maskline.lab.phone import Phone
from maskline.lab.platform import LabError, Platform
from maskline.masking.e164 import parse_number
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import until

pytestmark = pytest.mark.wire
FIRST, SECOND, THIRD, VIRTUAL = "+6581234510", "+6581234520", "+6581234530", "+6531000001"


@pytest.fixture
async def server() -> AsyncIterator[PostgresServer]:
    made = PostgresServer()
    made.start()
    yield made
    made.remove()


async def test_from_an_empty_database_to_calls_before_and_after_a_crash_of_the_server(
    server: PostgresServer, tmp_path: Path
) -> None:
    platform = Platform(tmp_path, MASKLINE_MEDIA="none", MASKLINE_DATABASE_URL=server.url())
    carrier, inbox = Carrier(platform.sip_address), Inbox()
    phones = [Phone("first", parse_number(FIRST), 440), Phone("second", parse_number(SECOND), 1000)]
    with pytest.raises(LabError, match="maskline migrate"):
        await platform.start()
    assert (await run(platform, "migrate"))["created"] is True
    try:
        await platform.start()
        await inbox.open()
        await carrier.open("127.0.0.1")
        for phone in phones:
            await phone.open("127.0.0.1")
            carrier.add_line(phone.number, phone.address)
        account = await provision(platform, carrier, inbox)
        credentials = account["auth_id"], account["auth_token"]
        path = f"/v1/Account/{account['auth_id']}/Masking/Session/"
        status, made = await platform.rest("POST", path, credentials, {"first_party": FIRST, "second_party": SECOND})
        assert status in (200, 201), made
        await call(carrier, *phones)
        await until(lambda: len(inbox.received) >= 1, what="the webhook of the first call")

        await asyncio.to_thread(server.kill)
        status, body = await platform.rest("POST", path, credentials, {"first_party": FIRST, "second_party": THIRD})
        assert (status, body["error"].partition(" (")[0]) == (503, "The database does not answer"), body
        await asyncio.to_thread(server.start)

        status, found = await platform.rest("GET", f"{path}{made['session']['session_uuid']}/", credentials)
        assert status == 200, found
        for phone in phones:
            await phone.reset(phone.behaviour)
        await call(carrier, *phones)
        await until(lambda: len(inbox.received) >= 2, within=20, what="the webhook of the second call")
        records = (await run(platform, "call", "list"))["calls"]
        assert [(one["outcome"], one["hung_up_by"]) for one in records] == [("completed", "caller")] * 2
    finally:
        for one in (*phones, carrier):
            one.close()
        await inbox.close()
        code = await asyncio.to_thread(platform.stop)
    assert code == 0


async def test_of_two_engines_of_one_id_the_second_does_not_start_until_the_first_is_dead(
    server: PostgresServer, tmp_path: Path
) -> None:
    options = {"MASKLINE_MEDIA": "none", "MASKLINE_DATABASE_URL": server.url(), "MASKLINE_ENGINE_ID": "e1"}
    key = tmp_path / "maskline.key"
    here, there = (
        Platform(tmp_path / name, command="engine", **options, MASKLINE_KEY_FILE=str(key)) for name in ("here", "there")
    )
    for each in (here, there):
        each.folder.mkdir()
    await run(here, "migrate")
    try:
        await here.start()
        with pytest.raises(LabError, match=r"engine with the id e1 is running on .*MASKLINE_ENGINE_ID"):
            await there.start()
        os.kill(here.pid, signal.SIGKILL)
        await there.start()
        assert len(there.log_lines("engine_id_in_use")) == 2
        assert await asyncio.to_thread(there.stop) == 0
        await here.start()
        assert here.log_lines("engine_id_") == []
    finally:
        for each in (here, there):
            await asyncio.to_thread(each.stop)


async def provision(platform: Platform, carrier: Carrier, inbox: Inbox) -> dict[str, str]:
    host, port = carrier.address
    account: dict[str, str] = await run(platform, "account", "create", "Acme", "--country", "anywhere")
    owner = ("--account", account["auth_id"])
    await run(platform, "number", "add", VIRTUAL, *owner)
    await run(platform, "trunk", "add", "lab", "--host", host, "--port", str(port))
    await run(
        platform, "webhook", "set", "eight.session_summary", inbox.url("/summary"), "--account", account["auth_id"]
    )
    return account


async def call(carrier: Carrier, first: Phone, second: Phone) -> None:
    """One, from ring to end."""
    first.dial(parse_number(VIRTUAL), carrier.address)
    async with asyncio.timeout(30):
        await first.answered.wait()
        first.hang_up()
        await second.ended.wait()


async def run(platform: Platform, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = await asyncio.to_thread(platform.cli, *arguments)
    return document
