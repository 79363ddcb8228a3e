"""The call machine led into the moments that random walks and simulated networks rarely meet, one order each.

An order is what a call is fed on its way to a state, and the input that comes there. All of them can happen: a 18x is
reliable and its PRACK is lost, a re-INVITE is answered and its ACK is lost, a request is cancelled, a side hangs up in
the middle of a change, a step of the driver fails. Who uses it beside its own tests: test_every_transition.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from maskline.engine import inputs as i
from maskline.engine.call import CallPolicy
from maskline.engine.call_states import CallState
from maskline.masking.decision import Refuse
from maskline.masking.facts import Cause, LegName
from tests.sim.test_call_walk import Walk
from tests.support.call_machine import (
    A_SDP,
    B_SDP,
    BRIEFING,
    CLIP,
    DIAL,
    NUMBER,
    SAY,
    WELCOME,
    Driven,
    asking,
    capture,
    flow,
    forward,
    received,
    requested,
    sdp,
    session,
    with_prompts,
)

A, B = LegName.A, LegName.B
_S = CallState
Next = i.Input | Callable[["Led"], i.Input]


class Led(Walk):
    """A walk whose every step is told."""

    def __init__(self, order: tuple[Next, ...], *, answers: bool = False) -> None:
        self.seen = set()
        self.dice = random.Random(0)
        first = order[0]
        policy = CallPolicy(answer_for_prompts=answers)
        self.open(Driven(policy=policy, inbound=isinstance(first, i.Received)))
        self.go_on(*order)

    def go_on(self, *order: Next) -> Led:
        for inp in order:
            self.feed(inp if isinstance(inp, i.Input) else inp(self))
        return self


def ready(led: Led) -> i.Input:
    """The driver has done what it was asked next."""
    return led.result(led.steps.popleft(), False)


def fails(led: Led) -> i.Input:
    return led.result(led.steps.popleft(), True)


def heard(led: Led) -> i.Input:
    """What was played last, to its end."""
    over = led.call.heard()
    assert led.playing.pop(over.leg) == over.play_id
    return over


def fires(timer: i.TimerName) -> Callable[[Led], i.Input]:
    def fire(led: Led) -> i.Input:
        led.timers.remove(timer)
        return i.TimerFired(timer)

    return fire


HELD_A, MOVED_A = sdp(port=4010, direction="sendonly"), sdp(port=4010)
HELD_B = sdp("198.51.100.99", 6000, "0 101", "sendonly")
HOLDS_A, HOLDS_B, MOVES_A = i.Offered(A, "k", HELD_A), i.Offered(B, "k", HELD_B), i.Offered(A, "k", MOVED_A)
ASKS_A = i.Offered(A, "k", b"")
RENEWED_A, MOVED_B = i.Renewed(A, sdp(port=4010, codecs="0 101")), sdp("198.51.100.99", 6020, "0 101")
A_AGREES, B_AGREES = i.OfferAnswered(A, 200, sdp(codecs="0 101")), i.OfferAnswered(B, 200, B_SDP)
A_CANCELS, B_CANCELS = i.OfferWithdrawn(A, "k"), i.OfferWithdrawn(B, "k")
A_HEARS, NO_ACK = i.Acked(A), i.AckMissing(A)
B_ANSWERS, B_LEAVES = i.Answered(B_SDP), i.HungUp(B)
TOLD_WHY = Refuse(Cause.SESSION_EXPIRED, NUMBER, session(), CLIP)

ANNOUNCED = (received(), i.Forwarded(with_prompts(caller=(CLIP,), callee=(BRIEFING,))), ready)
DIALLED = (*ANNOUNCED, heard)
INFORMED = (*DIALLED, B_ANSWERS, ready)
ASKED = (received(), i.PinAsked(asking(longest=2)), ready, A_HEARS)
TOLD = (*ASKED, i.Digit(A, "4"), i.Digit(A, "7"), i.Refused(TOLD_WHY))
CALLED = (i.Requested(requested()), ready)
MET = (*CALLED, i.Answered(A_SDP, A))
CAPTURES = (received(), i.FlowGiven(flow(capture(max_digits=1), action_id="x")), ready, A_HEARS)
SAYS = (received(), i.FlowGiven(flow(SAY, action_id="x")), ready, A_HEARS)
ASKS_NEXT = (*CAPTURES, i.Digit(A, "7"))


def talks(*steps: object, record: bool = False) -> tuple[Next, ...]:
    """A call flow has connected the two, and has these steps or a question to ask when the callee leaves."""
    dial = replace(DIAL, record=record)
    given = i.FlowGiven(flow(dial, *steps, action_id="x"))  # type: ignore[arg-type]
    return (received(), given, ready, B_ANSWERS, ready, A_HEARS)


HELD = (HOLDS_B, A_AGREES, ready, ready, B_LEAVES)
"""The callee leaves its first leg on hold, which is told that it is held no more."""
TELLS = (*talks(SAY), ASKS_A, i.Acked(A, HELD_A))
"""The callee is told of what came in an ACK."""

ORDERS: tuple[tuple[CallState, tuple[Next, ...], Next], ...] = (
    (_S.ABANDONED, (received(), i.Cancelled()), i.Stopped(Cause.SHUTDOWN)),
    # No PRACK of our 18x.
    (_S.ANNOUNCING, ANNOUNCED, NO_ACK),
    (_S.DIALING, DIALLED, NO_ACK),
    (_S.RINGING, (*DIALLED, i.Progressed(180, "x")), NO_ACK),
    (_S.ANSWERING, (received(), i.Forwarded(forward()), ready, i.Progressed(180, "x"), B_ANSWERS), NO_ACK),
    (_S.INFORMING, INFORMED, NO_ACK),
    (_S.BRIDGING, (*INFORMED, heard), NO_ACK),
    (_S.REFUSING, (received(), i.Refused(replace(TOLD_WHY, session=None)), ready), NO_ACK),
    # No ACK of our 200 to a re-INVITE.
    (_S.MEETING, (*MET, ASKS_A), NO_ACK),
    (_S.ASKING, (*ASKED, ASKS_A), NO_ACK),
    (_S.CAPTURING, (*CAPTURES, ASKS_A), NO_ACK),
    (_S.ASKING_NEXT, (*ASKS_NEXT, ASKS_A), NO_ACK),
    (_S.PARTING, (*MET, ready, ready, ASKS_A, i.Failed(486)), NO_ACK),
    (_S.TALKING, (*talks(), HOLDS_B, A_AGREES, ready, ready), i.AckMissing(B)),
    # Changes of a leg that has been answered.
    (_S.ACCEPTING, (*ANNOUNCED, replace(MOVES_A, update=True)), ready),
    (_S.ACCEPTING, (*ANNOUNCED, replace(MOVES_A, update=True)), fails),
    (_S.BRIDGING, (*ANNOUNCED, A_HEARS, heard, B_ANSWERS, ready, MOVES_A, heard), ready),
    (_S.REFUSING, (*TOLD, ASKS_A), i.Acked(A, A_SDP)),
    (_S.REFUSING, (*TOLD, MOVES_A), ready),
    (_S.REFUSING, (*TOLD, MOVES_A), fails),
    (_S.SAYING, (*SAYS, MOVES_A), A_CANCELS),
    (_S.CAPTURING, (*CAPTURES, MOVES_A), A_CANCELS),
    (_S.ASKING_NEXT, (*ASKS_NEXT, MOVES_A), A_CANCELS),
    (_S.ENDING, (*DIALLED, i.Progressed(180, "x"), i.Cancelled()), i.Offered(B, "k", b"", update=True)),
    # An answer to a renewal of ours that moves the media of a leg.
    (_S.ASKING, ASKED, RENEWED_A),
    (_S.ANNOUNCING, (*ANNOUNCED, A_HEARS), RENEWED_A),
    (_S.REFUSING, TOLD, RENEWED_A),
    (_S.DIALING, (*ANNOUNCED, A_HEARS, heard), RENEWED_A),
    (_S.RINGING, (*ANNOUNCED, A_HEARS, heard, i.Progressed(180, "x")), RENEWED_A),
    (_S.ANSWERING, (*talks()[:3], B_ANSWERS), i.Renewed(B, MOVED_B)),
    (_S.INFORMING, (*ANNOUNCED, A_HEARS, heard, B_ANSWERS, ready), RENEWED_A),
    (_S.BRIDGING, (*ANNOUNCED, A_HEARS, heard, B_ANSWERS, ready, heard), RENEWED_A),
    (_S.TALKING, talks(), RENEWED_A),
    (_S.TALKING, (*talks(), HOLDS_A), i.Renewed(B, MOVED_B)),
    (_S.SAYING, SAYS, RENEWED_A),
    (_S.CAPTURING, CAPTURES, RENEWED_A),
    (_S.ASKING_NEXT, ASKS_NEXT, RENEWED_A),
    (_S.PARTING, (*MET, ready, ready, i.Failed(486)), RENEWED_A),
    # Somebody whom we called hangs up before its answer.
    (_S.CALLING_FIRST, (*CALLED, i.Progressed(180, "x", leg=A)), i.HungUp(A)),
    (_S.DIALING, DIALLED, B_LEAVES),
    # The first leg is alone again.
    (_S.CAPTURING, (*talks(capture()), *HELD), A_AGREES),
    (_S.ASKING_NEXT, (*talks(), *HELD), A_AGREES),
    (_S.SAYING, (*talks(SAY, record=True), B_LEAVES), ready),
    (_S.SAYING, (*talks(SAY, record=True), B_LEAVES), fails),
    (_S.CAPTURING, (*talks(capture(), record=True), B_LEAVES), ready),
    (_S.ASKING_NEXT, (*talks(record=True), B_LEAVES), ready),
    (_S.ASKING_NEXT, (*talks(record=True), B_LEAVES), fails),
    # What is to be heard does not end.
    (_S.SAYING, SAYS, fires(i.TimerName.PIN)),
    (_S.CAPTURING, CAPTURES, fires(i.TimerName.PIN)),
    (
        _S.CAPTURING,
        (
            received(), i.FlowGiven(flow(capture(failure=WELCOME))), ready, A_HEARS, heard,
            fires(i.TimerName.DIGITS),
        ),
        i.Stopped(Cause.SHUTDOWN),
    ),
    # A change that the other side has to agree to.
    (_S.TALKING, (*talks(SAY), HOLDS_A), i.OfferAnswered(B, 488)),
    (_S.TALKING, (*talks(SAY), HOLDS_B), B_LEAVES),
    (_S.TALKING, (*talks(SAY), HOLDS_A, B_AGREES), fails),
    (_S.TALKING, (*talks(SAY), HOLDS_A, A_CANCELS), i.OfferAnswered(B, 488)),
    (_S.TALKING, (*talks(SAY), HOLDS_A, A_CANCELS), i.OfferAnswered(B, 481)),
    (_S.TALKING, (*talks(SAY), HOLDS_A, A_CANCELS), B_LEAVES),
    (_S.TALKING, (*talks(SAY), HOLDS_B, B_CANCELS), B_LEAVES),
    (_S.TALKING, TELLS, i.OfferAnswered(B, 488)),
    (_S.TALKING, TELLS, i.OfferAnswered(B, 481)),
    (_S.TALKING, TELLS, B_LEAVES),
)  # fmt: skip
"""(state, what leads there, what comes there)."""


def answers_first(state: CallState, order: tuple[Next, ...]) -> bool:
    """Whether the installation answers callers for their prompts."""
    return order[:3] == ANNOUNCED and (state is _S.ACCEPTING or A_HEARS in order)


def lead(state: CallState, order: tuple[Next, ...], last: Next) -> Led:
    led = Led(order, answers=answers_first(state, order))
    assert led.call.call.state is state, led.call.call.state
    led.go_on(last)
    return led


@pytest.mark.parametrize("number", range(len(ORDERS)))
def test_every_order_ends_once_and_leaves_nothing(number: int) -> None:
    led = lead(*ORDERS[number])
    led.end()
    led.check()
