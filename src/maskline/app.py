# budget: the one place where every part is made and connected; a second one would have to know all of them too
"""The composition root: every part of `maskline serve`, built from settings, started and stopped in order.

What it is: the only module that knows all parts, and the life of the process: start, signals, drain, stop. A process
that has some of them (`parts.py`) starts those; the others are made and stay asleep, since whoever would wake them
tells the other processes by the store too. What it is not: behaviour of any part, or the terminal and its signals
(`cli/serve.py`, which runs it; tests start an `Application` in their own loop).

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
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from maskline import __version__
from maskline.api.app import build_http_app, build_watch_app
from maskline.api.dispatch import AsgiApp
from maskline.api.health import PartHealth
from maskline.api.server import HttpServer
from maskline.api.services import OperatorAccess
from maskline.chores import Chores, pass_on
from maskline.compiled import is_compiled
from maskline.engine.call import Call, CallPolicy
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
    read_limits,
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
from maskline.net.streams import NO_TLS
from maskline.parts import ALL, Part, check_database, listener_of, name_of, owner_of, take_folders
from maskline.rules import (
    account_events,
    ask_budget,
    ask_rules,
    intake_limits,
    operator_webhook,
    pin_limits,
    routing_rules,
    sip_front,
    stream_settings,
)
from maskline.services import Services, build_services
from maskline.setting_values import DtmfPolicy, MediaChoice, PromptMoment
from maskline.settings import Settings
from maskline.storage.store import Store
from maskline.webhooks.ask import Asker
from maskline.webhooks.formats.plivo import Style
from maskline.webhooks.formats.plivo_events import Generation
from maskline.workflows.ask_action import AskAction
from maskline.workflows.build_outbox import param_update_outbox, session_timeout_outbox
from maskline.workflows.end_call import EndCalls
from maskline.workflows.expire_sessions import ExpireSessions
from maskline.workflows.forget_old import ForgetOld
from maskline.workflows.list_voices import voice_codes
from maskline.workflows.locate_trunks import LocateTrunks, build_locating
from maskline.workflows.own_calls import OwnCalls
from maskline.workflows.process_exports import ProcessExports
from maskline.workflows.process_recordings import ProcessRecordings
from maskline.workflows.record_call import CallRecording
from maskline.workflows.route_call import RouteCall
from maskline.workflows.start_call import StartCalls
from maskline.workflows.start_flow import StartFlows
from maskline.workflows.tell_operator import build_deliverer
from maskline.workflows.trunk_report import TrunkReport

_log = structlog.get_logger("maskline.app")

_SWITCH_SECONDS = 0.0005
"""How long the store's writer thread may keep the interpreter from the event loop; Python's own value is 5 ms.
Measured with SIPp, media off, two cores busy with other work, runs in turn: at 100 calls/s INVITE to INVITE p90 was
33-241 ms with 5 ms and 3-7 ms with this; at 200 calls/s 418 and 76 of 1,600 calls failed with 5 ms, none with this.
It costs 15 % CPU."""
_STOP_SECONDS = 10.0
"""How long a background task may take to finish its work at the stop before it is cancelled."""


class Application:
    """The parts of one process. `start()`, then `wait()`, then `stop()`; `stop()` is safe after a failed start."""

    def __init__(self, settings: Settings, services: Services | None = None, parts: Collection[Part] = ALL) -> None:
        """Raises `ConfigurationError`."""
        check_database(parts, settings)
        self.settings = settings
        self.parts = parts
        self.services = services or build_services(settings)
        store, clock, ids = self.services.store, self.services.clock, self.services.ids
        expiry, call_limit, ring = settings.default_times
        self._defaults = SessionOptions(session_expiry=expiry, call_time_limit=call_limit, ring_timeout=ring)
        self.router = RouteCall(store, clock, routing_rules(settings, self._defaults), pin_limits(settings))
        self.hooks, self.poster = Poster(settings.egress_networks), Poster(settings.egress_networks)
        self.deliverer = build_deliverer(store, self.hooks, clock, ids, operator_webhook(settings))
        self.router.guard.tell_by(account_events(self.services), self.deliverer.notify)
        self._style = style = Style(Generation(settings.plivo_events), settings.callback_prefix)
        links = self.services.links
        self.recordings = ProcessRecordings(store, clock, ids, self.services.recordings, links, self.deliverer.notify)
        self.exports = ProcessExports(store, clock, self.services.ids, self.services.exports)
        self.recorder = CallRecording(
            store, clock, ids, self.deliverer.notify, style=style, links=links,
            redaction_key=self.services.redaction_key, recorded=self.recordings.notify, lost=self._let_go,
        )  # fmt: skip
        self.media = build_media(settings)
        self.prompt_egress = Egress(settings.egress_networks)
        self.prompts = build_prompts(settings, self.prompt_egress, clock)
        self.asker = Asker(self.poster, clock, ask_budget(settings))
        self.asks = AskAction(
            store, clock, ids, self.asker, self.router.plan, ask_rules(settings),
            partial(voice_codes, self.prompts.speech),
        )  # fmt: skip
        self.router.ask_by(self.asks)
        self.streams = stream_settings(settings) if Part.ENGINE in parts else NO_TLS
        self.engine = EngineRunner(
            router=self.router, recorder=self.recorder, media=self.media, clock=clock, ids=ids, streams=self.streams,
            hosts=settings.sip_hosts, port=settings.sip_port, advertised=settings.advertised_sip_hosts,
            loop_token=self.services.installation, prompter=self.prompts, policy=build_policy(settings),
            shared=self.router.shared, limits=intake_limits(settings), unwritten=lambda: self.recorder.depth,
            front=sip_front(settings), advertised_port=settings.sip_advertised_port,
        )  # fmt: skip
        self.starts = StartCalls(
            store, clock, ids, self.router, self.engine.start_call, self.deliverer.notify,
            on_the_way=self.engine.sessions_on_request, ended=self.engine.session_ended, style=style,
        )  # fmt: skip
        self.flows = StartFlows(store, clock, ids, self.router.plan, self.engine.start_flow)
        self.ends = EndCalls(store, self.engine.end_call)
        carrier = self.engine if Part.ENGINE in parts else None
        self.owning = OwnCalls(store, clock, self.recorder, carrier, self._suspend, self.router.limits.know)
        self.chores = self._build_chores()
        self.stopping = False
        self._running = AsyncExitStack()
        self._ended: asyncio.Queue[tuple[str, BaseException | None]] = asyncio.Queue()

    def _build_chores(self) -> Chores:
        settings, store, clock, ids = self.settings, self.services.store, self.services.clock, self.services.ids
        self._forget_rows = ForgetOld(store, clock, settings.retention_days, settings.webhook_retention_days)
        self.sweep = ExpireSessions(
            store, clock, ids, outbox=partial(session_timeout_outbox, style=self._style), ended=self._on_ended
        )
        return Chores(
            sweep=self.sweep, forget=self._forget_old, swept=self.deliverer.notify, certificates=self.streams.tls,
            refresh=self._locating().tick, guard=self.router.watch, clock=clock,
            is_busy=lambda: Part.ENGINE in self.parts and self.engine.core.calls,
        )  # fmt: skip

    # -- start -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start every part; raises `ConfigurationError` or `StoreUnavailable` with a sentence for the operator."""
        raise_limit()
        take_folders(self.parts, self.settings, self._running)
        self.owning.owner = owner_of(self.parts, self.settings, self.services.ids)
        self.exports.owner = self.deliverer.owner = self.starts.owner = self.flows.owner = self.owning.owner.id
        if Part.ENGINE in self.parts:
            self.engine.name = self.recorder.engine_id = self.recordings.owner = self.ends.owner = self.owning.owner.id
            self._bind_sip()
        http = self._bind_http()
        self.services.store.on_told(pass_on(self.deliverer, (self.starts, self.flows), self.owning, self.engine))
        await self.services.store.open()
        self._running.push_async_callback(self.services.store.close)
        await self.owning.prepare()
        self._running.push_async_callback(self.owning.end)
        self._running.push_async_callback(self.prompts.close)
        if Part.ENGINE not in self.parts:
            await self.owning.begin()
        # The order of need: what a call tells is delivered by whoever outlives it.
        for part, begin in (
            (Part.DELIVER, self._start_delivery), (Part.ENGINE, self._start_engine), (Part.DELIVER, self._start_chores),
        ):  # fmt: skip
            if part in self.parts:
                await begin()
        self._run("lease", self.owning.run(), self.owning.stop)
        self._run("retention", self.chores.forget_old(), None)
        self._run("garbage collection", self.chores.collect_garbage(), None)
        await self._start_http(http)
        settle_memory()
        sys.setswitchinterval(_SWITCH_SECONDS)

    async def _start_delivery(self) -> None:
        await self.hooks.open()
        self._running.push_async_callback(self.hooks.close)
        self._run("webhook deliverer", self.deliverer.run(), self.deliverer.stop)
        await self.exports.recover()
        self._run("exports", self.exports.run(), self.exports.stop)

    async def _start_engine(self) -> None:
        # A process that was killed left sessions "in a call", which would hear busy for ever, unless their calls go on.
        await self.services.store.reset_calls_in_progress()
        self.router.wait_by(self.recorder.written)
        await self.router.prepare(self.recorder.engine_id if self.services.store.is_shared else "")
        await self.poster.open()
        self._running.push_async_callback(self.poster.close)
        await self._open_prompts()
        await self.recordings.recover()
        self._run("recordings", self.recordings.run(), self.recordings.stop)
        self._run("call recorder", self.recorder.run(), self.recorder.stop)
        await self.engine.start(await self.owning.begin())
        self._running.push_async_callback(self._stop_engine)
        self._run("ends of calls", self.ends.run(), self.ends.stop)
        self._run("requested calls", self.starts.run(), self.starts.stop)
        self._run("requested call flows", self.flows.run(), self.flows.stop)
        self.prompts.prefetch(self.settings.prompt_sources)
        self._running.callback(self.trunk_report.close)
        self._run("trunk reload", self.chores.reload_trunks(), None)
        self._run("TLS certificates", self.chores.reload_certificates(), None)
        if self.settings.media is MediaChoice.NONE:
            _log.warning("media_is_off")

    def _let_go(self, calls: Sequence[str]) -> None:
        _log.warning("calls_lost", count=len(calls))
        self.engine.let_go(calls)

    def _suspend(self, lapsed: bool) -> None:
        if Part.ENGINE in self.parts:
            self.engine.core.draining = lapsed or self.stopping

    async def _stop_engine(self) -> None:
        """Calls go on in the next start of this engine, or in another engine, which needs the same rtpengine."""
        inherited = self.owning.has_heirs and self.settings.media is not MediaChoice.EMBEDDED
        await self.engine.stop(keep=self.settings.keep_calls or inherited)

    async def _start_chores(self) -> None:
        self._run("session sweeper", self.chores.sweep_sessions(), None)

    def _locating(self) -> LocateTrunks:
        table, clock = self.router.table, self.services.clock
        self.trunk_report = TrunkReport(self.settings.engine_dir, table.state, clock)
        return build_locating(table, self.settings, clock, self._watch_trunks)

    def _watch_trunks(self) -> None:
        self.engine.watch_trunks()
        self.trunk_report.look(self.router.table.all)

    async def _forget_old(self) -> bool:
        """Whether there may be more to delete."""
        rows = Part.DELIVER in self.parts and await self._forget_rows()
        return (Part.ENGINE in self.parts and await self.recordings.forget()) or rows

    async def _open_prompts(self) -> None:
        await self.prompt_egress.open()
        self._running.push_async_callback(self.prompt_egress.close)
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
        self._running.callback(self.engine.close)
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

    def _bind_http(self) -> HttpServer:
        registry = registry_of(self)
        app = self._build_api(registry) if Part.API in self.parts else build_watch_app(registry, self.health)
        http = HttpServer(app, *listener_of(self.parts, self.settings))
        http.bind()
        self._running.callback(http.close)
        return http

    def _build_api(self, registry: CollectorRegistry) -> AsgiApp:
        settings, services = self.settings, self.services
        return build_http_app(
            store=services.store, clock=services.clock, ids=services.ids, registry=registry,
            session_defaults=self._defaults, public_url=settings.public_url, rate_limit=settings.http_rate_limit,
            health=self.health, create_window=settings.create_window, vts_hosts=settings.vts_host_names,
            update_outbox=partial(param_update_outbox, style=self._style), committed=self.deliverer.notify,
            created=self._on_created, ended=self._on_ended,
            speech=self.prompts.speech, eight_strict=settings.eight_strict, requested=self.flows.notify,
            recordings=services.recordings, links=services.links, exports=services.exports,
            export_requested=self.exports.notify, guard=AddressGuard(settings.egress_networks),
            operator=OperatorAccess(settings.operator_key, account_events(services)), end_asked=self.engine.end_call,
        )  # fmt: skip

    async def _start_http(self, http: HttpServer) -> None:
        await http.start()
        self._running.push_async_callback(http.stop)
        # Shielded: to stop watching must not cancel the server in the middle of its requests.
        self._run("HTTP server", asyncio.shield(http.wait()), None)

    def _on_created(self, session: Session) -> None:
        """Call the first party if the session asks for it, and fetch its prompts before anybody waits for them; an
        engine that is another process fetches them when they are needed."""
        if session.options.initiate_call_to_first_party:
            self.starts.notify()
        if Part.ENGINE in self.parts and (sources := session.options.prompt_sources):
            self.prompts.prefetch(sources)

    def _on_ended(self, session: Session) -> None:
        self.engine.session_ended(session.id)

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
        main = "engine" if Part.ENGINE in self.parts else name_of(self.parts)
        stopping = PartHealth(not self.stopping, "stopping: new calls are refused" if self.stopping else "")
        parts = {"store": await store_health(self.services.store), main: stopping}
        if self.media is not None and Part.ENGINE in self.parts:
            away = "the media driver does not answer: calls are refused"
            parts["media"] = PartHealth(self.media.available, "" if self.media.available else away, essential=False)
        return parts

    # -- stop --------------------------------------------------------------------------------------------------

    async def drain(self, hurry: Awaitable[object]) -> None:
        """Refuse new calls and wait for those in progress, at most the drain time and not once `hurry` is done."""
        self.stopping = True
        hurried = asyncio.ensure_future(hurry)
        try:
            if Part.ENGINE in self.parts:
                await self._drain_engine(hurried)
        finally:
            hurried.cancel()

    async def _drain_engine(self, hurried: asyncio.Future[object]) -> None:
        self.engine.drain()
        self.owning.leave()
        self.starts.stop()
        self.flows.stop()
        try:
            async with asyncio.timeout(self.settings.drain_timeout):
                while has_to_wait(self.engine.core.calls.values(), self.settings) and not hurried.done():
                    await asyncio.wait({hurried}, timeout=0.05)
        except TimeoutError:
            """The rest is hung up by `stop`, which says how many."""

    async def stop(self) -> None:
        """Hang up what is left, write what is queued, close everything that was started."""
        self.stopping = True
        await self._running.aclose()


