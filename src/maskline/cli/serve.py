"""`maskline serve`: the whole product in one process.

What it is: the terminal's side of the server: settings, logs, event loop, signals, and what is printed. What it is
not: the parts (`app.py`), which are imported inside the command, so that other commands stay quick.

First SIGINT or SIGTERM: no new calls, those in progress may end for MASKLINE_DRAIN_TIMEOUT seconds. Second one: hang up
and end at once. Exit codes: 0 after a signal, 1 when a part failed, 2 when it cannot start as configured.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog
import typer

from maskline import __version__, logs
from maskline.cli.output import JsonFlag, emit, fail, warn
from maskline.setting_values import MediaChoice
from maskline.settings import Settings, load_settings, unknown_variables
from maskline.workflows.list_accounts import list_accounts

if TYPE_CHECKING:
    from maskline.app import Application

_log = structlog.get_logger("maskline.serve")


def serve(as_json: JsonFlag = False) -> None:
    """Run API, SIP engine, media relay and webhook deliverer until a signal ends them."""
    settings = load_settings()
    logs.configure(settings.log_level, settings.log_format)
    for name, nearest in unknown_variables(os.environ).items():
        _log.warning("unknown_setting", name=name, nearest=nearest or None)
    if "sip_tls_port" in settings.model_fields_set:
        _log.warning("setting_reserved", name="MASKLINE_SIP_TLS_PORT", not_opened=settings.sip_tls_port)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        code = runner.run(_serve(settings, as_json))
    if code:
        raise typer.Exit(code)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed: 0.21 instead of 0.37 ms of CPU per call (sip.md §4, rule 10)."""
    try:
        return importlib.import_module("uvloop").new_event_loop  # type: ignore[no-any-return]
    except ImportError:
        return None


async def _serve(settings: Settings, as_json: bool) -> int:
    from maskline.app import Application

    signals = Signals()
    app = Application(settings)
    try:
        await app.start()
        await _announce(app, as_json)
        failed = await app.wait(signals.first.wait())
        _log.info("server_stopping", calls=len(app.engine.core.calls))
        await app.drain(signals.second.wait())
    finally:
        await app.stop()
        signals.restore()
    _log.info("server_stopped")
    if failed is not None:
        fail(f"the {failed} ended by itself; the log says why.")
    return 0 if failed is None else 1


class Signals:
    """SIGINT and SIGTERM as two events: the first one asks, the second one insists."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._arrived)

    def _arrived(self) -> None:
        (self.second if self.first.is_set() else self.first).set()

    def restore(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.remove_signal_handler(number)


async def _announce(app: Application, as_json: bool) -> None:
    """What runs where, once all of it does."""
    settings = app.settings
    accounts = len(await list_accounts(app.services.store))
    _log.info("server_started", http=f"{settings.http_host}:{settings.http_port}", sip=_sip(settings))
    emit(as_json, _document(settings, accounts), _summary(settings, accounts))
    if settings.media is MediaChoice.NONE:
        warn("MASKLINE_MEDIA=none: signalling only, parties see each other's media address. For tests and benchmarks.")


def _document(settings: Settings, accounts: int) -> dict[str, Any]:
    return {
        "version": __version__,
        "pid": os.getpid(),
        "http": f"http://{settings.http_host}:{settings.http_port}",
        "sip": _sip(settings),
        "media": settings.media,
        "accounts": accounts,
        "settings": settings.summary(),
    }


def _summary(settings: Settings, accounts: int) -> str:
    media = {
        MediaChoice.EMBEDDED: f"embedded relay on {settings.media_host}, ports {settings.media_ports}",
        MediaChoice.RTPENGINE: f"rtpengine at {settings.rtpengine}",
        MediaChoice.NONE: "none (signalling only)",
    }[settings.media]
    lines = [
        f"Maskline {__version__} is running.",
        f"  API    http://{settings.http_host}:{settings.http_port}/v1/   (also /healthz and /metrics)",
        f"  SIP    {_sip(settings)}",
        f"  media  {media}",
        f"  data   {settings.database_file}, key in {settings.key_file}",
    ]
    if not accounts:
        lines.append("No account yet. In another terminal: maskline account create NAME")
    return "\n".join([*lines, "Stop with Ctrl-C; a second one does not wait for calls in progress."])


def _sip(settings: Settings) -> str:
    shown = f"udp {settings.sip_host}:{settings.sip_port}"
    if settings.sip_advertised_host:
        shown += f", announced as {settings.sip_advertised_host}"
    return shown
