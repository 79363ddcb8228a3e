"""A call that does what the customer's application says: one step of its flow after the other (8x8-wavecell.md §4).

Whoever is on leg A is answered as soon as a step speaks to it, and not before. A `Dial` is a call's forwarding like any
other, its parts are those of `call_begin.py`, `call_greet.py` and `call_dial.py`; when the two have talked and the
callee leaves first, the flow goes on. What is asked of the application comes back as the next flow, or ends the call.

What it is: actions of the table `CALL`. What it is not: the dialogue that asks for digits (`call_capture.py`,
`capture.py`), or the way to the application (`workflows/`). Who uses it: `call.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_begin import identify, open_both, open_caller, understand
from maskline.engine.call_change import go_on_alone
from maskline.engine.call_end import end, hang_up
from maskline.engine.call_first import FirstLeg, open_first
from maskline.engine.call_flow_steps import MOST_ROUNDS, FlowSteps
from maskline.engine.call_greet import announce, tell_why
from maskline.engine.call_record_builder import UNAVAILABLE
from maskline.engine.call_states import CallState
from maskline.engine.capture import CapturePrompt
from maskline.engine.identity import DEFAULT_MAX_FORWARDS
from maskline.masking.call_flow import ActionDone, Capture, PlayFile, Say, third_leg
from maskline.masking.decision import Dial, Forward, MatchedBy
from maskline.masking.facts import Cause, HungUpBy, LegName, Outcome

if TYPE_CHECKING:
    from maskline.engine.call import Call
    from maskline.masking.trunk import Trunk

A, B = LegName.A, LegName.B
_OUR_FAULT = {UNAVAILABLE: Cause.MEDIA_UNAVAILABLE, "internal_error": Cause.INTERNAL_ERROR}
"""Why a prompt was not played, when that is not the prompt's own fault."""


# -- the beginning ------------------------------------------------------------------------------------------------


def take_flow(call: Call, inp: i.FlowGiven, now: float, out: list[e.Effect]) -> None:
    _begin(call, FlowSteps(inp.decision), now, out)
    if understand(call, now, out):
        _go_on(call, now, out)


def abandon_flow(call: Call, inp: i.FlowGiven, now: float, out: list[e.Effect]) -> None:
    _begin(call, FlowSteps(inp.decision), now, out)
    end(call, Cause.CANCELED, HungUpBy.CALLER, now, out)


def start_flow(call: Call, inp: i.FlowRequested, now: float, out: list[e.Effect]) -> None:
    """The API asked for the call: the first step's callee is leg A."""
    start = inp.decision
    first = start.flow.steps[0]
    assert isinstance(first, Dial), "who is to be played to has to be called first"
    call.hops = DEFAULT_MAX_FORWARDS
    call.record.begin(first.callee, first.trunk.id if first.trunk else "", now, inbound=False)
    call.record.flow_requested(start.client_request_id)
    flow = FlowSteps(start.flow, start.client_request_id)
    _begin(call, flow, now, out)
    if start.expired or start.unwanted:
        cause = Cause.ENDED_BY_REQUEST if start.unwanted else Cause.FLOW_EXPIRED
        return end(call, cause, HungUpBy.PLATFORM, now, out)
    flow.next()
    call.record.action_begun(flow.name)
    trunk = _trunk_of(first)
    if isinstance(trunk, Cause):
        return end(call, trunk, HungUpBy.PLATFORM, now, out)
    ring_timeout = start.flow.options.ring_timeout
    return open_first(call, FirstLeg(first.callee, first.shown, trunk, ring_timeout, first.ways), now, out)


def _begin(call: Call, flow: FlowSteps, now: float, out: list[e.Effect]) -> None:
    call.flow = flow
    call.record.identify(flow.given.virtual_number, None, None, None, None, out)
    call.record.flow_given(now, flow.names, out)


# -- step by step -------------------------------------------------------------------------------------------------


def be_heard(call: Call, now: float, out: list[e.Effect]) -> None:
    """Whoever is on leg A can hear us: it was answered for the sake of a step, or it is the one whom we called."""
    if isinstance(_flow(call).step, Dial):
        _go_on(call, now, out)
    else:
        _carry_out(call, now, out)


def _go_on(call: Call, now: float, out: list[e.Effect]) -> None:
    flow = _flow(call)
    if flow.next() is not None:
        call.record.action_begun(flow.name)
        _carry_out(call, now, out)
    elif flow.bridge_untold and flow.asks_after_bridge:
        _ask(call, None, now, out)
    else:
        end(call, Cause.FLOW_ENDED, HungUpBy.PLATFORM, now, out)


def _carry_out(call: Call, now: float, out: list[e.Effect]) -> None:
    step = _flow(call).step
    if isinstance(step, Dial):
        _dial(call, step, now, out)
    elif isinstance(step, Say | PlayFile | Capture):
        _speak(call, step, now, out)
    else:
        end(call, Cause.FLOW_ENDED, HungUpBy.PLATFORM, now, out)


def _dial(call: Call, step: Dial, now: float, out: list[e.Effect]) -> None:
    trunk = _trunk_of(step)
    if call.leg_b.dialled:
        call.record.action_failed(now, third_leg(_flow(call).index), out)
        return fail_step(call, Cause.CALL_FLOW_INVALID, now, out)
    if isinstance(trunk, Cause):
        return fail_step(call, trunk, now, out)
    given = _flow(call).given
    options = replace(given.options, record=True) if step.record else given.options
    way = Forward(
        None, None, step.callee, given.virtual_number, trunk, step.shown, options, MatchedBy.CALL_ACTION,
        step.prompts, step.prompts, step.shown_reference_id, step.ways,
    )  # fmt: skip
    identify(call, way, now, out)
    if not call.leg_a.answered:
        return open_both(call, now, out)
    call.caller_prompts = step.prompts
    return announce(call, now, out)


