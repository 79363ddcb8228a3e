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
from typing import Any, get_args

from maskline.clock import Clock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call import USUAL, Call, CallPolicy
from maskline.engine.call_book import CallBook
from maskline.engine.call_timers import CallTimers
from maskline.engine.counters import EngineCounters
from maskline.engine.identity import DEFAULT_MAX_FORWARDS, called_of, caller_of, has_looped
from maskline.engine.leg import Leg
from maskline.engine.media_inputs import MEDIA_INPUTS
from maskline.engine.ports import CallCommit
from maskline.engine.sip_effects import SipEffects
from maskline.engine.sip_inputs import LEG_INPUTS, leg_of, sdp_of
from maskline.engine.sip_requests import take_request
from maskline.engine.trunk_book import TrunkBook
from maskline.ids import Ids
from maskline.masking.decision import Refuse, StartCall, StartFlow
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, Fact, HungUpBy, Outcome
from maskline.masking.trunk import Trunk
from maskline.media.port import MediaEvent
from maskline.sip import events as sip
from maskline.sip.agent import Agent

Outside = (
    e.Route | e.CheckPin | e.AskNext | e.StopAsking | e.OpenMedia | e.AttachMedia | e.BridgeMedia | e.UnbridgeMedia
    | e.Play | e.StopPlaying | e.Collect | e.SendDigit | e.StartRecording | e.StopRecording | e.CloseMedia
)  # fmt: skip
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
    policy: CallPolicy = USUAL
    transcodes: bool = False
    """The media driver makes one codec of another, whatever they are."""
    encrypts: bool = False
    """The media driver takes part in encrypted legs."""


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
        """`trunks` as in `TrunkBook`."""
        self._config = config
        self.agent = agent
        self._sip = SipEffects(agent, config.host, config.loop_token)
        self._book = CallBook(
            ids, clock, relay=config.relay, policy=config.policy,
            transcodes=config.transcodes, encrypts=config.encrypts,
        )  # fmt: skip
        self.sessions_on_request = self._book.on_request
        self._trunks = TrunkBook(trunks)
        self._timers = CallTimers()
        self._work: list[tuple[str, Outside]] = []
        self._commits: list[CallCommit] = []
        self._faults: list[Exception] = []
        self.calls = self._book.calls
        """Calls in progress by id."""
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
            **dict.fromkeys(get_args(Outside), self._hand_out),
            e.StartTimer: self._timers.start,
            e.StopTimer: self._timers.stop,
            e.Forget: self._forget,
        }

    # -- inputs -----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, flow: sip.Flow, now: float) -> bool:
        """One datagram. False: it came from the address of no trunk and was dropped unread, so that a scanner
        learns nothing, not even that something listens (reliability.md §4)."""
        if not self._trunks.knows(flow.host):
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
        if isinstance(inp, i.Forwarded):
            inp = self._enter_session(call, inp)
        elif isinstance(inp, i.Refused) and inp.decision.virtual_number is None and call.record.context is None:
            self._note_unknown(call.offer.called, call.offer.trunk.name)
        else:
            self.counters.note(type(inp))
        self._feed(call, inp, now)
        self._drain(now)

    def media_event(self, event: MediaEvent, now: float) -> None:
        """What the media driver tells by itself."""
        self.deliver(event.call_id, MEDIA_INPUTS[type(event)](event), now)

    def start_call(self, decision: StartCall, now: float) -> Cause | None:
        """Begin a call that a session asked for; None, or why it is not begun: the session has a call already
        (`SESSION_BUSY`), the process is about to end (`SHUTDOWN`) or has too much to do (`CONGESTION`)."""
        session = decision.forward.session
        assert session is not None, "only a session asks for calls"
        if self.draining or self.overloaded:
            return Cause.SHUTDOWN if self.draining else Cause.CONGESTION
        if self._book.in_session(session.id) is not None:
            return Cause.SESSION_BUSY
        self.counters.requested_calls += 1
        call = self._book.open(now, inbound=False)
        self._book.enter(call, session.id)
        self._feed(call, i.Requested(decision), now)
        self._drain(now)
        return None

    def start_flow(self, decision: StartFlow, now: float) -> Cause | None:
        """Begin a call that the API asked for, under the id it was given; None, or why it is not begun: the process is
        about to end (`SHUTDOWN`) or has too much to do (`CONGESTION`). One that is in progress is not begun again."""
        if self.draining or self.overloaded:
            return Cause.SHUTDOWN if self.draining else Cause.CONGESTION
        if decision.call_id in self.calls:
            return None
        self.counters.requested_calls += 1
        call = self._book.open(now, inbound=False, call_id=decision.call_id)
        self._feed(call, i.FlowRequested(decision), now)
        self._drain(now)
        return None

    def session_ended(self, session_id: str, now: float) -> None:
        """Ends the call that the session has unless its parties talk already, which is the call's to know."""
        call = self._book.in_session(session_id)
        if call is not None:
            self._feed(call, i.SessionEnded(), now)
            self._drain(now)

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
        trunk = self._trunks.match(flow)
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
        request = event.request
        call = self._book.open(now)
        call.leg_a.usage = event.usage
        event.usage.owner = call.leg_a
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
        inp = take_request(event, self.agent, self.counters, now, draining=self.draining)
        if inp is not None:
            self._to_leg(leg_of(event.usage), inp, now)

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
                self._book.leave(call)

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
        self._forget(call, e.Forget(), now)

    def _note_fault(self, fault: Exception) -> None:
        self.counters.faults += 1
        self._faults.append(fault)

    # -- sessions and numbers ---------------------------------------------------------------------------------

    def _enter_session(self, call: Call, forwarded: i.Forwarded) -> i.Input:
        """A session carries one call at a time: the second one hears busy (plivo-vts.md §6)."""
        decision = forwarded.decision
        session = decision.session
        # A fallback takes any number of calls; and a call may have ended while its PIN was looked up.
        if session is None or call.record.closed or self._book.enter(call, session.id):
            return forwarded
        return i.Refused(Refuse(Cause.SESSION_BUSY, decision.virtual_number, session))

    def _note_unknown(self, called: Number | None, trunk: str) -> None:
        self.counters.unknown_numbers += 1
        self.last_unknown = UnknownNumber("no number" if called is None else called.masked, trunk)

    def _hand_out(self, call: Call, effect: Outside, now: float) -> None:
        self._work.append((call.id, effect))

    def _forget(self, call: Call, effect: e.Forget, now: float) -> None:
        self._timers.stop_all(call.id)
        self._book.forget(call)
