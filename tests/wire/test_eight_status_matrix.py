"""The 8x8 session status matrix (8x8-wavecell.md §6.1): each row that needs no VCA or prompt, by a real SIP exchange.

A whole `maskline serve` with the lab's carrier and phones; the verdict is the SESSION_SUMMARY that arrives.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from maskline.lab.phone import Behaviour
from tests.support.rig import Rig, happened, opened_rig

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """One platform for all tests here: each prepares its own call."""
    async with opened_rig(tmp_path_factory.mktemp("platform")) as made:
        yield made


def statuses(payload: dict[str, Any]) -> tuple[str | None, str | None, str]:
    details = payload["details"]
    legs = [details[name]["callStatus"] if name in details else None for name in ("callA", "callB")]
    return legs[0], legs[1], payload["sessionStatus"]


async def timeline(rig: Rig, summary: dict[str, Any], wanted: int) -> list[tuple[str, str, int]]:
    """(callStatus, direction, sipCode) of the call's statuses as they came."""
    events = [item.values["payload"] for item in await rig.hooks("/vcs", wanted)]
    assert {one["sessionId"] for one in events} == {summary["sessionId"]}
    return [(one["callStatus"], one["callDirection"], one["sipCode"]) for one in events]


@pytest.mark.row("8x8:5/CALL_CONNECTED", "8x8:5/CALL_DISCONNECTED")
@pytest.mark.row("8x8:6.1/completed-completed", "8x8:6/callQuality", "8x8:6/callDuration")
async def test_completed_and_completed_is_completed(rig: Rig) -> None:
    await rig.prepare(Behaviour.ANSWER)
    rig.dial()
    assert await happened(rig.caller.answered)
    await asyncio.sleep(1.2)
    rig.caller.hang_up()
    payload = await rig.summary()
    assert statuses(payload) == ("COMPLETED", "COMPLETED", "COMPLETED")
    assert payload["callCount"] == 2
    for leg in payload["details"].values():
        assert leg["callDuration"] >= 1
        assert 1.0 <= leg["callQuality"]["mos"] <= 4.5
    assert await timeline(rig, payload, 6) == [
        ("CALL_RECEIVED", "INBOUND", 200), ("CALL_INITIATED", "OUTBOUND", 200), ("CALL_CONNECTED", "OUTBOUND", 200),
        ("CALL_CONNECTED", "INBOUND", 200), ("CALL_DISCONNECTED", "INBOUND", 200),
        ("CALL_DISCONNECTED", "OUTBOUND", 200),
    ]  # fmt: skip
    rig.assert_nothing_leaked()


REFUSALS = [
    (486, False, "BUSY"),
    (600, False, "BUSY"),
    (603, True, "BUSY"),
    (404, False, "FAILED"),
    (410, False, "FAILED"),
    (480, False, "FAILED"),
    (484, False, "FAILED"),
    (488, False, "FAILED"),
    (500, False, "FAILED"),
    (503, False, "FAILED"),
    (480, True, "NO_ANSWER"),
]


@pytest.mark.row(
    "8x8:6.1/completed-busy",
    "8x8:6.1/completed-failed",
    "8x8:6.1/rejected-603",
    "8x8:6.1/sip-failed",
    "8x8:6.1/sip-busy",
    "8x8:6/connectedTimestamp",
    "8x8:6/callCount",
    "8x8:13/C4",
)
async def test_what_the_callee_answers_decides_the_status(rig: Rig) -> None:
    for refuse_with, ring_first, expected in REFUSALS:
        await rig.prepare(
            Behaviour.RING_THEN_REFUSE if ring_first else Behaviour.REFUSE,
            refuse_with=refuse_with,
        )
        rig.dial()
        payload = await rig.summary()
        assert statuses(payload) == ("COMPLETED", expected, expected), refuse_with
        assert payload["callCount"] == 2
        assert "connectedTimestamp" not in payload["details"]["callB"]
        assert "callQuality" not in payload["details"]["callB"]
        assert payload["details"]["callB"]["callDuration"] == 0
        assert (await timeline(rig, payload, 4))[2] == ("CALL_DISCONNECTED", "OUTBOUND", refuse_with)
        assert await happened(rig.caller.ended)
        rig.assert_nothing_leaked()


