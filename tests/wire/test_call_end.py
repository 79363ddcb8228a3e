"""A call is ended by request, over the API and at the command line: phones, webhooks and record say so.

Also when the engine is killed -9 between the wish and the BYE.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from maskline.lab.phone import Behaviour, Phone
from maskline.masking.facts import CallRouted
from tests.support.platform_commands import ask_of_the_stopped
from tests.support.platform_store import services_of
from tests.support.rig import Rig, happened, opened_rig
from tests.support.waiting import until

pytestmark = pytest.mark.wire


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with opened_rig(tmp_path, MASKLINE_DRAIN_TIMEOUT="0") as made:
        yield made


async def call_id(rig: Rig) -> str:
    """Of the newest call that found its session, as the fact log tells."""
    found: list[str] = []

    async def look() -> None:
        async with services_of(rig.platform) as services:
            while not found:
                facts = [fact for _, fact in await services.store.facts_since(0, 10_000)]
                found.extend(fact.subject for fact in facts if isinstance(fact, CallRouted))
                await asyncio.sleep(0.05)

    async with asyncio.timeout(30):
        await look()
    return found[-1]


async def ask(rig: Rig, key: str, call: str) -> tuple[int, Any]:
    url = f"{rig.platform.url}/maskline/v1/calls/{call}/end"
    async with aiohttp.ClientSession() as http, http.post(url, headers={"Authorization": f"Bearer {key}"}) as answer:
        return answer.status, await answer.json()


async def over(rig: Rig, call: str) -> Any:
    """The call's record, once it is there."""
    found: list[Any] = []
    async with asyncio.timeout(30):
        while not found:
            calls = (await rig.cli("call", "list"))["calls"]
            found = [one for one in calls if one["call_id"] == call]
            await asyncio.sleep(0.1)
    return found[0]


def requests(phone: Phone) -> list[str]:
    """What it was asked, each once."""
    return [*dict.fromkeys(item.first_line.split()[0] for item in phone.trace if not item.sent)]


async def hangups(rig: Rig, wanted: int) -> set[tuple[str, str, str]]:
    """Of `wanted` events those that tell of an end."""
    events = [hook.values for hook in await rig.hooks("/plivo", wanted)]
    return {
        (one["EventName"], one["PlivoHangupCause"], one["PlivoHangupCauseCode"])
        for one in events
        if one["PlivoHangupCause"]
    }


async def test_talking_parties_are_hung_up_by_the_api(rig: Rig) -> None:
    key = (await rig.cli("account", "key", "create", rig.account_id))["key"]
    await rig.prepare(Behaviour.ANSWER)
    rig.dial()
    assert await happened(rig.caller.answered)
    call = await call_id(rig)
    assert (await ask(rig, key, "00000000-0000-4000-8000-000000000000"))[0] == 404
    assert (await ask(rig, "wrong", call))[0] == 401
    assert not rig.caller.ended.is_set()
    assert await ask(rig, key, call) == (
        202, {"callId": call, "status": "ending", "endedAt": None, "outcome": None, "cause": None}
    )  # fmt: skip
    for phone in (rig.caller, rig.callee):
        assert await happened(phone.ended)
        assert "BYE" in requests(phone)
    record = await over(rig, call)
    assert (record["outcome"], record["cause"], record["hung_up_by"]) == ("completed", "ended_by_request", "platform")
    assert (await rig.summary())["sessionStatus"] == "COMPLETED"
    assert await hangups(rig, 5) == {
        ("SessionFirstPartyHangup", "Normal Hangup", "4000"), ("SessionSecondPartyHangup", "Normal Hangup", "4000"),
    }  # fmt: skip
    status, body = await ask(rig, key, call)
    assert (status, body["status"], body["cause"]) == (200, "ended", "ended_by_request")


async def test_a_call_that_rings_is_taken_back_from_the_command_line(rig: Rig) -> None:
    """Another process than the engine, on a database that tells nobody."""
    await rig.prepare(Behaviour.RING)
    rig.dial()
    assert await happened(rig.caller.ringing)
    call = await call_id(rig)
    assert (await rig.cli("call", "end", call))["status"] == "ending"
    assert await happened(rig.caller.ended) and await happened(rig.callee.ended)
    assert rig.caller.final_status == 603
    assert "CANCEL" in requests(rig.callee)
    record = await over(rig, call)
    assert (record["outcome"], record["cause"]) == ("canceled", "ended_by_request")
    assert (await rig.summary())["sessionStatus"] == "CANCELED"
    events = await hangups(rig, 2)
    assert {one[1:] for one in events} == {("Canceled", "1000")}, events
    assert (await rig.cli("call", "end", call))["status"] == "ended"


async def test_a_wish_outlives_an_engine_that_is_killed_before_it_could_hang_up(rig: Rig) -> None:
    await rig.prepare(Behaviour.ANSWER)
    rig.dial()
    assert await happened(rig.caller.answered)
    call = await call_id(rig)
    await until(lambda: rig.callee.ear.arrivals, what="audio")
    await ask_of_the_stopped(rig.platform, call)
    os.kill(rig.platform.pid, signal.SIGKILL)
    await asyncio.to_thread(rig.platform.stop)
    assert not rig.caller.ended.is_set() and not rig.callee.ended.is_set()
    await rig.platform.start()
    for phone in (rig.caller, rig.callee):
        assert await happened(phone.ended)
        assert "BYE" in requests(phone)
    record = await over(rig, call)
    assert (record["outcome"], record["cause"], record["recovered"]) == ("completed", "ended_by_request", True)
    assert (await rig.summary())["sessionStatus"] == "COMPLETED"
