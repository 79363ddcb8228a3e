"""Calls of a process before this one: what happens when one of them cannot go on, or cannot be kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maskline.engine import call_book, revival
from maskline.engine import effects as e
from maskline.engine.ports import CutOff
from maskline.masking.facts import CallRecovered, Cause, LegName
from maskline.masking.trunk import TrunkLimits
from tests.support.engine_world import World
from tests.support.sim_restart import RestartedWorld
from tests.support.sim_scenario import Scenario


def broken(*_: Any, **__: Any) -> None:
    raise KeyError("bug")


def test_a_call_that_cannot_be_kept_is_a_call_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revival, "keep", broken)
    world = World(1, Scenario()).run()
    assert world.record.cause is Cause.NORMAL
    assert [commit.kept for commit in world.commits] == [None] * len(world.commits)
    assert world.core.counters.faults > 0


def cut_off(at: float) -> tuple[RestartedWorld, list[CutOff]]:
    """What is left of a call at this moment."""
    world = RestartedWorld(1, Scenario(alice_bye=None), dies_at=899.0, compares=False)
    found: list[CutOff] = []
    world.schedule(0.0, lambda now: (world.alice.call(now), world.pump(now)))
    world.schedule(at, lambda now: found.extend(world.cut_off()))
    while not found:
        when = world.next_time()
        assert when is not None
        world.clock.advance(max(0.0, when - world.clock.now()))
        world.step(world.clock.now())
    return world, found


@pytest.mark.parametrize("where", ["held_media", "restore"])
def test_a_call_that_cannot_go_on_has_its_end_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    world, (past,) = cut_off(9.5)
    monkeypatch.setattr(revival if where == "held_media" else call_book, where, broken)
    world.trunks = tuple([replace(trunk, limits=TrunkLimits(concurrent=1)) for trunk in world.trunks])
    core = world.empty_core()
    core.revive(past, world.clock.now())
    assert all(core.gate.has_room(trunk, world.clock.now()) for trunk in world.trunks)
    (commit,) = core.commits()
    assert commit.record is not None and commit.record.cause is Cause.ENGINE_RESTARTED
    assert [fact.goes_on for fact in commit.facts if isinstance(fact, CallRecovered)] == [False]
    assert core.calls == {} and core.counters.recovered == 0 and core._book.in_session("session-1") is None
    assert [str(fault) for fault in core.faults()] == ["'bug'"]
    assert [type(effect) for _, effect in core.work()] == [e.AdoptMedia, e.CloseMedia]


def test_a_call_that_goes_on_has_its_places_though_no_more_may_begin_in_this_second() -> None:
    world, (past,) = cut_off(9.5)
    limits = TrunkLimits(calls_per_second=0.001, concurrent=1)
    world.trunks = tuple([replace(trunk, limits=limits) for trunk in world.trunks])
    core = world.empty_core()
    for trunk in world.trunks:
        assert core.gate.take("one that began just now", LegName.A, trunk, world.clock.now())
        core.gate.leave("one that began just now")
    core.revive(past, world.clock.now())
    record = core.calls[past.kept.call_id].record
    used = {record.trunk_of(LegName.A), record.trunk_of(LegName.B)}
    later = world.clock.now() + 10_000
    assert [core.gate.has_room(trunk, later) for trunk in world.trunks] == [
        trunk.id not in used for trunk in world.trunks
    ]


def test_a_trunk_that_is_gone_meanwhile_is_missed_by_nobody() -> None:
    world, (past,) = cut_off(9.5)
    world.trunks = ()
    core = world.empty_core()
    core.revive(past, world.clock.now())
    assert [*core.calls] == [past.kept.call_id] and core.faults() == []
