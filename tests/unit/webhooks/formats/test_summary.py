"""Status matrix of 8x8-wavecell.md §6.1 and the rules on times."""

from __future__ import annotations

from itertools import product

import pytest

from maskline.masking.call_flow import ActionName
from maskline.masking.call_record import FlowRecord
from maskline.masking.facts import Cause, LegName, Outcome
from maskline.webhooks.formats.summary import (
    MATRIX,
    UNANSWERED,
    Status,
    Summary,
    compact_json,
    iso_seconds,
    last_action,
    leg_times,
    session_times,
    summarize,
)
from tests.support.calls import T0, make_leg, make_record

A, B = LegName.A, LegName.B
C, N, BUSY, X, F, E = Status


def unanswered(name, outcome, cause, **changes):
    return make_leg(name, outcome=outcome, cause=cause, answered_at=None, **changes)


@pytest.mark.parametrize(
    ("leg_a", "leg_b", "expected"),
    [
        pytest.param(make_leg(A), make_leg(B), (C, C, C), id="talked"),
        pytest.param(
            unanswered(A, Outcome.NO_ANSWER, Cause.RING_TIMEOUT),
            unanswered(B, Outcome.NO_ANSWER, Cause.RING_TIMEOUT),
            (C, N, N),
            id="our ring timeout",
        ),
        pytest.param(
            unanswered(A, Outcome.NO_ANSWER, Cause.NO_ANSWER),
            unanswered(B, Outcome.NO_ANSWER, Cause.NO_ANSWER),
            (C, N, N),
            id="480 after ringing",
        ),
        pytest.param(
            unanswered(A, Outcome.NO_ANSWER, Cause.NO_ANSWER),
            unanswered(B, Outcome.NO_ANSWER, Cause.NO_ANSWER, ringing_at=None),
            (C, F, F),
            id="480 without ringing",
        ),
        pytest.param(
            unanswered(A, Outcome.BUSY, Cause.BUSY), unanswered(B, Outcome.BUSY, Cause.BUSY), (C, BUSY, BUSY), id="486"
        ),
        pytest.param(
            unanswered(A, Outcome.BUSY, Cause.BUSY_EVERYWHERE),
            unanswered(B, Outcome.BUSY, Cause.BUSY_EVERYWHERE),
            (C, BUSY, BUSY),
            id="600",
        ),
        pytest.param(
            unanswered(A, Outcome.FAILED, Cause.DECLINED),
            unanswered(B, Outcome.FAILED, Cause.DECLINED),
            (C, BUSY, BUSY),
            id="603",
        ),
        *(
            pytest.param(
                unanswered(A, Outcome.FAILED, cause), unanswered(B, Outcome.FAILED, cause), (C, F, F), id=f"B {cause}"
            )
            for cause in (
                Cause.UNALLOCATED, Cause.REQUEST_TIMEOUT, Cause.OUT_OF_SERVICE, Cause.INVALID_DESTINATION,
                Cause.NOT_ACCEPTABLE, Cause.CARRIER_ERROR, Cause.CONGESTION, Cause.NETWORK_ERROR, Cause.LOOP,
                Cause.REDIRECTED, Cause.FORBIDDEN, Cause.DOES_NOT_EXIST,
            )
        ),
        pytest.param(
            unanswered(A, Outcome.CANCELED, Cause.CANCELED),
            unanswered(B, Outcome.CANCELED, Cause.CANCELED),
            (X, X, X),
            id="caller left while ringing",
        ),
        pytest.param(
            make_leg(A), None, (C, None, C), id="prompt only", marks=pytest.mark.row("8x8:6.1/completed-none")
        ),
        pytest.param(
            unanswered(A, Outcome.REJECTED, Cause.NO_ROUTE), None, (E, None, E), id="no coverage",
            marks=pytest.mark.row("8x8:6.1/error-none"),
        ),
        pytest.param(unanswered(A, Outcome.REJECTED, Cause.UNKNOWN_CALLER), None, (E, None, E), id="unknown caller"),
        pytest.param(unanswered(A, Outcome.REJECTED, Cause.SESSION_EXPIRED), None, (E, None, E), id="session expired"),
        pytest.param(unanswered(A, Outcome.REJECTED, Cause.MEDIA_UNAVAILABLE), None, (E, None, E), id="media away"),
        pytest.param(make_leg(A, outcome=Outcome.REJECTED, cause=Cause.WRONG_PIN), None, (E, None, E), id="wrong PIN"),
        pytest.param(
            make_leg(A, outcome=Outcome.REJECTED, cause=Cause.SESSION_BUSY), None, (BUSY, None, BUSY),
            id="right PIN, session busy",
        ),
        pytest.param(make_leg(A, outcome=Outcome.CANCELED, cause=Cause.CANCELED), None, (X, None, X), id="left asked"),
        pytest.param(
            unanswered(A, Outcome.BUSY, Cause.BUSY, inbound=False), None, (BUSY, None, BUSY), id="called first, busy"
        ),
        pytest.param(unanswered(A, Outcome.REJECTED, Cause.CONGESTION), None, (E, None, E), id="our own limit"),
        pytest.param(unanswered(A, Outcome.REJECTED, Cause.SESSION_BUSY), None, (BUSY, None, BUSY), id="session busy"),
        pytest.param(
            unanswered(A, Outcome.CANCELED, Cause.CANCELED), None, (X, None, X), id="caller left before B was dialled"
        ),
        pytest.param(
            make_leg(A), unanswered(B, Outcome.CANCELED, Cause.CANCELED), (C, X, X), id="legacy row COMPLETED CANCELED",
            marks=pytest.mark.row("8x8:6.1/completed-canceled"),
        ),
        pytest.param(
            unanswered(A, Outcome.NO_ANSWER, Cause.NO_ANSWER), None, (N, None, N), id="first leg: no answer",
            marks=pytest.mark.row("8x8:6.1/first-leg-fails"),
        ),
        pytest.param(
            unanswered(A, Outcome.BUSY, Cause.BUSY), None, (BUSY, None, BUSY), id="first leg: busy",
            marks=pytest.mark.row("8x8:6.1/first-leg-fails"),
        ),
        pytest.param(
            unanswered(A, Outcome.FAILED, Cause.UNALLOCATED), None, (F, None, F), id="first leg: failed",
            marks=pytest.mark.row("8x8:6.1/first-leg-fails"),
        ),
        pytest.param(
            make_leg(A), unanswered(B, Outcome.ERROR, Cause.INTERNAL_ERROR), (C, E, E), id="outbound leg had an error"
        ),
        pytest.param(
            make_leg(A, outcome=Outcome.ERROR, cause=Cause.INTERNAL_ERROR), make_leg(B), (E, C, E), id="A error wins"
        ),
        pytest.param(
            unanswered(A, Outcome.CANCELED, Cause.CANCELED), make_leg(B), (X, C, X), id="cancel crosses the answer"
        ),
        pytest.param(
            make_leg(A, outcome=Outcome.FAILED, cause=Cause.ACK_TIMEOUT),
            make_leg(B, outcome=Outcome.FAILED, cause=Cause.ACK_TIMEOUT),
            (C, F, F),
            id="the caller's ACK never came",
        ),
        pytest.param(
            make_leg(A, cause=Cause.MEDIA_TIMEOUT), make_leg(B, cause=Cause.MEDIA_TIMEOUT), (C, C, C), id="no audio"
        ),
        pytest.param(
            make_leg(A, cause=Cause.ENDED_BY_REQUEST), make_leg(B, cause=Cause.ENDED_BY_REQUEST), (C, C, C),
            id="ended by request",
        ),
        pytest.param(
            unanswered(A, Outcome.CANCELED, Cause.ENDED_BY_REQUEST),
            unanswered(B, Outcome.CANCELED, Cause.ENDED_BY_REQUEST), (X, X, X), id="ended by request while it rang",
        ),
        pytest.param(
            make_leg(A, outcome=Outcome.CANCELED, cause=Cause.ENDED_BY_REQUEST), None, (X, None, X),
            id="ended by request while the caller heard a prompt",
        ),
    ],
)  # fmt: skip
def test_each_row_of_the_status_matrix(leg_a, leg_b, expected):
    record = make_record(leg_a) if leg_b is None else make_record(leg_a, leg_b)
    summary = summarize(record)
    assert (summary.a, summary.b, summary.session) == expected
    assert (summary.error is not None) == (summary.session is E)