async def store_health(store: Store) -> PartHealth:
    try:
        await store.configuration_version()
    except StoreUnavailable as error:
        return PartHealth(False, error.sentence)
    return PartHealth(True)


def registry_of(app: Application) -> CollectorRegistry:
    """What /metrics tells: of the parts that this process has."""
    collector = PartsCollector()
    readers: tuple[tuple[Part, str, Callable[[], Iterable[Sample]]], ...] = (
        (Part.ENGINE, "engine", lambda: read_engine(app.engine.metrics())),
        (Part.ENGINE, "recorder", lambda: read_recorder(app.recorder)),
        (Part.ENGINE, "pins", lambda: read_pins(app.router.pins)),
        (Part.ENGINE, "limits", lambda: read_limits(app.router.limits.book, app.router.guard)),
        (Part.ENGINE, "trunks", lambda: read_trunks(app)),
        (Part.ENGINE, "call actions", lambda: read_asks(app.asker, app.asks)),
        (Part.ENGINE, "prompts", lambda: read_prompts(app.prompts)),
        (Part.ENGINE, "recordings", lambda: read_recordings(app.recordings)),
        (Part.ENGINE, "media", lambda: read_media(app.media)),
        (Part.DELIVER, "webhooks", lambda: read_webhooks(app.deliverer)),
        (Part.DELIVER, "sweeper", lambda: [("maskline_sessions_expired", (), app.chores.sessions_swept)]),
    )
    for part, name, reader in readers:
        if part in app.parts:
            collector.add(name, reader)
    collector.add("app", lambda: [("maskline_build_info", (__version__, "yes" if is_compiled() else "no"), 1)])
    return build_registry(collector)


def read_trunks(app: Application) -> list[Sample]:
    tally = app.router.table.state.tally(app.services.clock.now())
    addresses = [("maskline_trunk_addresses", (health.name.lower(),), float(n)) for health, n in tally.items()]
    return [("maskline_loop_lag_seconds", (), app.chores.loop_lag), *addresses]


def has_to_wait(calls: Collection[Call], settings: Settings) -> bool:
    """Whether a call in progress would be lost by a stop."""
    return not all(call.talked for call in calls) if settings.keep_calls else bool(calls)


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
        hosts=settings.media_hosts,
        ports=settings.media_port_range,
        socket_dir=settings.engine_dir,
        workers=settings.media_workers,
        timeout=settings.media_timeout,
    )
