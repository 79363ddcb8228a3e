"""The work a call has done outside: ask the router, move media. Results come back as inputs, in order per call.

What it is: asyncio around `ports.CallRouter` and `media.port.MediaDriver`. What it is not: a decision; failures
become inputs and the call decides. Who uses it: `runner.py`.

A route is stepped at once and needs no task as long as it does not suspend, which on SQLite it never does. The
media steps of one call run one after the other in one task that lives only while there are steps.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

import structlog

from maskline.clock import Clock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.ports import CallRouter
from maskline.errors import MediaUnavailable, StoreUnavailable
from maskline.masking.decision import AskPin, Decision, Forward
from maskline.masking.facts import Cause, LegName
from maskline.media.port import RelayDriver

log = structlog.get_logger()

Deliver = Callable[[str, i.Input], None]
MediaStep = e.OpenMedia | e.AttachMedia | e.CloseMedia


class RouteWork:
    """Asks the router, one question per call."""

    def __init__(self, router: CallRouter, clock: Clock, deliver: Deliver) -> None:
        self._router = router
        self._clock = clock
        self._deliver = deliver
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, call_id: str, effect: e.Route, now: float) -> None:
        route = self._router.route(effect.caller, effect.called, effect.trunk, self._clock.wall(now))
        try:
            waits_for = route.send(None)
        except StopIteration as finished:
            self._deliver(call_id, _as_input(finished.value))
        except Exception as error:  # noqa: BLE001 - one call's router must not end the engine
            self._deliver(call_id, _failure(error))
        else:
            task = asyncio.get_running_loop().create_task(self._finish(call_id, route, waits_for))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _finish(self, call_id: str, route: Coroutine[Any, Any, Decision], waits_for: Any) -> None:
        try:
            decision = await _Resumed(route, waits_for)
        except Exception as error:  # noqa: BLE001 - as above
            self._deliver(call_id, _failure(error))
        else:
            self._deliver(call_id, _as_input(decision))


class _Resumed:
    """Goes on with a coroutine that was stepped once and now waits for something."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, Decision], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Decision]:
        coroutine, waits_for = self._coroutine, self._waits_for
        while True:
            try:
                result = yield waits_for
            except BaseException as error:  # noqa: BLE001 - handed to the coroutine it is meant for
                resume = partial(coroutine.throw, error)
            else:
                resume = partial(coroutine.send, result)
            try:
                waits_for = resume()
            except StopIteration as finished:
                decision: Decision = finished.value
                return decision


def _as_input(decision: Decision) -> i.Input:
    if isinstance(decision, Forward):
        return i.Forwarded(decision)
    return i.PinAsked(decision) if isinstance(decision, AskPin) else i.Refused(decision)


def _failure(error: Exception) -> i.Input:
    if isinstance(error, StoreUnavailable):
        log.warning("route_failed", reason=error.code)
        return i.RouteFailed(Cause.CONGESTION)
    log.error("engine_fault", exc_info=error)
    return i.RouteFailed(Cause.INTERNAL_ERROR)


class MediaWork:
    """Runs media steps against the driver. That the driver is away, and back, is said by the
    driver; what one that is there refuses is said here, once until it takes a call again."""

    def __init__(self, driver: RelayDriver, deliver: Deliver) -> None:
        self._driver = driver
        self._deliver = deliver
        self._steps: dict[str, deque[MediaStep]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing = False

    def submit(self, call_id: str, step: MediaStep) -> None:
        waiting = self._steps.get(call_id)
        if waiting is not None:
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
                self._deliver(call_id, await self._take(call_id, steps.popleft()))
        finally:
            del self._steps[call_id]

    async def _take(self, call_id: str, step: MediaStep) -> i.Input:
        try:
            if isinstance(step, e.OpenMedia) and not self._driver.available:
                raise MediaUnavailable
            result = await self._ask(call_id, step)
        except Exception as error:  # noqa: BLE001 - one call's media must not end the engine
            self._lost(error)
            return _missing(step)
        self._refusing = False
        return result

    async def _ask(self, call_id: str, step: MediaStep) -> i.Input:
        driver = self._driver
        if isinstance(step, e.OpenMedia):
            a = await driver.open_leg(call_id, LegName.A, step.far, codecs=step.codecs)
            b = await driver.open_leg(call_id, LegName.B, None, codecs=step.codecs)
            return i.MediaOpened(a, b)
        if isinstance(step, e.AttachMedia):
            await driver.attach(call_id, step.leg, step.far)
            if step.bridge:
                await driver.bridge(call_id)
            return step.then
        return i.MediaClosed(await driver.close(call_id))

    def _lost(self, error: Exception) -> None:
        if not isinstance(error, MediaUnavailable):
            log.error("engine_fault", exc_info=error)
        elif self._driver.available and not self._refusing:
            self._refusing = True
            log.error("media_refused", reason=error.sentence)


def _missing(step: MediaStep) -> i.Input:
    """What the call hears when a step could not be done."""
    if isinstance(step, e.CloseMedia):
        return i.MediaClosed({})
    return i.MediaFailed(step.then if isinstance(step, e.AttachMedia) else None)
