"""Wavecell aggregated call status: its words, its one reference key, its missing ERROR."""

from __future__ import annotations

import json

import pytest

from maskline.masking.facts import Cause, LegName, Outcome
from maskline.webhooks.formats.summary import Status
from maskline.webhooks.formats.wavecell import WORDS, call_status
from tests.support.calls import make_leg, make_record

A, B = LegName.A, LegName.B


def body(record):
    return json.loads(call_status(record, "account_x"))


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
    assert "numberReferenceId" not in body(make_record(reference_id=""))["details"]["callA"]


def test_every_status_has_a_word():
    assert set(WORDS) == set(Status)
