"""The loop's timer, on a clock of the test's own and the real loop."""

from __future__ import annotations

import asyncio

import pytest

from maskline.engine.alarm import TICK, Alarm


class Bell:
    """Keeps an alarm; the clock stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.rung = asyncio.Event()
        self.alarm = Alarm(self.rung.set, lambda: self.now)


def timers() -> list[asyncio.TimerHandle]:
    loop = asyncio.get_running_loop()
    return [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]


async def test_it_rings_once_for_a_deadline_and_again_only_when_set_again() -> None:
    bell = Bell()
    bell.alarm.set(bell.now)
    for _ in range(2):
        async with asyncio.timeout(30):
            await bell.rung.wait()
        assert not timers()[1:]  # that of the timeout alone
        bell.rung.clear()
        bell.alarm.set(bell.now)
    bell.alarm.cancel()


async def test_nothing_to_wait_for_is_no_timer() -> None:
    bell = Bell()
    bell.alarm.set(None)
    assert timers() == []


async def test_what_is_due_is_not_put_off_by_every_round() -> None:
    """Under load rounds follow one another faster than timers are looked at: transactions were never forgotten then."""
    bell = Bell()
    bell.alarm.set(bell.now - 1.0)
    (due,) = timers()
    for _ in range(10):
        bell.now += TICK / 20
        bell.alarm.set(bell.now - 1.0)
    assert timers() == [due]
    bell.alarm.cancel()


@pytest.mark.parametrize("sooner", [0.0, 5.0])
async def test_an_earlier_deadline_moves_it_and_a_later_one_does_not(sooner: float) -> None:
    bell = Bell()
    bell.alarm.set(bell.now + 60.0)
    (late,) = timers()
    bell.alarm.set(bell.now + 61.0)
    bell.alarm.set(bell.now + 60.0 - TICK / 2)
    assert timers() == [late]
    bell.alarm.set(bell.now + sooner)
    (early,) = timers()
    assert early is not late
    assert early.when() < late.when() - 50.0
    bell.alarm.cancel()


async def test_cancelled_it_rings_no_more_and_can_be_set_again() -> None:
    bell = Bell()
    bell.alarm.cancel()
    bell.alarm.set(bell.now)
    bell.alarm.cancel()
    assert timers() == []
    bell.alarm.set(bell.now)
    assert len(timers()) == 1
    bell.alarm.cancel()
