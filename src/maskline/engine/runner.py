"""The engine on asyncio: one UDP socket, one timer, and the world outside.

What it is: everything `core.py` must not do. It reads the socket, asks router, media driver and prompter
(`outside.py`), hands commits to the recorder, sends what the core wants sent, and keeps one loop timer at the core's
next deadline. What it is not: SIP or call logic. Who uses it: `app.py`; the lab runs its own agents on `net/udp.py`.

Order for every input: SIP out first, since nobody on the phone waits for the disk (architecture decision 5),
then commits.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import structlog

from maskline.clock import Clock
from maskline.engine import inputs as i
from maskline.engine.call import USUAL, CallPolicy
from maskline.engine.core import EngineConfig, EngineCore
from maskline.engine.outside import OutsideWork
from maskline.engine.ports import CallRecorder, CallRouter
from maskline.ids import Ids
from maskline.masking.decision import StartCall, StartFlow
from maskline.masking.facts import Cause
from maskline.masking.session import Session
from maskline.media.port import MediaDriver, MediaEvent, Prompter, RecordingLost
from maskline.net.udp import UdpSocket
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.events import Flow

log = structlog.get_logger()

RARE_LOG_SECONDS = 10.0
"""At most one line of a kind in this time, however many datagrams strangers send or unknown numbers are dialled."""
OVERLOAD_SECONDS = 0.5
"""T1: what waits longer in the socket has been sent again by the time it is read, and the load feeds itself."""
BYE_SECONDS = 2.0
"""How long `stop` waits for the last BYEs to be answered and the last media to be freed."""


class EngineRunner:
    """Start it once; it runs on the loop it was started on until `stop`."""

    def __init__(
        self, *, router: CallRouter, recorder: CallRecorder, media: MediaDriver | None, clock: Clock, ids: Ids,
        host: str, port: int, loop_token: str = "", advertised_host: str = "", prompter: Prompter | None = None,
        policy: CallPolicy = USUAL,
    ) -> None:  # fmt: skip
        """`media` None means signalling only (`MASKLINE_MEDIA=none`). `advertised_host` is the address written
        into our messages when `host` is not the one peers reach us at. `loop_token` names the installation; by
        default a new one at each start. `prompter` gets what is played."""
        self._router = router
        self._recorder = recorder
        self._driver = media
        self._clock = clock
        self._ids = ids
        self._host, self._port = host, port
        self._advertised = advertised_host or host
        self._loop_token = loop_token or ids.token(8)
        self._policy = policy
        self._socket = UdpSocket(self._on_datagram, self._on_batch, self._on_unreachable, clock.wall)
        self._bound: tuple[str, int] | None = None
        self._core: EngineCore | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._said: dict[str, tuple[float, int]] = {}
        """Rare lines by what they count: when the last one was written, and the counter at that time."""
        self._unknown_seen = 0
        self._idle = asyncio.Event()
        self._flushing = False
        self._outside = OutsideWork(
            self._router,
            clock,
            self._deliver,
            media,
            prompter,
            digits=not policy.block_digits,
        )

    def bind(self) -> tuple[str, int]:
        """Take the address, nothing more; returns it. What comes in before `start` is dropped, and SIP sends it
        again. Raises `OSError` when the port is taken."""
        self._bound = self._socket.bind(self._host, self._port)
        return self._bound

    def close(self) -> None:
        """Give the address back; `stop` has done so after a start."""
        self._socket.close()

    async def start(self) -> tuple[str, int]:
        """Bind unless that is done, and take calls; returns the address bound to. Raises `OSError` when the port is
        taken, and then has not touched the media driver, whose workers may be a living server's."""
        bound = self._bound or self.bind()
        if self._driver is not None:
            await self._driver.start(self._on_media_event)
        agent = Agent(AgentConfig(self._advertised, bound[1]), self._ids)
        driver = self._driver
        config = EngineConfig(
            self._advertised, self._loop_token, driver is not None, self._policy,
            transcodes=driver is not None and driver.transcodes, encrypts=driver is not None and driver.encrypts,
        )  # fmt: skip
        self._core = EngineCore(config, agent, self._ids, self._clock, self._router.trunks)
        return bound

    def drain(self) -> None:
        """Take no new calls (503) and answer OPTIONS with 503; calls in progress go on."""
        self.core.draining = True

    async def stop(self, grace: float = 0.0) -> int:
        """Drain, wait up to `grace` seconds for calls to end by themselves, hang up the rest and close.
        Returns how many had to be hung up."""
        core = self.core
        self.drain()
        await self._until_idle(grace)
        left = len(core.calls)
        if left:
            log.warning("calls_abandoned", count=left)
            self._feed(core.stop_calls)
            self._arm()
            await self._until_idle(BYE_SECONDS)
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()
        await self._outside.stop()
        if self._driver is not None:
            await self._driver.stop()
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

    def session_ended(self, session_id: str) -> None:
        """The session is over: a call of it that is still on its way ends too."""
        if self._core is not None:
            self._feed(self._core.session_ended, session_id)
            self._arm()

    def sessions_on_request(self) -> list[Session]:
        """Whose requested calls are on their way: not connected yet."""
        return [] if self._core is None else self._core.sessions_on_request()

    @property
    def core(self) -> EngineCore:
        assert self._core is not None, "started first"
        return self._core

    def metrics(self) -> dict[str, Any]:
        """Plain numbers by name: engine and SIP counters, what is held at this moment, losses of the socket."""
        core = self.core
        held = core.agent.sizes()
        return {
            **asdict(core.counters),
            **{f"sip_{name}": value for name, value in asdict(core.agent.counters).items()},
            "calls_in_progress": len(core.calls),
            "sip_dialogs": held["usages"],
            "sip_transactions": held["client_transactions"] + held["server_transactions"],
            "kernel_drops": self._socket.kernel_drops(),
            "send_drops": self._socket.dropped_sends,
        }

    # -- what comes in ----------------------------------------------------------------------------------------

    def _on_datagram(self, data: bytes, host: str, port: int) -> None:
        core = self._core
        if core is None:
            return
        stranger = self._feed(core.receive, data, Flow("udp", host, port)) is False
        if stranger and (count := self._unsaid("strangers", core.counters.strangers)):
            log.warning("stranger_dropped", host=host, datagrams=count)

    def _on_batch(self) -> None:
        if self._core is not None:
            self._core.overloaded = self._socket.behind > OVERLOAD_SECONDS
            self._arm()

    def _on_unreachable(self, host: str, port: int) -> None:
        if self._core is not None:
            self._feed(self._core.flow_failed, Flow("udp", host, port))

    def _on_timer(self) -> None:
        self._timer = None
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
        """Give the core one input and perform what it asks for. A fault is a bug: it ends neither the engine nor
        the other calls, and is counted."""
        result = None
        try:
            result = take(*what, self._clock.now())
        except Exception as error:
            self.core.counters.faults += 1
            log.error("engine_fault", exc_info=error)
        if result is not False and not self._flushing:
            self._flush()
        return result

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
            send(data, flow.host, flow.port)
        for commit in core.commits():
            self._recorder.record(commit)
        if core.counters.unknown_numbers != self._unknown_seen:
            self._unknown_seen, last = core.counters.unknown_numbers, core.last_unknown
            if count := self._unsaid("unknown numbers", self._unknown_seen):
                log.warning("unknown_number", number=last.number, trunk=last.trunk, calls=count)
        if not core.calls:
            self._idle.set()

    def _arm(self) -> None:
        """Keep one loop timer at or before the next deadline. One that is too early finds nothing due and arms
        again, which costs less than moving it at each of a call's dozen timers."""
        deadline = self.core.next_deadline()
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        delay = max(0.0, deadline - self._clock.now())
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    # -- small things -----------------------------------------------------------------------------------------

    async def _until_idle(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self.core.calls:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            return

    def _unsaid(self, counted: str, counter: int) -> int:
        """How much was counted since the last line about it; 0 when that line is too young for another."""
        now = self._clock.now()
        said_at, said = self._said.get(counted, (float("-inf"), 0))
        if now - said_at < RARE_LOG_SECONDS:
            return 0
        self._said[counted] = (now, counter)
        return counter - said


YOUNG = 1_000
"""Objects that are looked through at once for cycles. Everybody waits meanwhile: 0.7 ms (at most 3.4) with this many,
85 to 96 ms with 50,000, which a busy server has made in three thousand calls."""
NEVER = 1_000_000
"""Collections of younger objects before older ones are looked through: those of calls in progress, all alive."""


def settle_memory() -> None:
    """Once, when everything is built: what exists now will live for ever. A call leaves no cycles behind, so only what
    is new is looked through, little at a time, and everything when no call is in progress (`chores.py`). A collection
    over a grown heap cost Sippy 50 ms and more (peers.md, 3)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, NEVER, NEVER)
