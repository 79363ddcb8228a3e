"""The dialect of Plivo and VTS as a Starlette application to be mounted at `/v1`.

What it is: routing to the resources, the order authenticate → limit → operation, and the border at which every error
takes Plivo's shape. What it is not: the resources (`sessions.py` …) or rules. Who uses it: `api/app.py`.

Plain Starlette: requests are read by the attribute table, so a model layer would run for nothing, and the
OpenAPI document is derived from the same table (docs/decisions/0007-starlette-for-the-plivo-dialect.md).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from maskline.api.plivo.errors import INTERNAL, NO_SUCH_RESOURCE, WRONG_METHOD, error_body, error_headers
from maskline.api.plivo.exchange import Exchange, Operation, Resource
from maskline.api.plivo.openapi import openapi_document
from maskline.api.plivo.sessions import SessionOperations
from maskline.api.services import ApiServices
from maskline.errors import MasklineError
from maskline.workflows.scope import Scope

DIALECT = "plivo"
# Bodies hold people's numbers: no cache on the way may keep them, no browser may take them for a page.
_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_encode = json.JSONEncoder(separators=(",", ":")).encode
_log = structlog.get_logger(__name__)


class PlivoDialect:
    __slots__ = ("_resources", "_services")

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._resources: tuple[Resource, ...] = (SessionOperations(services).resource(),)

    def app(self) -> Starlette:
        routes = [Route("/openapi.json", self._openapi, methods=["GET"])]
        for resource in self._resources:
            path = "/Account/{auth_id}" + resource.path
            for suffix, operations in (("", resource.collection), ("/{item}", resource.item)):
                routes.append(Route(path + suffix, self._endpoint(operations), methods=list(operations)))
        app = Starlette(routes=routes, exception_handlers={404: self._no_route, 405: self._no_route})
        app.router.redirect_slashes = False
        return app

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
            status, body, headers = await operation(await self._enter(request, api_id))
        except MasklineError as error:
            return _json(error.http_status, error_body(api_id, error.sentence, error.detail), error_headers(error))
        except Exception as error:  # noqa: BLE001  the process edge: a bug must not reach the client as a traceback
            # Type and place only: the text of an unforeseen exception may hold a number.
            _log.error("request_failed", api_id=api_id, error=type(error).__name__, at=_place(error))
            return _json(500, error_body(api_id, INTERNAL))
        return _json(status, body, headers)

    async def _enter(self, request: Request, api_id: str) -> Exchange:
        services = self._services
        path_id = request.path_params["auth_id"]
        account = await services.authenticate(request.headers.get("authorization"), path_id)
        services.limiter.take(account.id, services.clock.now())
        base_url = services.public_url or f"{request.url.scheme}://{request.url.netloc}"
        return Exchange(request, api_id, account, Scope.of(account), base_url)

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
