"""A call flow asks the first leg for digits: what is heard and pressed goes to `capture.py`, and what comes of it to
the flow.

What it is: actions of the table `CALL` in the state CAPTURING. Who uses it: `call.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_flow import captured, fail_step, why_unheard
from maskline.engine.capture import CapturePrompt
from maskline.masking.facts import LegName

if TYPE_CHECKING:
    from maskline.engine.call import Call


def take_key(call: Call, inp: i.Digit, now: float, out: list[e.Effect]) -> None:
    if inp.leg is LegName.A:
        _capture(call).digit(inp.digit, now, out)
        _look(call, now, out)


def hear_instructions(call: Call, inp: i.PlayDone | i.PlayFailed, now: float, out: list[e.Effect]) -> None:
    _capture(call).heard(inp, now, out)
    _look(call, now, out)


def close_digits(call: Call, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
    _capture(call).pause_over(now, out)
    _look(call, now, out)


def cut_instructions(call: Call, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
    _capture(call).skip(now, out)
    _look(call, now, out)


def _look(call: Call, now: float, out: list[e.Effect]) -> None:
    capture = _capture(call)
    if capture.unheard:
        fail_step(call, why_unheard(capture.unheard, fetched=False), now, out)
    elif capture.digits is not None:
        captured(call, capture.digits, now, out)


def _capture(call: Call) -> CapturePrompt:
    assert call.capture is not None, "made when the question is asked"
    return call.capture
