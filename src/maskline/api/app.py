"""All of the HTTP side as one ASGI application: the dialects, `/healthz` and `/metrics`.

What it is: composition of what listens on the one port. What it is not: a server (`server.py`) or an owner of
resources: a mounted application's lifespan does not run, so the process opens and closes the store itself.
Who uses it: the product's `app.py`, and tests.
"""

from __future__ import annotations

import json
import re

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

import maskline
from maskline.api.auth import Authenticator
from maskline.api.health import Health, no_parts
from maskline.api.limits import RequestLimiter
from maskline.api.metrics import HttpMetrics
from maskline.api.plivo.routes import PlivoDialect
from maskline.api.services import ApiServices
from maskline.clock import Clock
from maskline.errors import MasklineError
from maskline.ids import Ids
from maskline.masking.session import SessionOptions
from maskline.storage.store import Store

_SLASHES = re.compile("//+")


def build_http_app(
    *,
    store: Store,
    clock: Clock,
    ids: Ids,
    registry: CollectorRegistry,
    session_defaults: SessionOptions | None = None,
    public_url: str = "",
    rate_limit: int = 0,
    health: Health = no_parts,
) -> ASGIApp:
    """Everything that answers HTTP. `store` is open already; `rate_limit` is requests per account in any five
    seconds (0: no limit); `health` tells the parts of the process; counters go to `registry`."""
    services = ApiServices(
        store, clock, ids, Authenticator(store, clock), RequestLimiter(rate_limit), HttpMetrics(registry),
        session_defaults or SessionOptions(), public_url,
    )  # fmt: skip

    async def healthz(_request: Request) -> Response:
        return await _health_response(health)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    root = Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/metrics", metrics, methods=["GET"]),
            Mount("/v1", PlivoDialect(services).app()),
        ],
        exception_handlers={404: _no_route, 405: _no_route},
    )
    # A redirect from /v1 to /v1/ would meet OneSlash and come back for ever.
    root.router.redirect_slashes = False
    return OneSlash(root)


class OneSlash:
    """Serves `/a/b`, `/a/b/` and `/a//b` alike: SDKs differ, and a redirect would lose body and credentials
    (plivo-vts.md §1)."""

    __slots__ = ("_app",)

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if "//" in path or path.endswith("/"):
                scope = {**scope, "path": _SLASHES.sub("/", path).rstrip("/") or "/"}
        await self._app(scope, receive, send)


async def _health_response(health: Health) -> Response:
    try:
        parts = await health()
    except MasklineError as error:
        return _json(503, {"status": "down", "version": maskline.__version__, "detail": error.sentence, "parts": {}})
    serving = all(part.ok for part in parts.values() if part.essential)
    whole = all(part.ok for part in parts.values())
    return _json(
        200 if serving else 503,
        {
            "status": "ok" if whole else "degraded" if serving else "down",
            "version": maskline.__version__,
            "parts": {name: {"ok": part.ok, "detail": part.detail} for name, part in parts.items()},
        },
    )


async def _no_route(_request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    sentence = "This method is not allowed here." if status == 405 else "There is nothing at this address."
    return _json(status, {"error": sentence}, getattr(error, "headers", None))


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers=headers, media_type="application/json")
