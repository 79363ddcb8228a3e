"""The callee on its way: dialled, ringing, answered, told what it is to hear, connected.

Early media of the callee reaches a caller that hears nothing of ours better, and a callee with prompts of its own gives
none. A caller that has our SDP already hears ringback from us; any other is told by 180, maybe with our SDP, and makes
its own.

What it is: actions of the table `CALL`. Who uses it: `call.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_change import is_promise_broken, tell_rest
from maskline.engine.call_end import lose
from maskline.engine.call_record_builder import UNAVAILABLE
from maskline.engine.call_retry import has_next
from maskline.engine.call_states import CallState, LegSignal, LegState
from maskline.engine.call_talk import start_recording
from maskline.masking.facts import Cause, HungUpBy, LegName
from maskline.masking.prompt import RINGBACK
from maskline.sdp.errors import SdpError

if TYPE_CHECKING:
    from maskline.engine.call import Call

A, B = LegName.A, LegName.B


def invite(call: Call, now: float, out: list[e.Effect]) -> None:
    way = call.way
    body = call.media.offer_to_callee()
    trunk, target = way.ways[0] if way.ways else (way.trunk, None)
    more = len(way.ways) > 1 and has_next(call, B)
    call.leg_b.step(LegSignal.DIAL, out, e.SendInvite(B, way.callee, way.shown, trunk, call.hops, body, target, more))
    call.record.dialled(B, now, trunk.id, out)
    out.append(e.StartTimer(way.options.ring_timeout))


# -- ringing ------------------------------------------------------------------------------------------------------


def ring(call: Call, inp: i.Progressed, now: float, out: list[e.Effect]) -> None:
    media = call.media
    call.rang = call.rang or inp.status == 180
    # The caller of a late offer has no answer to hear early media with (RFC 3261 §13.2.1).
    if (
        not inp.body
        or (media.late and not media.offers_early)
        or call.callee_prompts
        or media.early_fork not in (None, inp.fork)
    ):
        _ring_caller(call, inp, now, out)
    elif call.flow is not None and call.leg_a.answered:
        # Who was answered by us has heard us speak, and hears our tone until there is somebody to talk to.
        _ring_caller(call, inp, now, out)
    elif media.early_fork is None or inp.body != media.taken:
        # Carriers move early media (an announcement, then ringing), though RFC 3261 §13.2.1 would have us ignore that.
        _take_early_media(call, inp, now, out)
    elif call.early_media_ready:
        pass_early_media(call, inp, now, out)


def _ring_caller(call: Call, inp: i.Progressed, now: float, out: list[e.Effect]) -> None:
    call.record.rang(B, now, False, out)
    if not call.media.greeted:
        # A 183 whose media we keep to ourselves must not make the caller's phone wait for it.
        _tell_ringing(call, 180 if call.callee_prompts else inp.status, out)
    elif call.media.early_fork is None and not call.media.offers_early:
        call.voice(A).loop(RINGBACK, out)


def _tell_ringing(call: Call, status: int, out: list[e.Effect]) -> None:
    body = call.media.greeting() if call.media.offers_early else b""
    call.leg_a.step(LegSignal.RING, out, e.Progress(status, body))


def _take_early_media(call: Call, inp: i.Progressed, now: float, out: list[e.Effect]) -> None:
    media = call.media
    try:
        media.take_callee(inp.body)
    except SdpError:
        # An early body we cannot use is no reason to fail: the 2xx brings the binding one.
        return _ring_caller(call, inp, now, out)
    media.early_fork = inp.fork
    call.record.rang(B, now, True, out)
    if media.relay:
        call.hush(now, out)
        out.append(e.AttachMedia(B, media.leg(B).far_media(), _is_there(call), i.EarlyMediaReady()))
    else:
        pass_early_media(call, inp, now, out)
    return None


def pass_early_media(call: Call, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    if call.media.early_fork is None:
        return  # a driver's word about media that nobody asked it for
    call.early_media_ready = True
    if not call.media.greeted:
        media = call.media
        if media.offers_early:
            body = media.greeting()
        else:
            body = media.sdp_for_caller()
            media.promised = media.promised or media.leg(A).agreed
        call.leg_a.step(LegSignal.RING, out, e.Progress(183, body))


def _is_there(call: Call) -> bool:
    """It is known where the caller hears; after a late offer its ACK or PRACK says so, and joins the two."""
    return call.media.leg(A).far is not None


def miss_tone(call: Call, inp: i.PlayFailed, now: float, out: list[e.Effect]) -> None:
    """The caller waits in silence."""
    call.voice(inp.leg).over(inp, now, out)


# -- answered -----------------------------------------------------------------------------------------------------


def connect(call: Call, inp: i.Answered, now: float, out: list[e.Effect]) -> None:
    media = call.media
    call.record.answered(B, now, out)
    try:
        media.take_callee(inp.body, offered=inp.offered)
    except SdpError:
        return lose(call, Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM, now, out)
    if not media.relay:
        for prompt in call.callee_prompts:
            call.record.prompt_missed(B, now, prompt, UNAVAILABLE, out)
        call.state = CallState.TALKING
        return answer(call, inp, now, out)
    if call.callee_prompts:
        call.state = CallState.INFORMING
        out.append(e.StopTimer())
        out.append(e.AttachMedia(B, media.leg(B).far_media(), False, i.AnswerMediaReady()))
        return None
    call.hush(now, out)
    out.append(e.AttachMedia(B, media.leg(B).far_media(), _is_there(call), i.AnswerMediaReady()))
    return None


def inform(call: Call, inp: i.AnswerMediaReady, now: float, out: list[e.Effect]) -> None:
    """The callee hears its prompts; for the caller it goes on ringing, or begins to."""
    prompts, call.callee_prompts = call.callee_prompts, ()
    if call.leg_a.state is LegState.TRYING:
        _tell_ringing(call, 180, out)
    elif call.media.greeted and not call.media.offers_early:
        call.voice(A).loop(RINGBACK, out)
    call.voice(B).play(prompts, out)


def informed(call: Call, inp: i.PlayDone | i.PlayFailed, now: float, out: list[e.Effect]) -> None:
    if call.voice(inp.leg).over(inp, now, out) and inp.leg is B:
        _bridge(call, inp, now, out)


def cut_information(call: Call, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
    if call.voice(B).skip(now, out):
        _bridge(call, inp, now, out)


def _bridge(call: Call, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    call.hush(now, out)
    if not _is_there(call):
        call.state = CallState.TALKING
        answer(call, inp, now, out)
    else:
        call.state = CallState.BRIDGING
        out.append(e.BridgeMedia())


def answer(call: Call, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    """The two are connected. The time limit counts from here, not from the answer to a question of ours."""
    options = call.way.options
    call.talked, call.records = True, options.record
    if not call.leg_a.answered:
        call.leg_a.step(LegSignal.ANSWER, out, e.Answer(call.media.sdp_for_caller()))
        call.record.answered(A, now, out)
    call.ends_at = now + options.call_time_limit
    out.append(e.StartTimer(options.call_time_limit))
    if options.record and (call.media.leg(A).far is not None or not call.media.relay):
        start_recording(call, now, out)
    media = call.media
    untold = [name for name in (A, B) if media.leg(name).wish != media.leg(name).told]
    if B not in untold and is_promise_broken(call):
        untold.append(B)
    media.untold = tuple(untold)
    tell_rest(call, out)
