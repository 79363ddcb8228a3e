"""`maskline serve`: the whole product in one process, or the parts of it that a process has.

What it is: the terminal's side of a server: settings, logs, event loop, signals, and what is printed. What it is not:
the parts (`app.py`), which are imported inside the command, so that other commands stay quick. Who uses it beside the
terminal: `cli/api.py`, `engine.py` and `deliver.py`, which run one part each.

First SIGINT or SIGTERM: no new calls, those in progress may end for MASKLINE_DRAIN_TIMEOUT seconds. Second one: hang up
and end at once. Exit codes: 0 after a signal, 1 when a part failed, 2 when it cannot start as configured.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import structlog
import typer

from maskline import __version__, logs
from maskline.cli.output import JsonFlag, emit, fail, warn
from maskline.parts import ALL, Part, listener_of, name_of
from maskline.setting_values import MediaChoice, database_place
from maskline.settings import Settings, load_settings, unknown_variables
from maskline.workflows.list_accounts import list_accounts

if TYPE_CHECKING:
    from maskline.app import Application

_log = structlog.get_logger("maskline.serve")


def serve(as_json: JsonFlag = False) -> None:
    """Run API, SIP engine, media relay and webhook deliverer until a signal ends them."""
    run_parts(ALL, as_json)


def run_parts(parts: Collection[Part], as_json: bool) -> None:
    """Until a signal ends them."""
    settings = load_settings()
    logs.configure(settings.log_level, settings.log_format)
    for name, nearest in unknown_variables(os.environ).items():
        _log.warning("unknown_setting", name=name, nearest=nearest or None)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        code = runner.run(_serve(settings, parts, as_json))
    if code:
        raise typer.Exit(code)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed: 0.21 instead of 0.37 ms of CPU per call (sip.md §4, rule 10)."""
    try:
        return importlib.import_module("uvloop").new_event_loop  # type: ignore[no-any-return]
    except ImportError:
        return None


async def _serve(settings: Settings, parts: Collection[Part], as_json: bool) -> int:
    from maskline.app import Application

    app = Application(settings, parts=parts)
    signals = Signals()
    try:
        await app.start()
        signals.reload_by(app.chores.reload_certificates_now)
        await _announce(app, as_json)
        failed = await app.wait(signals.first.wait())
        _log.info("server_stopping", calls=len(app.engine.core.calls) if Part.ENGINE in parts else 0)
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
        self.reload_by(_nothing_to_reload)

    def _arrived(self) -> None:
        (self.second if self.first.is_set() else self.first).set()

    def reload_by(self, reload: Callable[[], None]) -> None:
        """SIGHUP reads certificates again, if there are any; it ends no server, nor does one that comes while the
        parts start."""
        self._loop.add_signal_handler(signal.SIGHUP, reload)

    def restore(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._loop.remove_signal_handler(number)


def _nothing_to_reload() -> None:
    """The server is about to read its files anyway."""


async def _announce(app: Application, as_json: bool) -> None:
    """What runs where, once all of it does."""
    settings, parts = app.settings, app.parts
    accounts = len(await list_accounts(app.services.store))
    listener = listener_of(parts, settings)
    shown = {"http": f"{listener.host}:{listener.port}"}
    if Part.ENGINE in parts:
        shown["sip"] = _sip(settings)
    _log.info("server_started", parts=name_of(parts), **shown)
    emit(as_json, _document(settings, accounts, parts), _summary(settings, accounts, parts))
    if Part.ENGINE in parts and settings.media is MediaChoice.NONE:
        warn("MASKLINE_MEDIA=none: signalling only, parties see each other's media address. For tests and benchmarks.")


def _document(settings: Settings, accounts: int, parts: Collection[Part] = ALL) -> dict[str, Any]:
    listener = listener_of(parts, settings)
    calls = {"sip": _sip(settings), "media": settings.media} if Part.ENGINE in parts else {}
    return {
        "version": __version__,
        "pid": os.getpid(),
        "parts": [part.value for part in Part if part in parts],
        "http": f"http://{listener.host}:{listener.port}",
        **calls,
        "accounts": accounts,
        "settings": settings.summary(),
    }


def _summary(settings: Settings, accounts: int, parts: Collection[Part] = ALL) -> str:
    listener = listener_of(parts, settings)
    url = f"http://{listener.host}:{listener.port}/"
    lines = [f"Maskline {__version__} is running{'' if len(parts) > 1 else ': ' + name_of(parts)}."]
    lines.append(f"  API    {url}v1/   (also /healthz and /metrics)" if Part.API in parts else f"  watch  {url}healthz")
    if Part.ENGINE in parts:
        lines += [f"  SIP    {_sip(settings)}", f"  media  {_media(settings)}"]
    lines.append(f"  data   {_database(settings)}, key in {settings.key_file}")
    if not accounts:
        lines.append("No account yet. In another terminal: maskline account create NAME")
    insist = "; a second one does not wait for calls in progress" if Part.ENGINE in parts else ""
    return "\n".join([*lines, f"Stop with Ctrl-C{insist}."])


def _media(settings: Settings) -> str:
    return {
        MediaChoice.EMBEDDED: f"embedded relay on {settings.media_host}, ports {settings.media_ports}",
        MediaChoice.RTPENGINE: f"rtpengine at {settings.rtpengine}",
        MediaChoice.NONE: "none (signalling only)",
    }[settings.media]


def _database(settings: Settings) -> str:
    return str(settings.database_file or f"PostgreSQL at {database_place(settings.database_url)}")


def _sip(settings: Settings) -> str:
    shown = f"udp and tcp {settings.sip_host}:{settings.sip_port}"
    if settings.sip_tls_certificate:
        shown += f", tls {settings.sip_tls_port}"
    if settings.sip_advertised_host:
        shown += f", announced as {settings.sip_advertised_host}"
    return shown
