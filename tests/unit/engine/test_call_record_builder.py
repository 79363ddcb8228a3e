from maskline.engine import effects as e
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.masking.call_record import Quality
from maskline.masking.facts import (
    CallEnded,
    Cause,
    HungUpBy,
    LegName,
    Outcome,
    RecordingNotStarted,
    RecordingStarted,
    RecordingStopped,
)
from maskline.masking.session import Role
from tests.support.call_machine import CALLEE, CALLER, NUMBER, WALL, forward, session

QUALITY = Quality(4.2, 0.01, 3.0, 100, 1, 99)


def begun() -> tuple[CallRecordBuilder, list[e.Effect]]:
    builder, out = CallRecordBuilder("call-1", "leg-a", "leg-b", WALL), []
    builder.begin(CALLER, "trunk-a", 5.0)
    builder.identify(NUMBER, session(), Role.FIRST, CALLEE, NUMBER.number, out)
    return builder, out


def names(out: list[e.Effect]) -> list[str]:
    return [effect.fact.name for effect in out if isinstance(effect, e.Emit)]


def test_facts_are_numbered_from_one_and_carry_wall_seconds() -> None:
    builder, out = begun()
    builder.routed(5.5, forward(), out)
    facts = [effect.fact for effect in out if isinstance(effect, e.Emit)]
    assert [(fact.sequence, fact.at) for fact in facts] == [(1, WALL + 5), (2, WALL + 5.5)]


def test_ringing_is_told_once() -> None:
    builder, out = begun()
    builder.rang(LegName.B, 6.0, False, out)
    builder.rang(LegName.B, 7.0, True, out)
    assert names(out) == ["CallReceived", "LegRinging"]


def test_the_record_holds_both_legs_with_their_quality() -> None:
    builder, out = begun()
    builder.dialled(LegName.B, 5.1, "trunk-b", out)
    builder.answered(LegName.B, 6.0, out)
    for leg in LegName:
        builder.ended(leg, 9.0, Outcome.COMPLETED, Cause.NORMAL, 200, HungUpBy.CALLEE, out)
    builder.close(9.0, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLEE)
    assert builder.closed and not builder.finished
    builder.finish({LegName.B: QUALITY}, out)
    (record,) = [effect.record for effect in out if isinstance(effect, e.Finish)]
    a, b = record.legs
    assert (a.source, a.destination, b.source, b.destination) == (CALLER, NUMBER.number, NUMBER.number, CALLEE)
    assert (a.inbound, b.inbound, a.quality, b.quality) == (True, False, None, QUALITY)
    assert (b.duration, a.duration, record.session_id, record.reference_id) == (3.0, 0.0, "session-1", "campaign-7")
    assert isinstance(out[-2], e.Emit) and isinstance(out[-2].fact, CallEnded)


def test_the_record_of_a_refused_call_has_one_leg_and_no_second_end() -> None:
    builder, out = begun()
    for leg in LegName:
        builder.ended(leg, 6.0, Outcome.REJECTED, Cause.NO_ROUTE, 404, HungUpBy.PLATFORM, out)
    builder.close(6.0, Outcome.REJECTED, Cause.NO_ROUTE, HungUpBy.PLATFORM)
    builder.finish({}, out)
    builder.finish({}, out)
    (record,) = [effect.record for effect in out if isinstance(effect, e.Finish)]
    assert [leg.id for leg in record.legs] == ["leg-a"]
    assert names(out) == ["CallReceived", "LegEnded", "CallEnded"]


def test_a_call_that_could_not_be_routed_leaves_nothing() -> None:
    builder, out = CallRecordBuilder("call-1", "leg-a", "leg-b", WALL), []
    builder.begin(CALLER, "trunk-a", 5.0)
    builder.finish({}, out)
    assert not builder.finished
    builder.ended(LegName.A, 6.0, Outcome.REJECTED, Cause.UNKNOWN_NUMBER, 404, HungUpBy.PLATFORM, out)
    builder.close(6.0, Outcome.REJECTED, Cause.UNKNOWN_NUMBER, HungUpBy.PLATFORM)
    builder.finish({}, out)
    assert builder.finished and out == []


def test_a_recording_is_taken_up_as_the_facts_left_it() -> None:
    builder, _ = begun()
    builder.fold(RecordingStarted("call-1", 7, WALL, "rec-1", "{}"))
    assert (builder.recording_id, builder.is_recording, builder.kept().sequence) == ("rec-1", True, 7)
    for over in (
        RecordingStopped("call-1", 8, WALL, "rec-1", False),
        RecordingNotStarted("call-1", 9, WALL, "rec-1", ""),
    ):
        builder.fold(over)
        assert (builder.recording_id, builder.is_recording) == ("", False)
