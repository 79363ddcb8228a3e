"""The dialect of 8x8 as a section of the dispatcher's table.

What it is: routing to the resources, the order authenticate → limit → operation, and the border at which every error
takes its resource's shape. What it is not: the resources (`callflows.py` …) or rules. Who uses it: `api/app.py`.

A resource is a class with `resources()`; it is added in `EightDialect.__init__`, and its part of the OpenAPI document
in `openapi.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from pydantic_core import to_json

from maskline.api.dispatch import Endpoint, RawHeaders, Request, Response, Route, Section
from maskline.api.eight.auth import BearerAuthenticator
from maskline.api.eight.callflows import CallFlows
from maskline.api.eight.errors import (
    NO_SUCH_RESOURCE,
    UNKNOWN,
    WRONG_METHOD,
    ErrorShape,
    error_body,
    error_headers,
    plain_body,
)
from maskline.api.eight.exchange import Exchange, Operation, Resource
from maskline.api.eight.exports import Exports
from maskline.api.eight.numbers import Numbers
from maskline.api.eight.openapi import openapi_document
from maskline.api.eight.push_config import PushConfigs
from maskline.api.eight.recordings import Recordings
from maskline.api.eight.speech_profiles import SpeechProfiles
from maskline.api.eight.webhooks import Webhooks
from maskline.api.faults import place_of
from maskline.api.services import ApiServices
from maskline.errors import MasklineError
from maskline.workflows.scope import Scope

EIGHT = "eight"
"""Name of the dialect in metrics."""
PREFIX = "/api/v1"
_ACCOUNT = "/subaccounts/{account}"
# Bodies hold people's numbers: no cache on the way may keep them, no browser may take them for a page.
_HEADERS: RawHeaders = (
    (b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"),
)  # fmt: skip
_log = structlog.get_logger(__name__)


class EightDialect:
    __slots__ = ("_authenticate", "_resources", "_services")

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._authenticate = BearerAuthenticator(services.store, services.clock)
        self._resources: tuple[Resource, ...] = (
            *CallFlows(services).resources(),
            *SpeechProfiles(services).resources(),
            *Webhooks(services).resources(),
            *Numbers(services).resources(),
            *PushConfigs(services).resources(),
            *Recordings(services).resources(),
            *Exports(services).resources(),
        )

    def section(self, prefix: str = PREFIX) -> Section:
        """All that the dialect serves below `prefix`."""
        routes = [Route("/openapi.json", {"GET": self._openapi})]
        routes += [Route(_ACCOUNT + resource.path, self._endpoints(resource)) for resource in self._resources]
        return Section(prefix, routes, self._no_route)

    def _endpoints(self, resource: Resource) -> dict[str, Endpoint]:
        return {
            method: self._endpoint(resource.shape, name, operation)
            for method, (name, operation) in resource.operations.items()
        }

    def _endpoint(self, shape: ErrorShape, name: str, operation: Operation) -> Endpoint:
        services = self._services

        async def endpoint(request: Request) -> Response:
            started = services.clock.now()
            response = await self._answer(request, shape, operation)
            services.metrics.count(EIGHT, name, response.status, services.clock.now() - started)
            return response

        return endpoint

    async def _answer(self, request: Request, shape: ErrorShape, operation: Operation) -> Response:
        services = self._services
        request_id = services.ids.uuid()
        try:
            status, body, headers = await operation(await self._enter(request, request_id))
        except MasklineError as error:
            told = error_body(shape, error, request_id, services.clock.wall())
            return _json(error.http_status, told, error_headers(error))
        except Exception as error:  # noqa: BLE001  the process edge: a bug must not reach the client as a traceback
            # Type and place only: the text of an unforeseen exception may hold a number.
            _log.error("request_failed", api_id=request_id, error=type(error).__name__, at=place_of(error))
            return _json(500, plain_body(shape, 500, UNKNOWN, request_id, services.clock.wall()))
        return _json(status, body, headers)

    async def _enter(self, request: Request, request_id: str) -> Exchange:
        services = self._services
        account = await self._authenticate(request.header(b"authorization"), request.params["account"])
        services.limiter.take(account.id, services.clock.now())
        return Exchange(request, request_id, account, Scope.of(account), services.public_url or request.base_url)

    def _no_route(self, status: int, headers: RawHeaders) -> Response:
        services = self._services
        sentence = WRONG_METHOD if status == 405 else NO_SUCH_RESOURCE
        services.metrics.count(EIGHT, "none", status, 0.0)
        body = plain_body(ErrorShape.PLATFORM, status, sentence, services.ids.uuid(), services.clock.wall())
        return Response(status, to_json(body), (*_HEADERS, *headers))

    async def _openapi(self, _request: Request) -> Response:
        return _json(200, openapi_document())


def _json(status: int, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None) -> Response:
    more = ((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()) if headers else ()
    return Response(status, b"" if body is None else to_json(body), (*_HEADERS, *more))
