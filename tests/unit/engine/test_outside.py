"""Prompts on their way, and what each kind of work has to do with the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from maskline.clock import SystemClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.outlets import Outside
from maskline.engine.outside import OutsideWork
from maskline.masking.decision import Refuse
from maskline.masking.facts import Cause, LegName
from maskline.masking.prompt import RINGBACK, Prompt
from maskline.media.port import Clip, PromptUnavailable
from maskline.sdp.session import Codec
from tests.support.call_machine import CALLER, TRUNK_A, VIRTUAL
from tests.support.fake_driver import FakeDriver
from tests.support.inbox import Inbox

A, B = LegName.A, LegName.B
PROMPT = Prompt("first_party_play_url", url="https://audio.example/hello.wav")
CLIP = Clip("/prompts/abc.wav", 1.5)
OPEN = e.OpenMedia(None, (Codec(0, "PCMU"),))
PLAY = e.Play(A, PROMPT, 1)


class Prompter:
    """Hands out one clip, each time after `gate` is set."""

    def __init__(self, error: Exception | None = None) -> None:
        self.gate = asyncio.Event()
        self.asked: list[str] = []
        self.given_up = 0
        self._error = error

    async def clip(self, prompt: Prompt) -> Clip:
        self.asked.append(prompt.option)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self._error is not None:
            raise self._error
        return CLIP


class Router:
    async def route(self, *_: Any) -> Refuse:
        return Refuse(Cause.UNKNOWN_NUMBER, None)


class Bench:
    def __init__(self, prompter: Prompter | None = None, *, media: bool = True, **settings: Any) -> None:
        self.inbox, self.driver = Inbox(), FakeDriver()
        self.prompter = prompter or Prompter()
        self.work = OutsideWork(
            Router(), SystemClock(), self.inbox.deliver, self.driver if media else None,  # type: ignore[arg-type]
            self.prompter if prompter else None, **settings,
        )  # fmt: skip

    def submit(self, *effects: Outside, call: str = "x") -> None:
        for effect in effects:
            self.work.submit(call, effect)

    async def turns(self, count: int = 20) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    @property
    def asked(self) -> list[str]:
        return [what for what, *_ in self.driver.asked]


async def test_a_prompt_is_fetched_and_then_played() -> None:
    bench = Bench(Prompter())
    bench.prompter.gate.set()
    bench.submit(e.Play(B, PROMPT, 4, repeat=0))
    await bench.turns()
    assert bench.driver.asked == [("play", "x", B, CLIP, 4, 0)]
    assert bench.inbox.results == [("x", i.PlayBegun(B, 4))], "that it was heard to its end is said by the driver"


async def test_a_slow_prompt_delays_neither_its_call_nor_another() -> None:
    bench = Bench(Prompter())
    bench.submit(OPEN, PLAY, e.Collect(A, True))
    bench.submit(OPEN, e.BridgeMedia(), call="y")
    await bench.turns()
    assert bench.asked.count("open") == 4 and "collect" in bench.asked and "bridge" in bench.asked
    assert "play" not in bench.asked
    bench.prompter.gate.set()
    await bench.turns()
    assert bench.asked[-1] == "play"


@pytest.mark.parametrize("later", [e.StopPlaying(A), e.BridgeMedia(), e.CloseMedia()])
async def test_what_makes_a_prompt_pointless_ends_its_fetch_and_nothing_is_heard_of_it(later: Outside) -> None:
    bench = Bench(Prompter(PromptUnavailable("timeout")))
    bench.submit(PLAY)
    await bench.turns()
    bench.submit(later)
    bench.prompter.gate.set()
    await bench.turns()
    assert bench.prompter.given_up == 1 and "play" not in bench.asked
    assert not any(isinstance(result, i.PlayFailed) for _, result in bench.inbox.results)


async def test_a_prompt_that_is_stopped_in_the_same_breath_is_not_even_asked_for() -> None:
    bench = Bench(Prompter())
    bench.submit(PLAY, e.StopPlaying(A))
    await bench.turns()
    assert bench.prompter.asked == [] and bench.asked == ["stop playing"]


async def test_stopping_one_leg_leaves_the_other_legs_prompt_alone() -> None:
    bench = Bench(Prompter())
    bench.submit(PLAY, e.Play(B, RINGBACK, 2), e.StopPlaying(B))
    bench.prompter.gate.set()
    await bench.turns()
    assert [asked[2:4] for asked in bench.driver.asked if asked[0] == "play"] == [(A, CLIP)]


async def test_a_new_prompt_for_a_leg_replaces_the_one_on_its_way() -> None:
    bench = Bench(Prompter())
    bench.submit(PLAY)
    await bench.turns()
    bench.submit(e.Play(A, RINGBACK, 2))
    bench.prompter.gate.set()
    await bench.turns()
    assert bench.prompter.asked == ["first_party_play_url", "ringback"] and bench.prompter.given_up == 1
    assert [asked[4] for asked in bench.driver.asked] == [2]


@pytest.mark.parametrize(
    ("error", "reason", "logged"),
    [(PromptUnavailable("not_audio"), "not_audio", 0), (KeyError("bug"), "internal_error", 1)],
)
async def test_a_prompt_that_cannot_be_had_is_told_with_its_reason(error: Exception, reason: str, logged: int) -> None:
    bench = Bench(Prompter(error))
    bench.prompter.gate.set()
    with structlog.testing.capture_logs() as lines:
        bench.submit(PLAY)
        await bench.turns()
    assert bench.inbox.results == [("x", i.PlayFailed(A, 1, reason))] and bench.asked == []
    assert len(lines) == logged


@pytest.mark.parametrize("media", [True, False])
async def test_without_prompter_or_media_nothing_is_played(media: bool) -> None:
    bench = Bench(Prompter() if not media else None, media=media)
    bench.submit(PLAY)
    assert bench.inbox.results == [("x", i.PlayFailed(A, 1, "media_unavailable"))]
    bench.submit(e.StopPlaying(A))
    await bench.work.stop()


async def test_at_the_stop_no_task_is_left() -> None:
    before = asyncio.all_tasks()
    bench = Bench(Prompter())
    bench.submit(PLAY, e.Play(B, PROMPT, 2))
    bench.submit(PLAY, call="y")
    await bench.turns()
    await bench.work.stop()
    await bench.turns()
    assert bench.prompter.given_up == 3 and asyncio.all_tasks() == before


async def test_a_call_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    bench = Bench(Prompter())
    bench.submit(OPEN, PLAY, e.CloseMedia())
    await bench.inbox.until(2)
    await bench.turns()
    assert asyncio.all_tasks() == before


async def test_routes_are_asked_at_once() -> None:
    bench = Bench()
    bench.submit(e.Route(CALLER, VIRTUAL, TRUNK_A))
    assert bench.inbox.results == [("x", i.Refused(Refuse(Cause.UNKNOWN_NUMBER, None)))]


async def test_a_question_that_nobody_asked_is_withdrawn_without_a_word() -> None:
    bench = Bench()
    bench.submit(e.StopAsking())
    assert bench.inbox.results == [] and bench.driver.asked == []


async def test_digits_are_blocked_where_that_is_configured() -> None:
    bench = Bench(digits=False)
    bench.submit(e.BridgeMedia())
    await bench.turns()
    assert bench.driver.asked == [("bridge", "x", False)]
