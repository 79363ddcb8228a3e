"""Prompts, PINs, calls that we start and recordings under seeded loss, duplication, reordering and delay: the scenarios
of `test_bad_network.py` with something to be heard in each. What must hold is `World.check` and the order that the
simulated driver watches over."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from maskline.masking.facts import Cause
from tests.sim.test_bad_network import scenario_of
from tests.support.engine_world import World
from tests.support.sim_scenario import KINDS, Scenario
from tests.support.sim_seeds import blocks

BLOCK = 50
BLOCKS = blocks(8, BLOCK)
_ENTRIES = ((), ("4711",), ("4711",), ("1", "4711"), ("12", "", "4711"), ("1", "2", "3"), ("4711#",))


def heard_scenario_of(seed: int) -> Scenario:
    dice = random.Random(f"heard {seed}")
    way = dice.choice(("prompts", "pin", "click", "refused"))
    scenario = replace(
        scenario_of(seed),
        caller_prompts=dice.choice((0, 1, 2)),
        callee_prompts=dice.choice((0, 0, 1, 2)),
        prompt_fails=dice.choice(("", "", "", "consent", "ringback", "pin_prompt_play", "busy")),
        answer_for_prompts=dice.random() < 0.3,
        record=dice.random() < 0.4,
        keys_at=dice.random() * 8 if dice.random() < 0.2 else None,
        by_info=dice.random() < 0.3,
        alice_bye=dice.choice((None, dice.random() * 30)),
        bob_bye=dice.choice((None, dice.random() * 8)),
        session_ends=dice.random() * 10 if dice.random() < 0.2 else None,
        media_fails_at=dice.randrange(8) if dice.random() < 0.15 else None,
        max_forwards=70,
        relay=dice.random() > 0.05,
    )
    if way == "pin":
        return replace(
            scenario, pins=dice.choice(_ENTRIES), pin_after=dice.choice((0.1, 1.9, 2.5)), locked=dice.random() < 0.1,
            store_away_for_pins=dice.random() < 0.05,
        )  # fmt: skip
    if way == "refused":
        return replace(scenario, refused=Cause.UNKNOWN_CALLER, refused_aloud=True)
    if way == "click":
        return replace(
            scenario, click=True, late_offer=False, refused=None, ours=True, store_away=False,
            kind=dice.choice(KINDS[:2]), alice_verdict=dice.choice((200, 200, 200, 200, 486, 480, None)),
            alice_after=dice.random() * 2,
        )  # fmt: skip
    return scenario


def replay(seed: int) -> World:
    dice = random.Random(f"heard network {seed}")
    bad = dice.choice((0.0, 0.0, 0.05, 0.15, 0.3))
    twice, late = dice.choice((0.0, bad)), dice.choice((0.0, 0.05, 0.8))
    return World(seed, heard_scenario_of(seed), loss=bad, duplication=twice, jitter=late).run()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_call_ends_once_in_order_and_leaves_nothing(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        try:
            replay(seed).check()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {heard_scenario_of(seed)}") from error


def test_the_seeds_reach_every_kind_of_end() -> None:
    causes = {commit.record.cause for seed in range(150) for commit in replay(seed).commits if commit.record}
    assert causes >= {
        Cause.NORMAL, Cause.CANCELED, Cause.BUSY, Cause.PIN_REQUIRED, Cause.WRONG_PIN, Cause.SESSION_EXPIRED,
        Cause.UNKNOWN_CALLER, Cause.RING_TIMEOUT, Cause.ACK_TIMEOUT,
    }  # fmt: skip
