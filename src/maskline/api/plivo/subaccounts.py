"""Subaccounts at `/Subaccount`: list, create, show, change, remove.

What it is: the shapes that Plivo's pages and clients have for them. What it is not: rules (`workflows`). Who uses it:
`routes.py`.

As at Plivo a subaccount is disabled unless `enabled` says otherwise, and whoever holds the main account's credentials
reads the subaccounts' tokens: they may act for them anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskline.api.once import HEADER, REPLAYED, read_once
from maskline.api.plivo.exchange import Exchange, Reply, Resource
from maskline.api.plivo.filters import page_meta, read_page, read_query
from maskline.api.plivo.numbers import date_text
from maskline.api.plivo.schemas import as_boolean
from maskline.api.services import ApiServices
from maskline.errors import InvalidParameter, MissingParameter
from maskline.storage.store import Account
from maskline.workflows.create_subaccount import create_subaccount
from maskline.workflows.get_subaccount import get_subaccount
from maskline.workflows.list_accounts import list_accounts
from maskline.workflows.remove_subaccount import remove_subaccount
from maskline.workflows.update_subaccount import update_subaccount

PATH = "/Subaccount"
LONGEST_NAME = 200


class SubaccountOperations:
    __slots__ = ("_services",)

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def resource(self) -> Resource:
        return Resource(
            PATH,
            {"GET": ("list_subaccounts", self._list), "POST": ("create_subaccount", self._create)},
            {
                "GET": ("get_subaccount", self._get),
                "POST": ("update_subaccount", self._update),
                "DELETE": ("remove_subaccount", self._remove),
            },
        )

    async def _list(self, exchange: Exchange) -> Reply:
        page = read_page(read_query(exchange.query))
        account_id = exchange.scope.main_account("manage subaccounts")
        found = await list_accounts(self._services.store, account_id)
        shown = found[page.offset : page.offset + page.limit]
        meta = page_meta(page, exchange.path + "/", len(found))
        objects = [subaccount_object(account) for account in shown]
        return Reply(200, {"api_id": exchange.api_id, "meta": meta, "objects": objects})

    async def _create(self, exchange: Exchange) -> Reply:
        services = self._services
        parent_id = exchange.scope.main_account("manage subaccounts")
        body = await exchange.body()
        name, enabled = _name(body), _enabled(body)
        if name is None:
            raise MissingParameter("Mandatory parameter missing. name must be present", parameter="name")
        asked = services.clock.wall()
        values = {"name": name, "enabled": bool(enabled)}
        once = read_once(exchange.header(HEADER), exchange.auth_id, "POST " + PATH, values, asked)
        account = await create_subaccount(
            services.store, services.clock, services.ids, parent_id, name, enabled=bool(enabled), once=once
        )
        made = {"auth_id": account.id, "auth_token": account.auth_token, "message": "created"}
        return Reply(201, {"api_id": exchange.api_id, **made}, REPLAYED if account.created_at < asked else {})

    async def _get(self, exchange: Exchange) -> Reply:
        account = await get_subaccount(self._services.store, exchange.scope, exchange.item)
        return Reply(200, {"api_id": exchange.api_id, **subaccount_object(account)})

    async def _update(self, exchange: Exchange) -> Reply:
        services = self._services
        body = await exchange.body()
        name, enabled = _name(body), _enabled(body)
        operation, values = f"POST {PATH}/{exchange.item}", {"name": name, "enabled": enabled}
        once = read_once(exchange.header(HEADER), exchange.auth_id, operation, values, services.clock.wall())
        account, is_new = await update_subaccount(
            services.store, services.clock, exchange.scope, exchange.item, name=name, enabled=enabled, once=once
        )
        services.authenticate.forget(account.id)
        return Reply(202, {"api_id": exchange.api_id, "message": "changed"}, {} if is_new else REPLAYED)

    async def _remove(self, exchange: Exchange) -> Reply:
        await remove_subaccount(self._services.store, self._services.clock, exchange.scope, exchange.item)
        self._services.authenticate.forget(exchange.item)
        return Reply(204, None)


def subaccount_object(account: Account) -> dict[str, Any]:
    parent = f"/v1/Account/{account.owner_id}/"
    return {
        "account": parent,
        "auth_id": account.id,
        "auth_token": account.auth_token,
        "created": date_text(account.created_at),
        "enabled": account.enabled,
        "modified": date_text(account.modified_at),
        "name": account.name,
        "new_auth_token": account.auth_token,
        "resource_uri": f"{parent}Subaccount/{account.id}/",
    }


def _name(body: Mapping[str, Any]) -> str | None:
    name = body.get("name")
    if name is None:
        return None
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidParameter(
            f"Invalid parameter. name should be at most {LONGEST_NAME} printable characters", parameter="name"
        )
    return name


def _enabled(body: Mapping[str, Any]) -> bool | None:
    """Node sends the words `true` and `false`."""
    raw = body.get("enabled")
    if raw is None or raw == "":
        return None
    enabled = as_boolean(raw)
    if enabled is None:
        raise InvalidParameter("Invalid parameter. enabled allowed values are true or false", parameter="enabled")
    return enabled
