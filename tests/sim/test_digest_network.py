"""Whole calls where both carriers ask us for our password and we ask them for theirs, over good and bad networks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.masking.facts import Outcome
from tests.sim.test_bad_network import scenario_of
from tests.support.engine_world import World, clean
from tests.support.sim_scenario import Scenario
from tests.support.sim_seeds import blocks

BLOCK, FIRST = 30, 20_000
BLOCKS = blocks(4, BLOCK)


def test_a_call_goes_through_and_each_side_is_asked_once() -> None:
    world = clean(Scenario(digest=True, alice_hold=1.0))
    assert world.record.outcome is Outcome.COMPLETED
    assert world.core.agent.counters.unproven == 1  # Alice's INVITE; her re-INVITE proved itself at once
    assert world.bob.agent.counters.unproven == 1
    invites = [data for data in world.to_bob if data.startswith(b"INVITE")]
    assert [b"\r\nAuthorization: Digest" in data for data in invites] == [False, True]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_call_ends_once_and_leaves_nothing_on_a_bad_network(block: int) -> None:
    for seed in range(FIRST + block * BLOCK, FIRST + (block + 1) * BLOCK):
        scenario = replace(scenario_of(seed), digest=True)
        try:
            World(seed, scenario, loss=0.1, duplication=0.1, jitter=0.2).run().check()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {scenario}") from error


def test_a_wrong_password_of_ours_ends_the_call_in_order() -> None:
    world = World(1, Scenario(digest=True))
    world.trunks = (world.trunks[0], replace(world.trunks[1], password="other"), world.trunks[2])
    world.run().check()
    assert world.record.outcome is not Outcome.COMPLETED
    assert len([data for data in world.to_bob if data.startswith(b"INVITE")]) == 2


def test_a_caller_with_a_wrong_password_is_refused_and_told_of() -> None:
    world = World(1, Scenario(digest=True))
    world.trunks = (replace(world.trunks[0], password="other"), *world.trunks[1:])
    world.run()
    assert world.core.counters.wrong_passwords == 1 and world.core.trunks.last_wrong == "192.0.2.10"
    assert (world.core.counters.calls, world.commits, world.to_bob) == (0, [], [])
