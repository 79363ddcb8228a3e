"""The recordings of a session: `/recordings/{sessionId}`.

What it is: their states in the vendor's words and where each file is. What it is not: the file. Who uses it:
`routes.py`. 8x8's sessionId is the id of our call.
"""

from __future__ import annotations

from typing import Any

from maskline.api.eight.errors import ErrorShape
from maskline.api.eight.exchange import Exchange, Reply, Resource
from maskline.api.services import ApiServices
from maskline.masking.recording import Recording
from maskline.storage.filters import RecordingFilter
from maskline.webhooks.formats.eight_parts import iso_milliseconds
from maskline.webhooks.formats.summary import rounded
from maskline.workflows.get_recording import list_recordings
from maskline.workflows.recording_outbox import file_url
from maskline.workflows.recording_status import recording_status

_MOST = 100


class Recordings:
    __slots__ = ("_services",)

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def resources(self) -> tuple[Resource, ...]:
        return (Resource("/recordings/{session}", ErrorShape.SERVICE, {"GET": ("list_recordings", self._list)}),)

    async def _list(self, exchange: Exchange) -> Reply:
        wanted = RecordingFilter(call_id=exchange.part("session"))
        found, _ = await list_recordings(self._services.store, exchange.scope, wanted, limit=_MOST)
        own = [one for one in found if (one.subaccount_id or one.account_id) == exchange.account.id]
        shown = [await self._object(one, exchange) for one in own]
        return Reply(200, {"recordings": shown, "statusCode": 0, "statusMessage": "ok"})

    async def _object(self, recording: Recording, exchange: Exchange) -> dict[str, Any]:
        services = self._services
        told: dict[str, Any] = {
            "recordingId": recording.id,
            "sessionId": recording.call_id,
            "subAccountId": exchange.path_id,
            "status": await recording_status(services.store, recording),
            "duration": rounded(recording.duration_ms / 1000),
            "startRecordingTime": iso_milliseconds(recording.started_at),
        }
        url = recording.pushed or file_url(recording, services.links, services.clock.wall(), exchange.base_url)
        return told | {"externalFileUrl": url} if url else told
