"""Keys and the recording of a call whose parties talk."""

from __future__ import annotations

import json

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call import CallPolicy
from maskline.masking.facts import LegName, RecordingNotStarted, RecordingStarted, RecordingStopped
from maskline.media.port import Spool, SpoolLeg
from maskline.sdp.session import Codec
from tests.support.call_machine import A_SDP, B_SDP, BRIEFING, Driven, forward, received, with_prompts

A, B = LegName.A, LegName.B
SPOOL = Spool("/spool/recording-1", "maskline", (SpoolLeg(A, 20_000, (Codec(0, "PCMU"),)),))
RECORDED = forward(record=True)


def facts_of(call: Driven) -> list[object]:
    return [f for f in call.facts if isinstance(f, RecordingStarted | RecordingStopped | RecordingNotStarted)]


def close(call: Driven) -> list[str]:
    call.feed(i.MediaClosed({}), i.ByeDone(A), i.ByeDone(B))
    assert call.forgotten
    return [fact.name for fact in call.facts]


@pytest.mark.row("2/record")
def test_the_recording_begins_when_both_are_connected_and_ends_before_the_media_is_freed() -> None:
    call = Driven().ringing(RECORDED)
    call.feed(i.Answered(B_SDP))
    assert call.none(e.StartRecording)
    assert call.feed(i.AnswerMediaReady())[-1] == e.StartRecording("recording-1")
    call.feed(i.RecordingOn("recording-1", SPOOL))
    (started,) = facts_of(call)
    assert isinstance(started, RecordingStarted) and started.recording_id == "recording-1"
    assert json.loads(started.spool)["legs"][0]["port"] == 20_000
    made = call.feed(i.HungUp(A))
    assert made[-2:] == [e.StopRecording(), e.CloseMedia()]
    assert close(call)[-2:] == ["RecordingStopped", "CallEnded"]
    stopped = facts_of(call)[-1]
    assert isinstance(stopped, RecordingStopped) and not stopped.lost
    assert stopped.at == call.record.ended_at


def test_a_call_with_prompts_is_recorded_from_the_bridge_on() -> None:
    call = Driven().ringing(with_prompts(callee=(BRIEFING,), record=True))
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady(), call.heard)
    assert call.none(e.StartRecording)
    assert call.feed(i.Bridged())[-1] == e.StartRecording("recording-1")


@pytest.mark.parametrize("record", [True, False])
def test_after_a_late_offer_the_recording_waits_for_the_callers_address(record: bool) -> None:
    call = Driven()
    call.dialled(forward(record=record), b"").feed(i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.none(e.StartRecording)
    call.feed(i.Acked(A, A_SDP), i.LateMediaReady(first=True), i.LateMediaReady(first=False))
    assert len(call.every(e.StartRecording)) == int(record)


def test_a_recording_that_does_not_start_is_told_and_the_call_goes_on() -> None:
    call = Driven().talking(RECORDED)
    call.feed(i.RecordingOff("disk_full"))
    (fact,) = facts_of(call)
    assert isinstance(fact, RecordingNotStarted) and fact.reason == "disk_full"
    assert call.feed(i.RecordingOff("disk_full")) == []
    assert e.StopRecording() not in call.feed(i.HungUp(B))
    assert close(call).count("RecordingNotStarted") == 1


def test_a_recording_that_is_lost_ends_before_the_call() -> None:
    call = Driven().talking(RECORDED)
    call.feed(i.RecordingOn("recording-1", SPOOL), i.RecordingOff("lost"))
    assert [fact.lost for fact in facts_of(call) if isinstance(fact, RecordingStopped)] == [True]
    call.feed(i.HungUp(B))
    assert close(call).count("RecordingStopped") == 1


def test_a_recording_that_starts_after_the_end_is_told_with_its_end() -> None:
    call = Driven().talking(RECORDED)
    call.feed(i.HungUp(A), i.RecordingOn("recording-1", SPOOL))
    assert close(call)[-3:] == ["RecordingStarted", "RecordingStopped", "CallEnded"]


def test_a_recording_that_was_told_as_lost_does_not_begin_afterwards() -> None:
    call = Driven().talking(RECORDED)
    call.feed(i.RecordingOff("lost"))
    assert call.feed(i.RecordingOn("recording-1", SPOOL)) == []


@pytest.mark.parametrize("off", [True, False])
def test_a_recording_that_never_was_is_told_at_the_end(off: bool) -> None:
    call = Driven().talking(RECORDED)
    call.feed(i.HungUp(A))
    if off:
        call.feed(i.RecordingOff("media_unavailable"))
    assert close(call).count("RecordingNotStarted") == 1


def test_without_relay_nothing_is_recorded_and_that_is_told() -> None:
    call = Driven(relay=False).talking(RECORDED)
    (fact,) = facts_of(call)
    assert isinstance(fact, RecordingNotStarted) and fact.reason == "media_unavailable"
    assert call.none(e.StartRecording)


def test_keys_sent_by_info_cross_as_telephone_events_and_those_in_the_media_cross_there() -> None:
    call = Driven().talking()
    assert call.feed(i.Digit(A, "5", by_info=True)) == [e.SendDigit(B, "5")]
    assert call.feed(i.Digit(B, "#", by_info=True)) == [e.SendDigit(A, "#")]
    assert call.feed(i.Digit(A, "5")) == []


def unacknowledged() -> Driven:
    """A caller that was sent our offer in the 200, and has not answered it yet."""
    call = Driven().dialled(body=b"")
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady())
    return call


@pytest.mark.parametrize(
    "call", [Driven(policy=CallPolicy(block_digits=True)).talking(), Driven(relay=False).talking(), unacknowledged()]
)
def test_keys_that_are_blocked_or_have_no_way_are_lost(call: Driven) -> None:
    assert call.feed(i.Digit(A, "5", by_info=True)) == []


def test_keys_before_the_bridge_are_nobodys() -> None:
    call = Driven()
    assert call.feed(received(), i.Digit(A, "5", by_info=True))[1:] == []
