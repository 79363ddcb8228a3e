"""One call: two legs, a decision between them, and an end.

What it is: the machine over `call_states.CALL`. `handle` gives effects in order; feed one input,
perform all of them, then feed the next. It composes the two `Leg`s, `CallMedia` (SDP), `CallRecordBuilder`
(facts), and where somebody hears us before the bridge an `Announcer` per leg, a `PinPrompt` or a `CapturePrompt`. What
is done in a row of the table is one function of the module for that part of a call:

    call_begin   whose call it is           call_dial    the callee on its way, and the bridge
    call_first   a call we start ourselves  call_talk    changes of one leg, digits, recording
    call_greet   prompts for the caller     call_change  changes that the other leg agrees to
    call_accept  who can hear us            call_end     every end
    call_pin     the PIN                    call_flow    what a customer's application says
    call_retry   whoever was not reached    call_capture the digits it asks for

What it is not: SIP, sockets, clocks or storage; `core.py` performs the effects.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from types import ModuleType
from typing import Any

from maskline.engine import (
    call_accept,
    call_begin,
    call_capture,
    call_change,
    call_dial,
    call_end,
    call_first,
    call_flow,
    call_greet,
    call_pin,
    call_retry,
    call_talk,
)
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.announcer import Announcer
from maskline.engine.call_change import Change
from maskline.engine.call_end import Parting
from maskline.engine.call_first import FirstLeg
from maskline.engine.call_flow_steps import FlowSteps
from maskline.engine.call_media import CallMedia
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.call_retry import Tries
from maskline.engine.call_states import CALL, CallEvent, CallState, LegSignal
from maskline.engine.capture import CapturePrompt
from maskline.engine.leg import Leg
from maskline.engine.pin_prompt import PinPrompt
from maskline.engine.ports import CallContext
from maskline.masking.decision import AskPin, Forward, Refuse, StartCall
from maskline.masking.facts import Cause, HungUpBy, LegName
from maskline.masking.prompt import Prompt
from maskline.values import dataclass

A = LegName.A
_NEW, _ENDING = CallState.NEW, CallState.ENDING  # to name a member of an `Enum` is a Python call in 3.11


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What the installation decides for all calls."""

    answer_for_prompts: bool = False
    """Callers are answered before they hear prompts, for carriers that let no early media through."""
    block_digits: bool = False
    """Keys pressed during the conversation do not reach the other party."""


USUAL = CallPolicy()


