"""Call flows under seeded loss, duplication, reordering and delay: the scenarios of `test_bad_network.py` with a
customer's application that says anything it may say. What must hold is `World.check`, the order that the simulated
driver watches over, and that the application is asked only when it is due (`tests/support/sim_flow.py`)."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from maskline.masking.facts import Cause, FlowGiven, LegEnded
from tests.sim.test_bad_network import scenario_of
from tests.support.engine_world import World
from tests.support.sim_scenario import Scenario
from tests.support.sim_seeds import blocks

BLOCK = 50
BLOCKS = blocks(8, BLOCK)
_WORDS = ("dial", "dial", "dial", "say", "say", "play", "ask", "ask", "ask", "refused", "hangup")
_ENTRIES = ((), ("12#",), ("1", "1234"), ("1", "2"), ("", "12#", "4711", "99#"), ("1234", "1234", "1234"))


def flow_scenario_of(seed: int) -> Scenario:
    dice = random.Random(f"flow {seed}")

    def flow(most: int) -> tuple[str, ...]:
        return tuple(dice.choice(_WORDS) for _ in range(dice.randrange(most + 1)))

    def reply() -> tuple[str, ...] | Cause:
        failures = (Cause.CALL_ACTION_FAILED, Cause.CALL_FLOW_INVALID, Cause.CALL_FLOW_INVALID, Cause.STORE_UNAVAILABLE)
        return dice.choice(failures) if dice.random() < 0.4 else flow(3)

    by_api = dice.random() < 0.3
    return replace(
        scenario_of(seed),
        kind="flow",
        flow=flow(4),
        replies=tuple(reply() for _ in range(dice.randrange(6))),
        action_id=dice.choice(("", "menu", "menu")),
        asks_again=dice.random() < 0.9,
        expired=by_api and dice.random() < 0.05,
        refused=Cause.CALLER_ID_NOT_ALLOWED if by_api and dice.random() < 0.05 else None,
        ours=True,
        store_away=False,
        click=by_api,
        late_offer=not by_api and dice.random() < 0.1,
        alice_verdict=dice.choice((200, 200, 200, 200, 486, 480, None)),
        alice_after=dice.random() * 2,
        pins=dice.choice(_ENTRIES),
        pin_after=dice.choice((0.1, 1.9, 2.5)),
        by_info=dice.random() < 0.3,
        callee_prompts=dice.choice((0, 0, 0, 1)),
        prompt_fails=dice.choice(("", "", "", "", "say", "play_file", "say_and_capture", "ringback", "thanks")),
        answer_for_prompts=dice.random() < 0.3,
        record=dice.random() < 0.4,
        refused_aloud=dice.random() < 0.5,
        keys_at=dice.random() * 8 if dice.random() < 0.2 else None,
        alice_bye=dice.choice((None, None, dice.random() * 40)),
        bob_bye=dice.choice((None, dice.random() * 8, dice.random() * 8)),
        media_fails_at=dice.randrange(8) if dice.random() < 0.1 else None,
        max_forwards=70,
        relay=dice.random() > 0.05,
    )


def replay(seed: int) -> World:
    dice = random.Random(f"flow network {seed}")
    bad = dice.choice((0.0, 0.0, 0.05, 0.15, 0.3))
    twice, late = dice.choice((0.0, bad)), dice.choice((0.0, 0.05, 0.8))
    return World(seed, flow_scenario_of(seed), loss=bad, duplication=twice, jitter=late).run()


def check(world: World) -> None:
    world.check()
    given = [fact for fact in world.facts if isinstance(fact, FlowGiven)]
    assert len(given) <= 1 + len(world.application.asked)
    if not world.commits:
        return
    ended = [fact.leg for fact in world.facts if isinstance(fact, LegEnded)]
    assert len(ended) == len(set(ended)) <= 2, "each leg ends once, and there are two at most"
    flow = world.record.flow
    if flow is None:
        assert world.record.cause is Cause.CANCELED and not given, "only who left before the answer has none"
    else:
        assert flow.requested == world.scenario.click


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_flow_ends_once_in_order_and_leaves_nothing(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        try:
            check(replay(seed))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {flow_scenario_of(seed)}") from error


def test_the_seeds_reach_every_kind_of_end() -> None:
    worlds = [replay(seed) for seed in range(300)]
    causes = {commit.record.cause for world in worlds for commit in world.commits if commit.record}
    assert causes >= {
        Cause.NORMAL, Cause.FLOW_ENDED, Cause.CANCELED, Cause.BUSY, Cause.RING_TIMEOUT, Cause.NO_ROUTE,
        Cause.SPEECH_FAILED, Cause.FILE_FAILED, Cause.CALL_ACTION_FAILED, Cause.CALL_FLOW_INVALID, Cause.ACK_TIMEOUT,
        Cause.MEDIA_UNAVAILABLE, Cause.FLOW_EXPIRED, Cause.CALLER_ID_NOT_ALLOWED,
    }  # fmt: skip
    asked = [done for world in worlds for done in world.application.asked]
    assert {(done.digits is None, done.bridged) for done in asked} == {(True, True), (False, True), (False, False)}
