"""Steps with the media driver: in order per call, answered as the call expects, also when the driver fails."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.media_work import MOST_WAITING, MediaStep, MediaWork, NoMedia, PlayClip
from maskline.errors import MediaUnavailable
from maskline.masking.facts import LegName
from maskline.media.port import Clip, FarMedia
from maskline.sdp.session import Codec
from tests.support.call_machine import LOCAL_A, LOCAL_B
from tests.support.fake_driver import SPOOL, FakeDriver
from tests.support.inbox import Inbox

OPEN = e.OpenMedia(None, (Codec(0, "PCMU"),))
FAR = FarMedia("198.51.100.7", 4000, 4001, (Codec(0, "PCMU"),))
CLIP = Clip("/prompts/abc.wav", 1.5)
PLAY = PlayClip(LegName.A, CLIP, 7, 2)


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


async def test_a_conversation_that_is_over_is_taken_apart_and_nobody_waits_for_it() -> None:
    inbox, driver = Inbox(), FakeDriver()
    work = MediaWork(driver, inbox.deliver)
    work.submit("x", e.UnbridgeMedia())
    driver.away = True
    work.submit("x", e.UnbridgeMedia())
    work.submit("x", e.CloseMedia())
    assert await inbox.until(1) == [("x", i.MediaClosed({}))]
    assert [what for what, *_ in driver.asked] == ["unbridge", "unbridge", "close"]


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


async def test_only_the_legs_that_are_named_are_opened_and_a_leg_we_dial_has_no_far_side_yet() -> None:
    inbox, driver = Inbox(), FakeDriver()
    work = MediaWork(driver, inbox.deliver)
    work.submit("x", e.OpenMedia(FAR, OPEN.codecs, (LegName.A,)))
    work.submit("x", e.OpenMedia(None, OPEN.codecs, (LegName.B,)))
    await inbox.until(2)
    assert driver.asked == [("open", "x", LegName.A), ("open", "x", LegName.B)]
    assert [result for _, result in inbox.results] == [i.MediaOpened(LOCAL_A, None), i.MediaOpened(None, LOCAL_B)]


async def test_what_is_played_collected_and_recorded_reaches_the_driver_in_order() -> None:
    inbox, driver = Inbox(), FakeDriver()
    work = MediaWork(driver, inbox.deliver)
    steps: list[MediaStep] = [
        PLAY, e.Collect(LegName.A, True), e.StopPlaying(LegName.A), e.Collect(LegName.A, False), e.BridgeMedia(),
        e.StartRecording("r-1"), e.SendDigit(LegName.B, "5"), e.StopRecording(), e.CloseMedia(),
    ]  # fmt: skip
    for step in steps:
        work.submit("x", step)
    await inbox.until(4)
    assert driver.asked == [
        ("play", "x", LegName.A, CLIP, 7, 2), ("collect", "x", LegName.A, True), ("stop playing", "x", LegName.A),
        ("collect", "x", LegName.A, False), ("bridge", "x", True), ("record", "x", "r-1"),
        ("send digit", "x", LegName.B, "5"), ("stop recording", "x"), ("close", "x"),
    ]  # fmt: skip
    begun = i.PlayBegun(LegName.A, 7)
    assert [result for _, result in inbox.results[:3]] == [begun, i.Bridged(), i.RecordingOn("r-1", SPOOL)]


async def test_where_digits_are_blocked_none_crosses_the_bridge() -> None:
    inbox, driver = Inbox(), FakeDriver()
    work = MediaWork(driver, inbox.deliver, digits=False)
    work.submit("x", e.AttachMedia(LegName.B, FAR, True, i.AnswerMediaReady()))
    work.submit("x", e.SendDigit(LegName.B, "5"))
    work.submit("x", e.BridgeMedia())
    await inbox.until(2)
    assert driver.asked == [("attach", "x", LegName.B), ("bridge", "x", False), ("bridge", "x", False)]


async def test_a_recording_that_does_not_begin_is_said_with_its_call() -> None:
    inbox, driver = Inbox(), FakeDriver()
    driver.away = True
    with structlog.testing.capture_logs() as lines:
        MediaWork(driver, inbox.deliver).submit("x", e.StartRecording("r-1"))
        await inbox.until(1)
    (line,) = [line for line in lines if line["event"] == "recording_not_begun"]
    assert (line["call_id"], line["reason"]) == ("x", MediaUnavailable().sentence)


FAILURES: list[tuple[MediaStep, i.Input | None]] = [
    (e.BridgeMedia(), i.MediaFailed(i.Bridged())),
    (PLAY, i.PlayFailed(LegName.A, 7, "media_unavailable")),
    (e.StartRecording("r-1"), i.RecordingOff("media_unavailable")),
    (e.StopPlaying(LegName.A), None),
    (e.Collect(LegName.A, True), None),
    (e.SendDigit(LegName.B, "5"), None),
    (e.StopRecording(), None),
]


@pytest.mark.parametrize(("step", "heard"), FAILURES)
@pytest.mark.parametrize("there", [True, False])
async def test_a_step_that_fails_is_answered_if_the_call_waits_for_it(
    step: MediaStep, heard: i.Input | None, there: bool
) -> None:
    inbox, driver = Inbox(), FakeDriver()
    driver.away = True
    work = MediaWork(driver, inbox.deliver) if there else NoMedia(inbox.deliver)
    work.submit("x", step)
    work.submit("x", e.CloseMedia())
    expected = [i.MediaClosed({})] if heard is None else [heard, i.MediaClosed({})]
    assert [result for _, result in await inbox.until(len(expected))] == expected


async def test_a_bug_in_playing_is_told_apart_from_a_driver_that_is_away() -> None:
    inbox, driver = Inbox(), FakeDriver()
    driver.bug = KeyError("bug")
    MediaWork(driver, inbox.deliver).submit("x", PLAY)
    assert await inbox.until(1) == [("x", i.PlayFailed(LegName.A, 7, "internal_error"))]


async def test_a_driver_that_raises_in_one_call_does_not_hold_up_the_next_step() -> None:
    inbox, driver = Inbox(), FakeDriver()
    driver.bug = MediaUnavailable()
    work = MediaWork(driver, inbox.deliver)
    work.submit("x", PLAY)
    await inbox.until(1)
    driver.bug = None
    work.submit("x", e.BridgeMedia())
    assert (await inbox.until(2))[1] == ("x", i.Bridged())
    await asyncio.sleep(0)
    assert not work._steps and not work._tasks


async def test_digits_faster_than_anybody_presses_keys_do_not_put_off_the_end_of_the_call() -> None:
    inbox, driver = Inbox(), FakeDriver()
    work = MediaWork(driver, inbox.deliver)
    for _ in range(1_000):
        work.submit("x", e.SendDigit(LegName.B, "5"))
    work.submit("x", e.CloseMedia())
    await inbox.until(1)
    assert len(driver.asked) == MOST_WAITING + 1 and driver.asked[-1] == ("close", "x")
