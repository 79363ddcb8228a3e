"""Somebody asks for a call's end at every moment of it: both sides are told as SIP wants it, and there is one record.

The wish comes from the moment on at which the call can be found, which is that of the first keeping.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.engine import inputs as i
from maskline.engine.call_states import CallState
from maskline.masking.facts import Cause, HungUpBy, LegDialed, Outcome
from tests.support.engine_world import World
from tests.support.sim_restart import RestartedWorld
from tests.support.sim_scenario import B_SDP, RIGHT_PIN, Scenario

LONG = Scenario(alice_bye=None, bob_bye=None)
CALLS = {
    "plain": LONG,
    "early media": replace(LONG, rings=((0.5, 183, B_SDP), (1.0, 180, b""))),
    "late offer": replace(LONG, late_offer=True),
    "reliable": replace(LONG, reliable=True),
    "without relay": replace(LONG, relay=False),
    "prompts": replace(LONG, caller_prompts=1, callee_prompts=1),
    "a PIN": replace(LONG, pins=("1", RIGHT_PIN)),
    "refused aloud": replace(LONG, refused=Cause.SESSION_EXPIRED, refused_aloud=True),
    "click to call": replace(LONG, click=True),
    "a flow": replace(LONG, kind="flow", flow=("say", "dial"), callee_prompts=1),
    "a flow that asks": replace(LONG, kind="flow", flow=("ask",), pins=("12#",), replies=(("dial",),), action_id="x"),
    "a flow by the API": replace(LONG, kind="flow", flow=("say", "dial"), click=True),
    "a change": replace(LONG, alice_hold=1.0, bob_moves=1.5),
    "recorded": replace(LONG, record=True),
    "busy, and a tone": replace(LONG, caller_prompts=1, answer_for_prompts=True, verdict=486),
    "the callee asks who we are": replace(LONG, digest=True),
}  # fmt: skip
MOMENTS = [0.01 + step * 0.37 for step in range(24)]


class Asked(World):
    asked_in: CallState | None = None
    """What the call was doing; None: nobody could ask, since it was not there, or over."""

    def ask_at(self, moment: float) -> None:
        self.schedule(moment, self.ask_for_end)

    def ask_for_end(self, now: float) -> None:
        for call in [call for call in self.core.calls.values() if call.kept is not None]:
            self.asked_in = None if call.record.closed else call.state
            for _ in range(2):  # the store tells of it until the record is written
                self.core.deliver(call.id, i.Stopped(Cause.ENDED_BY_REQUEST), now)
        self.pump(now)


def started(sent: list[bytes], *begins: bytes) -> bool:
    return any(data.startswith(begins) for data in sent)


def check_end(world: Asked) -> None:
    record, talked = world.record, world.asked_in is CallState.TALKING
    if world.asked_in is CallState.PARTING:
        assert record.cause is Cause.BUSY, "why nobody was reached is the truer story"
        return
    assert (record.cause, record.hung_up_by) == (Cause.ENDED_BY_REQUEST, HungUpBy.PLATFORM)
    assert record.outcome is (Outcome.COMPLETED if talked else Outcome.CANCELED)
    dialled = {fact.leg for fact in world.facts if isinstance(fact, LegDialed)}
    if record.legs[0].answered_at is not None:
        assert started(world.to_alice, b"BYE ")
    elif record.legs[0].inbound:
        assert started(world.to_alice, b"SIP/2.0 603 ")
    else:
        assert started(world.to_alice, b"CANCEL ", b"BYE ") == ("a" in dialled)
    assert started(world.to_bob, b"CANCEL ", b"BYE ") == ("b" in dialled)


@pytest.mark.parametrize("name", CALLS)
def test_whatever_a_call_is_doing_it_ends_at_once(name: str) -> None:
    seen = set()
    for moment in MOMENTS:
        world = Asked(1, CALLS[name], compares=False)
        world.ask_at(moment)
        world.run()
        world.check()
        if world.asked_in is not None:
            seen.add(world.asked_in)
            check_end(world)
            ended = world.record.ended_at - world.clock.wall(0.0)
            assert world.asked_in is CallState.PARTING or ended == pytest.approx(moment, abs=0.001)
    assert seen


def test_the_moments_are_those_of_every_state_in_which_a_call_can_be_found() -> None:
    seen = set()
    for scenario in CALLS.values():
        for moment in MOMENTS:
            world = Asked(1, scenario, compares=False)
            world.ask_at(moment)
            world.run()
            seen.add(world.asked_in)
    passing = {CallState.OPENING, CallState.OPENING_CALLER, CallState.OPENING_FIRST, CallState.MEETING}
    passing |= {CallState.ACCEPTING, CallState.ANSWERING, CallState.BRIDGING, CallState.ASKING_NEXT}
    unkept = {CallState.NEW, CallState.ROUTING, CallState.ABANDONED, CallState.ENDING, CallState.ENDED}
    assert set(CallState) - unkept - passing <= seen, set(CallState) - unkept - passing - seen


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("seed", range(4))
def test_on_a_bad_network_it_ends_too(name: str, seed: int) -> None:
    for moment in MOMENTS[seed::4]:
        world = Asked(seed, CALLS[name], loss=0.2, duplication=0.2, jitter=0.3, compares=False)
        world.ask_at(moment)
        world.run()
        world.check()
        if world.asked_in not in (None, CallState.PARTING):
            assert world.record.cause is Cause.ENDED_BY_REQUEST


@pytest.mark.parametrize("outage", [0.0, 5.0])
@pytest.mark.parametrize("scenario", [LONG, replace(LONG, click=True), replace(LONG, session=90)])
def test_a_wish_that_the_engine_did_not_live_to_carry_out_is_the_next_ones(scenario: Scenario, outage: float) -> None:
    """That one finds it in the store with the call (`EndCalls`)."""
    world = RestartedWorld(1, scenario, dies_at=9.0, outage=outage, compares=False)

    def find(now: float) -> None:
        (call,) = world.core.calls
        world.core.deliver(call, i.Stopped(Cause.ENDED_BY_REQUEST), now)
        world.pump(now)

    world.schedule(9.0 + outage + 0.5, find)
    world.run()
    world.check_nothing_left()
    assert [str(fault) for fault in world.core.faults()] == []
    record = world.record
    assert (record.outcome, record.cause, record.recovered) == (Outcome.COMPLETED, Cause.ENDED_BY_REQUEST, True)
    assert [sum(data.startswith(b"BYE ") for data in sent) for sent in (world.to_alice, world.to_bob)] == [1, 1]


@pytest.mark.parametrize("outage", [0.0, 5.0])
def test_a_wish_that_was_there_before_the_next_engine_is_carried_out_at_once(outage: float) -> None:
    """Its media may be gone already, which must not be what ended it."""
    world = RestartedWorld(1, LONG, dies_at=9.0, outage=outage, end_asked=True, compares=False)
    world.run()
    world.check_nothing_left()
    record = world.record
    assert (record.outcome, record.cause, record.recovered) == (Outcome.COMPLETED, Cause.ENDED_BY_REQUEST, True)
    assert record.ended_at - world.clock.wall(0.0) == pytest.approx(9.0 + outage, abs=0.001)
    assert [sum(data.startswith(b"BYE ") for data in sent) for sent in (world.to_alice, world.to_bob)] == [1, 1]


@pytest.mark.parametrize("dies_at", [0.05, 2.0])
def test_a_call_that_was_not_connected_and_was_to_end_was_cancelled(dies_at: float) -> None:
    scenario = replace(LONG, cancel_after=9.0, bob_dies=2.5)
    world = RestartedWorld(1, scenario, dies_at=dies_at, outage=3.0, end_asked=True, compares=False)
    world.run()
    record = world.record
    assert (record.outcome, record.cause, record.recovered) == (Outcome.CANCELED, Cause.ENDED_BY_REQUEST, True)


def test_a_call_that_was_ending_already_keeps_its_cause_also_when_it_was_to_end() -> None:
    plain = RestartedWorld(1, Scenario(), dies_at=899.0, compares=False)
    plain.run()
    dies_at = plain.record.ended_at - plain.clock.wall(0.0) + 0.001
    world = RestartedWorld(1, Scenario(), dies_at=dies_at, end_asked=True, compares=False)
    world.run()
    assert world.record.cause is Cause.NORMAL
