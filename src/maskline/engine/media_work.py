"""What calls do with the media driver: the steps of one call one after the other, each answered as the call expects.

What it is: asyncio around `media.port.MediaDriver`. What it is not: a decision; a step that fails becomes an input and
the call decides. Who uses it: `outside.py`.

The steps of a call run in one task that lives only while there are steps; calls do not wait for each other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.route_work import Deliver
from maskline.errors import MediaUnavailable
from maskline.masking.facts import Cause, LegName
from maskline.media.port import Clip, LocalMedia, MediaDriver
from maskline.values import dataclass

log = structlog.get_logger()

MOST_WAITING = 32
"""Steps of a call behind which no further digit waits: whoever sends INFO faster than keys can be pressed must not put
off the end of the call."""
AWAY, BUG = "media_unavailable", "internal_error"
"""Reasons why nothing is played or recorded, when it is not the prompt's own fault."""


@dataclass(frozen=True, slots=True)
class PlayClip:
    """A `Play` whose clip is there."""

    leg: LegName
    clip: Clip
    play_id: int
    repeat: int


MediaStep = (
    e.OpenMedia | e.AdoptMedia | e.AttachMedia | e.BridgeMedia | e.UnbridgeMedia | PlayClip | e.StopPlaying | e.Collect
    | e.SendDigit | e.StartRecording | e.StopRecording | e.CloseMedia
)  # fmt: skip


class MediaWork:
    """Runs media steps against the driver. That the driver is away, and back, is said by the
    driver; what one that is there refuses is said here, once until it takes a call again."""

    def __init__(self, driver: MediaDriver, deliver: Deliver, *, digits: bool = True) -> None:
        """`digits`: whether those pressed after the bridge reach the other party."""
        self._driver = driver
        self._deliver = deliver
        self._digits = digits
        self._steps: dict[str, deque[MediaStep]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing = False
        self._take: dict[type, Callable[[str, Any], Awaitable[i.Input | None]]] = {
            e.OpenMedia: self._open,
            e.AdoptMedia: self._adopt,
            e.AttachMedia: self._attach,
            e.BridgeMedia: self._bridge,
            e.UnbridgeMedia: self._unbridge,
            PlayClip: self._play,
            e.StopPlaying: self._stop_playing,
            e.Collect: self._collect,
            e.SendDigit: self._send_digit,
            e.StartRecording: self._start_recording,
            e.StopRecording: self._stop_recording,
            e.CloseMedia: self._close,
        }

    def submit(self, call_id: str, step: MediaStep) -> None:
        waiting = self._steps.get(call_id)
        if waiting is not None:
            if len(waiting) < MOST_WAITING or not isinstance(step, e.SendDigit):
                waiting.append(step)
            return
        self._steps[call_id] = deque((step,))
        task = asyncio.get_running_loop().create_task(self._run(call_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, call_id: str) -> None:
        steps = self._steps[call_id]
        try:
            while steps:
                result = await self._result(call_id, steps.popleft())
                if result is not None:
                    self._deliver(call_id, result)
        finally:
            del self._steps[call_id]

    async def _result(self, call_id: str, step: MediaStep) -> i.Input | None:
        try:
            result = await self._take[type(step)](call_id, step)
        except Exception as error:  # noqa: BLE001 - one call's media must not end the engine
            self._lost(error)
            if isinstance(step, e.StartRecording):
                log.error("recording_not_begun", call_id=call_id, reason=getattr(error, "sentence", BUG))
            return missing(step, AWAY if isinstance(error, MediaUnavailable) else BUG)
        self._refusing = False
        return result

    def _lost(self, error: Exception) -> None:
        if not isinstance(error, MediaUnavailable):
            log.error("engine_fault", exc_info=error)
        elif self._driver.available and not self._refusing:
            self._refusing = True
            log.error("media_refused", reason=error.sentence)

    # -- steps ------------------------------------------------------------------------------------------------

    async def _open(self, call_id: str, step: e.OpenMedia) -> i.Input:
        if not self._driver.available:
            raise MediaUnavailable
        ports: dict[LegName, LocalMedia] = {}
        for leg in step.legs:
            far = step.far if leg is LegName.A else None
            ports[leg] = await self._driver.open_leg(
                call_id, leg, far, codecs=step.codecs, encrypted=leg in step.encrypted, ipv6=leg in step.ipv6
            )
        return i.MediaOpened(ports.get(LegName.A), ports.get(LegName.B))

    async def _adopt(self, call_id: str, step: e.AdoptMedia) -> None:
        await self._driver.adopt(call_id, step.held, digits=self._digits)

    async def _attach(self, call_id: str, step: e.AttachMedia) -> i.Input:
        await self._driver.attach(call_id, step.leg, step.far)
        if step.bridge:
            await self._driver.bridge(call_id, digits=self._digits)
        return step.then

    async def _bridge(self, call_id: str, step: e.BridgeMedia) -> i.Input:
        await self._driver.bridge(call_id, digits=self._digits)
        return i.Bridged()

    async def _unbridge(self, call_id: str, step: e.UnbridgeMedia) -> None:
        await self._driver.unbridge(call_id)

    async def _play(self, call_id: str, step: PlayClip) -> i.Input:
        await self._driver.play(call_id, step.leg, step.clip, step.play_id, repeat=step.repeat)
        return i.PlayBegun(step.leg, step.play_id)

    async def _stop_playing(self, call_id: str, step: e.StopPlaying) -> None:
        await self._driver.stop_playing(call_id, step.leg)

    async def _collect(self, call_id: str, step: e.Collect) -> None:
        await self._driver.collect(call_id, step.leg, step.on)

    async def _send_digit(self, call_id: str, step: e.SendDigit) -> None:
        if self._digits:
            await self._driver.send_digit(call_id, step.leg, step.digit)

    async def _start_recording(self, call_id: str, step: e.StartRecording) -> i.Input:
        return i.RecordingOn(step.recording_id, await self._driver.start_recording(call_id, step.recording_id))

    async def _stop_recording(self, call_id: str, step: e.StopRecording) -> None:
        await self._driver.stop_recording(call_id)

    async def _close(self, call_id: str, step: e.CloseMedia) -> i.Input:
        return i.MediaClosed(await self._driver.close(call_id))


class NoMedia:
    """In place of `MediaWork` when there is no driver (`MASKLINE_MEDIA=none`): what is asked for does not happen."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    def submit(self, call_id: str, step: MediaStep) -> None:
        result = missing(step, AWAY)
        if result is not None:
            self._deliver(call_id, result)


def missing(step: MediaStep, reason: str) -> i.Input | None:
    """What the call hears when a step could not be done; None when it does not wait for it."""
    match step:
        case e.OpenMedia():
            return i.MediaFailed()
        case e.AdoptMedia():
            return i.Stopped(Cause.MEDIA_UNAVAILABLE)
        case e.AttachMedia(then=then):
            return i.MediaFailed(then)
        case e.BridgeMedia():
            return i.MediaFailed(i.Bridged())
        case PlayClip():
            return i.PlayFailed(step.leg, step.play_id, reason)
        case e.StartRecording():
            return i.RecordingOff(reason)
        case e.CloseMedia():
            return i.MediaClosed({})
        case _:
            return None
