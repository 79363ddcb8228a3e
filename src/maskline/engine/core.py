"""The engine without IO: datagrams, results and `now` in; datagrams, outside work and commits out.

What it is: the SIP agent, the calls in progress and their timers in one machine. It turns agent events into
inputs of the call they belong to, and performs the effects that need nothing from outside. What needs the
router or the media driver is handed out by `work()` and comes back by `deliver()`. What it is not: asyncio or
sockets (`runner.py`), or rules (`call.py`). Who uses it: the runner; the simulation drives it on a virtual
clock.

After each call of `receive`, `handle_timer` or `deliver`, drain `work()`, then `commits()` and `datagrams()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from maskline.clock import Clock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call import Call
from maskline.engine.call_media import CallMedia
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.counters import EngineCounters
from maskline.engine.identity import DEFAULT_MAX_FORWARDS, called_of, caller_of, has_looped
from maskline.engine.leg import Leg
from maskline.engine.ports import CallCommit
from maskline.engine.sip_effects import SipEffects
from maskline.engine.sip_inputs import LEG_INPUTS, leg_of, sdp_of
from maskline.ids import Ids
from maskline.masking.decision import Refuse
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, Fact, HungUpBy, LegName, Outcome
from maskline.masking.trunk import Trunk, match_inbound
from maskline.media.port import MediaEvent, MediaTimedOut
from maskline.sip import events as sip
from maskline.sip.agent import Agent
from maskline.timers import Timers

Outside = e.Route | e.OpenMedia | e.AttachMedia | e.CloseMedia
"""Effects the runner performs."""

_RETRY_AFTER = (("Retry-After", "5"),)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What the machine needs to know of its surroundings."""

    host: str
    """Our own address, as written into the From of leg B."""
    loop_token: str
    """Names this installation in leg B's INVITEs; the same for all its engines."""
    relay: bool = True
    """False: no media driver, `MASKLINE_MEDIA=none`."""


@dataclass(frozen=True, slots=True)
class UnknownNumber:
    """What an operator needs to see why a carrier's calls are refused: often it sends another form of the number."""

    number: str
    """Masked, since it may be a person's."""
    trunk: str
    """Name of the trunk, or its host when only that fits."""