FLOW_ERRORS = (
    Cause.CALL_ACTION_FAILED, Cause.CALL_FLOW_INVALID, Cause.SPEECH_FAILED, Cause.FILE_FAILED, Cause.FLOW_EXPIRED,
    Cause.CALLER_ID_NOT_ALLOWED, Cause.SCENARIO_UNKNOWN,
)  # fmt: skip


@pytest.mark.row("8x8:6.1/error-none", "8x8:3.1/webhook-fails")
@pytest.mark.parametrize("cause", FLOW_ERRORS)
@pytest.mark.parametrize("answered_at", [None, T0 + 1])
@pytest.mark.parametrize("inbound", [True, False])
def test_a_flow_that_fails_on_leg_a_is_an_error_whoever_was_answered(cause, answered_at, inbound):
    leg = make_leg(A, outcome=Outcome.ERROR, cause=cause, answered_at=answered_at, inbound=inbound)
    assert summarize(make_record(leg)) == Summary(E, E, None, cause)


@pytest.mark.row("8x8:6.1/completed-none", "8x8:3.1/empty-callflow")
@pytest.mark.parametrize("answered_at", [None, T0 + 1])
@pytest.mark.parametrize("inbound", [True, False])
def test_a_flow_that_ends_before_anybody_was_dialled_is_completed(answered_at, inbound):
    leg = make_leg(A, cause=Cause.FLOW_ENDED, answered_at=answered_at, inbound=inbound)
    assert summarize(make_record(leg)) == Summary(C, C, None, None)


@pytest.mark.row("8x8:6.1/completed-none")
def test_a_caller_who_leaves_after_a_prompt_was_answered_by_it():
    assert summarize(make_record(make_leg(A, cause=Cause.NORMAL))) == Summary(C, C, None, None)


