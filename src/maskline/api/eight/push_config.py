"""Where a subaccount's recordings are pushed: `/recording-push-config`.

What it is: the configuration without its password. What it is not: rules (`workflows/push_configs.py`). Who uses it:
`routes.py`. `privateKey` is ours: an SFTP server may know a key instead of a password.
"""

from __future__ import annotations

from typing import Any

from maskline.api.eight.errors import ErrorShape, Refused
from maskline.api.eight.exchange import Exchange, Reply, Resource
from maskline.api.eight.fields import INVALID, optional_text, required_text
from maskline.api.services import ApiServices
from maskline.errors import InvalidParameter
from maskline.storage.kept import PushConfig
from maskline.workflows.push_configs import PushWish, get_push_config, remove_push_config, set_push_config


class PushConfigs:
    __slots__ = ("_services",)

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def resources(self) -> tuple[Resource, ...]:
        operations = {
            "GET": ("get_push_config", self._get), "POST": ("set_push_config", self._set),
            "DELETE": ("remove_push_config", self._remove),
        }  # fmt: skip
        return (Resource("/recording-push-config", ErrorShape.SERVICE, operations),)

    async def _get(self, exchange: Exchange) -> Reply:
        return _reply(await get_push_config(self._services.store, exchange.account.id), "ok")

    async def _set(self, exchange: Exchange) -> Reply:
        body = await exchange.body()
        port = body.get("port")
        if port is not None and (isinstance(port, bool) or not isinstance(port, int)):
            raise Refused(INVALID, "Invalid parameter. port should be a whole number")
        wish = PushWish(
            required_text(body, "protocol"), required_text(body, "host"), optional_text(body, "path"),
            required_text(body, "username"), port, optional_text(body, "password"), optional_text(body, "privateKey"),
        )  # fmt: skip
        try:
            services = self._services
            config = await set_push_config(services.store, services.clock, exchange.account.id, wish, services.guard)
        except InvalidParameter as error:
            raise Refused(INVALID, error.sentence) from None
        return _reply(config, "ok")

    async def _remove(self, exchange: Exchange) -> Reply:
        return _reply(await remove_push_config(self._services.store, exchange.account.id), "deleted")


def _reply(config: PushConfig, message: str) -> Reply:
    told: dict[str, Any] = {
        "protocol": config.protocol, "host": config.host, "port": config.port, "username": config.username,
        "path": config.path, "passwordSet": bool(config.password), "privateKeySet": bool(config.private_key),
        "statusCode": 0, "statusMessage": message,
    }  # fmt: skip
    return Reply(200, told)