class EngineCore:
    def __init__(
        self, config: EngineConfig, agent: Agent, ids: Ids, clock: Clock, trunks: Callable[[], tuple[Trunk, ...]]
    ) -> None:
        """`trunks` is asked at every datagram and must be cheap; it returns the same tuple until one changes."""
        self._config = config
        self.agent = agent
        self._sip = SipEffects(agent, config.host, config.loop_token)
        self._ids = ids
        self._clock = clock
        self._read_trunks = trunks
        self._trunks: tuple[Trunk, ...] = ()
        self._by_host: dict[str, tuple[Trunk, ...]] = {}
        self._timers: Timers[tuple[str, i.TimerName]] = Timers()
        self._work: list[tuple[str, Outside]] = []
        self._commits: list[CallCommit] = []
        self._faults: list[Exception] = []
        self.calls: dict[str, Call] = {}
        """Calls in progress by id."""
        self._in_session: dict[str, str] = {}
        """Session's id → id of the call it has, until that call's record is made. The store learns of a call some
        milliseconds later, with a group commit, which is too late when both parties dial at the same moment."""
        self.counters = EngineCounters()
        self.last_unknown = UnknownNumber("", "")
        """The newest of what `counters.unknown_numbers` counts."""
        self.draining = False
        """True: new calls are refused with 503, calls in progress go on."""
        self.overloaded = False
        """True: datagrams wait too long, so new calls get a 503; taken, they would end in time-outs (peers.md, 5)."""
        self._on_event: dict[type, Callable[[Any, float], None]] = {
            sip.InviteReceived: self._on_invite,
            sip.InviteProgress: self._on_progress,
            sip.RequestReceived: self._on_request,
        }
        self._perform: dict[type, Callable[[Call, Any, float], None]] = {
            **self._sip.table,
            e.Route: self._hand_out,
            e.OpenMedia: self._hand_out,
            e.AttachMedia: self._hand_out,
            e.CloseMedia: self._hand_out,
            e.StartTimer: self._start_timer,
            e.StopTimer: self._stop_timer,
            e.Forget: self._forget,
        }

    # -- inputs -----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, flow: sip.Flow, now: float) -> bool:
        """One datagram. False: it came from the address of no trunk and was dropped unread, so that a scanner
        learns nothing, not even that something listens (reliability.md §4)."""
        trunks = self._read_trunks()
        if trunks is not self._trunks:
            self._trunks, self._by_host = trunks, _by_host(trunks)
        if flow.host not in self._by_host:
            self.counters.strangers += 1
            return False
        self.agent.receive(data, flow, now)
        self._drain(now)
        return True

    def handle_timer(self, now: float) -> None:
        self.agent.handle_timer(now)
        self._drain(now)
        for call_id, timer in self._timers.expired(now):
            self._feed(self.calls[call_id], i.TimerFired(timer), now)

    def flow_failed(self, flow: sip.Flow, now: float) -> None:
        """The network says that nobody is there (ICMP)."""
        self.counters.unreachable += 1
        self.agent.flow_failed(flow, now)
        self._drain(now)

    def deliver(self, call_id: str, inp: i.Input, now: float) -> None:
        """The result of outside work. A call that is gone by now needs it no more."""
        call = self.calls.get(call_id)
        if call is None:
            return
        if isinstance(inp, i.MediaFailed):
            self.counters.media_failed += 1
        elif isinstance(inp, i.RouteFailed):
            self.counters.routes_failed += 1
        elif isinstance(inp, i.Forwarded):
            inp = self._enter_session(call, inp)
        elif isinstance(inp, i.Refused) and inp.decision.virtual_number is None:
            self._note_unknown(call.offer.called, call.offer.trunk.name)
        self._feed(call, inp, now)
        self._drain(now)

    def media_event(self, event: MediaEvent, now: float) -> None:
        """Silence, or media lost by the driver."""
        silent = isinstance(event, MediaTimedOut)
        self.deliver(event.call_id, i.Stopped(Cause.MEDIA_TIMEOUT if silent else Cause.MEDIA_UNAVAILABLE), now)

    def stop_calls(self, now: float) -> None:
        """Hang up everything, since the process is about to end."""
        for call in list(self.calls.values()):
            self._feed(call, i.Stopped(Cause.SHUTDOWN), now)
        self._drain(now)

    # -- outputs ----------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        first, second = self.agent.next_deadline(), self._timers.next_deadline()
        if first is None or second is None:
            return second if first is None else first
        return min(first, second)

    def datagrams(self) -> list[sip.Datagram]:
        return self.agent.datagrams()

    def work(self) -> list[tuple[str, Outside]]:
        """(call id, effect) pairs since the last time, in order; drains."""
        work, self._work = self._work, []
        return work

    def commits(self) -> list[CallCommit]:
        """Facts and records since the last time, in order; drains."""
        commits, self._commits = self._commits, []
        return commits

    def faults(self) -> list[Exception]:
        """Bugs met since the last time, each already survived; drains."""
        faults, self._faults = self._faults, []
        return faults

    # -- agent events -----------------------------------------------------------------------------------------

    def _drain(self, now: float) -> None:
        while events := self.agent.events():
            for event in events:
                kind = type(event)
                if kind in LEG_INPUTS:
                    leg = leg_of(event.usage)
                    if leg is not None:
                        self._to_leg(leg, LEG_INPUTS[kind](event, leg), now)
                elif kind in self._on_event:
                    self._on_event[kind](event, now)

    def _to_leg(self, leg: Leg | None, inp: i.Input, now: float) -> None:
        if leg is not None and leg.call is not None:
            self._feed(leg.call, inp, now)

    def _on_invite(self, event: sip.InviteReceived, now: float) -> None:
        flow = event.flow
        trunk = match_inbound(self._by_host[flow.host], flow.host, flow.port, flow.transport)
        called = called_of(event.request)
        if self.draining or self.overloaded:
            self.counters.drained += self.draining
            self.counters.overloaded += not self.draining
            self.agent.reject(event.usage, 503, now, headers=_RETRY_AFTER)
        elif trunk is None or called is None:
            self._note_unknown(called, flow.host if trunk is None else trunk.name)
            self.agent.reject(event.usage, 404, now)
        else:
            self._begin(event, trunk, called, now)

    def _begin(self, event: sip.InviteReceived, trunk: Trunk, called: Number, now: float) -> None:
        self.counters.calls += 1
        ids, request = self._ids, event.request
        leg_a, leg_b = Leg(LegName.A, ids.uuid()), Leg(LegName.B, ids.uuid())
        call_id, sdp_ids = ids.uuid(), ids.token(8)
        media = CallMedia(self._config.relay, int(sdp_ids[:8], 16), int(sdp_ids[8:], 16))
        record = CallRecordBuilder(call_id, leg_a.id, leg_b.id, self._clock.wall(now) - now)
        call = self.calls[call_id] = Call(call_id, (leg_a, leg_b), media, record)
        leg_a.call = leg_b.call = call
        leg_a.usage = event.usage
        event.usage.owner = leg_a
        hops = request.max_forwards
        received = i.Received(
            caller_of(request), called, trunk, request.body, DEFAULT_MAX_FORWARDS if hops is None else hops,
            has_looped(request, self._config.loop_token),
        )  # fmt: skip
        self._feed(call, received, now)

    def _on_progress(self, event: sip.InviteProgress, now: float) -> None:
        response, leg = event.response, leg_of(event.usage)
        if leg is not None and response.status in (180, 183):
            body = sdp_of(response)
            self._to_leg(leg, i.Progressed(response.status, response.to_tag, body, leg.name), now)
        else:
            # 181 tells that the callee forwards its calls, which is nobody's business here.
            self.counters.dropped_progress += 1

    def _on_request(self, event: sip.RequestReceived, now: float) -> None:
        usage, request = event.usage, event.request
        if usage is None:
            # OPTIONS from a carrier is its health check: 503 takes us out of its rotation while draining.
            self.agent.respond(event.key, 503 if self.draining else 200, now)
        elif request.method not in ("INVITE", "UPDATE"):
            # INFO inside a leg is answered and dropped: nothing of it may cross.
            self.agent.respond(event.key, 200, now)
        elif (leg := leg_of(usage)) is not None:
            update = request.method == "UPDATE"
            self._to_leg(leg, i.Offered(leg.name, event.key, request.body, update), now)
        else:
            self.agent.respond(event.key, 481, now)

    # -- effects ----------------------------------------------------------------------------------------------

    def _feed(self, call: Call, inp: i.Input, now: float) -> None:
        out: list[e.Effect] = []
        effects = iter(out)
        try:
            call.handle(inp, now, out)
            self._perform_all(call, effects, now)
        except Exception as fault:  # noqa: BLE001 - a bug in one call must end that call, and no other
            self._note_fault(fault)
            self._rescue(call, out, effects, now)

    def _perform_all(self, call: Call, effects: Iterator[e.Effect], now: float) -> None:
        facts: list[Fact] = []
        record = None
        try:
            for effect in effects:
                kind = type(effect)
                if kind is e.Emit:
                    facts.append(effect.fact)  # type: ignore[attr-defined]
                elif kind is e.Finish:
                    record = effect.record  # type: ignore[attr-defined]
                else:
                    self._perform[kind](call, effect, now)
        finally:
            if facts:
                self._commits.append(CallCommit(call.record.context, tuple(facts), record))
            if record is not None:
                self.counters.count(record.outcome)
                self._leave_session(call)

    # -- bugs -------------------------------------------------------------------------------------------------

    def _rescue(self, call: Call, out: list[e.Effect], effects: Iterator[e.Effect], now: float) -> None:
        """Perform what is left of `effects` and end the call in order; a call that was ending already, or cannot
        even do that, is dropped."""
        was_ending = call.record.closed
        try:
            call.fail(now, out)
            self._perform_all(call, effects, now)
        except Exception as fault:  # noqa: BLE001 - as above
            self._note_fault(fault)
            was_ending = True
        if was_ending and call.id in self.calls:
            self._drop(call, now)

    def _drop(self, call: Call, now: float) -> None:
        """Without the call's own say: hang up, free the media, write the end if it is known, forget."""
        out: list[e.Effect] = []
        try:
            self._sip.take_down(call, now)
            if not call.record.closed:
                call.record.close(now, Outcome.ERROR, Cause.INTERNAL_ERROR, HungUpBy.PLATFORM)
            call.record.finish({}, out)
        except Exception as fault:  # noqa: BLE001 - as above
            self._note_fault(fault)
        self._perform_all(call, iter(out), now)
        if call.media.is_open:
            self._hand_out(call, e.CloseMedia(), now)
        _stop_timers(self._timers, call.id)
        self._leave_session(call)
        self._forget(call, e.Forget(), now)

    def _note_fault(self, fault: Exception) -> None:
        self.counters.faults += 1
        self._faults.append(fault)

    # -- sessions and numbers ---------------------------------------------------------------------------------

    def _enter_session(self, call: Call, forwarded: i.Forwarded) -> i.Input:
        """A session carries one call at a time: the second one hears busy (plivo-vts.md §6)."""
        decision = forwarded.decision
        if decision.session is None:  # a fallback takes any number of calls
            return forwarded
        if self._in_session.setdefault(decision.session.id, call.id) == call.id:
            return forwarded
        return i.Refused(Refuse(Cause.SESSION_BUSY, decision.virtual_number, decision.session))

    def _leave_session(self, call: Call) -> None:
        context = call.record.context
        session = None if context is None else context.session
        if session is not None and self._in_session.get(session.id) == call.id:
            del self._in_session[session.id]

    def _note_unknown(self, called: Number | None, trunk: str) -> None:
        self.counters.unknown_numbers += 1
        self.last_unknown = UnknownNumber("no number" if called is None else called.masked, trunk)

    def _hand_out(self, call: Call, effect: Outside, now: float) -> None:
        self._work.append((call.id, effect))

    def _start_timer(self, call: Call, effect: e.StartTimer, now: float) -> None:
        self._timers.set((call.id, effect.timer), now + effect.seconds)

    def _stop_timer(self, call: Call, effect: e.StopTimer, now: float) -> None:
        self._timers.cancel((call.id, effect.timer))

    def _forget(self, call: Call, effect: e.Forget, now: float) -> None:
        """Drop the call and cut its cycles: a thousand calls a second must not wait for the collector."""
        del self.calls[call.id]
        for leg in (call.leg_a, call.leg_b):
            if leg.usage is not None:
                leg.usage.owner = None
            leg.usage = leg.call = None


def _stop_timers(timers: Timers[tuple[str, i.TimerName]], call_id: str) -> None:
    for timer in i.TimerName:
        timers.cancel((call_id, timer))


def _by_host(trunks: tuple[Trunk, ...]) -> dict[str, tuple[Trunk, ...]]:
    by_host: dict[str, list[Trunk]] = {}
    for trunk in trunks:
        by_host.setdefault(trunk.host, []).append(trunk)
    return {host: tuple(found) for host, found in by_host.items()}
