"""A call whose router knows several places for it is dialled at the first."""

from __future__ import annotations

from dataclasses import replace

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.masking.decision import Dial
from maskline.masking.facts import LegDialed
from maskline.masking.trunk import Way
from maskline.sip.flow import Flow
from tests.support.call_machine import CALLEE, LOCAL_A, TRUNK_B, VIRTUAL, Driven, forward, requested, start_flow

OTHER = replace(TRUNK_B, id="other")
FIRST = Flow("udp", "198.51.100.1", 5070)
WAYS = (Way(OTHER, FIRST), Way(TRUNK_B, Flow("udp", "198.51.100.2", 5060)))


def test_the_callee_is_dialled_at_the_first_place() -> None:
    call = Driven().dialled(replace(forward(), ways=WAYS))
    sent = call.only(e.SendInvite)
    assert (sent.trunk, sent.target) == (OTHER, FIRST)
    assert [fact.trunk_id for fact in call.facts if isinstance(fact, LegDialed)] == ["other"]


def test_so_is_the_first_party_of_a_requested_call() -> None:
    call = Driven(inbound=False)
    call.feed(i.Requested(replace(requested(), ways=WAYS)), i.MediaOpened(LOCAL_A, None))
    sent = call.only(e.SendInvite)
    assert (sent.trunk, sent.target) == (OTHER, FIRST)


def test_so_is_whom_a_call_flow_dials() -> None:
    call = Driven(inbound=False)
    dial = Dial(CALLEE, VIRTUAL, trunk=TRUNK_B, ways=WAYS)
    start = start_flow()
    asked = replace(start, flow=replace(start.flow, steps=(dial,)))
    call.feed(i.FlowRequested(asked), i.MediaOpened(LOCAL_A, None))
    assert call.only(e.SendInvite).target == FIRST
