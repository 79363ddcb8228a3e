"""Recordings at `/Recording`: list, show, delete.

What it is: the shape that Plivo's pages and clients have for a recording of a call. What it is not: the file, which is
behind the signed link in `recording_url` (`api/recordings.py`). Who uses it: `routes.py`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maskline.api.plivo.exchange import Exchange, Reply, Resource
from maskline.api.plivo.filters import OPERATORS, page_meta, read_page, read_query, time_bound
from maskline.api.services import ApiServices
from maskline.errors import InvalidParameter
from maskline.masking.recording import Recording, RecordingStatus
from maskline.storage.filters import RecordingFilter
from maskline.workflows.delete_recording import delete_recording
from maskline.workflows.get_recording import get_recording, list_recordings
from maskline.workflows.recording_outbox import file_url

_NEVER = ("conference_name", "conference_uuid", "mpc_name", "mpc_uuid")
"""Filters on what no recording here is of."""
_NOT_BY = (
    "from_number", "to_number", "recording_storage_duration", "recording_storage_duration__gt",
    "recording_storage_duration__gte", "recording_storage_duration__lt", "recording_storage_duration__lte",
)  # fmt: skip


class RecordingOperations:
    __slots__ = ("_services",)

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def resource(self) -> Resource:
        return Resource(
            "/Recording",
            {"GET": ("list_recordings", self._list)},
            {"GET": ("get_recording", self._get), "DELETE": ("delete_recording", self._delete)},
        )

    async def _list(self, exchange: Exchange) -> Reply:
        query = read_query(exchange.query)
        page = read_page(query)
        found: list[Recording] = []
        total = 0
        if not any(query.get(name) for name in _NEVER):
            found, total = await list_recordings(
                self._services.store, exchange.scope, _filter(query), limit=page.limit, offset=page.offset
            )
        objects = [self._object(recording, exchange) for recording in found]
        meta = page_meta(page, exchange.path + "/", total)
        return Reply(200, {"api_id": exchange.api_id, "meta": meta, "objects": objects})

    async def _get(self, exchange: Exchange) -> Reply:
        recording = await get_recording(self._services.store, exchange.scope, exchange.item)
        return Reply(200, {"api_id": exchange.api_id, **self._object(recording, exchange)})

    async def _delete(self, exchange: Exchange) -> Reply:
        services = self._services
        await delete_recording(services.store, services.recordings, exchange.scope, exchange.item)
        return Reply(204, None)

    def _object(self, recording: Recording, exchange: Exchange) -> dict[str, Any]:
        services = self._services
        url = file_url(recording, services.links, services.clock.wall(), exchange.base_url)
        return recording_object(recording, url, exchange.auth_id)


def recording_object(recording: Recording, url: str, auth_id: str) -> dict[str, Any]:
    """The recording as the account of the path sees it; from `call_id` on the fields are ours."""
    over = recording.status in (RecordingStatus.COMPLETED, RecordingStatus.DELETED)
    return {
        "add_time": _time(recording.started_at),
        "call_uuid": recording.leg_id,
        "conference_name": None,
        "conference_uuid": None,
        "from_number": recording.caller.digits if recording.caller else "",
        "monthly_recording_storage_amount": 0,
        "mpc_name": None,
        "mpc_uuid": None,
        "recording_duration_ms": f"{recording.duration_ms}.00000",
        "recording_end_ms": _milliseconds(recording.ended_at),
        "recording_format": recording.format,
        "recording_id": recording.id,
        "recording_start_ms": _milliseconds(recording.started_at),
        "recording_storage_duration": 0,
        "recording_storage_rate": 0,
        "recording_type": "call",
        "recording_url": url,
        "resource_uri": f"/v1/Account/{auth_id}/Recording/{recording.id}/",
        "rounded_recording_duration": math.ceil(recording.duration_ms / 60_000) * 60 if over else 0,
        "to_number": recording.callee.digits if recording.callee else "",
        "call_id": recording.call_id,
        "partial": recording.partial,
        "session_uuid": recording.session_id,
        "status": recording.status.value,
        "subaccount": recording.subaccount_id or "",
    }


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime(at))


def _milliseconds(at: float | None) -> str:
    return "" if at is None else f"{round(at * 1000)}.00000"


def _filter(query: Mapping[str, str]) -> RecordingFilter:
    """What Plivo's list can be narrowed by. Numbers of people are sealed in the store and not searched."""
    for name in _NOT_BY:
        if query.get(name):
            raise InvalidParameter(f"Invalid parameter. {name} is not searched here", parameter=name)
    wanted = RecordingFilter(
        subaccount_id=query.get("subaccount") or None, call_id=query.get("call_uuid") or None,
        session_id=query.get("session_uuid") or None,
    )  # fmt: skip
    for operator in ("eq", *OPERATORS):
        name = "add_time" if operator == "eq" else f"add_time__{operator}"
        if query.get(name):
            wanted = _narrowed(wanted, name, query[name], operator)
    return wanted


def _narrowed(wanted: RecordingFilter, name: str, raw: str, operator: str) -> RecordingFilter:
    for bound, at in time_bound(name, raw, operator):
        match bound:
            case "gte":
                wanted = replace(wanted, since=max(wanted.since, at))
            case "gt":
                wanted = replace(wanted, since=max(wanted.since, math.nextafter(at, math.inf)))
            case "lt":
                wanted = replace(wanted, until=min(wanted.until, math.nextafter(at, 0.0)))
            case _:
                wanted = replace(wanted, until=min(wanted.until, at))
                wanted = replace(wanted, since=max(wanted.since, at)) if bound == "eq" else wanted
    return wanted
