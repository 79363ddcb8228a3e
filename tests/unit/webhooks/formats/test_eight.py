"""8x8 session summary: what is present when, and which error is named."""

from __future__ import annotations

import json

import pytest

from maskline.engine import causes
from maskline.masking.call_record import FlowRecord
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName, Outcome
from maskline.masking.redaction import Redaction, Redactor
from maskline.webhooks.formats.eight import ERROR_CODES, ERRORS, session_summary
from maskline.webhooks.formats.shape import Shape, read_shape
from tests.support.calls import CALLEE, CALLER, T0, VIRTUAL, make_leg, make_quality, make_record

A, B = LegName.A, LegName.B


def payload(record, **options):
    body = json.loads(session_summary(record, read_shape("sub", options)))
    assert [*body][:4] == ["payload", "namespace", "eventType", "description"]
    return body["payload"]


def root(record, **options):
    return json.loads(session_summary(record, read_shape("sub", options)))


def outcome_of(cause):
    return causes.outcome_of(cause, answered=False, dialled=True)


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
        pytest.param(Cause.INTERNAL_ERROR, -2001, marks=pytest.mark.row("8x8:6.2/-2001")),
        (Cause.SHUTDOWN, -2001),
        (Cause.MEDIA_UNAVAILABLE, -2002),
        (Cause.STORE_UNAVAILABLE, -2002),
        (Cause.NETWORK_ERROR, -2002),
        pytest.param(Cause.CALL_ACTION_FAILED, -2002, marks=pytest.mark.row("8x8:6.2/-2002")),
        pytest.param(Cause.CALL_FLOW_INVALID, -2003, marks=pytest.mark.row("8x8:6.2/-2003")),
        pytest.param(Cause.NO_ROUTE, -2004, marks=pytest.mark.row("8x8:6.2/-2004")),
        (Cause.UNKNOWN_NUMBER, -2004),
        (Cause.LOOP, -2004),
        pytest.param(Cause.SPEECH_FAILED, -2005, marks=pytest.mark.row("8x8:6.2/-2005")),
        pytest.param(Cause.FILE_FAILED, -2006, marks=pytest.mark.row("8x8:6.2/-2006")),
        pytest.param(Cause.FLOW_EXPIRED, -2007, marks=pytest.mark.row("8x8:6.2/-2007")),
        pytest.param(Cause.CALLER_ID_NOT_ALLOWED, -2008, marks=pytest.mark.row("8x8:6.2/-2008")),
        pytest.param(Cause.SCENARIO_UNKNOWN, -2009, marks=pytest.mark.row("8x8:6.2/-2009")),
        (Cause.UNKNOWN_CALLER, -2008),
        (Cause.WITHHELD_CALLER, -2008),
        (Cause.SESSION_EXPIRED, -2008),
        pytest.param(Cause.NO_OTHER_PARTY, -2009, marks=pytest.mark.row("8x8:6.2/-2009")),
        pytest.param(Cause.CONGESTION, -2010, marks=pytest.mark.row("8x8:6.2/-2010")),
        pytest.param(Cause.ACK_TIMEOUT, -9999, marks=pytest.mark.row("8x8:6.2/-9999")),
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
    leg_a = make_leg(A, source=None, destination=Number("999"), reference_id="")
    body = payload(make_record(leg_a, make_leg(B, reference_id="")))
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


@pytest.mark.row("8x8:6/clientRequestId", "8x8:2/generations")
def test_the_generation_of_2026_says_version_5_and_the_client_request_id_is_shown_where_there_is_one():
    asked = make_record(flow=FlowRecord("MAKE_CALL", client_request_id="order 7", requested=True))
    assert root(asked, generation="g3v5")["version"] == 5
    assert payload(asked, generation="g3v5")["clientRequestId"] == "order 7"
    assert "version" not in root(asked)
    assert payload(asked)["clientRequestId"] == "order 7"
    assert "clientRequestId" not in payload(asked, generation="g2")
    assert "clientRequestId" not in payload(make_record(flow=FlowRecord("MAKE_CALL")), generation="g3v5")
    assert "clientRequestId" not in payload(make_record(), generation="g3v5")


@pytest.mark.row("8x8:2/generations", "8x8:13/C15")
def test_the_second_generation_writes_blanks_and_knows_neither_error_nor_quality():
    silent = {"outcome": Outcome.NO_ANSWER, "cause": Cause.RING_TIMEOUT, "answered_at": None}
    body = payload(make_record(make_leg(A, **silent), make_leg(B, **silent)), generation="g2")
    assert (body["sessionStatus"], body["details"]["callB"]["callStatus"]) == ("NO ANSWER", "NO ANSWER")
    body = payload(refused(Cause.NO_ROUTE), generation="g2")
    assert (body["sessionStatus"], body["details"]["callA"]["callStatus"]) == ("FAILED", "FAILED")
    assert "errorDetails" not in body
    body = payload(make_record(make_leg(A, quality=make_quality()), make_leg(B)), generation="g2")
    assert "callQuality" not in body["details"]["callA"]
    assert body["sessionStatus"] == "COMPLETED"


