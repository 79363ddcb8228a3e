"""The dialect of Plivo and VTS as a section of the dispatcher's table.

What it is: routing to the resources, the order authenticate → limit → operation, and the border at which every error
takes Plivo's shape. What it is not: the resources (`sessions.py` …) or rules. Who uses it: `api/app.py`.

Requests are read by the attribute table, so a model layer would run for nothing, and the OpenAPI document is derived
from the same table (docs/decisions/0007-starlette-for-the-plivo-dialect.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from pydantic_core import to_json

from maskline.api.dispatch import Endpoint, RawHeaders, Request, Response, Route, Section
from maskline.api.faults import place_of
from maskline.api.plivo.errors import INTERNAL, NO_SUCH_RESOURCE, WRONG_METHOD, error_body, error_headers
from maskline.api.plivo.exchange import Exchange, Operation, Resource
from maskline.api.plivo.numbers import NumberOperations
from maskline.api.plivo.openapi import openapi_document
from maskline.api.plivo.recordings import RecordingOperations
from maskline.api.plivo.sessions import SessionOperations
from maskline.api.plivo.subaccounts import SubaccountOperations
from maskline.api.services import ApiServices
from maskline.errors import MasklineError
from maskline.workflows.scope import Scope

PLIVO, VTS = "plivo", "vts"
"""Names of the flavours in metrics."""
# Bodies hold people's numbers: no cache on the way may keep them, no browser may take them for a page.
_HEADERS: RawHeaders = (
    (b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"),
)  # fmt: skip
_log = structlog.get_logger(__name__)


class PlivoDialect:
    __slots__ = ("_resources", "_services")

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._resources: tuple[Resource, ...] = (
            SessionOperations(services).resource(),
            *NumberOperations(services).resources(),
            SubaccountOperations(services).resource(),
            RecordingOperations(services).resource(),
        )

    def section(self, prefix: str, *, flat: bool = False) -> Section:
        """All that the dialect serves below `prefix`; `flat`: in the flavour of the VTS pages, whatever the host."""
        routes = [Route("/openapi.json", {"GET": self._openapi})]
        for resource in self._resources:
            path = "/Account/{auth_id}" + resource.path
            routes.append(Route(path, self._endpoints(resource.collection, flat)))
            routes.append(Route(path + "/{item}", self._endpoints(resource.item, flat)))
        return Section(prefix, routes, self._no_route)

    def _endpoints(self, operations: Mapping[str, tuple[str, Operation]], flat: bool) -> dict[str, Endpoint]:
        return {method: self._endpoint(name, operation, flat) for method, (name, operation) in operations.items()}

    def _endpoint(self, name: str, operation: Operation, always_flat: bool) -> Endpoint:
        services = self._services

        async def endpoint(request: Request) -> Response:
            started = services.clock.now()
            flat = always_flat or (bool(services.vts_hosts) and _host(request) in services.vts_hosts)
            response = await self._answer(request, operation, flat)
            dialect = VTS if flat else PLIVO
            services.metrics.count(dialect, name, response.status, services.clock.now() - started)
            return response

        return endpoint

    async def _answer(self, request: Request, operation: Operation, flat: bool) -> Response:
        api_id = self._services.ids.uuid()
        try:
            status, body, headers = await operation(await self._enter(request, api_id, flat))
        except MasklineError as error:
            return _json(error.http_status, error_body(api_id, error.sentence, error.detail), error_headers(error))
        except Exception as error:  # noqa: BLE001  the process edge: a bug must not reach the client as a traceback
            # Type and place only: the text of an unforeseen exception may hold a number.
            _log.error("request_failed", api_id=api_id, error=type(error).__name__, at=place_of(error))
            return _json(500, error_body(api_id, INTERNAL))
        return _json(status, body, headers)

    async def _enter(self, request: Request, api_id: str, flat: bool) -> Exchange:
        services = self._services
        path_id = request.params["auth_id"]
        account = await services.authenticate(request.header(b"authorization"), path_id)
        services.limiter.take(account.id, services.clock.now())
        return Exchange(request, api_id, account, Scope.of(account), services.public_url or request.base_url, flat)

    def _no_route(self, status: int, headers: RawHeaders) -> Response:
        sentence = WRONG_METHOD if status == 405 else NO_SUCH_RESOURCE
        self._services.metrics.count(PLIVO, "none", status, 0.0)
        body = to_json(error_body(self._services.ids.uuid(), sentence))
        return Response(status, body, (*_HEADERS, *headers))

    async def _openapi(self, _request: Request) -> Response:
        return _json(200, openapi_document(self._services.session_defaults))


def _json(status: int, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None) -> Response:
    more = ((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()) if headers else ()
    return Response(status, b"" if body is None else to_json(body), (*_HEADERS, *more))


def _host(request: Request) -> str:
    """The host of the request, without port."""
    return (request.header(b"host") or "").partition(":")[0].lower()
