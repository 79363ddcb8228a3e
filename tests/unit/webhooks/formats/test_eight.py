"""8x8 session summary: what is present when, and which error is named."""

from __future__ import annotations

import json

import pytest

from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName, Outcome
from maskline.webhooks.formats.eight import ERROR_CODES, ERRORS, session_summary
from tests.support.calls import make_leg, make_quality, make_record

A, B = LegName.A, LegName.B


def payload(record):
    body = json.loads(session_summary(record, "sub"))
    assert [*body] == ["payload", "namespace", "eventType", "description"]
    return body["payload"]


def refused(cause):
    return make_record(make_leg(A, outcome=Outcome.REJECTED, cause=cause, answered_at=None, ringing_at=None))


@pytest.mark.row("8x8:6/connectedTimestamp", "8x8:6/callCount", "8x8:13/C4")
def test_a_busy_call_has_leg_b_without_connected_time_quality_or_duration():
    leg_b = make_leg(B, outcome=Outcome.BUSY, cause=Cause.BUSY, answered_at=None, quality=make_quality())
    body = payload(make_record(make_leg(A, answered_at=None, outcome=Outcome.BUSY, cause=Cause.BUSY), leg_b))
    assert body["sessionStatus"] == "BUSY"
    assert body["callCount"] == 2
    assert body["details"]["callA"]["callStatus"] == "COMPLETED"
    shown = body["details"]["callB"]
    assert shown["callStatus"] == "BUSY"
    assert shown["callDuration"] == 0
    assert not {"connectedTimestamp", "callQuality"} & set(shown)
    assert "errorDetails" not in body


@pytest.mark.row("8x8:6/errorDetails", "8x8:6.2/-2004", "8x8:13/C23", "8x8:13/C13", "8x8:6/callStatus")
def test_a_refused_call_has_one_leg_and_says_why():
    body = payload(refused(Cause.NO_ROUTE))
    assert body["callCount"] == 1
    assert body["lastAction"] == "HANGUP"
    assert [*body["details"]] == ["callA"]
    assert body["details"]["callA"]["callStatus"] == "ERROR"
    assert body["errorDetails"] == {"errorMsg": "No coverage available for requested area", "errorCode": -2004}


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (Cause.UNKNOWN_CALLER, -2008),
        (Cause.WITHHELD_CALLER, -2008),
        (Cause.SESSION_EXPIRED, -2008),
        (Cause.MEDIA_UNAVAILABLE, -2002),
        (Cause.CONGESTION, -2010),
        (Cause.INTERNAL_ERROR, -2001),
        (Cause.LOOP, -9999),
    ],
)
def test_each_refusal_has_the_code_that_the_module_promises(cause, code):
    assert payload(refused(cause))["errorDetails"] == {"errorMsg": ERRORS[code], "errorCode": code}


@pytest.mark.row("8x8:6.2/no-periods")
def test_every_code_has_a_text_without_a_final_period():
    assert set(ERROR_CODES.values()) <= set(ERRORS)
    assert not [text for text in ERRORS.values() if text.endswith(".")]


@pytest.mark.row("8x8:2/absent", "8x8:13/C9")
def test_unknown_values_are_left_out():
    leg_a = make_leg(A, source=None, destination=Number("999"))
    body = payload(make_record(leg_a, make_leg(B), reference_id=""))
    shown = body["details"]["callA"]
    assert not {"source", "sourceCountryCode", "destinationCountryCode", "destinationRefId"} & set(shown)
    assert shown["destination"] == "+999"
    assert "sourceRefId" not in body["details"]["callB"]


@pytest.mark.row("8x8:6/sourceRefId", "8x8:6/destinationRefId", "8x8:13/C3")
def test_the_reference_is_at_the_side_of_the_virtual_number():
    details = payload(make_record())["details"]
    assert details["callA"]["destinationRefId"] == details["callB"]["sourceRefId"] == "PSTN1"
    assert "sourceRefId" not in details["callA"]
    assert "destinationRefId" not in details["callB"]


@pytest.mark.row("8x8:6/callQuality")
def test_quality_is_a_score_a_fraction_and_whole_milliseconds():
    quality = make_quality(mos=4.1234, packet_loss=0.012345, jitter_ms=19.6)
    body = payload(make_record(make_leg(A, quality=quality), make_leg(B)))
    assert body["details"]["callA"]["callQuality"] == {"mos": 4.12, "packetLossRate": 0.0123, "jitter": 20}
