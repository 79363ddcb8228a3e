"""Questions to the router: asked at once, answered as inputs, whatever the router does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from maskline.clock import SystemClock, VirtualClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.ports import NOBODY, Incoming
from maskline.engine.route_work import RouteWork
from maskline.errors import StoreUnavailable
from maskline.masking.call_flow import ActionDone
from maskline.masking.decision import (
    AskPin,
    Decision,
    NextDecision,
    PinDecision,
    PinRules,
    Refuse,
    StartDecision,
    WrongPin,
)
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.trunk import Trunk
from tests.support.call_machine import CALLER, NUMBER, SAY, TRUNK_A, VIRTUAL, flow, forward
from tests.support.inbox import Inbox

ROUTE = e.Route(CALLER, VIRTUAL, TRUNK_A)
ASKED = AskPin(NUMBER, PinRules(None, None))
CHECK = e.CheckPin(ASKED, CALLER, "2468")
DONE = ActionDone("call", "leg-a", True, CALLER, VIRTUAL, "menu", 3.0, "42")


class Router:
    def __init__(self, answer: Callable[[], Any], waits: int = 0) -> None:
        self._answer = answer
        self._waits = waits
        self.asked: list[float] = []

    def trunks(self) -> tuple[Trunk, ...]:
        return (TRUNK_A,)

    async def route(self, caller: Number | None, called: Number, trunk: Trunk, wall: float, *_: Any) -> Decision:
        self.asked.append(wall)
        for _ in range(self._waits):
            await asyncio.sleep(0)
        answer: Decision = self._answer()
        return answer

    async def check_pin(self, asked: AskPin, caller: Number | None, pin: str, wall: float) -> PinDecision:
        assert (asked, caller, pin) == (ASKED, CALLER, "2468")
        answer: PinDecision = await self.route(caller, VIRTUAL, TRUNK_A, wall)  # type: ignore[assignment]
        return answer

    async def next_action(self, done: ActionDone, wall: float) -> NextDecision:
        assert done == DONE
        answer: NextDecision = await self.route(CALLER, VIRTUAL, TRUNK_A, wall)  # type: ignore[assignment]
        return answer

    async def start(self, session_id: str, wall: float) -> StartDecision:
        raise AssertionError("no call has asked for this")


def failing(error: Exception) -> Callable[[], Decision]:
    def fail() -> Decision:
        raise error

    return fail


async def test_a_router_that_does_not_wait_answers_before_submit_returns() -> None:
    inbox, router, clock = Inbox(), Router(forward), VirtualClock()
    RouteWork(router, clock, inbox.deliver).submit("call", ROUTE, 5.0)
    assert inbox.results == [("call", i.Forwarded(forward()))]
    assert router.asked == [clock.wall(5.0)]


async def test_what_comes_next_is_asked_like_whose_call_it_is() -> None:
    inbox = Inbox()
    RouteWork(Router(lambda: flow(SAY), waits=2), SystemClock(), inbox.deliver).submit("call", e.AskNext(DONE), 0.0)
    assert await inbox.until(1) == [("call", i.FlowGiven(flow(SAY)))]


async def test_a_router_that_waits_answers_later() -> None:
    refusal = Refuse(Cause.UNKNOWN_NUMBER, None)
    inbox = Inbox()
    RouteWork(Router(lambda: refusal, waits=3), SystemClock(), inbox.deliver).submit("call", ROUTE, 0.0)
    assert inbox.results == []
    assert await inbox.until(1) == [("call", i.Refused(refusal))]


@pytest.mark.parametrize("waits", [0, 2])
@pytest.mark.parametrize(
    ("error", "cause"), [(StoreUnavailable(), Cause.STORE_UNAVAILABLE), (KeyError("bug"), Cause.INTERNAL_ERROR)]
)
async def test_a_router_that_fails_refuses_the_call(waits: int, error: Exception, cause: Cause) -> None:
    inbox = Inbox()
    RouteWork(Router(failing(error), waits), SystemClock(), inbox.deliver).submit("call", ROUTE, 0.0)
    assert await inbox.until(1) == [("call", i.RouteFailed(cause))]


async def test_an_error_of_what_the_router_waits_for_reaches_the_router() -> None:
    broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    class Waiting(Router):
        async def route(self, *_: Any) -> Decision:
            try:
                await broken
            except ConnectionError:
                return Refuse(Cause.NO_ROUTE, None)
            return forward()

    inbox = Inbox()
    RouteWork(Waiting(forward), SystemClock(), inbox.deliver).submit("call", ROUTE, 0.0)
    broken.set_exception(ConnectionError())
    assert await inbox.until(1) == [("call", i.Refused(Refuse(Cause.NO_ROUTE, None)))]


class Thinking(Router):
    """Its application thinks until it is given up; whose call it is it knows at once."""

    def __init__(self, waits_left: int = 0) -> None:
        super().__init__(lambda: Refuse(Cause.CANCELED, NUMBER), waits_left)
        self.calls: list[Incoming] = []
        self.given_up = 0

    async def route(
        self, caller: Number | None, called: Number, trunk: Trunk, wall: float, call: Incoming = NOBODY
    ) -> Decision:
        self.calls.append(call)
        if call.left:
            return await super().route(caller, called, trunk, wall)
        self.asked.append(wall)
        return await self._think()

    async def next_action(self, done: ActionDone, wall: float) -> NextDecision:
        await self._think()
        raise AssertionError("it never answers")

    async def _think(self) -> Decision:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        raise AssertionError("it never answers")


@pytest.mark.parametrize("waits", [0, 2])
async def test_a_question_about_a_caller_that_has_gone_is_withdrawn_and_whose_call_it_was_asked(waits: int) -> None:
    inbox, router, clock = Inbox(), Thinking(waits), VirtualClock()
    work = RouteWork(router, clock, inbox.deliver)
    before = asyncio.all_tasks()
    work.submit("call", replace(ROUTE, leg_id="leg-a"), 5.0)
    await asyncio.sleep(0)
    work.withdraw("call", 6.0)
    assert len(inbox.results) == (waits == 0), "who does not have to wait is answered at once"
    assert await inbox.until(1) == [("call", i.Refused(Refuse(Cause.CANCELED, NUMBER)))]
    assert router.calls == [Incoming("call", "leg-a"), Incoming("call", "leg-a", left=True)]
    assert router.asked == [clock.wall(5.0), clock.wall(6.0)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert (router.given_up, asyncio.all_tasks(), len(inbox.results)) == (1, before, 1)


async def test_a_question_that_has_not_begun_to_wait_is_withdrawn_as_well() -> None:
    inbox, router = Inbox(), Thinking()
    work = RouteWork(router, SystemClock(), inbox.deliver)
    work.submit("call", ROUTE, 0.0)
    work.withdraw("call", 0.0)
    work.withdraw("call", 0.0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert inbox.results == [("call", i.Refused(Refuse(Cause.CANCELED, NUMBER)))] and len(router.calls) == 2


async def test_nobody_hears_what_should_have_come_next_when_that_is_withdrawn() -> None:
    inbox, router, before = Inbox(), Thinking(), asyncio.all_tasks()
    work = RouteWork(router, SystemClock(), inbox.deliver)
    work.submit("call", e.AskNext(DONE), 0.0)
    await asyncio.sleep(0)
    work.withdraw("other", 1.0)
    work.withdraw("call", 1.0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert (inbox.results, router.given_up, asyncio.all_tasks()) == ([], 1, before)


async def test_an_answer_that_came_in_the_same_moment_is_withdrawn_too() -> None:
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    class Waiting(Router):
        async def next_action(self, done: ActionDone, wall: float) -> NextDecision:
            await answer
            return flow(SAY)

    inbox = Inbox()
    work = RouteWork(Waiting(forward), SystemClock(), inbox.deliver)
    work.submit("call", e.AskNext(DONE), 0.0)
    await asyncio.sleep(0)
    answer.set_result(None)
    work.withdraw("call", 1.0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert inbox.results == []


@pytest.mark.parametrize("waits", [0, 2])
@pytest.mark.parametrize(
    ("decision", "heard"),
    [
        (forward(), i.Forwarded(forward())),
        (WrongPin(locked=True), i.PinRefused(WrongPin(locked=True))),
        (Refuse(Cause.SESSION_EXPIRED, NUMBER), i.Refused(Refuse(Cause.SESSION_EXPIRED, NUMBER))),
    ],
)
async def test_a_pin_is_checked_the_same_way(waits: int, decision: PinDecision, heard: i.Input) -> None:
    inbox, clock = Inbox(), VirtualClock()
    router = Router(lambda: decision, waits)
    RouteWork(router, clock, inbox.deliver).submit("call", CHECK, 5.0)
    assert len(inbox.results) == (waits == 0)
    assert await inbox.until(1) == [("call", heard)]
    assert router.asked == [clock.wall(5.0)]


async def test_a_caller_who_must_say_a_pin_first_is_told_so() -> None:
    inbox = Inbox()
    RouteWork(Router(lambda: ASKED), SystemClock(), inbox.deliver).submit("call", ROUTE, 0.0)
    assert inbox.results == [("call", i.PinAsked(ASKED))]


async def test_a_pin_that_cannot_be_checked_ends_like_a_route_that_fails() -> None:
    inbox = Inbox()
    RouteWork(Router(failing(StoreUnavailable())), SystemClock(), inbox.deliver).submit("call", CHECK, 0.0)
    assert inbox.results == [("call", i.RouteFailed(Cause.STORE_UNAVAILABLE))]