@pytest.mark.row("8x8:6/sourceRefId", "8x8:6/destinationRefId", "8x8:13/C3")
def test_each_leg_names_the_reference_of_its_own_number():
    details = payload(make_record(make_leg(A, reference_id="PSTN1"), make_leg(B, reference_id="PSTN2")))["details"]
    assert details["callA"]["destinationRefId"] == "PSTN1"
    assert details["callB"]["sourceRefId"] == "PSTN2"


@pytest.mark.row("8x8:6.3/prompt-only", "8x8:6.1/completed-none")
@pytest.mark.parametrize("action", ["HANGUP", "PLAY_TTS"])
def test_a_call_answered_by_a_prompt_alone_is_completed_with_one_leg(action):
    leg = make_leg(A, cause=Cause.FLOW_ENDED, quality=make_quality())
    body = payload(make_record(leg, flow=FlowRecord(action)))
    assert (body["sessionStatus"], body["lastAction"], body["callCount"]) == ("COMPLETED", action, 1)
    assert [*body["details"]] == ["callA"]
    assert body["details"]["callA"]["callQuality"]["mos"] == 4.5
    assert "errorDetails" not in body


@pytest.mark.row("8x8:13/C24", "8x8:6.3/error", "8x8:13/C13", "8x8:13/C23", "8x8:13/C8")
def test_an_error_of_a_masked_call_has_an_inbound_leg_with_the_dialled_numbers_reference():
    leg = make_leg(A, outcome=Outcome.ERROR, cause=Cause.NO_ROUTE, answered_at=None, ringing_at=None)
    body = payload(make_record(leg, flow=FlowRecord("MAKE_CALL")))
    assert body["errorDetails"] == {"errorMsg": "No coverage available for requested area", "errorCode": -2004}
    assert (body["lastAction"], body["callCount"]) == ("MAKE_CALL", 1), "PLAY_TTS only if a text was played"
    shown = body["details"]["callA"]
    assert (shown["callDirection"], shown["callStatus"], shown["callDuration"]) == ("INBOUND", "ERROR", 0)
    assert shown["destinationRefId"] == "PSTN1"
    assert not {"sourceRefId", "connectedTimestamp"} & set(shown)


@pytest.mark.row("8x8:13/C24")
def test_an_error_of_a_call_that_the_api_asked_for_has_an_outbound_leg_with_the_shown_numbers_reference():
    leg = make_leg(
        A, inbound=False, source=VIRTUAL, destination=CALLEE, outcome=Outcome.ERROR, cause=Cause.FLOW_EXPIRED,
        answered_at=None, ended_at=T0,
    )  # fmt: skip
    body = payload(make_record(leg, flow=FlowRecord("MAKE_CALL", requested=True)))
    assert body["errorDetails"]["errorCode"] == -2007
    shown = body["details"]["callA"]
    assert (shown["callDirection"], shown["sourceRefId"]) == ("OUTBOUND", "PSTN1")
    assert shown["initiatedTimestamp"] == shown["disconnectedTimestamp"]
    assert "destinationRefId" not in shown


@pytest.mark.row("8x8:14/redaction", "8x8:6/masked-legs")
def test_parties_are_shown_as_the_account_wants_and_virtual_numbers_in_full():
    def numbers(how):
        body = json.loads(session_summary(make_record(), Shape("x", Redactor(how, bytes(32)))))
        legs = body["payload"]["details"]
        return [(legs[leg].get("source"), legs[leg].get("destination")) for leg in ("callA", "callB")]

    assert numbers(Redaction.FULL) == [(CALLER.e164, VIRTUAL.e164), (VIRTUAL.e164, CALLEE.e164)]
    assert numbers(Redaction.LAST4) == [("*******7870", VIRTUAL.e164), (VIRTUAL.e164, "******8965")]
    assert numbers(Redaction.OMIT) == [(None, VIRTUAL.e164), (VIRTUAL.e164, None)]


@pytest.mark.row("8x8:13/C9", "8x8:2/absent")
@pytest.mark.parametrize("generation", ["g2", "g3", "g3v5"])
def test_no_body_says_null(generation):
    bare = make_leg(
        A, source=None, destination=Number("999"), answered_at=None, outcome=Outcome.ERROR, reference_id=""
    )  # fmt: skip
    for record in (make_record(bare), make_record(), refused(Cause.LOOP)):
        text = session_summary(record, read_shape("sub", {"generation": generation})).decode().lower()
        assert "null" not in text


