"""The engine on asyncio: a UDP socket, connections, one timer, and the world outside.

What it is: everything `core.py` must not do. It reads socket and connections, asks router, media driver and prompter
(`outside.py`), hands commits to the recorder, sends what the core wants sent, and keeps one loop timer at the core's
next deadline. What it is not: SIP or call logic. Who uses it: `app.py`; the lab runs its own agents on `net/udp.py`.

Order for every input: SIP out first, since nobody on the phone waits for the disk (architecture decision 5),
then commits. Messages that wait together are taken together, for a moment each round of the loop (`rounds.py`).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import structlog

from maskline.clock import Clock
from maskline.engine import inputs as i
from maskline.engine.alarm import Alarm
from maskline.engine.call import USUAL, CallPolicy
from maskline.engine.core import EngineConfig, EngineCore
from maskline.engine.far_ends import FarEnds
from maskline.engine.figures import engine_figures
from maskline.engine.front import Front
from maskline.engine.intake import USUAL_LIMITS, Intake, IntakeLimits
from maskline.engine.outside import OutsideWork
from maskline.engine.ports import CallRecorder, CallRouter, CutOff, Shared
from maskline.engine.rare_lines import RareLines
from maskline.engine.rounds import Rounds
from maskline.engine.strangers import Strangers
from maskline.engine.stream_doors import StreamDoors
from maskline.ids import Ids
from maskline.masking.decision import StartCall, StartFlow
from maskline.masking.facts import Cause
from maskline.masking.session import Session
from maskline.media.port import MediaDriver, MediaEvent, Prompter, RecordingLost
from maskline.net.streams import NO_TLS, Streams, StreamSettings
from maskline.net.udp_family import UdpFamilies, bind_both
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.events import Flow

log = structlog.get_logger()

BATCH = 256
"""Datagrams read in a wake-up: they are told apart but not read, which takes 1 ms."""
BYE_SECONDS = 2.0
"""How long `stop` waits for the last BYEs to be answered and the last media to be freed."""


class EngineRunner:
    """Start it once; it runs on the loop it was started on until `stop`."""

    def __init__(
        self, *, router: CallRouter, recorder: CallRecorder, media: MediaDriver | None, clock: Clock, ids: Ids,
        hosts: tuple[str, ...], port: int, loop_token: str = "", advertised: tuple[str, ...] = (),
        advertised_port: int = 0, prompter: Prompter | None = None, policy: CallPolicy = USUAL,
        shared: Shared | None = None, limits: IntakeLimits = USUAL_LIMITS, unwritten: Callable[[], int] = lambda: 0,
        streams: StreamSettings = NO_TLS, front: Front | None = None,
    ) -> None:  # fmt: skip
        """`media` None means signalling only (`MASKLINE_MEDIA=none`). `hosts`: one, or one a family; `advertised`:
        those in our messages, where they differ. `loop_token` names the installation; by default a new one at each
        start. `prompter` gets what is played. `shared` is the router's. `unwritten`: commits not yet on disk. TCP has
        the port of UDP; TLS is spoken when `streams` has files for it. `front`: the proxy that everybody comes by."""
        self._router, self._recorder, self._driver = router, recorder, media
        self._clock = clock
        self._ids = ids
        self._hosts, self._port = hosts, port
        self._advertised, self._advertised_port = advertised or hosts, advertised_port
        self._loop_token, self._policy = loop_token or ids.token(8), policy
        self._shared = shared
        self._limits, self._unwritten = limits, unwritten
        self._ends = FarEnds()
        self._heard = 0
        """Messages of calls in progress since the socket was read last."""
        self._again: asyncio.Handle | None = None
        """The next round, when something waits for it."""
        self._socket = UdpFamilies(self._on_datagram, self._on_batch, self._on_unreachable, clock.wall, BATCH)
        self._unsaid = RareLines(clock).unsaid
        doors = StreamDoors(router.trunks, lambda: self._core, self._feed_behind, self._unsaid, self._is_banned)
        self._streams = Streams(doors.events(self._take, self._on_batch, self._on_stranger), streams)
        self._tls_port = 0
        self._front = front
        self.name = ""
        """Of this engine among others, by which the proxy finds it; set before `start`."""
        self._bound: tuple[str, int] | None = None
        self._core: EngineCore | None = None
        self._alarm = Alarm(self._on_timer, clock.now)
        self._idle = asyncio.Event()
        self._flushing = False
        self._outside = OutsideWork(
            self._router, clock, self._deliver, media, prompter, digits=not policy.block_digits
        )  # fmt: skip

    def bind(self) -> tuple[str, int]:
        """Take the address, nothing more; returns it. What comes in before `start` is dropped, and SIP sends it
        again. Raises `OSError` when the port is taken, `ConfigurationError` when that of TLS is."""
        self._bound = bind_both(self._socket, self._streams, self._hosts, self._port)
        self._tls_port = self._streams.bind_tls(self._hosts)
        return self._bound

    def close(self) -> None:
        """Give the address back; `stop` has done so after a start."""
        self._socket.close()
        self._streams.close()

    async def start(self, past: Sequence[CutOff] = ()) -> tuple[str, int]:
        """Bind unless that is done, let the calls of `past` go on, and take calls; returns the address bound to. Raises
        `OSError` when the port is taken, and then has not touched the media driver, whose workers may be a living
        server's."""
        bound = self._bound or self.bind()
        if self._driver is not None:
            await self._driver.start(self._on_media_event)
        host, other = (*self._advertised, "")[:2]
        here = AgentConfig(
            host, self._advertised_port or bound[1], self._tls_port, other_host=other,
            name=self.name if self._front else "", fronted=self._front is not None,
        )  # fmt: skip
        config = _config(host, self._loop_token, self._policy, self._driver)
        agent = Agent(here, self._ids)
        core = self._core = EngineCore(config, agent, self._ids, self._clock, self._router.trunks, self._shared)
        core.trunks.front = None if self._front is None else self._front.flow
        self._intake = Intake(core, self._limits, self._unwritten)
        # Behind a proxy nothing comes from a stranger's own address, which only the proxy can shut out.
        shut_out = self._socket.shut_out if self._front is None else _shut_out_by_proxy
        self._strangers = Strangers(core, self._intake.guard, self._unsaid, shut_out)
        self._rounds = Rounds(self._intake.admission, self._read, self._flush, self._clock.now)
        self._streams.start()
        self.take_over(past)  # at once: whoever asks for a call that is not there yet is told that it is over
        return bound

    def watch_trunks(self) -> None:
        """Ask trunks that are due, end calls that are stuck or out of minutes, have floods dropped; once a second."""
        self._feed(self.core.gate.watch, self.core.trunks.all(), self.core.calls)
        self._feed(self.core.reaper.look)
        self._feed(self.core.accounts.look, self.core.deliver)
        self._arm()
        self._strangers.shut_out(self._clock.now())

    def drain(self) -> None:
        """Take no new calls (503) and answer OPTIONS with 503; calls in progress go on."""
        self.core.draining = True

    async def stop(self, grace: float = 0.0, *, keep: bool = False) -> int:
        """Drain, wait `grace` seconds for calls to end, hang up the rest (or `keep` it) and close; how many it was."""
        core = self.core
        self.drain()
        await _until_idle(core, self._idle, grace)
        left = len(core.calls)
        if ending := sum(not (keep and call.talked) for call in core.calls.values()):
            log.warning("calls_abandoned", count=ending)
            self._feed(core.stop_calls, keep)
            self._arm()
            await _until_idle(core, self._idle, BYE_SECONDS)
        self._alarm.cancel()
        self.close()
        await self._outside.stop()
        if self._driver is not None:
            await (self._driver.leave() if keep else self._driver.stop())
        return left

    # -- doors ------------------------------------------------------------------------------------------------

    def start_call(self, decision: StartCall) -> Cause | None:
        """Call the first party because a session asked for it. None once that has begun, else why it has not."""
        cause: Cause | None = self._feed(self.core.start_call, decision)
        self._arm()
        return cause

    def start_flow(self, decision: StartFlow) -> Cause | None:
        """Begin a call that the API asked for. None once that has begun, else why it has not."""
        cause: Cause | None = self._feed(self.core.start_flow, decision)
        self._arm()
        return cause

    def take_over(self, past: Sequence[CutOff]) -> None:
        """Calls that another engine left go on here, or end."""
        for one in past:
            self._feed(self.core.revive, one)
        self._arm()

    def let_go(self, calls: Sequence[str]) -> None:
        """Another engine has them by now."""
        self._feed(self.core.let_go, calls)
        self._arm()

    def session_ended(self, session_id: str) -> None:
        """The session is over: a call of it that is still on its way ends too."""
        if self._core is not None:
            self._feed(self._core.session_ended, session_id)
            self._arm()

    def end_call(self, call_id: str) -> None:
        """Somebody asked for its end. One that is ending keeps its cause, and one that is not here is another's."""
        if self._core is not None:
            self._deliver(call_id, i.Stopped(Cause.ENDED_BY_REQUEST))

    def sessions_on_request(self) -> list[Session]:
        """Whose requested calls are on their way: not connected yet."""
        return [] if self._core is None else self._core.sessions_on_request()

    @property
    def core(self) -> EngineCore:
        assert self._core is not None, "started first"
        return self._core

    def metrics(self) -> dict[str, Any]:
        """Plain numbers by name: engine and SIP counters, what is held at this moment, losses of the socket."""
        return engine_figures(self.core, self._intake, self._socket, self._streams)

    # -- what comes in ----------------------------------------------------------------------------------------

    def _on_datagram(self, data: bytes, host: str, port: int) -> None:
        if self._core is not None:
            flow = self._ends.of(host, port) if self._front is None else self._front.peer(data, host, port)
            if flow is None:
                self._core.counters.strangers += 1
                self._strangers.tell(host)
            else:
                self._take(data, flow, self._socket.age)

    def _take(self, data: bytes, flow: Flow, age: float = 0.0) -> None:
        if self._intake.put(data, flow, self._clock.now(), age):
            self._heard += 1
            if not self._rounds.full:
                self._rounds.put(data, flow)
            elif flow.transport == "udp":
                self.core.counters.flooded += 1
            else:  # nobody sends it again, and the connection waits meanwhile
                self._feed(self._intake.read, data, flow)
        elif not self.core.trunks.knows(flow):
            self._strangers.tell(flow.host)

    def _read(self, data: bytes, flow: Flow) -> None:
        if (fault := self._intake.try_to_read(data, flow, self._clock.now())) is not None:
            _note_fault(self.core, fault)

    def _is_banned(self, host: str) -> bool:
        return self._intake.guard.is_banned(host, self._clock.now())

    def _on_stranger(self, host: str) -> None:
        self._strangers.came(host, self._clock.now())

    def _on_batch(self) -> None:
        # What came while a round is due waits for it: other sources of the loop had no turn since the last one.
        if self._core is not None and self._again is None:
            self._serve()

    def _serve(self) -> None:
        # Where most of a full batch were strangers, hardly a call waits behind it.
        more = self._rounds.serve(self._socket.behind > 0.0 and 4 * self._heard >= BATCH)
        self._heard = 0
        self.core.overloaded = self._intake.admission.refusing
        self._arm()
        if more is not None and self._again is None:
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(more, self._on_again) if more else loop.call_soon(self._on_again)

    def _on_again(self) -> None:
        self._again = None
        if self._socket.behind:
            self._socket.read()
        else:
            self._serve()

    def _on_unreachable(self, host: str, port: int, quoted: bytes) -> None:
        if self._core is not None:
            self._feed(partial(self._core.flow_failed, quoted=quoted), self._ends.of(host, port))

    def _on_timer(self) -> None:
        self._feed(self.core.handle_timer)
        self._arm()

    def _on_media_event(self, event: MediaEvent) -> None:
        if isinstance(event, RecordingLost):
            log.error("recording_cut", call_id=event.call_id)
        if self._core is not None:
            self._feed(self._core.media_event, event)
            self._arm()

    def _deliver(self, call_id: str, inp: i.Input) -> None:
        """A result of outside work. A route that did not suspend delivers inside `_flush`, which then goes on
        with what follows; everything else comes from a task of its own."""
        self._feed(self.core.deliver, call_id, inp)
        if not self._flushing:
            self._arm()

    def _feed(self, take: Callable[..., Any], *what: Any) -> Any:
        """Give the core one input and perform what it asks for."""
        result = self._give(take, *what)
        if not self._flushing:
            self._flush()
        return result

    def _feed_behind(self, take: Callable[..., Any], *what: Any) -> None:
        """The same after all messages that came before."""
        if self._core is not None:
            self._rounds.take_messages()
            self._feed(take, *what)

    def _give(self, take: Callable[..., Any], *what: Any) -> Any:
        """One input, performed with the next flush. A fault is a bug: it ends neither the engine nor the other calls,
        and is counted."""
        try:
            return take(*what, self._clock.now())
        except Exception as error:  # noqa: BLE001 - the process edge
            _note_fault(self.core, error)
            return None

    # -- what goes out ----------------------------------------------------------------------------------------

    def _flush(self) -> None:
        core, send = self.core, self._socket.send
        self._flushing = True
        try:
            while work := core.work():
                for call_id, effect in work:
                    self._outside.submit(call_id, effect)
        finally:
            self._flushing = False
        for fault in core.faults():
            log.error("engine_fault", exc_info=fault)
        for data, flow in core.datagrams():
            if (front := self._front) is not None:
                send(front.address(data, flow), front.host, front.port)
            elif flow.transport == "udp":
                send(data, flow.host, flow.port)
            else:
                self._streams.send(data, flow)
        for commit in core.commits():
            self._recorder.record(commit)
        self._strangers.tell_refused()
        if not core.calls:
            self._idle.set()

    def _arm(self) -> None:
        self._alarm.set(self.core.next_deadline())


