"""The whole engine under seeded loss, duplication, reordering and delay. A failing seed is named in the message;
`replay(SEED).check()` repeats it, and it joins `KNOWN`.

What must hold after each run is `World.check`: both legs over, exactly one CallEnded, nothing left over in any
machine, and nothing of one side in the bytes of the other.
"""

from __future__ import annotations

import random

import pytest

from maskline.masking.facts import Cause
from tests.support.engine_world import World
from tests.support.sim_scenario import B_SDP, KINDS, Scenario
from tests.support.sim_seeds import blocks

BLOCK = 50
BLOCKS = blocks(24, BLOCK)
KNOWN = (1017,)
"""Seeds that once failed. 1017: a re-INVITE whose 200 was lost just before the BYE waited for ever."""

_RINGS = (
    (), ((0.5, 180, b""),), ((0.2, 183, B_SDP),), ((0.2, 183, b""), (0.4, 180, b"")),
    ((0.1, 180, b""), (0.5, 183, B_SDP), (0.9, 180, b""), (1.5, 183, B_SDP)), ((0.1, 181, b""), (0.3, 199, b"")),
)  # fmt: skip
_VERDICTS = (200, 200, 200, 200, 200, 200, 486, 480, 603, 302, 404, 500, 503, None)


def scenario_of(seed: int) -> Scenario:
    dice = random.Random(f"scenario {seed}")

    def sometimes(chance: float, longest: float) -> float | None:
        return dice.random() * longest if dice.random() < chance else None

    return Scenario(
        late_offer=dice.random() < 0.1,
        cancel_after=sometimes(0.25, 4.0),
        alice_bye=sometimes(0.8, 5.0),
        alice_acks=dice.random() > 0.05,
        rings=dice.choice(_RINGS),
        verdict=dice.choice(_VERDICTS),
        verdict_after=dice.random() * 3,
        bob_bye=sometimes(0.4, 5.0),
        fork=dice.random() < 0.15,
        fork_after=sometimes(0.7, 3.0),
        bob_dies=sometimes(0.08, 8.0),
        alice_hold=sometimes(0.2, 4.0),
        alice_asks=sometimes(0.1, 4.0),
        bob_moves=sometimes(0.2, 4.0),
        refused=dice.choice((Cause.UNKNOWN_CALLER, Cause.SESSION_EXPIRED)) if dice.random() < 0.04 else None,
        ours=dice.random() > 0.02,
        store_away=dice.random() < 0.02,
        media_fails_at=dice.randrange(4) if dice.random() < 0.1 else None,
        media_event=sometimes(0.05, 8.0),
        route_delay=sometimes(0.2, 2.0) or 0.0,
        max_forwards=dice.choice((1, 2, 70, 70, 70, 70)),
        relay=dice.random() > 0.15,
        kind=dice.choice(KINDS),
        elsewhere=dice.choice((None, None, None, 200, 486, 503)),
    )


def replay(seed: int) -> World:
    dice = random.Random(f"network {seed}")
    scenario = scenario_of(seed)
    bad = dice.choice((0.0, 0.0, 0.05, 0.15, 0.3))
    world = World(seed, scenario, loss=bad, duplication=dice.choice((0.0, bad)), jitter=dice.choice((0.0, 0.05, 0.8)))
    return world.run()


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_call_ends_once_and_leaves_nothing(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        try:
            replay(seed).check()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {scenario_of(seed)}") from error


@pytest.mark.parametrize("seed", KNOWN)
def test_seeds_that_once_failed_still_hold(seed: int) -> None:
    replay(seed).check()


def test_a_run_is_repeated_byte_for_byte_by_its_seed() -> None:
    first, second = replay(7), replay(7)
    assert (first.to_bob, first.to_alice, first.facts) == (second.to_bob, second.to_alice, second.facts)


def test_the_seeds_reach_every_kind_of_end() -> None:
    """A simulation that never meets an outcome proves nothing about it."""
    causes = {commit.record.cause for seed in range(400) for commit in replay(seed).commits if commit.record}
    assert causes >= {
        Cause.NORMAL, Cause.CANCELED, Cause.BUSY, Cause.DECLINED, Cause.RING_TIMEOUT, Cause.CALL_TIME_LIMIT,
        Cause.REDIRECTED, Cause.ACK_TIMEOUT, Cause.MEDIA_UNAVAILABLE, Cause.MEDIA_TIMEOUT, Cause.LOOP,
        Cause.UNKNOWN_CALLER, Cause.CARRIER_ERROR,
    }  # fmt: skip