class Call:
    """The rows of `CALL` are carried out by the functions of `call_*.py`, for which everything here is open."""

    __slots__ = ("asked", "callee_prompts", "caller_prompts", "capture", "change", "decision", "early_media_ready",
                 "ends_at", "first", "flow", "hops", "id", "kept", "kept_ringing", "leg_a", "leg_b", "media",
                 "new_id", "offer_taken", "parting", "pin", "policy", "rang", "record", "records",
                 "refusal", "request", "state", "talked", "tries", "voices")  # fmt: skip

    def __init__(
        self, call_id: str, legs: tuple[Leg, Leg], media: CallMedia, record: CallRecordBuilder,
        new_id: Callable[[], str], policy: CallPolicy = USUAL,
    ) -> None:  # fmt: skip
        """`new_id` names a recording when there is one."""
        self.id = call_id
        self.leg_a, self.leg_b = legs
        self.media = media
        self.record = record
        self.new_id = new_id
        self.policy = policy
        self.state = _NEW
        self.offer_taken: i.Received | None = None
        self.hops = 0
        """Max-Forwards of what we send; the offer's, less one."""
        self.decision: Forward | None = None
        self.request: StartCall | None = None
        self.first: FirstLeg | None = None
        """Whom we call first, when the call is ours."""
        self.flow: FlowSteps | None = None
        """What the customer's application wants done, if it was asked."""
        self.asked: AskPin | None = None
        self.refusal: Refuse | None = None
        """What the caller is told, once it has heard why."""
        self.caller_prompts: tuple[Prompt, ...] = ()
        self.callee_prompts: tuple[Prompt, ...] = ()
        """What is still to be heard on each leg."""
        self.rang = False
        """The leg on its way sent a 180."""
        self.early_media_ready = False
        self.talked = False
        """The two were connected."""
        self.records = False
        """What the two say is to be recorded."""
        self.ends_at: float | None = None
        """Monotonic seconds at which their time is over."""
        self.kept: CallContext | None = None
        """What was last kept of it for the case that this process dies."""
        self.kept_ringing = ""
        """Branch of the INVITE of ours that was kept with it; empty: none."""
        self.parting: Parting | None = None
        self.tries: Tries | None = None
        """Of the leg on its way, once its first try failed."""
        self.change: Change | None = None
        """What one side asks for and the other has to agree to."""
        self.pin: PinPrompt | None = None
        self.capture: CapturePrompt | None = None
        self.voices: dict[LegName, Announcer] | None = None

    # -- what the machine is fed ------------------------------------------------------------------------------

    def handle(self, inp: i.Input, now: float, out: list[e.Effect]) -> None:
        """Take one input; appends what must be done to `out`, in order. What is there already when it raises still
        has to be done: the legs have moved on with it."""
        kind: CallEvent = type(inp)
        signal = _SIGNALS.get(kind)
        if signal is not None:
            (self.leg_a if signal[0](inp) is A else self.leg_b).step(signal[1], out)
        elif kind is i.TimerFired:
            kind = inp.timer  # type: ignore[attr-defined]
        elif isinstance(inp, i.PlayBegun):
            self.voice(inp.leg).begun(inp)
        row = _ROWS[self.state].get(kind)
        if row is not None:
            self.state = row[0]
            row[1](self, inp, now, out)
        self._settle(out)

    def fail(self, now: float, out: list[e.Effect]) -> None:
        """A bug met this call: end it, whatever its state."""
        call_end.end(self, Cause.INTERNAL_ERROR, HungUpBy.PLATFORM, now, out)
        self._settle(out)

    def _settle(self, out: list[e.Effect]) -> None:
        if self.state is _ENDING and self.record.finished and self.leg_a.ended and self.leg_b.ended:
            self.state = CallState.ENDED
            out.append(e.Forget())

    # -- what its parts ask of it -----------------------------------------------------------------------------

    @property
    def offer(self) -> i.Received:
        """What the caller asked for."""
        assert self.offer_taken is not None, "Received is the first input"
        return self.offer_taken

    @property
    def way(self) -> Forward:
        """Whom the caller is to reach."""
        assert self.decision is not None, "only a forwarded call dials"
        return self.decision

    @property
    def bridged(self) -> bool:
        """The two are connected: they were, and neither is gone."""
        return self.talked and not self.leg_b.ended

    def leg(self, name: LegName) -> Leg:
        return self.leg_a if name is A else self.leg_b

    def voice(self, leg: LegName) -> Announcer:
        """Who speaks to this leg; made at the first word, since most calls have no word of ours in them."""
        if self.voices is None:
            # One counter for both; a method of ours would tie a cycle that only the collector undoes.
            new_id = count(1).__next__
            self.voices = {name: Announcer(name, new_id, self.record) for name in LegName}
        return self.voices[leg]

    def hush(self, now: float, out: list[e.Effect]) -> None:
        """Nobody is asked or told anything any more."""
        if self.flow is not None and self.flow.asking:
            self.flow.asking = False
            out.append(e.StopAsking())
        if self.voices is None:
            return
        if self.pin is not None:
            self.pin.stop(now, out)
        if self.capture is not None:
            self.capture.stop(now, out)
        for voice in self.voices.values():
            voice.stop(now, out)


_Action = Callable[[Call, Any, float, list[e.Effect]], None]
_PARTS: tuple[ModuleType, ...] = (
    call_begin, call_first, call_greet, call_accept, call_pin, call_flow, call_capture, call_dial, call_change,
    call_talk, call_retry, call_end,
)  # fmt: skip


def action_of(name: str) -> _Action:
    """The function that a row of `CALL` names; raises `KeyError` when there is none."""
    (found,) = [vars(part)[name] for part in _PARTS if getattr(vars(part).get(name), "__module__", "") == part.__name__]
    action: _Action = found
    return action


_SIGNALS: dict[CallEvent, tuple[Callable[[Any], LegName], LegSignal]] = {
    i.Cancelled: (lambda _: A, LegSignal.REFUSED),
    i.Progressed: (lambda inp: inp.leg, LegSignal.RING),
    i.Answered: (lambda inp: inp.leg, LegSignal.ANSWER),
    i.Failed: (lambda inp: inp.leg, LegSignal.REFUSED),
    i.Acked: (lambda inp: inp.leg, LegSignal.ACKED),
    i.AckMissing: (lambda inp: inp.leg, LegSignal.ACK_MISSING),
    i.HungUp: (lambda inp: inp.leg, LegSignal.FAR_BYE),
    i.ByeDone: (lambda inp: inp.leg, LegSignal.BYE_DONE),
}
"""Which leg an input is for, and as what; inputs of router, media and timer are for no leg."""

_ROWS: dict[CallState, dict[CallEvent, tuple[CallState, _Action]]] = {state: {} for state in CallState}
"""`CALL` with what its rows name, by state and then by event: a pair would be made and hashed for each look."""
for (_state, _event), (_next, _name) in CALL.items():
    _ROWS[_state][_event] = (_next, action_of(_name))
