"""Which rows and webhooks a call's recording brings about, and under which numbers."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from maskline.engine.ports import CallCommit
from maskline.ids import SeededIds
from maskline.masking.facts import (
    CallEnded,
    CallRouted,
    Cause,
    HungUpBy,
    LegAnswered,
    LegEnded,
    LegName,
    Outcome,
    RecordingNotStarted,
    RecordingStarted,
    RecordingStopped,
)
from maskline.masking.recording import Recording, RecordingStatus
from maskline.masking.session import SessionOptions
from maskline.storage.store import OutboxRow, RecordedCall
from maskline.webhooks.formats import plivo_recordings
from maskline.workflows.build_outbox import Rules, build_share
from maskline.workflows.call_progress import CallProgress
from maskline.workflows.recording_links import RecordingLinks
from maskline.workflows.recording_outbox import file_url, recording_row
from tests.support.calls import (
    ACCOUNT,
    CALL_ID,
    CALLEE,
    CALLER,
    SESSION_ID,
    T0,
    VIRTUAL,
    make_context,
    make_record,
    make_session,
)

LINKS = RecordingLinks(b"k" * 32, "https://masking.example", 3600.0)
NOW = T0 + 30
REC = "0b6f0a4e-0000-4000-8000-00000000000a"
HOOK = "https://hooks.example/recordings"
OPTIONS = SessionOptions(
    callback_url="https://hooks.example/masking", record=True, record_file_format="wav", recording_callback_url=HOOK,
    recording_callback_method="GET",
)  # fmt: skip
UP = (
    CallRouted(CALL_ID, 1, T0, SESSION_ID, "first_party"),
    LegAnswered(CALL_ID, 2, T0 + 9, "b"),
    LegAnswered(CALL_ID, 3, T0 + 9.5, "a"),
    RecordingStarted(CALL_ID, 4, T0 + 9.6, REC, '{"path":"/spool/x"}'),
)
STOPPED = RecordingStopped(CALL_ID, 5, T0 + 22, REC, False)
OVER = (
    LegEnded(CALL_ID, 6, T0 + 22, LegName.B, Outcome.COMPLETED, Cause.NORMAL, 200, HungUpBy.CALLER),
    LegEnded(CALL_ID, 7, T0 + 22, LegName.A, Outcome.COMPLETED, Cause.NORMAL, 200, HungUpBy.CALLER),
    CallEnded(CALL_ID, 8, T0 + 22, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER),
)


def share(facts, progress, *, record=None, options=OPTIONS, session=True) -> RecordedCall:  # type: ignore[no-untyped-def]
    context = make_context(make_session(options=options) if session else None)
    return build_share(CallCommit(context, facts, record), progress, Rules(links=LINKS), NOW, SeededIds(1))


def form(row: OutboxRow) -> dict[str, str]:
    return dict(parse_qsl(row.body.decode(), keep_blank_values=True))


@pytest.mark.row("7.3/events", "7.3/attributes", "7.3/parties under both names", "2/record")
def test_a_recording_that_begins_has_its_row_and_its_event() -> None:
    made = share(UP, CallProgress())
    assert made.recording == Recording(
        REC, ACCOUNT, None, SESSION_ID, CALL_ID, make_context().leg_a_id, "wav", RecordingStatus.RECORDING, VIRTUAL,
        CALLER, CALLEE, T0 + 9.6, spool='{"path":"/spool/x"}', callback_url=HOOK, callback_method="GET",
    )  # fmt: skip
    assert made.recording_end is None
    row = made.outbox[-1]
    assert (row.event, row.url, row.method, row.subject, row.sequence) == (
        "SessionRecordingInitiated", HOOK, "GET", CALL_ID, 3,
    )  # fmt: skip
    assert form(row) == {
        "EventName": "SessionRecordingInitiated",
        "EventTimestamp": "2024-03-25 06:01:37 +0000 UTC",
        "SessionUUID": SESSION_ID,
        "From": CALLER.digits,
        "To": CALLEE.digits,
        "FirstParty": CALLER.digits,
        "SecondParty": CALLEE.digits,
        "VirtualNumber": VIRTUAL.digits,
        "RecordingUUID": REC,
        "RecordingURL": "",
        "RecordingResourceURL": f"https://masking.example/v1/Account/{ACCOUNT}/Recording/{REC}/",
        "RecordingDuration": "",
        "RecordingStartTime": "2024-03-25 06:01:37 +0000 UTC",
        "RecordingEndTime": "",
        "RecordingFormat": ".wav",
        "SequenceNumber": "3",
    }


@pytest.mark.row("5.1/recording_resource_url")
def test_the_end_of_the_call_stops_it_and_sets_the_next_number_aside() -> None:
    progress = CallProgress()
    share(UP, progress)
    ended = share((STOPPED, *OVER), progress, record=make_record())
    assert [form(row)["SequenceNumber"] for row in ended.outbox] == ["4", "5"]
    end = ended.recording_end
    assert end is not None
    assert (end.recording_id, end.ended_at, end.partial, end.sequence, end.position, end.due_at) == (
        REC, T0 + 22, False, 6, 6, NOW,
    )  # fmt: skip
    assert ended.interaction is not None
    assert ended.interaction.recording_id == REC


def test_a_recording_that_was_lost_before_the_end_is_partial() -> None:
    progress = CallProgress()
    share(UP, progress)
    lost = share((replace(STOPPED, at=T0 + 15, lost=True),), progress)
    assert lost.recording_end is None
    end = share(OVER, progress, record=make_record()).recording_end
    assert end is not None
    assert (end.ended_at, end.partial) == (T0 + 15, True)


def test_without_a_word_of_its_stop_it_ended_with_the_call() -> None:
    progress = CallProgress()
    share(UP, progress)
    end = share(OVER, progress, record=make_record()).recording_end
    assert end is not None
    assert (end.ended_at, end.partial) == (make_record().ended_at, False)


@pytest.mark.row("7.3/events")
def test_one_that_could_not_start_is_told_at_once_and_has_no_end() -> None:
    progress = CallProgress()
    not_started = RecordingNotStarted(CALL_ID, 4, T0 + 9.6, REC, "disk full")
    made = share((*UP[:3], not_started), progress)
    assert made.recording is not None
    assert (made.recording.status, made.recording.error, made.recording.spool) == (
        RecordingStatus.FAILED, "disk full", "",
    )  # fmt: skip
    told = form(made.outbox[-1])
    assert (told["EventName"], told["RecordingStartTime"], told["SequenceNumber"]) == (
        "SessionRecordingFailed", "", "3",
    )  # fmt: skip
    ended = share(OVER, progress, record=make_record())
    assert ended.recording_end is None
    assert ended.interaction is not None
    assert ended.interaction.recording_id is None


def test_without_a_recording_callback_url_the_row_is_kept_and_nothing_is_told() -> None:
    progress = CallProgress()
    made = share(UP, progress, options=replace(OPTIONS, recording_callback_url=""))
    assert made.recording is not None
    assert [row.event for row in made.outbox] == ["SessionSecondPartyAnswer", "SessionFirstPartyAnswer"]
    assert progress.events == 2


@pytest.mark.row("8x8:9/start")
def test_a_call_of_no_session_has_its_recording_and_tells_nobody_by_the_plivo_dialect() -> None:
    made = share(UP, CallProgress(), session=False)
    assert made.recording is not None
    assert (made.recording.session_id, made.recording.format, made.recording.callback_url) == ("", "mp3", "")
    assert made.outbox == ()


def done(**changes: object) -> Recording:
    base = Recording(
        REC, ACCOUNT, None, SESSION_ID, CALL_ID, "leg", "mp3", RecordingStatus.COMPLETED, VIRTUAL, CALLER, CALLEE,
        T0 + 9.6, T0 + 22, 12_400, file="2024-03-25/x", callback_url=HOOK,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.row("7.3/events", "7.3/attributes")
def test_the_file_is_told_with_a_link_its_length_and_its_times() -> None:
    row = recording_row(done(), plivo_recordings.COMPLETED, T0 + 25, 6, 7, LINKS, SeededIds(1), NOW)
    told = form(row)
    assert told["RecordingURL"].startswith(f"https://masking.example/recordings/{REC}.mp3?expires=")
    assert (told["RecordingDuration"], told["RecordingFormat"], told["SequenceNumber"]) == ("12", ".mp3", "6")
    assert told["RecordingStartTime"] == "2024-03-25 06:01:37 +0000 UTC"
    assert told["RecordingEndTime"] == "2024-03-25 06:01:50 +0000 UTC"
    assert (row.sequence, row.method) == (7, "POST")


def test_a_withheld_or_missing_party_is_empty() -> None:
    blank = done(caller=None, callee=None)
    told = form(recording_row(blank, plivo_recordings.FAILED, T0, 1, 1, LINKS, SeededIds(1), NOW))
    assert (told["From"], told["To"], told["RecordingURL"]) == ("", "", "")


def test_a_file_that_is_only_elsewhere_is_named_by_its_place_there() -> None:
    assert file_url(done(file="", pushed="s3://bucket/x.mp3"), LINKS, NOW) == "s3://bucket/x.mp3"
    assert file_url(done(status=RecordingStatus.DELETED, file=""), LINKS, NOW) == ""
