"""The customer's application of the simulation: what it says about a call, and that it is asked only when it is due.

What it checks as it goes: it is asked about a first leg that is on the line and hears nothing, since digits came in or
since a bridge is over, once for each, and never after the end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from maskline.engine import inputs as i
from maskline.engine.call_flow_steps import MOST_ROUNDS
from maskline.masking.call_flow import ActionDone, Hangup
from maskline.masking.decision import Dial, Refuse, RunFlow, StartFlow, Step
from maskline.masking.e164 import Number
from maskline.masking.facts import CallEnded, Cause, DigitsCaptured, LegAnswered, LegEnded
from maskline.masking.prompt import Prompt
from maskline.masking.trunk import Trunk
from tests.support.call_machine import CALLEE, CLIP, NUMBER, PLAY_FILE, SAY, VIRTUAL, WELCOME, capture
from tests.support.sim_scenario import LIMITS, SHOWN, TRUNKS, Scenario

if TYPE_CHECKING:
    from tests.support.engine_world import World

THANKS, SORRY = Prompt("thanks", text="Thank you"), Prompt("sorry", text="Sorry")
CALL_ID = "asked-for-by-api"


def step(word: str, scenario: Scenario, callee: Number = CALLEE, trunk: Trunk = TRUNKS[1]) -> Step:
    """`dial`, `refused` (a dial that is not allowed), `say`, `play`, `ask` or `hangup`."""
    dial = Dial(callee, SHOWN, "pool-b", trunk, record=scenario.record, prompts=(WELCOME,)[: scenario.callee_prompts])
    return {
        "dial": dial,
        "refused": replace(dial, trunk=None, refused=Cause.NO_ROUTE),
        "say": SAY,
        "play": PLAY_FILE,
        "ask": capture(
            max_digits=4, min_digits=2, digit_timeout=2.0, overall_timeout=6.0, tries=2, success=THANKS, failure=SORRY
        ),
        "hangup": Hangup(),
    }[word]


class SimApplication:
    def __init__(self, world: World) -> None:
        self._world = world
        self._replies = list(world.scenario.replies)
        self.asked: list[ActionDone] = []

    def flow(self, words: tuple[str, ...]) -> RunFlow:
        s = self._world.scenario
        steps = tuple(step(word, s, self._world.numbers[1], self._world.trunks[1]) for word in words)
        return RunFlow(NUMBER, steps, LIMITS, s.action_id, asks_again=s.asks_again)

    def first(self) -> i.Input:
        words = self._world.scenario.flow
        assert words is not None
        return i.FlowGiven(self.flow(words))

    def start(self) -> StartFlow:
        """The API's request: Alice first, then what the scenario says."""
        s = self._world.scenario
        world = self._world
        first = Dial(world.numbers[0], VIRTUAL, "", world.trunks[0], Cause.CALLER_ID_NOT_ALLOWED if s.refused else None)
        flow = self.flow(s.flow or ())
        return StartFlow(CALL_ID, replace(flow, steps=(first, *flow.steps)), "request-1", expired=s.expired)

    def next(self, done: ActionDone) -> i.Input:
        """What it says when it is asked again: the replies in order, then nothing more to do."""
        self._check(done)
        self.asked.append(done)
        reply = self._replies.pop(0) if self._replies else ()
        if isinstance(reply, Cause):
            if reply is Cause.STORE_UNAVAILABLE:
                return i.RouteFailed(reply)
            aloud = CLIP if self._world.scenario.refused_aloud else None
            return i.Refused(Refuse(reply, NUMBER, prompt=aloud, detail="no callflow at $"))
        return i.FlowGiven(self.flow(reply))

    def _check(self, done: ActionDone) -> None:
        world = self._world
        world.commits += world.core.commits()
        facts = world.facts
        assert world.scenario.asks_again and len(self.asked) < MOST_ROUNDS
        assert world.desk.is_silent, "asked while somebody listens or enters digits"
        assert not any(isinstance(fact, CallEnded) for fact in facts)
        answered = [fact.at for fact in facts if isinstance(fact, LegAnswered) and fact.leg == "a"]
        assert done.duration == world.clock.wall(world.clock.now()) - answered[0]
        over = [fact for fact in facts if isinstance(fact, LegEnded) and fact.leg == "b"]
        assert done.bridged == bool(over)
        captured = [fact for fact in facts if isinstance(fact, DigitsCaptured)]
        told = [one for one in self.asked if one.digits is not None]
        if done.digits is None:
            assert over and world.scenario.action_id and not any(one.bridged for one in self.asked)
        else:
            assert captured[-1].digits == done.digits and len(captured) == len(told) + 1
        assert (done.number, done.inbound, done.client_action_id) == (
            VIRTUAL, not world.scenario.click, world.scenario.action_id,
        )  # fmt: skip
