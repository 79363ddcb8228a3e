"""The place in a call flow."""

from __future__ import annotations

import pytest

from maskline.engine.call_flow_steps import FlowSteps
from maskline.masking.call_flow import ActionName, Hangup
from tests.support.call_machine import DIAL, PLAY_FILE, SAY, capture, flow


def test_steps_come_in_order_and_each_has_its_name() -> None:
    steps = (DIAL, SAY, PLAY_FILE, capture(), Hangup())
    left = FlowSteps(flow(*steps))
    assert left.step is None
    for step, name in zip(steps, ActionName, strict=True):
        assert left.next() is step and left.step is step and left.name is name
    assert left.next() is None and left.next() is None
    assert left.names == tuple(ActionName)


def test_another_flow_takes_the_place_of_what_was_left() -> None:
    left = FlowSteps(flow(SAY, DIAL), "r-1")
    left.next()
    left.take(flow(Hangup()))
    assert left.names == (ActionName.HANGUP,) and isinstance(left.next(), Hangup) and left.request_id == "r-1"


@pytest.mark.parametrize(
    ("action_id", "asks", "left", "goes_on"),
    [("", True, 0, False), ("menu", True, 0, True), ("menu", False, 0, False), ("", True, 1, True)],
)
def test_a_first_leg_that_stays_has_something_to_come_or_not(
    action_id: str, asks: bool, left: int, goes_on: bool
) -> None:
    steps = FlowSteps(flow(*[SAY] * left, action_id=action_id, asks=asks))
    assert steps.goes_on_after_bridge is goes_on
    assert steps.asks_after_bridge is (asks and bool(action_id))
