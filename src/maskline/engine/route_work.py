"""Questions to the router: whose call is this, and whose PIN. Answers come back as inputs of the call.

What it is: asyncio around `ports.CallRouter`. What it is not: a decision; failures become inputs and the call decides.
Who uses it: `outside.py`.

A question is stepped at once and needs no task as long as it does not suspend, which on SQLite only those do that go on
to a customer's application. Such a one is withdrawn when the caller leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, NamedTuple

import structlog

from maskline.clock import Clock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.ports import CallRouter, Incoming
from maskline.errors import StoreUnavailable
from maskline.masking.decision import AskPin, Decision, Forward, NextDecision, PinDecision, RunFlow, WrongPin
from maskline.masking.facts import Cause

log = structlog.get_logger()

Deliver = Callable[[str, i.Input], None]
Answer = Decision | PinDecision | NextDecision
Asked = Coroutine[Any, Any, Answer]
_Question = e.Route | e.CheckPin | e.AskNext


class RouteWork:
    """Asks the router, one question of a call at a time."""

    def __init__(self, router: CallRouter, clock: Clock, deliver: Deliver) -> None:
        self._router = router
        self._clock = clock
        self._deliver = deliver
        self._waiting: dict[str, _Waiting] = {}
        """By call."""

    def withdraw(self, call_id: str, now: float) -> None:
        """Nobody waits for the answer any more; whose call it was is asked once more where that was the question."""
        waiting = self._waiting.pop(call_id, None)
        if waiting is None:
            return
        waiting.task.cancel()
        if isinstance(waiting.effect, e.Route):
            self._ask(call_id, waiting.effect, now, left=True)

    def submit(self, call_id: str, effect: _Question, now: float) -> None:
        self._ask(call_id, effect, now)

    def _ask(self, call_id: str, effect: _Question, now: float, *, left: bool = False) -> None:
        wall = self._clock.wall(now)
        question: Asked
        if isinstance(effect, e.Route):
            call = Incoming(call_id, effect.leg_id, left, effect.others)
            question = self._router.route(effect.caller, effect.called, effect.trunk, wall, call)
        elif isinstance(effect, e.AskNext):
            question = self._router.next_action(effect.done, wall)
        else:
            question = self._router.check_pin(effect.asked, effect.caller, effect.pin, wall)
        try:
            waits_for = question.send(None)
        except StopIteration as finished:
            self._deliver(call_id, _as_input(finished.value))
        except Exception as error:  # noqa: BLE001 - one call's router must not end the engine
            self._deliver(call_id, _failure(error))
        else:
            task = asyncio.get_running_loop().create_task(self._finish(call_id, question, waits_for))
            self._waiting[call_id] = _Waiting(task, effect)

    async def _finish(self, call_id: str, question: Asked, waits_for: Any) -> None:
        try:
            answer = _as_input(await _Resumed(question, waits_for))
        except Exception as error:  # noqa: BLE001 - as above
            answer = _failure(error)
        # A task that was cancelled does not come here, so this entry is its own.
        del self._waiting[call_id]
        self._deliver(call_id, answer)


class _Waiting(NamedTuple):
    """A question that is being answered."""

    task: asyncio.Task[None]
    effect: _Question


class _Resumed:
    """Goes on with a coroutine that was stepped once and now waits for something."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Asked, waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Answer]:
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
                decision: Answer = finished.value
                return decision


def _as_input(decision: Answer) -> i.Input:
    if isinstance(decision, Forward):
        return i.Forwarded(decision)
    if isinstance(decision, RunFlow):
        return i.FlowGiven(decision)
    if isinstance(decision, AskPin):
        return i.PinAsked(decision)
    return i.PinRefused(decision) if isinstance(decision, WrongPin) else i.Refused(decision)


def _failure(error: Exception) -> i.Input:
    if isinstance(error, StoreUnavailable):
        log.warning("route_failed", reason=error.code)
        return i.RouteFailed(Cause.STORE_UNAVAILABLE)
    log.error("engine_fault", exc_info=error)
    return i.RouteFailed(Cause.INTERNAL_ERROR)