def _trunk_of(step: Dial) -> Trunk | Cause:
    return step.refused or step.trunk or Cause.NO_ROUTE


def _speak(call: Call, step: Say | PlayFile | Capture, now: float, out: list[e.Effect]) -> None:
    if not call.media.relay:
        call.record.prompt_missed(A, now, step.prompt, UNAVAILABLE, out)
        fail_step(call, Cause.MEDIA_UNAVAILABLE, now, out)
    elif not call.leg_a.answered:
        open_caller(call, out)
    elif isinstance(step, Capture):
        call.state = CallState.CAPTURING
        call.capture = CapturePrompt(step, call.voice(A), call.record)
        call.capture.begin(now, out)
    else:
        call.state = CallState.SAYING
        call.voice(A).play((step.prompt,), out, step.repetition)


def fail_step(call: Call, cause: Cause, now: float, out: list[e.Effect]) -> None:
    """A step cannot be carried out. When the two have talked already the call has not failed by that, it is over."""
    end(call, Cause.FLOW_ENDED if call.talked else cause, HungUpBy.PLATFORM, now, out)


def said(call: Call, inp: i.PlayDone, now: float, out: list[e.Effect]) -> None:
    if call.voice(A).over(inp, now, out):
        _go_on(call, now, out)


def not_said(call: Call, inp: i.PlayFailed, now: float, out: list[e.Effect]) -> None:
    if call.voice(A).over(inp, now, out):
        fail_step(call, why_unheard(inp.reason, isinstance(_flow(call).step, PlayFile)), now, out)


def cut_saying(call: Call, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
    call.voice(A).skip(now, out)
    _go_on(call, now, out)


def why_unheard(reason: str, fetched: bool) -> Cause:
    """What a prompt that could not be played does to its call."""
    return _OUR_FAULT.get(reason, Cause.FILE_FAILED if fetched else Cause.SPEECH_FAILED)


# -- asking again -------------------------------------------------------------------------------------------------


def captured(call: Call, digits: str, now: float, out: list[e.Effect]) -> None:
    """What stands behind the question in the same flow is for nobody, since the application says what follows."""
    call.capture = None
    if _flow(call).given.asks_again:
        _ask(call, digits, now, out)
    else:
        _go_on(call, now, out)


def _ask(call: Call, digits: str | None, now: float, out: list[e.Effect]) -> None:
    flow, context = _flow(call), call.record.context
    assert context is not None, "a flow names the number"
    if flow.rounds == MOST_ROUNDS:
        return end(call, Cause.FLOW_ENDED, HungUpBy.PLATFORM, now, out)
    flow.rounds += 1
    flow.asking = True
    flow.bridge_untold = False
    call.state = CallState.ASKING_NEXT
    done = ActionDone(
        call.id, call.leg_a.id, call.leg_a.inbound, context.caller, context.virtual_number.number,
        flow.given.client_action_id, call.record.talk_time(A, now), digits, call.talked, flow.request_id,
    )  # fmt: skip
    out.append(e.AskNext(done))
    return None


def take_next(call: Call, inp: i.FlowGiven, now: float, out: list[e.Effect]) -> None:
    flow = _flow(call)
    flow.asking = False
    flow.take(inp.decision)
    call.record.flow_given(now, flow.names, out)
    _go_on(call, now, out)


def refuse_next(call: Call, inp: i.Refused, now: float, out: list[e.Effect]) -> None:
    """The application could not be asked, or its answer is none. After a conversation that is nobody's failure."""
    _flow(call).asking = False
    refusal = inp.decision
    if refusal.detail:
        call.record.action_failed(now, refusal.detail, out)
    if refusal.prompt is None or call.talked:
        fail_step(call, refusal.cause, now, out)
    else:
        tell_why(call, refusal, out)


def lose_application(call: Call, inp: i.RouteFailed, now: float, out: list[e.Effect]) -> None:
    _flow(call).asking = False
    fail_step(call, inp.cause, now, out)


# -- after the bridge ---------------------------------------------------------------------------------------------


def part_company(call: Call, inp: i.HungUp, now: float, out: list[e.Effect]) -> None:
    """One of the two who talk has hung up. A flow may have more to say to a first leg that stays."""
    flow = call.flow
    if flow is None or inp.leg is A or not flow.goes_on_after_bridge or not _can_go_on(call):
        return hang_up(call, inp, now, out)
    call.record.ended(B, now, Outcome.COMPLETED, Cause.NORMAL, 200, HungUpBy.CALLEE, out)
    out.append(e.StopTimer())
    if call.record.is_recording:
        out.append(e.StopRecording())
        call.record.recording_over(now, out)
    if call.media.relay:
        out.append(e.UnbridgeMedia())
    go_on_alone(call, inp, now, out)
    flow.bridge_untold = True
    return _go_on(call, now, out)


def _can_go_on(call: Call) -> bool:
    """After a late offer nobody knows where the caller listens before its ACK."""
    return call.media.leg(A).far is not None


def _flow(call: Call) -> FlowSteps:
    assert call.flow is not None, "only a call with a flow comes here"
    return call.flow
