"""Prompts on their way: each clip is fetched in a task of its own, then played in the order of the call's media steps.

What it is: asyncio around `media.port.Prompter`. What it is not: playing (`media_work.py`), or a decision. Who uses it:
`outside.py`.

A customer's web server may take seconds to hand out a prompt. Meanwhile everything else of the call goes on, and what
makes the prompt pointless (another one for the same leg, the bridge, the end of the call) ends its task at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.media_work import BUG, PlayClip
from maskline.engine.route_work import Deliver
from maskline.masking.facts import LegName
from maskline.media.port import Prompter, PromptUnavailable

log = structlog.get_logger()


class PromptWork:
    """At most one prompt per leg is on its way."""

    def __init__(self, prompter: Prompter, play: Callable[[str, PlayClip], None], deliver: Deliver) -> None:
        """`play` is told of each clip that is there; `deliver` of those that cannot be had."""
        self._prompter = prompter
        self._play = play
        self._deliver = deliver
        self._fetches: dict[tuple[str, LegName], asyncio.Task[None]] = {}

    def fetch(self, call_id: str, effect: e.Play) -> None:
        self.cancel(call_id, effect.leg)
        task = asyncio.get_running_loop().create_task(self._fetch(call_id, effect))
        self._fetches[call_id, effect.leg] = task

    def cancel(self, call_id: str, *legs: LegName) -> None:
        """Nothing comes of what is on its way to these legs, not even a failure."""
        for leg in legs if self._fetches else ():
            task = self._fetches.pop((call_id, leg), None)
            if task is not None:
                task.cancel()

    async def stop(self) -> None:
        """Give up whatever is on its way."""
        tasks = list(self._fetches.values())
        self._fetches.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, call_id: str, effect: e.Play) -> None:
        reason = ""
        try:
            clip = await self._prompter.clip(effect.prompt)
        except PromptUnavailable as error:
            reason = error.reason
        except Exception as error:
            log.error("engine_fault", exc_info=error)
            reason = BUG
        # A task that was cancelled does not come here, so this entry is its own.
        del self._fetches[call_id, effect.leg]
        if reason:
            self._deliver(call_id, i.PlayFailed(effect.leg, effect.play_id, reason))
        else:
            self._play(call_id, PlayClip(effect.leg, clip, effect.play_id, effect.repeat))
