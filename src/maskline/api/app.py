"""All of the HTTP side as one ASGI application: the dialects, recordings by link, `/healthz` and `/metrics`.

What it is: composition of what listens on the one port. What it is not: a server (`server.py`) or an owner of
resources: the process opens and closes the store itself. Who uses it: the product's `app.py`, and tests.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

import maskline
from maskline.api.auth import Authenticator
from maskline.api.dispatch import AsgiApp, Dispatcher, RawHeaders, Request, Response, Route, Section
from maskline.api.eight.routes import EightDialect
from maskline.api.exports import ExportDownload
from maskline.api.health import Health, no_parts
from maskline.api.limits import RequestLimiter
from maskline.api.metrics import HttpMetrics
from maskline.api.native.routes import NativeDialect
from maskline.api.plivo.routes import PlivoDialect
from maskline.api.recordings import RecordingDownload
from maskline.api.services import ApiServices, OperatorAccess
from maskline.clock import Clock
from maskline.errors import MasklineError
from maskline.ids import Ids
from maskline.masking.session import SessionOptions
from maskline.media.speech.voice import NoSpeech, SpeechEngine
from maskline.net.guard import AddressGuard
from maskline.storage.store import Store
from maskline.workflows.build_outbox import NO_LINKS, param_update_outbox
from maskline.workflows.exports import ExportPlan, OpenExport
from maskline.workflows.hooks import CallHook, Notify, SessionHook, nobody_asks, nobody_carries, nobody_waits
from maskline.workflows.open_recording import OpenRecording
from maskline.workflows.process_recordings import RecordingPlan
from maskline.workflows.recording_links import RecordingLinks
from maskline.workflows.update_session import UpdateOutbox


def build_http_app(
    *,
    store: Store,
    clock: Clock,
    ids: Ids,
    registry: CollectorRegistry,
    session_defaults: SessionOptions | None = None,
    public_url: str = "",
    rate_limit: int = 0,
    create_window: float = 0.0,
    vts_hosts: Collection[str] = (),
    update_outbox: UpdateOutbox = param_update_outbox,
    committed: Notify = nobody_waits,
    created: SessionHook = nobody_asks,
    ended: SessionHook = nobody_asks,
    health: Health = no_parts,
    recordings: RecordingPlan | None = None,
    links: RecordingLinks = NO_LINKS,
    speech: SpeechEngine | None = None,
    eight_strict: bool = False,
    requested: Notify = nobody_waits,
    exports: ExportPlan | None = None,
    export_requested: Notify = nobody_waits,
    guard: AddressGuard | None = None,
    operator: OperatorAccess | None = None,
    end_asked: CallHook = nobody_carries,
) -> AsgiApp:
    """Everything that answers HTTP. `store` is open already; `rate_limit` is requests per account in any five
    seconds (0: no limit); `create_window`, `vts_hosts` and what follows as in `ApiServices`; `health`
    tells the parts of the process; counters go to `registry`."""
    services = ApiServices(
        store, clock, ids, Authenticator(store, clock), RequestLimiter(rate_limit), HttpMetrics(registry),
        session_defaults or SessionOptions(), public_url, create_window, frozenset(map(str.lower, vts_hosts)),
        update_outbox, committed, created, ended, recordings or RecordingPlan(), links,
        speech or NoSpeech(), eight_strict, requested, exports or ExportPlan(), export_requested,
        guard or AddressGuard(), operator or OperatorAccess(), end_asked,
    )  # fmt: skip

    common = (*_watch_routes(registry, health), *_downloads(services))
    plivo = PlivoDialect(services)
    return Dispatcher(
        [
            plivo.section("/v1"), plivo.section("/vts/v1", flat=True), EightDialect(services).section(),
            NativeDialect(services).section(), Section("", common, _no_route),
        ]
    )  # fmt: skip


def build_watch_app(registry: CollectorRegistry, health: Health) -> AsgiApp:
    """What a process without API answers: /healthz and /metrics."""
    return Dispatcher([Section("", _watch_routes(registry, health), _no_route)])


def _watch_routes(registry: CollectorRegistry, health: Health) -> tuple[Route, Route]:
    async def healthz(_request: Request) -> Response:
        return await _health_response(health)

    async def metrics(_request: Request) -> Response:
        return Response(200, generate_latest(registry), ((b"content-type", CONTENT_TYPE_LATEST.encode()),))

    return (Route("/healthz", {"GET": healthz}), Route("/metrics", {"GET": metrics}))


def _downloads(services: ApiServices) -> tuple[Route, Route]:
    """Files behind signed links."""
    recordings = OpenRecording(services.store, services.clock, services.links, services.recordings)
    exports = OpenExport(services.store, services.clock, services.exports)
    return (
        Route("/recordings/{name}", {"GET": RecordingDownload(recordings)}),
        Route("/exports/{name}", {"GET": ExportDownload(exports)}),
    )


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


def _no_route(status: int, headers: RawHeaders) -> Response:
    sentence = "This method is not allowed here." if status == 405 else "There is nothing at this address."
    return _json(status, {"error": sentence}, headers)


def _json(status: int, body: object, headers: RawHeaders = ()) -> Response:
    return Response(status, json.dumps(body).encode(), ((b"content-type", b"application/json"), *headers))
