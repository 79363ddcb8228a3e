"""Recordings in Plivo's shape: list, filters, show, delete, and who sees which."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from maskline.api.plivo.openapi import openapi_document
from maskline.api.plivo.openapi_recordings import RECORDING_FIELDS
from maskline.masking.recording import RecordingStatus
from maskline.masking.session import SessionOptions
from maskline.workflows.process_recordings import RecordingPlan
from maskline.workflows.recording_links import RecordingLinks
from tests.support.api_world import ApiWorld, basic, credentials
from tests.support.recordings import recording
from tests.support.store_values import ACCOUNT, ALICE, BOB, OTHER, SUB, T0, recorded_call

LINKS = RecordingLinks(b"k" * 32, "http://elsewhere", 600.0)


class Api(ApiWorld):
    async def start(self) -> Api:
        for account in (ACCOUNT, SUB, OTHER):
            await self.store.add_account(account)
        await self.keep(
            recording(
                status=RecordingStatus.COMPLETED, file="f", ended_at=T0 + 40, duration_ms=27_500, size=9, spool=""
            )
        )
        await self.keep(recording("rec-2", call_id="call-2", leg_id="leg-2", session_id="session-2",
                                  subaccount_id=SUB.id, started_at=T0 + 100, caller=None))  # fmt: skip
        self.http = self.client(rate_limit=0)
        return self

    async def keep(self, one: Any) -> None:
        await self.store.commit_calls([recorded_call(one.call_id, record=None, interaction=None, recording=one)])

    async def ask(self, method: str, path: str = "", account: Any = ACCOUNT, **query: str) -> tuple[int, Any]:
        url = f"/v1/Account/{account.id}/Recording/{path}"
        answer = await self.http.request(method, url, headers=dict(credentials(account)), params=query)
        return answer.status_code, answer.json() if answer.content else None


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    yield await Api(recordings=RecordingPlan(tmp_path, tmp_path, bytes(32), retention_days=1), links=LINKS).start()


async def test_one_is_shown_with_a_fresh_link_that_begins_as_the_request_did(api: Api) -> None:
    status, found = await api.ask("GET", "rec-1/")
    assert status == 200
    url = found.pop("recording_url")
    assert url.startswith("http://api.test/recordings/rec-1.mp3?expires=")
    assert len(found.pop("api_id")) == 36
    assert found == {
        "add_time": "2023-11-14 22:13:32+00:00", "call_uuid": "call-1-a", "conference_name": None,
        "conference_uuid": None, "from_number": ALICE.digits, "monthly_recording_storage_amount": 0, "mpc_name": None,
        "mpc_uuid": None, "recording_duration_ms": "27500.00000", "recording_end_ms": "1700000040000.00000",
        "recording_format": "mp3", "recording_id": "rec-1", "recording_start_ms": "1700000012500.00000",
        "recording_storage_duration": 0, "recording_storage_rate": 0, "recording_type": "call",
        "resource_uri": f"/v1/Account/{ACCOUNT.id}/Recording/rec-1/", "rounded_recording_duration": 60,
        "to_number": BOB.digits, "call_id": "call-1", "partial": False, "session_uuid": "session-1",
        "status": "completed", "subaccount": "",
    }  # fmt: skip


async def test_one_that_goes_on_has_no_file_yet(api: Api) -> None:
    _, found = await api.ask("GET", "rec-2")
    assert (found["status"], found["recording_url"], found["recording_end_ms"], found["from_number"]) == (
        "recording", "", "", "",
    )  # fmt: skip
    assert found["rounded_recording_duration"] == 0


async def test_the_published_description_has_the_same_fields(api: Api) -> None:
    _, found = await api.ask("GET", "rec-1/")
    assert set(RECORDING_FIELDS) == set(found) - {"api_id"}
    schemas = openapi_document(SessionOptions())["components"]["schemas"]
    assert list(schemas["Recording"]["properties"]) == list(RECORDING_FIELDS)


async def ids(api: Api, **query: str) -> list[str]:
    status, found = await api.ask("GET", **query)
    assert status == 200, found
    assert found["meta"]["total_count"] >= len(found["objects"])
    return [one["recording_id"] for one in found["objects"]]


async def test_a_list_is_newest_first_and_paged(api: Api) -> None:
    assert await ids(api) == ["rec-2", "rec-1"]
    _status, found = await api.ask("GET", limit="1")
    assert found["meta"] == {
        "limit": 1, "next": f"/v1/Account/{ACCOUNT.id}/Recording/?limit=1&offset=1", "offset": 0, "previous": None,
        "total_count": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"call_uuid": "leg-2"}, ["rec-2"]),
        ({"call_uuid": "call-1"}, ["rec-1"]),
        ({"session_uuid": "session-1"}, ["rec-1"]),
        ({"subaccount": SUB.id}, ["rec-2"]),
        ({"conference_name": "x"}, []),
        ({"add_time__gt": "2023-11-14 22:14:00"}, ["rec-2"]),
        ({"add_time__lt": "2023-11-14 22:14:00"}, ["rec-1"]),
        ({"add_time__gte": "2023-11-14 22:13:32", "add_time__lte": "2023-11-14 22:13:32"}, ["rec-1"]),
        ({"add_time": "2023-11-14 22:15:00"}, ["rec-2"]),
        ({"add_time": "2023-11-14 22:13:32.5"}, ["rec-1"]),
        ({"add_time__gt": "2023-11-14 22:13:32.5"}, ["rec-2"]),
        ({"add_time__lte": "2023-11-14 22:13:32.5"}, ["rec-1"]),
    ],
)
async def test_filters(api: Api, query: dict[str, str], expected: list[str]) -> None:
    assert await ids(api, **query) == expected


@pytest.mark.parametrize("name", ["from_number", "to_number", "recording_storage_duration__gt"])
async def test_what_cannot_be_searched_is_refused(api: Api, name: str) -> None:
    status, body = await api.ask("GET", **{name: "6581234510"})
    assert (status, body["error"]) == (400, f"Invalid parameter. {name} is not searched here")


async def test_a_deleted_one_is_204_and_then_404_though_still_shown(api: Api) -> None:
    (api.settings["recordings"].folder / "f").write_bytes(b"sealed")
    assert await api.ask("DELETE", "rec-1/") == (204, None)
    assert not (api.settings["recordings"].folder / "f").exists()
    assert (await api.ask("DELETE", "rec-1/"))[0] == 404
    _, found = await api.ask("GET", "rec-1/")
    assert (found["status"], found["recording_url"]) == ("deleted", "")


async def test_one_that_goes_on_cannot_be_deleted(api: Api) -> None:
    status, body = await api.ask("DELETE", "rec-2/")
    assert (status, body["error"]) == (409, "This recording is not finished yet")


async def test_accounts_and_subaccounts_see_their_own(api: Api) -> None:
    assert (await api.ask("GET", "rec-1/", account=OTHER))[0] == 404
    assert (await api.ask("DELETE", "rec-1/", account=OTHER))[0] == 404
    assert (await api.ask("GET", "rec-1/", account=SUB))[0] == 404
    _status, found = await api.ask("GET", account=SUB)
    assert [one["recording_id"] for one in found["objects"]] == ["rec-2"]
    assert found["objects"][0]["resource_uri"] == f"/v1/Account/{SUB.id}/Recording/rec-2/"
    answer = await api.http.get(f"/v1/Account/{ACCOUNT.id}/Recording/", headers=basic(ACCOUNT.id, "wrong"))
    assert answer.status_code == 401
