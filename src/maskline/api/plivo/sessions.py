"""Masking sessions at `/Masking/Session`: create, list, get, update, expire.

What it is: the order read, workflow, shape of each operation. What it is not: rules (`workflows`), or the border
(`routes.py`). Who uses it: `routes.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from maskline.api.plivo.exchange import Exchange, Reply, Resource
from maskline.api.plivo.filters import page_meta, read_list
from maskline.api.plivo.schemas import read_create, read_update
from maskline.api.plivo.serializer import session_object
from maskline.api.services import ApiServices
from maskline.masking.session import Session
from maskline.workflows.create_session import CreateSession
from maskline.workflows.expire_session import expire_session
from maskline.workflows.get_session import get_session
from maskline.workflows.list_sessions import list_sessions
from maskline.workflows.update_session import update_session


class SessionOperations:
    __slots__ = ("_create_session", "_defaults", "_services")

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        # True is what nearly every session ends up with; the workflow sets what holds.
        self._defaults = replace(services.session_defaults, geomatch=True)
        self._create_session = CreateSession(services.store, services.clock, services.ids)

    def resource(self) -> Resource:
        return Resource(
            "/Masking/Session",
            {"GET": ("list", self._list), "POST": ("create", self._create)},
            {"GET": ("get", self._get), "POST": ("update", self._update), "DELETE": ("expire", self._expire)},
        )

    async def _create(self, exchange: Exchange) -> Reply:
        wish = read_create(await exchange.body(), self._defaults)
        session = await self._create_session(exchange.scope, wish)
        return Reply(201, {
            "api_id": exchange.api_id,
            "session_uuid": session.id,
            "virtual_number": session.virtual_number.e164,
            "message": "Session created",
            "session": self._object(exchange, session),
        })  # fmt: skip

    async def _get(self, exchange: Exchange) -> Reply:
        session = await get_session(self._services.store, exchange.scope, exchange.item)
        return Reply(200, {"api_id": exchange.api_id, "response": self._object(exchange, session)})

    async def _list(self, exchange: Exchange) -> Reply:
        services = self._services
        query = read_list(exchange.query, services.clock.wall())
        sessions, total = await list_sessions(
            services.store, services.clock, exchange.scope, query.wanted, limit=query.limit, offset=query.offset
        )
        path = f"/v1/Account/{exchange.auth_id}/Masking/Session/"
        objects = [
            self._object(exchange, session) | {"resource_uri": f"{path}{session.id}/"} for session in sessions
        ]  # fmt: skip
        meta = page_meta(query, path, total)
        return Reply(200, {"api_id": exchange.api_id, "response": {"meta": meta, "objects": objects}})

    async def _update(self, exchange: Exchange) -> Reply:
        wanted = read_update(await exchange.body())
        session = await update_session(
            self._services.store, self._services.clock, exchange.scope, exchange.item, wanted
        )  # fmt: skip
        return Reply(200, {
            "api_id": exchange.api_id,
            "message": "Session updated",
            "session": self._object(exchange, session),
        })  # fmt: skip

    async def _expire(self, exchange: Exchange) -> Reply:
        await expire_session(self._services.store, self._services.clock, exchange.scope, exchange.item)
        return Reply(200, {"api_id": exchange.api_id, "message": "Session expired"})

    def _object(self, exchange: Exchange, session: Session) -> dict[str, Any]:
        return session_object(session, exchange.base_url, self._services.clock.wall())
