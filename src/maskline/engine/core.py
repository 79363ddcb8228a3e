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
from dataclasses import replace
from functools import partial
from typing import Any, get_args

from maskline.clock import Clock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.account_gate import AccountGate
from maskline.engine.call import USUAL, Call, CallPolicy
from maskline.engine.call_book import CallBook
from maskline.engine.call_timers import CallTimers
from maskline.engine.counters import EngineCounters
from maskline.engine.effects import Emit, Finish
from maskline.engine.identity import called_of
from maskline.engine.leg import Leg
from maskline.engine.media_inputs import MEDIA_INPUTS
from maskline.engine.outlets import Outlets, Outside
from maskline.engine.ports import CallCommit, CutOff, Shared
from maskline.engine.reaper import Reaper
from maskline.engine.revival import Revival
from maskline.engine.sip_effects import RETRY_LATER, SipEffects
from maskline.engine.sip_inputs import LEG_INPUTS, leg_of
from maskline.engine.sip_requests import take_request
from maskline.engine.trunk_book import TrunkBook
from maskline.engine.trunk_credentials import credentials_of
from maskline.engine.trunk_gate import TrunkGate, enter
from maskline.engine.trunk_settled import read_by, received_of, settle
from maskline.ids import Ids
from maskline.masking.decision import StartCall, StartFlow
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, Fact, HungUpBy, LegName, Outcome
from maskline.masking.trunk import Reading, Reliable, Trunk
from maskline.masking.trunk_state import TrunkState
from maskline.masking.usage_book import UsageBook
from maskline.media.port import MediaEvent
from maskline.sip import events as sip
from maskline.sip.agent import Agent
from maskline.values import dataclass

_NO_RELIABLE = (("Unsupported", "100rel"),)
"""To a caller that demands what its trunk is set not to do (RFC 3261 §8.2.2.3)."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What the machine needs to know of its surroundings."""

    host: str
    """Our own address, the realm of our challenges where a trunk names none."""
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


def _nothing_more(flow: sip.Flow, now: float) -> None:
    """Told of each INVITE that is refused because its number is not ours, where nobody counts those."""


