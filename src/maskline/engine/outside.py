"""Everything a call has done outside of SIP: ask the router, move media, get prompts.

What it is: one door for all of it, which gives each effect to the part that does it. What it is not: a decision;
results come back as inputs of the call. Who uses it: `runner.py`.
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.engine import effects as e
from maskline.engine.inputs import PlayFailed
from maskline.engine.media_work import AWAY, MediaWork, NoMedia
from maskline.engine.outlets import Outside
from maskline.engine.ports import CallRouter
from maskline.engine.prompt_work import PromptWork
from maskline.engine.route_work import Deliver, RouteWork
from maskline.masking.facts import LegName
from maskline.media.port import MediaDriver, Prompter

_A, _B = LegName.A, LegName.B


class OutsideWork:
    def __init__(
        self, router: CallRouter, clock: Clock, deliver: Deliver, media: MediaDriver | None = None,
        prompter: Prompter | None = None, *, digits: bool = True,
    ) -> None:  # fmt: skip
        """Without `media` nothing is relayed or played, without `prompter` nothing is played. `digits`: whether those
        pressed after the bridge reach the other party."""
        self._clock = clock
        self._deliver = deliver
        self._routes = RouteWork(router, clock, deliver)
        self._media = NoMedia(deliver) if media is None else MediaWork(media, deliver, digits=digits)
        self._prompts = None
        if media is not None and prompter is not None:
            self._prompts = PromptWork(prompter, self._media.submit, deliver)

    def submit(self, call_id: str, effect: Outside) -> None:
        if isinstance(effect, e.Route | e.CheckPin | e.AskNext):
            self._routes.submit(call_id, effect, self._clock.now())
        elif isinstance(effect, e.StopAsking):
            self._routes.withdraw(call_id, self._clock.now())
        elif isinstance(effect, e.Play):
            self._play(call_id, effect)
        else:
            if self._prompts is not None:
                self._drop_prompts(self._prompts, call_id, effect)
            self._media.submit(call_id, effect)

    def _play(self, call_id: str, effect: e.Play) -> None:
        if self._prompts is None:
            self._deliver(call_id, PlayFailed(effect.leg, effect.play_id, AWAY))
        else:
            self._prompts.fetch(call_id, effect)

    def _drop_prompts(self, prompts: PromptWork, call_id: str, effect: Outside) -> None:
        """What is still on its way comes too late."""
        if isinstance(effect, e.StopPlaying):
            prompts.cancel(call_id, effect.leg)
        elif isinstance(effect, e.CloseMedia | e.BridgeMedia):
            prompts.cancel(call_id, _A, _B)

    async def stop(self) -> None:
        if self._prompts is not None:
            await self._prompts.stop()