@pytest.mark.row("8x8:6.1/completed-no-answer", "8x8:6.1/sip-no-answer")
async def test_our_ring_timeout_is_no_answer(rig: Rig) -> None:
    await set_ring_timeout(rig, 1)
    try:
        await rig.prepare(Behaviour.RING)
        rig.dial()
        assert statuses(await rig.summary()) == ("COMPLETED", "NO_ANSWER", "NO_ANSWER")
        assert await happened(rig.callee.ended), "the ringing leg was not cancelled"
        rig.assert_nothing_leaked()
    finally:
        await set_ring_timeout(rig, 120)


@pytest.mark.row("8x8:6.1/canceled-canceled", "8x8:6.1/sip-canceled", "8x8:6.3/canceled")
async def test_a_caller_who_leaves_while_it_rings_is_canceled(rig: Rig) -> None:
    await rig.prepare(Behaviour.RING)
    rig.dial()
    assert await happened(rig.caller.ringing)
    rig.caller.cancel()
    assert statuses(await rig.summary()) == ("CANCELED", "CANCELED", "CANCELED")
    assert (rig.caller.final_status, rig.callee.final_status) == (487, 487)
    rig.assert_nothing_leaked()


@pytest.mark.row("8x8:6.1/canceled-none")
async def test_a_caller_who_leaves_before_the_second_leg_is_canceled_alone(rig: Rig) -> None:
    """The media driver is stopped, so that the call is still waiting for its ports when the CANCEL comes."""
    await rig.prepare(Behaviour.ANSWER)
    workers = media_workers(rig.platform.pid)
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        rig.dial()
        assert await trying(rig)
        rig.caller.cancel()
        assert await happened(rig.caller.ended)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    assert statuses(await rig.summary()) == ("CANCELED", None, "CANCELED")
    assert rig.callee.trace == []


@pytest.mark.row("8x8:6.2/-2004", "8x8:13/C23")
async def test_no_trunk_for_the_destination_is_an_error_without_second_leg(tmp_path: Path) -> None:
    rig = Rig(tmp_path, prefixes=("+44",))
    try:
        await rig.open()
        await rig.prepare(Behaviour.ANSWER)
        rig.dial()
        payload = await rig.summary()
        assert statuses(payload) == ("ERROR", None, "ERROR")
        assert payload["callCount"] == 1
        assert payload["errorDetails"] == {
            "errorMsg": "No coverage available for requested area",
            "errorCode": -2004,
        }
    finally:
        await rig.close()


@pytest.mark.row("8x8:6.1/completed-error", "8x8:6.1/error-wins", "8x8:13/C13")
async def test_a_platform_fault_behind_the_second_leg_is_an_error_of_that_leg(rig: Rig) -> None:
    """The relay is killed while it rings, and what is started in its place has no socket to listen on; calls work again
    afterwards without a restart."""
    await rig.prepare(Behaviour.RING)
    rig.dial()
    assert await happened(rig.caller.ringing)
    (socket,) = (rig.platform.folder / "data").glob("media-*.sock")
    socket.unlink()
    socket.mkdir()
    for pid in media_workers(rig.platform.pid):
        # Killing one may have been the end of another that waited to take its place.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    payload = await rig.summary()
    assert statuses(payload) == ("COMPLETED", "ERROR", "ERROR")
    assert payload["errorDetails"]["errorCode"] in (-2001, -2002)
    assert await happened(rig.callee.ended)
    socket.rmdir()
    await media_is_back(rig)
    await rig.prepare(Behaviour.ANSWER)
    rig.dial()
    assert await happened(rig.caller.answered)
    rig.callee.hang_up()
    assert statuses(await rig.summary()) == ("COMPLETED", "COMPLETED", "COMPLETED")


async def set_ring_timeout(rig: Rig, seconds: int) -> None:
    status, body = await rig.rest("POST", f"{rig.session_uuid}/", {"ring_timeout": seconds})
    assert status == 200, body


async def media_is_back(rig: Rig) -> None:
    """Until a new worker runs and the platform says so; bounded."""
    async with aiohttp.ClientSession() as http:
        for _ in range(200):
            async with http.get(rig.platform.url + "/healthz") as response:
                health = await response.json()
            if health["parts"]["media"]["ok"]:
                return
            await asyncio.sleep(0.05)
    raise AssertionError(f"media did not come back: {health}")


def media_workers(serve_pid: int) -> list[int]:
    """Pids of the media workers that this platform's process started."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == serve_pid and b"media" in command:
            found.append(int(entry.name))
    return found


async def trying(rig: Rig) -> bool:
    """Whether the caller's phone has its 100 Trying; bounded."""
    for _ in range(200):
        if any(not item.sent and item.first_line.startswith("SIP/2.0 100") for item in rig.caller.trace):
            return True
        await asyncio.sleep(0.01)
    return False
