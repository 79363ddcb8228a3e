"""A bug in one call ends that call, in order if it can be done, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from maskline.engine import call as call_module
from maskline.engine import inputs as i
from maskline.engine.call import Call
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.call_states import CallState
from maskline.masking.facts import CallEnded, Cause, Outcome
from maskline.sip import events as sip
from tests.support.engine_world import World
from tests.support.sim_scenario import Scenario

STEPS = [
    (CallState.ROUTING, i.Forwarded), (CallState.OPENING, i.MediaOpened), (CallState.DIALING, i.Progressed),
    (CallState.RINGING, i.Answered), (CallState.ANSWERING, i.AnswerMediaReady), (CallState.TALKING, i.Acked),
    (CallState.TALKING, i.HungUp), (CallState.ENDING, i.MediaClosed),
]  # fmt: skip


def broken(*_: Any, **__: Any) -> None:
    raise KeyError("bug")


def run(monkeypatch: pytest.MonkeyPatch, state: CallState, kind: type[i.Input]) -> World:
    following, _ = call_module._ROWS[state][kind]
    monkeypatch.setitem(call_module._ROWS[state], kind, (following, broken))
    world = World(1, Scenario()).run()
    world.check_nothing_left()
    return world


def ends(world: World) -> list[CallEnded]:
    return [fact for fact in world.facts if isinstance(fact, CallEnded)]


@pytest.mark.parametrize(("state", "kind"), STEPS)
def test_a_bug_at_any_step_ends_the_call_once_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, state: CallState, kind: type[i.Input]
) -> None:
    world = run(monkeypatch, state, kind)
    assert world.core.counters.faults == 1 and [str(fault) for fault in world.core.faults()] == ["'bug'"]
    if state is CallState.ROUTING:
        assert world.commits == []
        return
    (ended,) = ends(world)
    assert ended.cause is (Cause.NORMAL if state is CallState.ENDING else Cause.INTERNAL_ERROR)
    assert world.record.outcome is (Outcome.COMPLETED if state is CallState.ENDING else Outcome.ERROR)


def test_a_caller_who_waits_is_refused_with_500(monkeypatch: pytest.MonkeyPatch) -> None:
    world = run(monkeypatch, CallState.RINGING, i.Answered)
    (failed,) = [event for event in world.alice.heard if isinstance(event, sip.InviteFailed)]
    assert failed.status == 500
    assert any(isinstance(event, sip.ByeReceived) for event in world.bob.heard)


@pytest.mark.parametrize(("state", "kind"), STEPS)
def test_a_call_that_cannot_even_be_ended_is_dropped(
    monkeypatch: pytest.MonkeyPatch, state: CallState, kind: type[i.Input]
) -> None:
    monkeypatch.setattr(Call, "fail", broken)
    world = run(monkeypatch, state, kind)
    assert len(ends(world)) <= 1 and world.core.counters.faults >= 2


def test_a_call_without_a_working_record_is_dropped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CallRecordBuilder, "finish", broken)
    world = run(monkeypatch, CallState.TALKING, i.HungUp)
    assert ends(world) == [] and world.core.counters.faults >= 2


def test_the_next_call_of_the_session_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    world = run(monkeypatch, CallState.TALKING, i.HungUp)
    assert world.core._book.in_session("session-1") is None
