"""What the caller hears before anybody else is dialled.

As early media (183 with our SDP) unless its INVITE made no offer or the installation wants callers answered first; then
its ACK is awaited (`call_accept.py`), so that the beginning is heard. A caller who is asked for a PIN is answered in
any case, since digits do not come through early media everywhere.

What it is: actions of the table `CALL`. What it is not: the dialogue about the PIN (`call_pin.py`), or one prompt after
the other (`announcer.py`). Who uses it: `call.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_dial import invite
from maskline.engine.call_end import end
from maskline.engine.call_states import CallState, LegSignal
from maskline.masking.decision import Refuse
from maskline.masking.facts import HungUpBy, LegName

if TYPE_CHECKING:
    from maskline.engine.call import Call

A, B = LegName.A, LegName.B


def dial(call: Call, inp: i.MediaOpened, now: float, out: list[e.Effect]) -> None:
    """The callee's ports are there: dial it, unless the caller is to hear something first."""
    if inp.a is not None:
        call.media.leg(A).local = inp.a
    call.media.leg(B).local = inp.b
    if not call.caller_prompts:
        invite(call, now, out)
    elif call.media.late or call.policy.answer_for_prompts:
        _accept(call, now, out)
    else:
        _let_hear(call, out)
        announce(call, now, out)


def face(call: Call, inp: i.MediaOpened, now: float, out: list[e.Effect]) -> None:
    """The caller's ports are there: tell it why it is refused, or answer it to ask it."""
    call.media.leg(A).local = inp.a
    if call.refusal is None:
        _accept(call, now, out)
        return
    _let_hear(call, out)
    tell_why(call, call.refusal, out)


def tell_why(call: Call, refusal: Refuse, out: list[e.Effect]) -> None:
    """To a caller that can hear us: by early media, or answered already since it was asked for a PIN."""
    assert refusal.prompt is not None, "there is something to tell"
    call.refusal = refusal
    call.state = CallState.REFUSING
    call.voice(A).play((refusal.prompt,), out)


def told_why(call: Call, inp: i.PlayDone | i.PlayFailed, now: float, out: list[e.Effect]) -> None:
    if call.voice(A).over(inp, now, out):
        refuse_now(call, inp, now, out)


def refuse_now(call: Call, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    assert call.refusal is not None, "it was told why"
    end(call, call.refusal.cause, HungUpBy.PLATFORM, now, out)


def announce(call: Call, now: float, out: list[e.Effect]) -> None:
    """All that the caller is to hear before the callee is dialled, if anything is."""
    prompts, call.caller_prompts = call.caller_prompts, ()
    if prompts:
        call.state = CallState.ANNOUNCING
        call.voice(A).play(prompts, out)
    else:
        _go_on(call, now, out)


def announced(call: Call, inp: i.PlayDone | i.PlayFailed, now: float, out: list[e.Effect]) -> None:
    if call.voice(A).over(inp, now, out):
        _go_on(call, now, out)


def cut_announcement(call: Call, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
    if call.voice(A).skip(now, out):
        _go_on(call, now, out)


def _go_on(call: Call, now: float, out: list[e.Effect]) -> None:
    if call.media.leg(B).local is None:
        call.state = CallState.OPENING
        out.append(e.OpenMedia(None, call.media.offered, (B,), call.media.with_keys(B), call.media.over_ipv6(B)))
    else:
        call.state = CallState.DIALING
        invite(call, now, out)


def _let_hear(call: Call, out: list[e.Effect]) -> None:
    call.leg_a.step(LegSignal.RING, out, e.Progress(183, call.media.greeting()))


def _accept(call: Call, now: float, out: list[e.Effect]) -> None:
    call.state = CallState.ACCEPTING
    call.leg_a.step(LegSignal.ANSWER, out, e.Answer(call.media.greeting()))
    call.record.answered(A, now, out)
