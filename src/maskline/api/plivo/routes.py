"""The five masking-session operations of Plivo and VTS, as a Starlette application to be mounted at `/v1`.

What it is: routing, the order authenticate → limit → read → workflow → serialise, and the border at which
every error takes Plivo's shape. What it is not: rules. Who uses it: `api/app.py`.

Plain Starlette: requests are read by the attribute table, so a model layer would run for nothing, and the
OpenAPI document is derived from the same table (docs/decisions/0007-starlette-for-the-plivo-dialect.md).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from maskline.api.body import read_object
from maskline.api.plivo.errors import INTERNAL, NO_SUCH_RESOURCE, WRONG_METHOD, error_body, error_headers
from maskline.api.plivo.filters import page_meta, read_list
from maskline.api.plivo.openapi import openapi_document
from maskline.api.plivo.schemas import read_create, read_update
from maskline.api.plivo.serializer import session_object
from maskline.api.services import ApiServices
from maskline.errors import MasklineError
from maskline.masking.session import Session
from maskline.workflows.create_session import CreateSession
from maskline.workflows.expire_session import expire_session
from maskline.workflows.get_session import get_session
from maskline.workflows.list_sessions import list_sessions
from maskline.workflows.scope import Scope
from maskline.workflows.update_session import update_session

DIALECT = "plivo"
COLLECTION = "/Account/{auth_id}/Masking/Session"
# Bodies hold people's numbers: no cache on the way may keep them, no browser may take them for a page.
_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_encode = json.JSONEncoder(separators=(",", ":")).encode
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One authenticated request on its way to an operation."""

    request: Request
    api_id: str
    auth_id: str
    """The account of the path."""
    scope: Scope
    base_url: str

    @property
    def session_id(self) -> str:
        return str(self.request.path_params["session_uuid"])


Operation = Callable[[Exchange], Awaitable[tuple[int, dict[str, Any]]]]
"""Answers status and body; raises `MasklineError`."""


class PlivoDialect:
    __slots__ = ("_create_session", "_defaults", "_services")

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        # True is what nearly every session ends up with; the workflow sets what holds.
        self._defaults = replace(services.session_defaults, geomatch=True)
        self._create_session = CreateSession(services.store, services.clock, services.ids)

    def app(self) -> Starlette:
        collection = {"GET": ("list", self._list), "POST": ("create", self._create)}
        single = {
            "GET": ("get", self._get), "POST": ("update", self._update), "DELETE": ("expire", self._expire),
        }  # fmt: skip
        app = Starlette(
            routes=[
                Route("/openapi.json", self._openapi, methods=["GET"]),
                Route(COLLECTION, self._endpoint(collection), methods=list(collection)),
                Route(COLLECTION + "/{session_uuid}", self._endpoint(single), methods=list(single)),
            ],
            exception_handlers={404: self._no_route, 405: self._no_route},
        )
        app.router.redirect_slashes = False
        return app

    # -- the five operations -----------------------------------------------------------------------------------
    async def _create(self, exchange: Exchange) -> tuple[int, dict[str, Any]]:
        wish = read_create(await read_object(exchange.request), self._defaults)
        session = await self._create_session(exchange.scope, wish)
        return 201, {
            "api_id": exchange.api_id,
            "session_uuid": session.id,
            "virtual_number": session.virtual_number.e164,
            "message": "Session created",
            "session": self._object(exchange, session),
        }

    async def _get(self, exchange: Exchange) -> tuple[int, dict[str, Any]]:
        session = await get_session(self._services.store, exchange.scope, exchange.session_id)
        return 200, {"api_id": exchange.api_id, "response": self._object(exchange, session)}

    async def _list(self, exchange: Exchange) -> tuple[int, dict[str, Any]]:
        services = self._services
        query = read_list(exchange.request.scope["query_string"], services.clock.wall())
        found, total = await list_sessions(
            services.store, services.clock, exchange.scope, query.wanted, limit=query.limit, offset=query.offset
        )
        path = f"/v1/Account/{exchange.auth_id}/Masking/Session/"
        objects = [self._object(exchange, session) | {"resource_uri": f"{path}{session.id}/"} for session in found]
        return 200, {
            "api_id": exchange.api_id,
            "response": {"meta": page_meta(query, path, total), "objects": objects},
        }

    async def _update(self, exchange: Exchange) -> tuple[int, dict[str, Any]]:
        wanted = read_update(await read_object(exchange.request))
        session = await update_session(
            self._services.store, self._services.clock, exchange.scope, exchange.session_id, wanted
        )
        return 200, {
            "api_id": exchange.api_id,
            "message": "Session updated",
            "session": self._object(exchange, session),
        }

    async def _expire(self, exchange: Exchange) -> tuple[int, dict[str, Any]]:
        await expire_session(self._services.store, self._services.clock, exchange.scope, exchange.session_id)
        return 200, {"api_id": exchange.api_id, "message": "Session expired"}

    def _object(self, exchange: Exchange, session: Session) -> dict[str, Any]:
        return session_object(session, exchange.base_url, self._services.clock.wall())

    # -- the border --------------------------------------------------------------------------------------------
    def _endpoint(self, operations: Mapping[str, tuple[str, Operation]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            name, operation = operations["GET" if request.method == "HEAD" else request.method]
            started = self._services.clock.now()
            response = await self._answer(request, operation)
            self._services.metrics.count(DIALECT, name, response.status_code, self._services.clock.now() - started)
            return response

        return endpoint

    async def _answer(self, request: Request, operation: Operation) -> Response:
        api_id = self._services.ids.uuid()
        try:
            status, body = await operation(await self._enter(request, api_id))
        except MasklineError as error:
            return _json(error.http_status, error_body(api_id, error.sentence, error.detail), error_headers(error))
        except Exception as error:  # noqa: BLE001  the process edge: a bug must not reach the client as a traceback
            # Type and place only: the text of an unforeseen exception may hold a number.
            _log.error("request_failed", api_id=api_id, error=type(error).__name__, at=_place(error))
            return _json(500, error_body(api_id, INTERNAL))
        return _json(status, body)

    async def _enter(self, request: Request, api_id: str) -> Exchange:
        services = self._services
        path_id = request.path_params["auth_id"]
        account = await services.authenticate(request.headers.get("authorization"), path_id)
        services.limiter.take(account.id, services.clock.now())
        base_url = services.public_url or f"{request.url.scheme}://{request.url.netloc}"
        return Exchange(request, api_id, account.id, Scope.of(account), base_url)

    async def _no_route(self, _request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        sentence = WRONG_METHOD if status == 405 else NO_SUCH_RESOURCE
        self._services.metrics.count(DIALECT, "none", status, 0.0)
        return _json(status, error_body(self._services.ids.uuid(), sentence), headers)

    async def _openapi(self, _request: Request) -> Response:
        return _json(200, openapi_document(self._services.session_defaults))


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(_encode(body), status, headers={**_PRIVATE, **(headers or {})}, media_type="application/json")


def _place(error: Exception) -> str:
    """`file:line` of the innermost frame."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "?"
    return f"{traceback.tb_frame.f_code.co_filename.rpartition('/maskline/')[2]}:{traceback.tb_lineno}"
