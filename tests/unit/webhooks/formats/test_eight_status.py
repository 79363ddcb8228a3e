"""8x8 call status: one step of one leg."""

from __future__ import annotations

import json

import pytest

from maskline.masking.redaction import Redaction, Redactor
from maskline.webhooks.formats.eight_parts import StepLeg
from maskline.webhooks.formats.eight_status import CallStatus, Step, call_status
from maskline.webhooks.formats.shape import Shape, read_shape
from tests.support.calls import CALL_ID, CALLEE, CALLER, T0, VIRTUAL

LEG_A = StepLeg("leg-a", True, CALLER, VIRTUAL, "PSTN1")
LEG_B = StepLeg("leg-b", False, VIRTUAL, CALLEE, "PSTN2")


RECEIVED = Step(CallStatus.RECEIVED, T0)


def body(leg=LEG_A, step=RECEIVED, shape=None, **options):
    return json.loads(call_status("event-1", CALL_ID, leg, step, shape or read_shape("sub", options)))


@pytest.mark.row("8x8:2/VCS", "8x8:5/payload", "8x8:5/refs-and-eventData", "8x8:13/C25", "8x8:2/envelope")
def test_a_step_of_an_inbound_leg_has_the_fields_of_a_call_action():
    assert body() == {
        "payload": {
            "eventId": "event-1",
            "sessionId": CALL_ID,
            "callId": "leg-a",
            "subAccountId": "sub",
            "callStatus": "CALL_RECEIVED",
            "callDirection": "INBOUND",
            "callType": "PSTN",
            "source": "+12314377870",
            "destination": "+6568332048",
            "sourceFormat": "MSISDN",
            "destinationFormat": "MSISDN",
            "sourceCountryCode": "US",
            "destinationCountryCode": "SG",
            "destinationRefId": "PSTN1",
            "callDuration": 0,
            "sipCode": 200,
            "timestamp": "2024-03-25T06:01:28.000Z",
        },
        "namespace": "VOICE",
        "eventType": "CALL_STATUS",
        "description": "Status update of a call",
    }


@pytest.mark.row("8x8:13/C28", "8x8:2/callDirection", "8x8:5/callDuration", "8x8:5/sipCode", "8x8:13/C8")
def test_a_step_of_an_outbound_leg_has_its_own_direction_numbers_and_code():
    payload = body(LEG_B, Step(CallStatus.DISCONNECTED, T0 + 0.25, 12.5, 486))["payload"]
    assert (payload["callDirection"], payload["source"], payload["destination"]) == (
        "OUTBOUND", VIRTUAL.e164, CALLEE.e164,
    )  # fmt: skip
    assert payload["sourceRefId"] == "PSTN2"
    assert "destinationRefId" not in payload
    assert (payload["callDuration"], payload["sipCode"]) == (13, 486)
    assert payload["timestamp"] == "2024-03-25T06:01:28.250Z"


@pytest.mark.row("8x8:5/DTMF_RECEIVED", "8x8:13/C6", "8x8:5/refs-and-eventData")
def test_digits_are_a_map_or_text():
    step = Step(CallStatus.DIGITS, T0 + 5, 4.2, digits="0123")
    payload = body(step=step)["payload"]
    assert (payload["eventData"], payload["callDuration"]) == ({"dtmf": "0123"}, 4)
    assert body(step=step, event_data="string")["payload"]["eventData"] == "0123"
    assert body(step=step, generation="g2")["payload"]["eventData"] == "0123"
    assert "0123" not in repr(step)


@pytest.mark.row("8x8:2/generations")
def test_the_second_generation_has_whole_seconds():
    step = Step(CallStatus.RECEIVED, T0 + 0.9)
    assert body(step=step, generation="g2")["payload"]["timestamp"] == "2024-03-25T06:01:28Z"
    assert body(step=step, generation="g3v5")["payload"]["timestamp"] == "2024-03-25T06:01:28.900Z"
    assert "version" not in body(step=step, generation="g3v5")


@pytest.mark.row("8x8:13/C9")
def test_a_withheld_caller_and_a_missing_reference_have_no_key():
    payload = body(StepLeg("leg-a", True, None, VIRTUAL, ""))["payload"]
    assert not {"source", "sourceCountryCode", "sourceRefId", "destinationRefId", "eventData"} & set(payload)


@pytest.mark.row("8x8:5/values", "8x8:13/C12")
def test_the_words_are_the_vendors_six():
    assert {str(word) for word in CallStatus} == {
        "CALL_INITIATED", "CALL_RECEIVED", "CALL_CONNECTED", "CALL_DISCONNECTED", "CALL_UPDATED", "DTMF_RECEIVED",
    }  # fmt: skip


@pytest.mark.row("8x8:14/redaction")
def test_the_party_is_shown_as_the_account_wants():
    shape = Shape("sub", Redactor(Redaction.LAST4))
    assert body(LEG_A, shape=shape)["payload"]["source"] == "*******7870"
    assert body(LEG_B, shape=shape)["payload"]["destination"] == "******8965"
    assert body(LEG_B, shape=shape)["payload"]["source"] == VIRTUAL.e164


def test_a_clock_that_stepped_back_makes_no_negative_duration():
    assert body(step=Step(CallStatus.DISCONNECTED, T0, -3.0))["payload"]["callDuration"] == 0
