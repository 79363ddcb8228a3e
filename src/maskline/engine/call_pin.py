"""A call whose caller is asked for a PIN: what it does goes to `pin_prompt.py`, and the router's word comes back.

What it is: actions of the table `CALL` in the state ASKING. Who uses it: `call.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_begin import identify
from maskline.engine.call_end import end, lose
from maskline.engine.call_greet import announce, tell_why
from maskline.engine.pin_prompt import PinPrompt
from maskline.masking.facts import HungUpBy, LegName

if TYPE_CHECKING:
    from maskline.engine.call import Call


def note_digit(call: Call, inp: i.Digit, now: float, out: list[e.Effect]) -> None:
    if inp.leg is LegName.A:
        _prompt(call).digit(inp.digit, now, out)


def hear_question(call: Call, inp: i.PlayDone | i.PlayFailed, now: float, out: list[e.Effect]) -> None:
    _prompt(call).heard(inp, now, out)
    _look(call, now, out)


def close_entry(call: Call, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
    _prompt(call).pause_over(now, out)
    _look(call, now, out)


def go_on_asking(call: Call, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
    _prompt(call).wait_over(now, out)
    _look(call, now, out)


def refuse_pin(call: Call, inp: i.PinRefused, now: float, out: list[e.Effect]) -> None:
    _prompt(call).refused(inp.decision.locked, now, out)
    _look(call, now, out)


def admit(call: Call, inp: i.Forwarded, now: float, out: list[e.Effect]) -> None:
    to = inp.decision
    _prompt(call).accepted(to.session.id if to.session else "", now, out)
    identify(call, to, now, out)
    call.caller_prompts = to.caller_prompts
    announce(call, now, out)


def turn_away(call: Call, inp: i.Refused, now: float, out: list[e.Effect]) -> None:
    """The PIN was right, and still nobody can be reached: the session has a call, or is over."""
    refusal, asked = inp.decision, call.asked
    assert asked is not None, "it was asked"
    _prompt(call).accepted(refusal.session.id if refusal.session else "", now, out)
    call.record.identify(asked.virtual_number, refusal.session, None, None, None, out)
    if refusal.prompt is None:
        lose(call, refusal.cause, HungUpBy.PLATFORM, now, out)
    else:
        tell_why(call, refusal, out)


def lose_router(call: Call, inp: i.RouteFailed, now: float, out: list[e.Effect]) -> None:
    lose(call, inp.cause, HungUpBy.PLATFORM, now, out)


def _look(call: Call, now: float, out: list[e.Effect]) -> None:
    cause = _prompt(call).failed_for
    if cause is not None:
        end(call, cause, HungUpBy.PLATFORM, now, out)


def _prompt(call: Call) -> PinPrompt:
    assert call.pin is not None, "made when the question is asked"
    return call.pin
