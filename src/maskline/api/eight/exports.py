"""Tables of calls: `/messages/exports`.

What it is: jobs that are asked for, looked at and ended; the file is behind a signed link (`api/exports.py`). What it
is not: the making (`workflows/process_exports.py`). Who uses it: `routes.py`. The vendor's path says messages; its
pages export calls there too.
"""

from __future__ import annotations

from maskline.api.eight.errors import ErrorShape, Refused
from maskline.api.eight.exchange import Exchange, Reply, Resource
from maskline.api.eight.fields import INVALID, read_time
from maskline.api.services import ApiServices
from maskline.errors import Conflict, InvalidParameter, NotFound
from maskline.webhooks.formats.eight_parts import iso_milliseconds
from maskline.workflows.exports import cancel_export, export_url, get_export, request_export

INVALID_JOB = (4018, "Invalid jobId", 404)
BUSY = (429, 429)


class Exports:
    __slots__ = ("_services",)

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def resources(self) -> tuple[Resource, ...]:
        return (
            Resource("/messages/exports", ErrorShape.PLATFORM, {"POST": ("request_export", self._request)}),
            Resource(
                "/messages/exports/{job}", ErrorShape.PLATFORM,
                {"GET": ("get_export", self._get), "DELETE": ("cancel_export", self._cancel)},
            ),
        )  # fmt: skip

    async def _request(self, exchange: Exchange) -> Reply:
        services = self._services
        body = await exchange.body()
        since, until = read_time(body, "from"), read_time(body, "to")
        try:
            job = await request_export(
                services.store, services.clock, services.ids, exchange.scope, since, until, exchange.base_url
            )
        except InvalidParameter as error:
            raise Refused(INVALID, error.sentence) from None
        except Conflict as error:
            raise Refused(BUSY[0], error.sentence, BUSY[1]) from None
        services.export_requested()
        return Reply(202, {"jobId": job.id})

    async def _get(self, exchange: Exchange) -> Reply:
        try:
            job = await get_export(self._services.store, exchange.scope, exchange.part("job"))
        except NotFound:
            raise Refused(*INVALID_JOB) from None
        url = export_url(job, self._services.exports.links)
        told = {"status": job.status, "data": [url] if url else [], "expires": iso_milliseconds(job.expires_at)}
        return Reply(200, told)

    async def _cancel(self, exchange: Exchange) -> Reply:
        services = self._services
        try:
            await cancel_export(services.store, services.exports, exchange.scope, exchange.part("job"))
        except NotFound:
            raise Refused(*INVALID_JOB) from None
        return Reply(204, None)
