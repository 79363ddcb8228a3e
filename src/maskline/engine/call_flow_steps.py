"""What is left to do of a call flow, and how often its application was asked.

What it is: the place in a `RunFlow`, one per call that has one. What it is not: the doing (`call_flow.py`).
"""

from __future__ import annotations

from maskline.masking.call_flow import NAMES, ActionName
from maskline.masking.decision import Dial, RunFlow, Step

MOST_ROUNDS = 50
"""Questions to the application in one call: one that always asks for one more digit must not hold a line for ever."""

_NAMES: dict[type, ActionName] = {**NAMES, Dial: ActionName.MAKE_CALL}


class FlowSteps:
    __slots__ = ("_left", "asking", "bridge_untold", "given", "request_id", "rounds", "step")

    def __init__(self, given: RunFlow, request_id: str = "") -> None:
        self.request_id = request_id
        """`clientRequestId` of a call that the API asked for."""
        self.rounds = 0
        self.asking = False
        """The application has been asked and has not answered."""
        self.bridge_untold = False
        """A bridge is over, and the application has not been asked since."""
        self.step: Step | None = None
        """The one that is carried out."""
        self.take(given)

    def take(self, given: RunFlow) -> None:
        """What the application says from here on."""
        self.given = given
        self._left = given.steps

    def next(self) -> Step | None:
        """Go on to the next step; None: there is none."""
        self.step = self._left[0] if self._left else None
        self._left = self._left[1:]
        return self.step

    @property
    def name(self) -> ActionName:
        """Of the step that is carried out."""
        return _NAMES[type(self.step)]

    @property
    def index(self) -> int:
        """Of the step that is carried out, among those that were given last."""
        return len(self.given.steps) - len(self._left) - 1

    @property
    def names(self) -> tuple[ActionName, ...]:
        """Of all the steps that were given last."""
        return tuple([_NAMES[type(step)] for step in self.given.steps])

    @property
    def asks_after_bridge(self) -> bool:
        """An application that never names its actions does not want to hear of a bridge that is over: one that only
        knows whom to connect with whom would have the next call made (docs/decisions/0041)."""
        return self.given.asks_again and bool(self.given.client_action_id)

    @property
    def goes_on_after_bridge(self) -> bool:
        """Whether there is something to do for a first leg that is alone again."""
        return bool(self._left) or self.asks_after_bridge
