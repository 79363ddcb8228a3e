"""Changes of both sides that cross, and cross whatever ends a call or loses a message: each at each distance.

The network takes 10 ms a way and the media driver 50 ms a step, so a hold needs some 150 ms; what disturbs it comes at
one of ten moments of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import pytest

from maskline.masking.facts import Cause
from maskline.sip.events import Flow
from tests.support.sim_disturbed import DisturbedWorld
from tests.support.sim_scenario import ALICE, BOB, ENGINE, Scenario

HOLD = 2.0
"""After the answer."""
DISTANCES = tuple(step / 100 for step in range(-2, 18, 2))
THINGS = (
    "the caller hangs up", "the callee hangs up", "both hang up", "our BYE crosses theirs", "the process ends",
    "the media is lost", "the next media step fails", "BYE of the caller", "BYE of the callee",
    "the caller moves and is not heard of", "the callee moves and is not heard of", "the caller asks for an offer",
    "the callee moves", "the caller moves as the next media step fails", "nobody at the caller's",
    "nobody at the callee's",
)  # fmt: skip
LOSSES: dict[str, tuple[Flow, bytes]] = {
    "the caller's ACK": (ALICE, b"ACK"),
    "the callee's ACK": (BOB, b"ACK"),
    "the caller's answer": (ALICE, b"SIP/2.0 200"),
    "the callee's answer": (BOB, b"SIP/2.0 200"),
    "our answer": (ENGINE, b"SIP/2.0 200"),
    "our offer": (ENGINE, b"INVITE"),
    "our ACK": (ENGINE, b"ACK"),
}


@dataclass
class CrossedWorld(DisturbedWorld):
    crossed: bool = False
    """A change was under way when it happened."""
    losing: tuple[Flow, bytes] | None = None
    losses: int = 0

    def at(self, moment: float, thing: str, times: int) -> None:
        def act(now: float) -> None:
            self.crossed = any(call.change is not None for call in self.core.calls.values())
            if thing in LOSSES:
                self.losing, self.losses = LOSSES[thing], times

        self.schedule(moment - 1e-6, act)

    def carry(self, data: bytes, source: Flow, target: Flow, now: float) -> None:
        if self.losses and self.losing is not None and source == self.losing[0] and data.startswith(self.losing[1]):
            self.losses -= 1
            self.note(data, source, target)
        else:
            super().carry(data, source, target, now)


def play(who: str, distance: float, thing: str, times: int = 0) -> CrossedWorld:
    other = "bob" if who == "alice" else "alice"
    presses = ((HOLD, who, "sendonly"), (HOLD + 0.03, other, "sendonly"), (HOLD + 0.3, who, "sendrecv"))
    scenario = Scenario(presses=presses, record=True)
    begun = 3.0 + 2 * 0.01 + HOLD + 0.2
    things = () if times else ((begun + distance, thing),)
    # What a phone says of itself is not so when its change was not heard of.
    compares = times == 1 or thing == "the next media step fails"
    world = CrossedWorld(1, scenario, pace=0.05, things=things, compares=compares)
    world.at(begun + distance, thing, times)
    world.run(3000)
    return world


def check(world: CrossedWorld) -> None:
    assert [str(fault) for fault in world.core.faults()] == []
    assert not world.core.calls and not world.desk.open
    assert not any(world.core.agent.sizes().values()), world.core.agent.sizes()
    world.check_facts()
    world.check_secrets()


@pytest.mark.parametrize(("thing", "times"), [*((t, 0) for t in THINGS), *product(LOSSES, (1, 1000))])
def test_a_change_that_something_crosses_ends_once_and_leaves_nothing(thing: str, times: int) -> None:
    crossed = 0
    for who, distance in product(("alice", "bob"), DISTANCES):
        try:
            world = play(who, distance, thing, times)
            check(world)
            if world.compares:
                assert world.record.cause is Cause.NORMAL and world.compared
        except Exception as error:
            raise AssertionError(f"{who} holds, and {distance} s after it {thing}") from error
        crossed += world.crossed
    assert crossed >= len(DISTANCES)
