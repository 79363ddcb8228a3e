"""Where a subaccount's webhooks go: `/webhooks`.

What it is: one webhook for each of the vendor's types, listed, set (a POST of a type that is there replaces it) and
removed. What it is not: what is sent (`webhooks/formats`). Who uses it: `routes.py`. The value for the Authorization
header is never shown again, and bodies carry it as it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskline.api.eight.errors import ErrorShape, Refused
from maskline.api.eight.exchange import Exchange, Reply, Resource
from maskline.api.eight.fields import INVALID, optional_text, required_text
from maskline.api.services import ApiServices
from maskline.errors import InvalidParameter, NotFound
from maskline.storage.store import Endpoint
from maskline.webhooks.formats import eight, eight_action, eight_number, eight_recording, eight_status
from maskline.workflows.set_webhook import header_fault, list_webhook_targets, put_webhook, remove_webhook

TYPES = {
    "VCA": eight_action.KIND,
    "VCS": eight_status.KIND,
    "VSS": eight.KIND,
    "VRU": eight_recording.KIND,
    "VNU": eight_number.KIND,
}
_HEADER = "httpAuthHeader"
_TYPE_OF = {kind: name for name, kind in TYPES.items()}


class Webhooks:
    __slots__ = ("_services",)

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def resources(self) -> tuple[Resource, ...]:
        return (
            Resource(
                "/webhooks", ErrorShape.SERVICE,
                {"GET": ("list_webhooks", self._list), "POST": ("set_webhook", self._set)},
            ),
            Resource("/webhooks/{type}", ErrorShape.SERVICE, {"DELETE": ("remove_webhook", self._remove)}),
        )  # fmt: skip

    async def _list(self, exchange: Exchange) -> Reply:
        endpoints = await list_webhook_targets(self._services.store, exchange.account.id)
        by_type = {_TYPE_OF[one.kind]: one for one in endpoints if one.kind in _TYPE_OF}
        found = [webhook_object(name, by_type[name]) for name in TYPES if name in by_type]
        return Reply(
            200,
            {
                "subAccountId": exchange.path_id, "count": len(found), "webhooks": found,
                "statusCode": 0, "statusMessage": "ok",
            },
        )  # fmt: skip

    async def _set(self, exchange: Exchange) -> Reply:
        body = await exchange.body()
        kind = _kind(body.get("type"))
        authorization = optional_text(body, _HEADER)
        if fault := header_fault(authorization):
            raise Refused(INVALID, f"Invalid parameter. {_HEADER} {fault}")
        try:
            await put_webhook(
                self._services.store, exchange.account.id, kind, required_text(body, "url"),
                authorization=authorization, enabled=_enabled(body), now=self._services.clock.wall(),
                guard=self._services.guard,
            )  # fmt: skip
        except InvalidParameter as error:
            raise Refused(INVALID, error.sentence) from None
        return await self._list(exchange)

    async def _remove(self, exchange: Exchange) -> Reply:
        name = exchange.part("type")
        kind = _kind(name)
        store = self._services.store
        endpoints = await list_webhook_targets(store, exchange.account.id)
        found = next((one for one in endpoints if one.kind == kind), None)
        if found is None:
            raise NotFound("There is no webhook of this type.")
        await remove_webhook(store, exchange.account.id, kind)
        return Reply(200, {**webhook_object(name, found), "statusCode": 0, "statusMessage": "deleted"})


def webhook_object(name: str, endpoint: Endpoint) -> dict[str, Any]:
    return {
        "type": name, "url": endpoint.url, "enabled": endpoint.enabled,
        "httpAuthHeaderAvailable": bool(endpoint.authorization),
    }  # fmt: skip


def _kind(name: Any) -> str:
    kind = TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise Refused(INVALID, f"Invalid parameter. type allowed values are {' or '.join(TYPES)}")
    return kind


def _enabled(body: Mapping[str, Any]) -> bool:
    """Guides and the older schema call it `active`."""
    value = body.get("enabled", body.get("active", True))
    if not isinstance(value, bool):
        raise InvalidParameter("Invalid parameter. enabled should be a boolean", parameter="enabled")
    return value
