"""The first leg can be played to: its ACK is there, or its answer, and its media.

What it is: actions of the table `CALL` between the answer and the first thing that is heard. Who uses it: `call.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_end import end
from maskline.engine.call_flow import be_heard
from maskline.engine.call_greet import announce
from maskline.engine.call_states import CallState
from maskline.engine.pin_prompt import PinPrompt
from maskline.masking.facts import Cause, HungUpBy, LegName
from maskline.sdp.errors import SdpError

if TYPE_CHECKING:
    from maskline.engine.call import Call

A = LegName.A


def hear_ack(call: Call, inp: i.Acked, now: float, out: list[e.Effect]) -> None:
    leg = call.media.leg(A)
    if not leg.awaits_answer:
        return listen(call, inp, now, out)
    try:
        call.media.take_answer(A, inp.body)
    except SdpError:
        return end(call, Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM, now, out)
    call.state = CallState.ACCEPTING
    out.append(e.AttachMedia(A, leg.far_media(), False, i.LateMediaReady(first=True)))
    return None


def listen(call: Call, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    """Who is on leg A can hear us."""
    if call.flow is not None and not call.caller_prompts:
        be_heard(call, now, out)
    elif call.asked is None:
        announce(call, now, out)
    else:
        call.state = CallState.ASKING
        call.pin = PinPrompt(call.asked, call.offer.caller, call.voice(A), call.record)
        call.pin.begin(now, out)
