"""The sample application over HTTP: it answers actions, takes events, and tells of both without a real number."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from maskline.lab.vca import SampleApplication, describe
from maskline.lab.vca_map import read_map

RIDER, DRIVER, VIRTUAL = "+6591110042", "+6598760007", "+6531580001"
TABLE = read_map(json.dumps({"pairs": [{"virtual": VIRTUAL, "parties": [RIDER, DRIVER]}]}))


def action(**payload: Any) -> dict[str, Any]:
    known = {"source": RIDER, "destination": VIRTUAL, "callStatus": "CALL_RECEIVED", "callDirection": "INBOUND"}
    return {"eventType": "CALL_ACTION", "namespace": "VOICE", "payload": {**known, **payload}}


SUMMARY = {
    "eventType": "SESSION_SUMMARY",
    "payload": {
        "sessionStatus": "ERROR", "errorDetails": {"errorCode": -2004, "errorMsg": "No coverage"},
        "details": {
            "callB": {"callStatus": "ERROR", "callDuration": 0, "source": VIRTUAL, "destination": DRIVER},
            "callA": {"callStatus": "COMPLETED", "callDuration": 7, "source": RIDER, "destination": VIRTUAL},
        },
    },
}  # fmt: skip


def numbers_update(kind: str, *numbers: Any) -> dict[str, Any]:
    payload = {"updateEventType": kind, "totalNumbers": len(numbers), "virtualNumbers": list(numbers)}
    return {"eventType": "VIRTUAL_NUMBER_UPDATE", "payload": payload}


class Running:
    def __init__(self, sample: SampleApplication, http: aiohttp.ClientSession, told: list[str]) -> None:
        self.sample, self.http, self.told = sample, http, told

    async def post(self, body: Any, path: str = "/vca", **options: Any) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.http.post(self.sample.url + path, data=data, **options) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Running]:
    told: list[str] = []
    sample = SampleApplication(TABLE, told.append, **options)
    await sample.open("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as http:
            yield Running(sample, http, told)
    finally:
        await sample.close()


async def test_an_action_is_answered_with_a_flow_and_told_without_a_real_number() -> None:
    async with running() as sample:
        status, reply = await sample.post(action())
        assert (status, reply["callflow"][0]["action"]) == (200, "makeCall")
        (line,) = sample.told
    assert line.endswith("CALL_RECEIVED INBOUND +65••••0042 to +65••••0001: makeCall")


async def test_wavecells_call_handle_is_answered_with_commands() -> None:
    received = {"eventType": "CALL_RECEIVED", "sourceMsisdn": RIDER[1:], "targetMsisdn": VIRTUAL[1:], "direction": 0}
    async with running() as sample:
        status, reply = await sample.post(received)
        assert (status, [step["action"] for step in reply["commands"]]) == (200, ["makeCall"])
        assert (await sample.post({"eventType": "DTMF_RECEIVED", "dtmf": 1}))[0] == 400
        first, _ = sample.told
    assert first.endswith("CALL_RECEIVED +65••••0042 to +65••••0001: makeCall")


async def test_events_of_every_kind_are_taken_on_any_path_and_kept_for_the_inbox() -> None:
    bodies = [SUMMARY, action() | {"eventType": "CALL_STATUS"}, {"status": "Completed", "details": {}}]
    async with running(keeps_events=True) as sample:
        for body in bodies:
            assert await sample.post(body, "/anything") == (200, None)
        async with sample.http.get(sample.sample.url + "/inbox") as response:
            events = (await response.json())["events"]
    assert [event["body"] for event in events] == bodies
    assert {event["path"] for event in events} == {"/anything"}
    assert len(sample.told) == 3


async def test_without_the_option_nothing_is_kept() -> None:
    async with running() as sample:
        await sample.post(SUMMARY)
        async with sample.http.get(sample.sample.url + "/inbox") as response:
            assert response.status == 404


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b'{"eventType": "CALL_ACTION"}', 400), (b"[]", 200)])
async def test_what_is_no_json_or_no_action_is_refused_with_a_sentence(body: bytes, status: int) -> None:
    async with running() as sample:
        found, answer = await sample.post(body)
        assert found == status
        assert (answer is None) == (status == 200)
        assert len(sample.told) == 1


async def test_another_authorization_than_the_configured_one_is_refused() -> None:
    async with running(authorization="Key 123") as sample:
        assert (await sample.post(action()))[0] == 401
        assert (await sample.post(action(), headers={"Authorization": "Key 123é"}))[0] == 401
        assert (await sample.post(action(), headers={"Authorization": "Key 123"}))[0] == 200


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (SUMMARY, "SESSION_SUMMARY  ERROR, callA COMPLETED 7 s, callB ERROR 0 s, -2004 No coverage"),
        (
            {"status": "Busy", "details": {"callA": {"status": "Completed", "duration": 3}}},
            "call status      Busy, callA Completed 3 s",
        ),
        (
            {"eventType": "CALL_RECORDING_STATUS", "payload": {"status": "UPLOAD_COMPLETED"}},
            "CALL_RECORDING_STATUS  UPLOAD_COMPLETED",
        ),
        (
            {"eventType": "CALL_STATUS", "payload": {"callStatus": "CALL_CONNECTED", "destination": "••••"}},
            "CALL_STATUS      CALL_CONNECTED None a withheld number to ••••",
        ),
        (
            numbers_update("SNAPSHOT", *[{"msisdn": VIRTUAL, "operationalStatus": "Active"}] * 6),
            "VIRTUAL_NUMBER_UPDATE  SNAPSHOT of 6: " + "+65••••0001 Active, " * 5 + "…",
        ),
        (
            numbers_update("UPDATES", {"msisdn": VIRTUAL, "operationalStatus": "Expiring"}, 1),
            "VIRTUAL_NUMBER_UPDATE  UPDATES of 2: +65••••0001 Expiring",
        ),
        (
            {"eventType": "VIRTUAL_NUMBER_UPDATE", "payload": {"updateEventType": "UPDATES"}},
            "VIRTUAL_NUMBER_UPDATE  UPDATES of 0: ",
        ),
        ({"status": "Busy", "details": {"callA": 1}}, "call status      Busy, callA None 0 s"),
        ([], "?                not an object"),
    ],
)  # fmt: skip
@pytest.mark.row("8x8:2/generations")
def test_an_event_is_one_line(body: Any, told: str) -> None:
    assert describe(body)[10:] == told
