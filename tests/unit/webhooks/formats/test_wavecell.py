"""Wavecell aggregated call status: its words, its one reference key, its missing ERROR."""

from __future__ import annotations

import json

import pytest

from maskline.masking.call_flow import ActionName
from maskline.masking.call_record import FlowRecord
from maskline.masking.facts import Cause, LegName, Outcome
from maskline.masking.redaction import Redaction, Redactor
from maskline.webhooks.formats import summary as summaries
from maskline.webhooks.formats.shape import Shape, read_shape
from maskline.webhooks.formats.summary import Status, Summary
from maskline.webhooks.formats.wavecell import ACTIONS, MATRIX, WORDS, call_status, leg_statuses
from tests.support.calls import CALLEE, CALLER, VIRTUAL, make_leg, make_quality, make_record

A, B = LegName.A, LegName.B
C, N, BUSY, X, F, E = Status


def body(record, **options):
    return json.loads(call_status(record, read_shape("account_x", options)))


def statuses(shown):
    return tuple(leg["status"] for leg in shown["details"].values()), shown["status"]


@pytest.mark.row("8x8:7.1/caller-leaves", "8x8:13/C14")
def test_a_caller_who_gives_up_is_told_as_completed_and_canceled():
    gone = {"outcome": Outcome.CANCELED, "cause": Cause.CANCELED, "answered_at": None}
    assert statuses(body(make_record(make_leg(A, **gone), make_leg(B, **gone)))) == (
        ("Completed", "Canceled"),
        "Canceled",
    )


def test_a_caller_who_gives_up_before_leg_b_is_canceled():
    gone = {"outcome": Outcome.CANCELED, "cause": Cause.CANCELED, "answered_at": None}
    shown = body(make_record(make_leg(A, **gone)))
    assert statuses(shown) == (("Canceled",), "Canceled")
    assert shown["lastAction"] == "Hangup"
    assert shown["callCount"] == 1


@pytest.mark.row("8x8:7.1/error-is-failed")
def test_an_error_is_failed_without_details():
    shown = body(
        make_record(make_leg(A, outcome=Outcome.REJECTED, cause=Cause.UNKNOWN_CALLER, answered_at=None, source=None))
    )
    assert statuses(shown) == (("Failed",), "Failed")
    assert "errorDetails" not in shown
    assert not {"source", "sourceCountryCode", "connectedTimestamp"} & set(shown["details"]["callA"])


@pytest.mark.row("8x8:13/C15")
def test_no_answer_is_two_words():
    silent = {"outcome": Outcome.NO_ANSWER, "cause": Cause.RING_TIMEOUT, "answered_at": None}
    assert statuses(body(make_record(make_leg(A, **silent), make_leg(B, **silent)))) == (
        ("Completed", "No Answer"),
        "No Answer",
    )


@pytest.mark.row("8x8:7.1/numberReferenceId")
def test_both_legs_name_the_reference_under_one_key():
    details = body(make_record())["details"]
    assert details["callA"]["numberReferenceId"] == details["callB"]["numberReferenceId"] == "PSTN1"
    assert "numberReferenceId" not in body(make_record(make_leg(A, reference_id="")))["details"]["callA"]


def test_each_leg_names_the_reference_of_its_own_number():
    record = make_record(make_leg(A, reference_id="Number_pool_2749"), make_leg(B, reference_id="Number_pool_4526"))
    details = body(record)["details"]
    assert [leg["numberReferenceId"] for leg in details.values()] == ["Number_pool_2749", "Number_pool_4526"]


def test_every_status_but_error_has_a_word():
    assert set(WORDS) == set(Status) - {Status.ERROR}


@pytest.mark.row("8x8:7.1/matrix", "8x8:7.1/caller-leaves", "8x8:7.1/error-is-failed")
@pytest.mark.parametrize(
    ("summary", "a", "b", "session"),
    [
        # The vendor's six rows.
        (Summary(C, C, C, None), "Completed", "Completed", "Completed"),
        (Summary(N, C, N, None), "Completed", "No Answer", "No Answer"),
        (Summary(BUSY, C, BUSY, None), "Completed", "Busy", "Busy"),
        (Summary(F, C, F, None), "Completed", "Failed", "Failed"),
        (Summary(X, C, X, None), "Completed", "Canceled", "Canceled"),
        (Summary(C, C, None, None), "Completed", None, "Completed"),
        # The caller left, whatever leg B was about to become.
        (Summary(X, X, X, None), "Completed", "Canceled", "Canceled"),
        (Summary(X, X, C, None), "Completed", "Canceled", "Canceled"),
        (Summary(X, X, F, None), "Completed", "Canceled", "Canceled"),
        (Summary(X, X, None, None), "Canceled", None, "Canceled"),
        # Errors.
        (Summary(E, E, None, Cause.NO_ROUTE), "Failed", None, "Failed"),
        (Summary(E, C, E, Cause.NO_ROUTE), "Completed", "Failed", "Failed"),
        (Summary(E, X, E, Cause.SHUTDOWN), "Completed", "Failed", "Failed"),
        (Summary(E, E, C, Cause.SHUTDOWN), "Failed", "Completed", "Failed"),
        # A first leg that we dialled.
        (Summary(N, N, None, None), "No Answer", None, "No Answer"),
        (Summary(BUSY, BUSY, None, None), "Busy", None, "Busy"),
        (Summary(F, F, None, None), "Failed", None, "Failed"),
    ],
)
def test_each_row_of_the_matrix_of_this_dialect(summary, a, b, session):
    legs = leg_statuses(summary)
    assert tuple(None if leg is None else WORDS[leg] for leg in legs) == (a, b)
    assert WORDS[MATRIX[legs]] == session


