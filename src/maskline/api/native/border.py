"""Where requests of our own API come in: who asks, the one error shape, counting.

What it is: an endpoint made of an operation. What it is not: routes or operations (`routes.py`, `operator.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import structlog
from pydantic_core import to_json

from maskline.api.dispatch import Endpoint, RawHeaders, Request, Response
from maskline.api.faults import place_of
from maskline.api.services import ApiServices
from maskline.errors import MasklineError, NotAuthenticated

NATIVE = "native"
"""Name of the dialect in metrics."""
HEADERS: RawHeaders = (
    (b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"),
)  # fmt: skip
_LONGEST_KEY = 512
_log = structlog.get_logger(__name__)

W = TypeVar("W")
Answer = tuple[int, Mapping[str, Any]]


def endpoint(
    services: ApiServices, name: str, who: Callable[[str], Awaitable[W]],
    operation: Callable[[Request, W], Awaitable[Answer]],
) -> Endpoint:  # fmt: skip
    """`who`: whose a Bearer key is; raises `NotAuthenticated`. `name` is for metrics."""

    async def answer(request: Request) -> Answer:
        request_id = services.ids.uuid()
        try:
            return await operation(request, await who(read_bearer(request.header(b"authorization"))))
        except MasklineError as error:
            return error.http_status, fault(error.code, error.sentence, request_id)
        except Exception as error:  # noqa: BLE001  the process edge: a bug must not reach the client as a traceback
            _log.error("request_failed", api_id=request_id, error=type(error).__name__, at=place_of(error))
            return 500, fault("internal", "Something went wrong here.", request_id)

    async def counted(request: Request) -> Response:
        started = services.clock.now()
        status, body = await answer(request)
        services.metrics.count(NATIVE, name, status, services.clock.now() - started)
        return Response(status, to_json(body), HEADERS)

    return counted


def read_bearer(authorization: str | None) -> str:
    """The key of an Authorization header (RFC 6750 §2.1); raises `NotAuthenticated`."""
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip() or len(text) > _LONGEST_KEY:
        raise NotAuthenticated
    return text.strip()


def fault(code: str, sentence: str, request_id: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": sentence}, "requestId": request_id}
