from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from maskline.clock import SystemClock, VirtualClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.outside import MediaWork, RouteWork
from maskline.errors import StoreUnavailable
from maskline.masking.decision import Decision, Refuse
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName
from maskline.masking.trunk import Trunk
from maskline.media.port import FarMedia
from maskline.sdp.session import Codec
from tests.support.call_machine import CALLER, LOCAL_A, LOCAL_B, TRUNK_A, VIRTUAL, forward
from tests.support.fake_driver import FakeDriver

ROUTE = e.Route(CALLER, VIRTUAL, TRUNK_A)
OPEN = e.OpenMedia(None, (Codec(0, "PCMU"),))
FAR = FarMedia("198.51.100.7", 4000, 4001, (Codec(0, "PCMU"),))


class Inbox:
    """Where results are delivered."""

    def __init__(self) -> None:
        self.results: list[tuple[str, i.Input]] = []
        self._changed = asyncio.Event()

    def deliver(self, call_id: str, inp: i.Input) -> None:
        self.results.append((call_id, inp))
        self._changed.set()

    async def until(self, count: int) -> list[tuple[str, i.Input]]:
        async with asyncio.timeout(5):
            while len(self.results) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.results


class Router:
    def __init__(self, answer: Callable[[], Decision], waits: int = 0) -> None:
        self._answer = answer
        self._waits = waits
        self.asked: list[float] = []

    def trunks(self) -> tuple[Trunk, ...]:
        return (TRUNK_A,)

    async def route(self, caller: Number | None, called: Number, trunk: Trunk, wall: float) -> Decision:
        self.asked.append(wall)
        for _ in range(self._waits):
            await asyncio.sleep(0)
        return self._answer()


def failing(error: Exception) -> Callable[[], Decision]:
    def fail() -> Decision:
        raise error

    return fail


async def test_a_router_that_does_not_wait_answers_before_submit_returns() -> None:
    inbox, router, clock = Inbox(), Router(forward), VirtualClock()
    RouteWork(router, clock, inbox.deliver).submit("call", ROUTE, 5.0)
    assert inbox.results == [("call", i.Forwarded(forward()))]
    assert router.asked == [clock.wall(5.0)]


async def test_a_router_that_waits_answers_later() -> None:
    refusal = Refuse(Cause.UNKNOWN_NUMBER, None)
    inbox = Inbox()
    RouteWork(Router(lambda: refusal, waits=3), SystemClock(), inbox.deliver).submit("call", ROUTE, 0.0)
    assert inbox.results == []
    assert await inbox.until(1) == [("call", i.Refused(refusal))]


@pytest.mark.parametrize("waits", [0, 2])
@pytest.mark.parametrize(
    ("error", "cause"), [(StoreUnavailable(), Cause.CONGESTION), (KeyError("bug"), Cause.INTERNAL_ERROR)]
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


async def test_a_cancelled_router_hears_of_it() -> None:
    heard: list[bool] = []

    class Waiting(Router):
        async def route(self, *_: Any) -> Decision:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                heard.append(True)
                raise
            return forward()

    work = RouteWork(Waiting(forward), SystemClock(), Inbox().deliver)
    work.submit("call", ROUTE, 0.0)
    (task,) = work._tasks
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == [True]


async def test_the_steps_of_one_call_run_in_order_and_of_two_calls_side_by_side() -> None:
    inbox, driver = Inbox(), FakeDriver()
    work = MediaWork(driver, inbox.deliver)
    for call in ("x", "y"):
        work.submit(call, OPEN)
        work.submit(call, e.AttachMedia(LegName.B, FAR, True, i.AnswerMediaReady()))
        work.submit(call, e.CloseMedia())
    await inbox.until(6)
    await asyncio.sleep(0)
    assert not work._steps and not work._tasks
    of_x = [what for what, call, *_ in driver.asked if call == "x"]
    assert of_x == ["open", "open", "attach", "bridge", "close"]
    assert [call for _, call, *_ in driver.asked[:2]] == ["x", "y"]
    results = [result for call, result in inbox.results if call == "x"]
    assert results[:2] == [i.MediaOpened(LOCAL_A, LOCAL_B), i.AnswerMediaReady()]
    assert isinstance(results[2], i.MediaClosed) and LegName.A in results[2].quality


async def test_a_late_offer_attaches_without_relaying() -> None:
    inbox, driver = Inbox(), FakeDriver()
    MediaWork(driver, inbox.deliver).submit("x", e.AttachMedia(LegName.B, FAR, False, i.AnswerMediaReady()))
    await inbox.until(1)
    assert [what for what, *_ in driver.asked] == ["attach"]


async def test_what_a_driver_refuses_is_said_once_until_it_takes_something() -> None:
    inbox, driver = Inbox(), FakeDriver()
    work = MediaWork(driver, inbox.deliver)
    ready = i.AnswerMediaReady()
    with structlog.testing.capture_logs() as lines:
        driver.away = True
        work.submit("x", OPEN)
        work.submit("x", e.AttachMedia(LegName.B, FAR, True, ready))
        work.submit("x", e.CloseMedia())
        await inbox.until(3)
        assert [line["event"] for line in lines] == ["media_refused"]
        driver.away = False
        work.submit("y", OPEN)
        await inbox.until(4)
        driver.away = True
        work.submit("y", e.CloseMedia())
        await inbox.until(5)
    assert [result for _, result in inbox.results[:3]] == [i.MediaFailed(), i.MediaFailed(ready), i.MediaClosed({})]
    assert [line["event"] for line in lines] == ["media_refused", "media_refused"]


async def test_that_a_driver_is_away_is_left_to_the_driver_to_say() -> None:
    inbox, driver = Inbox(), FakeDriver()
    driver.away, driver.available = True, False
    work = MediaWork(driver, inbox.deliver)
    with structlog.testing.capture_logs() as lines:
        work.submit("x", OPEN)
        work.submit("x", e.CloseMedia())
        await inbox.until(2)
    assert lines == []


async def test_a_driver_known_to_be_away_is_not_asked_for_ports() -> None:
    inbox, driver = Inbox(), FakeDriver()
    driver.available = False
    MediaWork(driver, inbox.deliver).submit("x", OPEN)
    assert await inbox.until(1) == [("x", i.MediaFailed())]
    assert driver.asked == []


async def test_a_bug_of_a_driver_fails_the_step_and_is_logged_each_time() -> None:
    inbox, driver = Inbox(), FakeDriver()
    driver.bug = KeyError("bug")
    with structlog.testing.capture_logs() as lines:
        MediaWork(driver, inbox.deliver).submit("x", OPEN)
        await inbox.until(1)
    assert inbox.results == [("x", i.MediaFailed())]
    assert [line["event"] for line in lines] == ["engine_fault"]