class EngineCore(Outlets):
    def __init__(
        self, config: EngineConfig, agent: Agent, ids: Ids, clock: Clock, trunks: Callable[[], tuple[Trunk, ...]],
        shared: Shared | None = None,
    ) -> None:  # fmt: skip
        """`trunks` as in `TrunkBook`."""
        super().__init__()
        shared = shared or Shared(TrunkState(), UsageBook())
        self._config = config
        self._ids = ids
        self.agent = agent
        self.datagrams = agent.datagrams
        self.gate = TrunkGate(shared.trunks, agent)
        accounts = self.accounts = AccountGate(shared.usage, clock)
        self._sip = SipEffects(agent, self.gate, config.loop_token)
        self._book = CallBook(
            ids, clock, relay=config.relay, policy=config.policy,
            transcodes=config.transcodes, encrypts=config.encrypts,
        )  # fmt: skip
        self.sessions_on_request = self._book.on_request
        self._timers = CallTimers()
        self.calls = self._book.calls
        self.reaper = Reaper(self.calls, self._timers, self.deliver, self._note_fault)
        self.counters = EngineCounters()
        self.nowhere: Callable[[sip.Flow, float], None] = _nothing_more
        self.last_unknown = UnknownNumber("", "")
        """The newest of what `counters.unknown_numbers` counts."""
        self.trunks = TrunkBook(trunks, self.counters)
        self._revival = Revival(self._book, agent, self.gate, accounts, self.trunks, self.counters, self._note_fault)
        self.let_go = partial(self._revival.let_go, self._forget)
        agent.challenge(self.trunks.who_must_prove, config.host)
        agent.stay_with(self.trunks.is_behind_nat)
        self.draining = False
        """True: new calls are refused with 503, calls in progress go on."""
        self.overloaded = False
        """True: new calls wait too long (`admission.py`), so those that the API asks for are not begun."""
        self._on_event: dict[type, Callable[[Any, float], None]] = {
            sip.InviteReceived: self._on_invite,
            sip.InviteProgress: self._on_progress,
            sip.RequestReceived: self._on_request,
            sip.ProofRefused: self.trunks.note_wrong,
        }
        self._perform: dict[type, Callable[[Call, Any, float], None]] = {
            **self._sip.table,
            **dict.fromkeys(get_args(Outside), self._hand_out),
            e.StartTimer: self._timers.start, e.StopTimer: self._timers.stop, e.Forget: self._forget,
        }  # fmt: skip

    # -- inputs -----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, flow: sip.Flow, now: float) -> bool:
        """One datagram. False: it came from an address of nobody's and was dropped unread, so that a scanner learns
        nothing, not even that something listens (reliability.md §4)."""
        if not (self.trunks.knows(flow) or self.agent.expects(data, flow)):
            self.counters.strangers += 1
            return False
        self.agent.receive(data, flow, now)
        self._drain(now)
        return True

    def handle_timer(self, now: float) -> None:
        self.agent.handle_timer(now)
        self._drain(now)
        for timer, call_id in self._timers.expired(now):
            self._feed(self.calls[call_id], i.TimerFired(timer), now)

    def flow_failed(self, flow: sip.Flow, now: float, *, closed: bool = False, quoted: bytes | None = None) -> None:
        """The network says that nobody is there, for a datagram if it is `quoted`; `closed`: that a connection ended,
        as no call has to for that."""
        self.counters.unreachable += not closed
        self.agent.flow_closed(flow, now) if closed else self.agent.flow_failed(flow, now, quoted)
        self._drain(now)

    def deliver(self, call_id: str, inp: i.Input, now: float) -> None:
        """The result of outside work. A call that is gone by now needs it no more."""
        call = self.calls.get(call_id)
        if call is None:
            return
        inp = settle(call, inp, self.gate, self.agent, now)
        if isinstance(inp, (i.Forwarded, i.FlowGiven)):
            inp = enter(self._book, self.gate, self.accounts, call, inp, now)
        elif isinstance(inp, i.Refused) and inp.decision.virtual_number is None and call.record.context is None:
            self._note_unknown(call.offer.called, call.offer.trunk.name)
            if call.leg_a.usage is not None:
                self.nowhere(call.leg_a.usage.flow, now)
        else:
            self.counters.note(type(inp))
        self._feed(call, inp, now)
        self._drain(now)

    def media_event(self, event: MediaEvent, now: float) -> None:
        """What the media driver tells by itself."""
        self.deliver(event.call_id, MEDIA_INPUTS[type(event)](event), now)

    def start_call(self, decision: StartCall, now: float) -> Cause | None:
        """Begin a call that a session asked for; None, or why it is not begun: the session has a call already
        (`SESSION_BUSY`), its account is at its limits, the process is about to end (`SHUTDOWN`) or has too much to do
        (`CONGESTION`)."""
        session = decision.forward.session
        assert session is not None, "only a session asks for calls"
        if self.draining or self.overloaded:
            return Cause.SHUTDOWN if self.draining else Cause.CONGESTION
        if self._book.in_session(session.id) is not None:
            return Cause.SESSION_BUSY
        call_id = self._ids.uuid()
        cause = self.accounts.take(call_id, decision.forward.permit, now)
        if cause is not None:
            return cause
        self.counters.requested_calls += 1
        call = self._book.open(now, inbound=False, call_id=call_id)
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
        flow = self.accounts.admit_flow(call.id, decision.flow, now, LegName.A)
        self._feed(call, i.FlowRequested(decision if flow is decision.flow else replace(decision, flow=flow)), now)
        self._drain(now)
        return None

    def revive(self, past: CutOff, now: float) -> None:
        """A call that a process before this one had goes on if its two parties talked, and has its end now if not."""
        self._revival.revive(past, now, self._perform_all, self._work.extend, self._commits.extend)

    def session_ended(self, session_id: str, now: float) -> None:
        """Ends the call that the session has unless its parties talk already, which is the call's to know."""
        call = self._book.in_session(session_id)
        if call is not None:
            self._feed(call, i.SessionEnded(), now)
            self._drain(now)

    def stop_calls(self, keep: bool, now: float) -> None:
        """Hang up everything, or with `keep` what would not go on elsewhere, since the process is about to end."""
        for call in [call for call in self.calls.values() if not (keep and call.talked)]:
            self._feed(call, i.Stopped(Cause.SHUTDOWN), now)
        self._drain(now)

    # -- outputs ----------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        return _earlier(self.agent.next_deadline(), self._timers.next_deadline())

    # -- agent events -----------------------------------------------------------------------------------------

    def _drain(self, now: float) -> None:
        while events := self.agent.events():
            for event in events:
                kind = type(event)
                read = LEG_INPUTS.get(kind)
                if read is not None:
                    if kind in self.gate.notes:
                        self.gate.notes[kind](event, now)
                    leg = leg_of(event.usage)  # type: ignore[union-attr]  # all of that table have one
                    if leg is not None:
                        self._to_leg(leg, read(event, leg), now)
                elif kind in self._on_event:
                    self._on_event[kind](event, now)

    def _to_leg(self, leg: Leg | None, inp: i.Input, now: float) -> None:
        if leg is not None and leg.call is not None:
            self._feed(leg.call, inp, now)

    def _on_invite(self, event: sip.InviteReceived, now: float) -> None:
        flow = event.flow
        trunks = self.trunks.match(flow, event.proved)
        readings = read_by(trunks, event.request, self.agent.host_for(flow))
        if self.draining:
            self.counters.drained += 1
            self.agent.reject(event.usage, 503, now, headers=RETRY_LATER)
        elif not readings:
            self._note_unknown(called_of(event.request), trunks[0].name if trunks else flow.host)
            self.nowhere(flow, now)
            self.agent.reject(event.usage, 404, now)
        elif event.usage.reliable is not None and all(one.trunk.reliable is Reliable.OFF for one in readings):
            self.agent.reject(event.usage, 420, now, headers=_NO_RELIABLE)
        elif not any(self.gate.has_room(one.trunk, now) for one in readings):
            self.counters.trunk_full += 1
            self.agent.reject(event.usage, 503, now, headers=RETRY_LATER)
        else:
            self._begin(event, readings, now)

    def _begin(self, event: sip.InviteReceived, readings: tuple[Reading, ...], now: float) -> None:
        self.counters.calls += 1
        call = self._book.open(now)
        call.leg_a.usage, event.usage.owner = event.usage, call.leg_a
        call.media.leg(LegName.A).ipv6 = ":" in event.flow.host
        if len(readings) == 1:
            trunk = readings[0].trunk
            self.gate.take(call.id, LegName.A, trunk, now)
            self.agent.prove(event.usage, credentials_of(trunk, event.flow))
        self._feed(call, received_of(event, readings, self._config.loop_token), now)

    def _on_progress(self, event: sip.InviteProgress, now: float) -> None:
        response, leg = event.response, leg_of(event.usage)
        status, body = response.status, response.sdp
        if leg is not None and (status in (180, 183) or (body and status != 199)):
            # Of others what is to be heard: that the callee forwards its calls (181) is nobody's business here.
            self._to_leg(leg, i.Progressed(180 if status == 180 else 183, response.to_tag, body, leg.name), now)
        else:
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
        while self._sip.unsent:
            self._feed(*self._sip.unsent.pop(), now)

    def _perform_all(self, call: Call, effects: Iterator[e.Effect], now: float) -> None:
        facts: list[Fact] = []
        record = None
        moved = False
        try:
            for effect in effects:
                moved = True
                kind = type(effect)
                if kind is Emit:
                    facts.append(effect.fact)  # type: ignore[attr-defined]
                elif kind is Finish:
                    record = effect.record  # type: ignore[attr-defined]
                else:
                    self._perform[kind](call, effect, now)
        finally:
            kept = self._revival.keep(call, now) if moved and record is None else None
            if facts or kept is not None:
                self._commits.append(CallCommit(call.record.context, tuple(facts), record, kept))
                self.accounts.note(call.id, facts, now)
            if record is not None:
                self.counters.count(record.outcome)
                self._book.leave(call)
                self.gate.leave(call.id)
                self.accounts.leave(call.id, now)

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

    def _note_unknown(self, called: Number | None, trunk: str) -> None:
        self.counters.unknown_numbers += 1
        self.last_unknown = UnknownNumber("no number" if called is None else called.masked, trunk)

    def _hand_out(self, call: Call, effect: Outside, now: float) -> None:
        self._work.append((call.id, effect))

    def _forget(self, call: Call, effect: e.Forget, now: float) -> None:
        self._timers.stop_all(call.id)
        self.gate.leave(call.id)
        self.accounts.leave(call.id, now)
        self._book.forget(call)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return one if one < other else other
