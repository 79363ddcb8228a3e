"""Masking sessions at `/Masking/Session`: create, list, get, update, expire.

What it is: the order read, workflow, body of each operation, and which requests are repeats. What it is not: rules
(`workflows`), or the border (`routes.py`). Who uses it: `routes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from maskline.api.once import HEADER, REPLAYED, read_once
from maskline.api.plivo.exchange import Exchange, Reply, Resource
from maskline.api.plivo.filters import ListQuery, read_list
from maskline.api.plivo.schemas import WishMaker, read_create, read_update
from maskline.api.plivo.serializer import PlivoBodies
from maskline.api.plivo.vts import VtsBodies
from maskline.api.services import ApiServices
from maskline.masking.session import Session
from maskline.workflows.create_session import CreateSession
from maskline.workflows.expire_session import expire_session
from maskline.workflows.get_session import get_session
from maskline.workflows.list_sessions import list_sessions
from maskline.workflows.update_session import UpdateSession

PATH = "/Masking/Session"


class Bodies(Protocol):
    """How one flavour writes its answers; `wall` is the second as of which the status is told."""

    def created(self, exchange: Exchange, session: Session, wall: float) -> Mapping[str, Any]: ...
    def retrieved(self, exchange: Exchange, session: Session, wall: float) -> Mapping[str, Any]: ...
    def updated(self, exchange: Exchange, session: Session, wall: float) -> Mapping[str, Any]: ...
    def listed(
        self, exchange: Exchange, sessions: Sequence[Session], query: ListQuery, total: int, wall: float
    ) -> Mapping[str, Any]: ...


_BODIES: dict[bool, Bodies] = {False: PlivoBodies(), True: VtsBodies()}


class SessionOperations:
    __slots__ = ("_create_session", "_services", "_update_session", "_wish")

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        # True is what nearly every session ends up with; the workflow sets what holds.
        self._wish = WishMaker(replace(services.session_defaults, geomatch=True))
        self._create_session = CreateSession(
            services.store, services.clock, services.ids, services.created, services.committed
        )
        self._update_session = UpdateSession(
            services.store, services.clock, services.ids, services.update_outbox, services.committed
        )

    def resource(self) -> Resource:
        return Resource(
            PATH,
            {"GET": ("list", self._list), "POST": ("create", self._create)},
            {"GET": ("get", self._get), "POST": ("update", self._update), "DELETE": ("expire", self._expire)},
        )

    async def _create(self, exchange: Exchange) -> Reply:
        services = self._services
        values = read_create(await exchange.body())
        asked = services.clock.wall()
        once = read_once(
            exchange.header(HEADER), exchange.auth_id, "POST " + PATH, values, asked, services.create_window
        )  # fmt: skip
        session = await self._create_session(exchange.scope, self._wish(values), once)
        body = _BODIES[exchange.flat].created(exchange, session, services.clock.wall())
        return Reply(201, body, REPLAYED if session.created_at < asked else {})

    async def _get(self, exchange: Exchange) -> Reply:
        session = await get_session(self._services.store, exchange.scope, exchange.item)
        return Reply(200, _BODIES[exchange.flat].retrieved(exchange, session, self._services.clock.wall()))

    async def _list(self, exchange: Exchange) -> Reply:
        services = self._services
        query = read_list(exchange.query, services.clock.wall())
        sessions, total = await list_sessions(
            services.store, services.clock, exchange.scope, query.wanted, limit=query.limit, offset=query.offset
        )
        return Reply(200, _BODIES[exchange.flat].listed(exchange, sessions, query, total, services.clock.wall()))

    async def _update(self, exchange: Exchange) -> Reply:
        services = self._services
        values = read_update(await exchange.body())
        asked = services.clock.wall()
        operation = f"POST {PATH}/{exchange.item}"
        once = read_once(exchange.header(HEADER), exchange.auth_id, operation, values, asked)
        session = await self._update_session(exchange.scope, exchange.item, values, once)
        body = _BODIES[exchange.flat].updated(exchange, session, services.clock.wall())
        return Reply(200, body, REPLAYED if once is not None and session.modified_at < asked else {})

    async def _expire(self, exchange: Exchange) -> Reply:
        services = self._services
        await expire_session(services.store, services.clock, exchange.scope, exchange.item, services.ended)
        return Reply(200, {"api_id": exchange.api_id, "message": "Session expired"})
