"""The composition root: every part of `maskline serve`, built from settings, started and stopped in order.

What it is: the only module that knows all parts, and the life of the process: start, signals, drain, stop. What it is
not: behaviour of any part, or the terminal and its signals (`cli/serve.py`, which runs it; tests start an `Application`
in their own loop).

What can be taken already comes first: the data directory and the ports. Only then is anything touched that a living
server may be using, which is the sessions' calls in progress and the media workers. Then the order is that of need:
webhooks, call recording, media and engine, HTTP last, so that /healthz answers only when a call would be answered too.
Stop is the reverse, after a drain: new calls are refused with 503, calls in
progress may end by themselves for MASKLINE_DRAIN_TIMEOUT seconds. Whatever was started is stopped, also when the start
fails half-way.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from maskline import __version__
from maskline.api.app import build_http_app
from maskline.api.health import PartHealth
from maskline.api.server import HttpServer
from maskline.chores import Chores
from maskline.engine.call import CallPolicy
from maskline.engine.runner import EngineRunner, settle_memory
from maskline.errors import ConfigurationError, StoreUnavailable
from maskline.masking.session import Session, SessionOptions
from maskline.media.embedded.driver import EmbeddedDriver
from maskline.media.port import MediaDriver
from maskline.media.prompts.build import build_prompts
from maskline.media.rtpengine.driver import RtpengineDriver
from maskline.metrics import (
    PartsCollector,
    Sample,
    build_registry,
    read_asks,
    read_engine,
    read_media,
    read_pins,
    read_prompts,
    read_recorder,
    read_recordings,
    read_webhooks,
)
from maskline.net.descriptors import raise_limit
from maskline.net.egress import Egress
from maskline.net.guard import AddressGuard
from maskline.net.post import Poster
from maskline.rules import ask_budget, ask_rules, pin_limits, routing_rules
from maskline.services import Services, build_services
from maskline.setting_values import DtmfPolicy, MediaChoice, PromptMoment
from maskline.settings import Settings
from maskline.webhooks.ask import Asker
from maskline.webhooks.deliver import Deliverer
from maskline.webhooks.formats.plivo import Style
from maskline.webhooks.formats.plivo_events import Generation
from maskline.webhooks.keys import StoreKeys
from maskline.webhooks.send import WebhookSender
from maskline.workflows.ask_action import AskAction
from maskline.workflows.build_outbox import param_update_outbox, session_timeout_outbox
from maskline.workflows.expire_sessions import ExpireSessions
from maskline.workflows.forget_old import ForgetOld
from maskline.workflows.list_voices import voice_codes
from maskline.workflows.process_exports import ProcessExports
from maskline.workflows.process_recordings import ProcessRecordings
from maskline.workflows.record_call import CallRecording
from maskline.workflows.route_call import RouteCall
from maskline.workflows.start_call import StartCalls
from maskline.workflows.start_flow import StartFlows

_log = structlog.get_logger("maskline.app")

_SWITCH_SECONDS = 0.0005
"""How long the store's writer thread may keep the interpreter from the event loop; Python's own value is 5 ms.
Measured with SIPp, media off, two cores busy with other work, runs in turn: at 100 calls/s INVITE to INVITE p90 was
33-241 ms with 5 ms and 3-7 ms with this; at 200 calls/s 418 and 76 of 1,600 calls failed with 5 ms, none with this.
It costs 15 % CPU."""
_STOP_SECONDS = 10.0
"""How long a background task may take to finish its work at the stop before it is cancelled."""


class Application:
    """All parts of one server. `start()`, then `wait()`, then `stop()`; `stop()` is safe after a failed start."""

    def __init__(self, settings: Settings, services: Services | None = None) -> None:
        self.settings = settings
        self.services = services or build_services(settings)
        store, clock, ids = self.services.store, self.services.clock, self.services.ids
        expiry, call_limit, ring = settings.default_times
        self._defaults = SessionOptions(session_expiry=expiry, call_time_limit=call_limit, ring_timeout=ring)
        self.router = RouteCall(store, clock, routing_rules(settings, self._defaults), pin_limits(settings))
        self.hooks = Poster(settings.egress_networks)
        self.deliverer = Deliverer(store, WebhookSender(self.hooks), StoreKeys(store), clock, ids)
        self._style = style = Style(Generation(settings.plivo_events), settings.callback_prefix)
        links = self.services.links
        self.recordings = ProcessRecordings(store, clock, ids, self.services.recordings, links, self.deliverer.notify)
        self.exports = ProcessExports(store, clock, self.services.exports)
        self.recorder = CallRecording(
            store, clock, ids, self.deliverer.notify, style=style, links=links,
            redaction_key=self.services.redaction_key, recorded=self.recordings.notify,
        )  # fmt: skip
        self.media = build_media(settings)
        self.prompt_egress = Egress(settings.egress_networks)
        self.prompts = build_prompts(settings, self.prompt_egress, clock)
        self.poster = Poster(settings.egress_networks)
        self.asker = Asker(self.poster, clock, ask_budget(settings))
        self.asks = AskAction(
            store, clock, ids, self.asker, self.router.plan, ask_rules(settings),
            partial(voice_codes, self.prompts.speech),
        )  # fmt: skip
        self.router.ask_by(self.asks)
        self.engine = EngineRunner(
            router=self.router, recorder=self.recorder, media=self.media, clock=clock, ids=ids,
            host=settings.sip_host, port=settings.sip_port,
            advertised_host=settings.advertised_sip_host, loop_token=self.services.installation,
            prompter=self.prompts, policy=build_policy(settings),
        )  # fmt: skip
        self.starts = StartCalls(
            store, clock, ids, self.router, self.engine.start_call, self.deliverer.notify,
            on_the_way=self.engine.sessions_on_request, ended=self.engine.session_ended, style=style,
        )  # fmt: skip
        self.flows = StartFlows(store, clock, ids, self.router.plan, self.engine.start_flow)
        self.sweep = ExpireSessions(
            store, clock, ids, outbox=partial(session_timeout_outbox, style=style), ended=self._on_ended
        )
        self.chores = Chores(
            sweep=self.sweep, forget=self._forget_old, refresh=self.router.refresh,
            swept=self.deliverer.notify, is_busy=lambda: bool(self.engine.core.calls), clock=clock,
        )  # fmt: skip
        self._forget_rows = ForgetOld(store, clock, settings.retention_days)
        self.stopping = False
        self._running = AsyncExitStack()
        self._ended: asyncio.Queue[tuple[str, BaseException | None]] = asyncio.Queue()

    # -- start -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start every part; raises `ConfigurationError` or `StoreUnavailable` with a sentence for the operator."""
        raise_limit()
        self._take_data_dir()
        self._bind_sip()
        http = self._bind_http()
        await self.services.store.open()
        self._running.push_async_callback(self.services.store.close)
        # A process that was killed left sessions "in a call", which would hear busy for ever.
        await self.services.store.reset_calls_in_progress()
        await self.router.refresh()
        await self.hooks.open()
        self._running.push_async_callback(self.hooks.close)
        await self.poster.open()
        self._running.push_async_callback(self.poster.close)
        await self._open_prompts()
        self._run("webhook deliverer", self.deliverer.run(), self.deliverer.stop)
        await self.recordings.recover()
        self._run("recordings", self.recordings.run(), self.recordings.stop)
        await self.exports.recover()
        self._run("exports", self.exports.run(), self.exports.stop)
        self._run("call recorder", self.recorder.run(), self.recorder.stop)
        await self.engine.start()
        self._running.push_async_callback(self.engine.stop)
        self._run("requested calls", self.starts.run(), self.starts.stop)
        self._run("requested call flows", self.flows.run(), self.flows.stop)
        self.prompts.prefetch(self.settings.prompt_sources)
        self._run("session sweeper", self.chores.sweep_sessions(), None)
        self._run("retention", self.chores.forget_old(), None)
        self._run("trunk reload", self.chores.reload_trunks(), None)
        self._run("garbage collection", self.chores.collect_garbage(), None)
        await self._start_http(http)
        settle_memory()
        sys.setswitchinterval(_SWITCH_SECONDS)
        if self.settings.media is MediaChoice.NONE:
            _log.warning("media_is_off")

    def _make_folders(self) -> None:
        """What holds audio is nobody's but ours, also when somebody made the folder before."""
        for name in ("prompts", "spool", "recordings", "exports"):
            folder = self.settings.data_dir / name
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)

    def _take_data_dir(self) -> None:
        """Make it, and hold it alone until the stop: a second server would take over the media workers of the first
        one and end their calls. The kernel drops the lock with the process, however that ends."""
        folder = self.settings.data_dir
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_folders()
            lock = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"The data directory {folder} cannot be made or written: {error.strerror} (MASKLINE_DATA_DIR)."
            ) from None
        self._running.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                f"Another maskline serve is running with the data directory {folder} (MASKLINE_DATA_DIR)."
            ) from None

    async def _forget_old(self) -> bool:
        """Whether there may be more to delete."""
        rows = await self._forget_rows()
        return await self.recordings.forget() or rows

    async def _open_prompts(self) -> None:
        await self.prompt_egress.open()
        self._running.push_async_callback(self.prompt_egress.close)
        self._running.push_async_callback(self.prompts.close)
        try:
            await self.prompts.open()
        except OSError as error:
            raise ConfigurationError(
                f"The folder of prompts in {self.settings.data_dir} cannot be made or written: {error.strerror} "
                "(MASKLINE_DATA_DIR)."
            ) from None
        self._run("prompts", self.prompts.run(), None)

    def _bind_sip(self) -> None:
        settings = self.settings
        try:
            self.engine.bind()
        except OSError as error:
            wrong = f"SIP cannot listen on {settings.sip_host}:{settings.sip_port}: {error.strerror}"
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise ConfigurationError(f"{wrong} (MASKLINE_SIP_PORT).") from None
            raise ConfigurationError(
                f"{wrong} (MASKLINE_SIP_HOST). It must be an address of this machine; behind a NAT, listen on 0.0.0.0 "
                "and put the public address into MASKLINE_SIP_ADVERTISED_HOST."
            ) from None
        self._running.callback(self.engine.close)

    def _bind_http(self) -> HttpServer:
        settings, services = self.settings, self.services
        app = build_http_app(
            store=services.store, clock=services.clock, ids=services.ids, registry=self._build_registry(),
            session_defaults=self._defaults,
            public_url=settings.public_url, rate_limit=settings.http_rate_limit, health=self.health,
            create_window=settings.create_window, vts_hosts=settings.vts_host_names,
            update_outbox=partial(param_update_outbox, style=self._style), committed=self.deliverer.notify,
            created=self._on_created, ended=self._on_ended,
            speech=self.prompts.speech, eight_strict=settings.eight_strict, requested=self.flows.notify,
            recordings=services.recordings, links=services.links, exports=services.exports,
            export_requested=self.exports.notify, guard=AddressGuard(settings.egress_networks),
        )  # fmt: skip
        http = HttpServer(app, settings.http_host, settings.http_port)
        http.bind()
        self._running.callback(http.close)
        return http

    async def _start_http(self, http: HttpServer) -> None:
        await http.start()
        self._running.push_async_callback(http.stop)
        # Shielded: to stop watching must not cancel the server in the middle of its requests.
        self._run("HTTP server", asyncio.shield(http.wait()), None)

    def _on_created(self, session: Session) -> None:
        """Call the first party if the session asks for it, and fetch its prompts before anybody waits for them."""
        if session.options.initiate_call_to_first_party:
            self.starts.notify()
        if sources := session.options.prompt_sources:
            self.prompts.prefetch(sources)

    def _on_ended(self, session: Session) -> None:
        self.engine.session_ended(session.id)

    def _build_registry(self) -> CollectorRegistry:
        collector = PartsCollector()
        collector.add("engine", lambda: read_engine(self.engine.metrics()))
        collector.add("recorder", lambda: read_recorder(self.recorder))
        collector.add("pins", lambda: read_pins(self.router.pins))
        collector.add("webhooks", lambda: read_webhooks(self.deliverer))
        collector.add("call actions", lambda: read_asks(self.asker, self.asks))
        collector.add("prompts", lambda: read_prompts(self.prompts))
        collector.add("recordings", lambda: read_recordings(self.recordings))
        collector.add("media", lambda: read_media(self.media))
        collector.add("app", self._samples)
        return build_registry(collector)

    def _samples(self) -> list[Sample]:
        return [
            ("maskline_loop_lag_seconds", (), self.chores.loop_lag),
            ("maskline_sessions_expired", (), self.chores.sessions_swept),
            ("maskline_build_info", (__version__,), 1),
        ]

    def _run(self, name: str, work: Awaitable[None], stop: Callable[[], None] | None) -> None:
        """Run a part's task; its end before the stop ends the process. `stop` asks it to finish, None cancels it."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(partial(self._note_end, name))

        async def end() -> None:
            if stop is None:
                task.cancel()
            else:
                stop()
            _, late = await asyncio.wait({task}, timeout=_STOP_SECONDS)
            for one in late:
                one.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._running.push_async_callback(end)

    def _note_end(self, name: str, task: asyncio.Future[None]) -> None:
        if not task.cancelled():
            self._ended.put_nowait((name, task.exception()))

    # -- life --------------------------------------------------------------------------------------------------

    async def wait(self, signalled: Awaitable[object]) -> str | None:
        """Return None once `signalled` is done, or the name of a part that ended by itself."""
        ended = asyncio.ensure_future(self._ended.get())
        signal_task = asyncio.ensure_future(signalled)
        await asyncio.wait({ended, signal_task}, return_when=asyncio.FIRST_COMPLETED)
        signal_task.cancel()
        if not ended.done():
            ended.cancel()
            return None
        name, error = ended.result()
        _log.error("part_failed", part=name, exc_info=error)
        return name

    async def health(self) -> Mapping[str, PartHealth]:
        """The parts for /healthz. Media is not essential: without it calls are refused, the API goes on, and a
        restart of this process would not bring rtpengine back."""
        parts = {
            "store": await self._store_health(),
            "engine": PartHealth(not self.stopping, "stopping: new calls are refused" if self.stopping else ""),
        }
        if self.media is not None:
            away = "the media driver does not answer: calls are refused"
            parts["media"] = PartHealth(self.media.available, "" if self.media.available else away, essential=False)
        return parts

    async def _store_health(self) -> PartHealth:
        try:
            await self.services.store.configuration_version()
        except StoreUnavailable as error:
            return PartHealth(False, error.sentence)
        return PartHealth(True)

    # -- stop --------------------------------------------------------------------------------------------------

    async def drain(self, hurry: Awaitable[object]) -> None:
        """Refuse new calls and wait for those in progress, at most the drain time and not once `hurry` is done."""
        self.stopping = True
        self.engine.drain()
        self.starts.stop()
        self.flows.stop()
        hurried = asyncio.ensure_future(hurry)
        try:
            async with asyncio.timeout(self.settings.drain_timeout):
                while self.engine.core.calls and not hurried.done():
                    await asyncio.wait({hurried}, timeout=0.05)
        except TimeoutError:
            """The rest is hung up by `stop`, which says how many."""
        finally:
            hurried.cancel()

    async def stop(self) -> None:
        """Hang up what is left, write what is queued, close everything that was started."""
        self.stopping = True
        await self._running.aclose()


def build_policy(settings: Settings) -> CallPolicy:
    return CallPolicy(
        answer_for_prompts=settings.prompts is PromptMoment.ANSWERED, block_digits=settings.dtmf is DtmfPolicy.BLOCK
    )


def build_media(settings: Settings) -> MediaDriver | None:
    """The driver named by MASKLINE_MEDIA; None for signalling only."""
    if settings.media is MediaChoice.NONE:
        return None
    if settings.media is MediaChoice.RTPENGINE:
        return RtpengineDriver(
            settings.rtpengine_addresses, timeout=settings.media_timeout, recordings=settings.rtpengine_recordings
        )
    return EmbeddedDriver(
        host=settings.media_host,
        ports=settings.media_port_range,
        socket_dir=settings.data_dir,
        workers=settings.media_workers,
        timeout=settings.media_timeout,
    )
