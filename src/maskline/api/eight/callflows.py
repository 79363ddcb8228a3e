"""Call flows that are started by request: POST `/callflows`.

What it is: the order read, workflow, body; which requests are repeats; the vendor's numbers as HTTP. What it is not: a
flow's form (`webhooks/formats/eight_flow.py`) or rules (`workflows/request_flow.py`). Who uses it: `routes.py`.
"""

from __future__ import annotations

import json
from typing import Any

from maskline.api.eight.errors import ErrorShape, Refused
from maskline.api.eight.exchange import Exchange, Reply, Resource
from maskline.api.once import HEADER, REPLAYED, read_once
from maskline.api.services import ApiServices
from maskline.webhooks.formats.eight_fault import FlowFault
from maskline.workflows.request_flow import RequestFlow

PATH = "/callflows"
CREATED = 1
"""`statusCode` of a flow that was taken."""


class CallFlows:
    __slots__ = ("_request_flow", "_services")

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._request_flow = RequestFlow(
            services.store, services.clock, services.ids, services.speech, requested=services.requested,
            strict=services.eight_strict,
        )  # fmt: skip

    def resources(self) -> tuple[Resource, ...]:
        return (Resource(PATH, ErrorShape.FLOW, {"POST": ("request_call_flow", self._create)}),)

    async def _create(self, exchange: Exchange) -> Reply:
        body = await exchange.text()
        try:
            asked = await self._request_flow.read(exchange.account, body)
            key, wall = exchange.header(HEADER), self._services.clock.wall()
            values = {} if key is None else json.loads(asked.raw)
            once = read_once(key, exchange.account.id, "POST " + PATH, values, wall)
            taken = await self._request_flow(exchange.account, asked, exchange.request_id, once)
        except FlowFault as fault:
            raise Refused(fault.code, fault.sentence, fault.http_status) from None
        told: dict[str, Any] = {
            "sessionId": taken.flow.id, "sessionStatus": "CREATED", "callFlowRequestId": taken.flow.request_id,
        }  # fmt: skip
        if asked.valid_until_text:
            told["validUntil"] = asked.valid_until_text
        told |= {"statusCode": CREATED, "statusMessage": "Created"}
        return Reply(200, told, REPLAYED if taken.repeated else {})