@pytest.mark.row("8x8:13/C21", "8x8:13/C26")
def test_only_codes_of_summaries_are_used_and_the_validity_code_for_validity_alone():
    assert set(ERRORS) == {*range(-2010, -2000), -9999}
    assert [cause for cause, code in ERROR_CODES.items() if code == -2007] == [Cause.FLOW_EXPIRED]


@pytest.mark.row("8x8:2/formats", "8x8:2/callType", "8x8:2/callDirection", "8x8:6/leg-always", "8x8:6/leg-times")
@pytest.mark.row("8x8:6/details", "8x8:2/countries")
def test_each_leg_says_all_that_is_known_of_every_leg():
    legs = payload(make_record(make_leg(A), make_leg(B)))["details"]
    assert set(legs) == {"callA", "callB"}
    common = {
        "callType": "PSTN", "sourceFormat": "MSISDN", "destinationFormat": "MSISDN", "callStatus": "COMPLETED",
        "initiatedTimestamp": "2024-03-25T06:01:28Z", "connectedTimestamp": "2024-03-25T06:01:37Z",
        "disconnectedTimestamp": "2024-03-25T06:01:50Z", "callDuration": 13,
    }  # fmt: skip
    assert legs["callA"] == common | {
        "callId": "leg-a", "callDirection": "INBOUND", "source": CALLER.e164, "destination": VIRTUAL.e164,
        "sourceCountryCode": "US", "destinationCountryCode": "SG", "destinationRefId": "PSTN1",
    }  # fmt: skip
    assert legs["callB"] == common | {
        "callId": "leg-b", "callDirection": "OUTBOUND", "source": VIRTUAL.e164, "destination": CALLEE.e164,
        "sourceCountryCode": "SG", "destinationCountryCode": "SG", "sourceRefId": "PSTN1",
    }  # fmt: skip


@pytest.mark.row("8x8:6.1/unanswered-A")
@pytest.mark.parametrize(
    ("outcome", "cause", "status"),
    [
        (Outcome.NO_ANSWER, Cause.RING_TIMEOUT, "NO_ANSWER"),
        (Outcome.BUSY, Cause.BUSY, "BUSY"),
        (Outcome.FAILED, Cause.UNALLOCATED, "FAILED"),
    ],
)
def test_a_caller_that_was_never_answered_is_completed_without_connected_time_or_duration(outcome, cause, status):
    both = [make_leg(name, outcome=outcome, cause=cause, answered_at=None, quality=make_quality()) for name in (A, B)]
    body = payload(make_record(*both))
    assert body["sessionStatus"] == body["details"]["callB"]["callStatus"] == status
    caller = body["details"]["callA"]
    assert (caller["callStatus"], caller["callDuration"]) == ("COMPLETED", 0)
    assert not {"connectedTimestamp", "callQuality"} & set(caller)


@pytest.mark.row("8x8:6/sessionStatus", "8x8:6.1/underscore", "8x8:13/C12")
def test_statuses_are_those_of_the_page_whatever_the_cause():
    """One L in CANCELED, an underscore in NO_ANSWER; each word does occur."""
    said = set()
    for cause in Cause:
        for leg_b in (None, make_leg(B, outcome=outcome_of(cause), cause=cause, answered_at=None)):
            legs = [make_leg(A, outcome=outcome_of(cause), cause=cause, answered_at=None)]
            said.add(payload(make_record(*legs, *([leg_b] if leg_b else [])))["sessionStatus"])
    assert said == {"COMPLETED", "NO_ANSWER", "BUSY", "CANCELED", "FAILED", "ERROR"}


@pytest.mark.row("8x8:6.3/busy")
def test_the_golden_shape_of_a_busy_callee_behind_an_answered_caller():
    """The flow spoke to the caller before it dialled, as in the vendor's sample of 2026."""
    leg_a = make_leg(A, quality=make_quality(), cause=Cause.BUSY)
    leg_b = make_leg(B, outcome=Outcome.BUSY, cause=Cause.BUSY, answered_at=None, initiated_at=T0 + 11)
    body = payload(make_record(leg_a, leg_b, flow=FlowRecord("MAKE_CALL")))
    assert (body["sessionStatus"], body["callCount"], body["lastAction"]) == ("BUSY", 2, "MAKE_CALL")
    shown_a, shown_b = body["details"]["callA"], body["details"]["callB"]
    assert (shown_a["callStatus"], shown_a["callDuration"], shown_a["callQuality"]["mos"]) == ("COMPLETED", 13, 4.5)
    assert (shown_b["callStatus"], shown_b["callDuration"]) == ("BUSY", 0)
    assert not {"connectedTimestamp", "callQuality"} & set(shown_b)
    assert shown_a["disconnectedTimestamp"] == shown_b["disconnectedTimestamp"]