async def _until_idle(core: EngineCore, idle: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while core.calls:
                idle.clear()
                await idle.wait()


def _config(host: str, loop_token: str, policy: CallPolicy, driver: MediaDriver | None) -> EngineConfig:
    if driver is None:
        return EngineConfig(host, loop_token, relay=False, policy=policy)
    return EngineConfig(
        host, loop_token, relay=True, policy=policy, transcodes=driver.transcodes, encrypts=driver.encrypts
    )


def _note_fault(core: EngineCore, error: Exception) -> None:
    core.counters.faults += 1
    log.error("engine_fault", exc_info=error)


def _shut_out_by_proxy(hosts: Sequence[str]) -> bool:
    """In place of the kernel's filter."""
    return True


YOUNG = 1_000
"""Objects that are looked through at once for cycles. Everybody waits meanwhile: 0.7 ms (at most 3.4) with this many,
85 to 96 ms with 50,000, which a busy server has made in three thousand calls."""
NEVER = 1_000_000
"""Collections of younger objects before older ones are looked through: those of calls in progress, all alive."""


def settle_memory() -> None:
    """Once, when everything is built: what exists now will live for ever. A call leaves no cycles behind, so only what
    is new is looked through, little at a time, and everything when no call is in progress, or after an hour of calls
    (`chores.py`). A collection over a grown heap cost Sippy 50 ms and more (peers.md, 3)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, NEVER, NEVER)