@pytest.mark.row("8x8:6.1/first-leg-fails")
@pytest.mark.parametrize(
    ("outcome", "cause", "rang", "expected"),
    [
        (Outcome.NO_ANSWER, Cause.RING_TIMEOUT, True, N),
        (Outcome.NO_ANSWER, Cause.NO_ANSWER, True, N),
        (Outcome.NO_ANSWER, Cause.NO_ANSWER, False, F),
        (Outcome.BUSY, Cause.BUSY, True, BUSY),
        (Outcome.BUSY, Cause.DECLINED, False, BUSY),
        (Outcome.FAILED, Cause.UNALLOCATED, False, F),
        (Outcome.FAILED, Cause.CONGESTION, False, F),
    ],
)
def test_a_first_leg_that_the_api_asked_for_gives_its_status_to_the_session(outcome, cause, rang, expected):
    leg = make_leg(
        A, inbound=False, outcome=outcome, cause=cause, answered_at=None, ringing_at=T0 + 1 if rang else None
    )
    assert summarize(make_record(leg)) == Summary(expected, expected, None, None)


@pytest.mark.row("8x8:6/lastAction", "8x8:13/C7")
@pytest.mark.parametrize(
    ("legs", "flow", "expected"),
    [
        ((make_leg(A), make_leg(B)), None, "MAKE_CALL"),
        ((make_leg(A),), None, "HANGUP"),
        ((make_leg(A, inbound=False),), None, "MAKE_CALL"),
        ((make_leg(A),), FlowRecord(), "HANGUP"),
        ((make_leg(A),), FlowRecord(ActionName.SAY), "PLAY_TTS"),
        ((make_leg(A),), FlowRecord(ActionName.PLAY_FILE), "PLAY_FILE"),
        ((make_leg(A),), FlowRecord(ActionName.CAPTURE), "SAY_AND_CAPTURE"),
        ((make_leg(A),), FlowRecord(ActionName.MAKE_CALL), "MAKE_CALL"),
        ((make_leg(A), make_leg(B)), FlowRecord(ActionName.HANGUP), "HANGUP"),
    ],
)
def test_the_last_action_is_the_flows_or_else_what_the_call_was_told_to_do(legs, flow, expected):
    assert last_action(make_record(*legs, flow=flow)) == expected


def test_the_matrix_knows_every_pair_that_can_occur():
    for a, b in product((C, X, E), (C, N, BUSY, X, F, E, None)):
        assert MATRIX[a][b] in Status
    for a in (N, BUSY, F):
        assert MATRIX[a] == {None: a}


def test_every_cause_has_a_status_when_unanswered():
    assert set(UNANSWERED) == set(Cause)


@pytest.mark.row("8x8:6.1/error-wins")
def test_the_error_is_that_of_the_failing_leg():
    b_fails = make_record(make_leg(A), make_leg(B, outcome=Outcome.ERROR, cause=Cause.NO_ROUTE))
    a_fails = make_record(make_leg(A, outcome=Outcome.ERROR, cause=Cause.SHUTDOWN), make_leg(B))
    assert summarize(b_fails) == Summary(E, C, E, Cause.NO_ROUTE)
    assert summarize(a_fails) == Summary(E, E, C, Cause.SHUTDOWN)


@pytest.mark.row("8x8:2/time-VSS", "8x8:6/duration-rounding")
def test_times_are_truncated_and_durations_rounded_half_up():
    leg = make_leg(A, initiated_at=T0 + 0.999, answered_at=T0 + 1.9, ended_at=T0 + 15.4)
    times = leg_times(leg)
    assert (times.initiated, times.connected, times.disconnected) == (
        "2024-03-25T06:01:28Z",
        "2024-03-25T06:01:29Z",
        "2024-03-25T06:01:43Z",
    )
    assert times.duration == 14
    assert leg_times(make_leg(A, answered_at=T0, ended_at=T0 + 13.4)).duration == 13


def test_a_leg_never_connected_has_no_connected_time_and_no_duration():
    times = leg_times(make_leg(B, answered_at=None))
    assert times.connected is None
    assert times.duration == 0


@pytest.mark.row("8x8:13/C17")
def test_times_never_go_backwards_though_the_clock_stepped():
    leg = make_leg(B, initiated_at=T0 + 20, answered_at=T0, ended_at=T0 + 10)
    times = leg_times(leg)
    assert times.initiated == times.connected == times.disconnected == iso_seconds(T0 + 20)
    assert times.duration == 0


@pytest.mark.row("8x8:6/startTime", "8x8:6/endTime", "8x8:13/C1", "8x8:13/C2")
def test_a_session_starts_with_leg_a_and_ends_with_the_last_leg():
    record = make_record(
        make_leg(A, initiated_at=T0, ended_at=T0 + 20), make_leg(B, initiated_at=T0 + 2, ended_at=T0 + 22)
    )
    assert session_times(record) == (iso_seconds(T0), iso_seconds(T0 + 22))


def test_json_on_the_wire_is_compact_and_keeps_its_order():
    assert compact_json({"b": 1, "a": {"x": "é"}}) == '{"b":1,"a":{"x":"é"}}'.encode()