def test_the_matrix_knows_whatever_the_common_one_can_say():
    for a, by_b in summaries.MATRIX.items():
        for b, session in by_b.items():
            assert leg_statuses(Summary(session, a, b, None)) in MATRIX


@pytest.mark.row("8x8:7.1/options", "8x8:13/C15", "8x8:13/C16")
def test_upper_case_and_numbers_are_options():
    silent = {"outcome": Outcome.NO_ANSWER, "cause": Cause.RING_TIMEOUT, "answered_at": None}
    record = make_record(make_leg(A, **silent), make_leg(B, **silent))
    shown = body(record, case="upper", direction="int")
    assert statuses(shown) == (("COMPLETED", "NO ANSWER"), "NO ANSWER")
    assert [leg["direction"] for leg in shown["details"].values()] == [0, 1]
    assert shown["lastAction"] == "MakeCall", "only statuses are in upper case"
    plain = body(record, case="title", direction="word")
    assert [leg["direction"] for leg in plain["details"].values()] == ["Inbound", "Outbound"]
    assert plain == body(record)


@pytest.mark.row("8x8:7.1/lastAction")
@pytest.mark.parametrize(("action", "word"), list(ACTIONS.items()))
def test_the_last_action_is_in_pascal_case(action, word):
    record = make_record(make_leg(A), flow=FlowRecord(action))
    assert body(record)["lastAction"] == word
    assert set(ACTIONS) == set(ActionName)


@pytest.mark.row("8x8:14/redaction")
def test_parties_are_shown_as_the_account_wants_and_virtual_numbers_in_full():
    def numbers(how):
        shape = Shape("x", Redactor(how, bytes(32)))
        legs = json.loads(call_status(make_record(), shape))["details"]
        return [(leg.get("source"), leg.get("target"), leg["sourceCountryCode"]) for leg in legs.values()]

    assert numbers(Redaction.FULL) == [(CALLER.e164, VIRTUAL.e164, "US"), (VIRTUAL.e164, CALLEE.e164, "SG")]
    assert numbers(Redaction.LAST4) == [("*******7870", VIRTUAL.e164, "US"), (VIRTUAL.e164, "******8965", "SG")]
    assert numbers(Redaction.OMIT) == [(None, VIRTUAL.e164, "US"), (VIRTUAL.e164, None, "SG")]


def test_a_withheld_caller_and_an_unknown_own_number_have_no_key():
    legs = body(make_record(make_leg(A, source=None), make_leg(B, source=None)))["details"].values()
    assert not [leg for leg in legs if "source" in leg or "sourceCountryCode" in leg]


@pytest.mark.row("8x8:7.1/left-out", "8x8:7.1/type", "8x8:7.1/leg-status", "8x8:7.1/target", "8x8:7.1/id")
def test_nothing_of_the_newer_form_is_there():
    failed = {"outcome": Outcome.ERROR, "cause": Cause.MEDIA_UNAVAILABLE, "quality": make_quality()}
    for record in (make_record(), make_record(make_leg(A, **failed), make_leg(B, **failed))):
        shown = body(record)
        assert {*shown} == {
            "sessionId", "subAccountId", "status", "startTime", "endTime", "lastAction", "callCount", "details",
        }  # fmt: skip
        for leg in shown["details"].values():
            assert leg["type"] == "PSTN"
            assert {*leg} == {
                "id", "direction", "type", "numberReferenceId", "initiatedTimestamp", "connectedTimestamp",
                "disconnectedTimestamp", "source", "target", "sourceCountryCode", "targetCountryCode", "status",
                "duration",
            }  # fmt: skip
        assert "ERROR" not in json.dumps(shown).upper()
