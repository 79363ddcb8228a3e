"""What an 8x8 application is told when it is asked what to do with a call, and a Wavecell one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from maskline.masking.call_flow import ActionDone, CallFlow, Hangup, MakeCall, Say
from maskline.masking.e164 import Number
from maskline.webhooks.formats.eight_action import CallFacts, call_action
from maskline.webhooks.formats.eight_fault import FlowFault
from maskline.webhooks.formats.shape import read_shape
from maskline.webhooks.formats.wavecell_handle import call_handle, read_commands
from tests.support.calls import CALL_ID, CALLEE, CALLER, T0, VIRTUAL

EVENT_ID = "0a1b2c3d-0000-4000-8000-00000000000e"
COMING = CallFacts(CALL_ID, "leg-a", True, CALLER, VIRTUAL, "pool-7", T0 + 0.0626)
DONE = ActionDone(CALL_ID, "leg-a", True, CALLER, VIRTUAL, "act-1", 12.5, "0123")
LATER = replace(COMING, done=DONE)


def body(facts=COMING, **options):
    return json.loads(call_action(EVENT_ID, facts, read_shape("acme_NM", options)))


@pytest.mark.row("8x8:2/VCA", "8x8:2/envelope", "8x8:3/eventId", "8x8:3/callId", "8x8:3/sessionId")
@pytest.mark.row("8x8:3/subAccountId", "8x8:3/callStatus", "8x8:3/callDirection", "8x8:3/formats", "8x8:3/parties")
@pytest.mark.row(
    "8x8:3/countries", "8x8:3/destinationRefId", "8x8:3/sourceRefId", "8x8:3/callDuration", "8x8:3/sipCode"
)
@pytest.mark.row("8x8:3/timestamp", "8x8:2/time-VCA-VCS", "8x8:2/numbers-out", "8x8:13/C3")
def test_a_call_that_has_come_is_told_whole():
    assert body() == {
        "namespace": "VOICE",
        "eventType": "CALL_ACTION",
        "description": "Action request of a call",
        "payload": {
            "eventId": EVENT_ID,
            "sessionId": CALL_ID,
            "callId": "leg-a",
            "subAccountId": "acme_NM",
            "callStatus": "CALL_RECEIVED",
            "callDirection": "INBOUND",
            "callType": "PSTN",
            "source": "+12314377870",
            "sourceFormat": "MSISDN",
            "sourceCountryCode": "US",
            "destination": "+6568332048",
            "destinationFormat": "MSISDN",
            "destinationCountryCode": "SG",
            "destinationRefId": "pool-7",
            "callDuration": 0,
            "sipCode": 200,
            "timestamp": "2024-03-25T06:01:28.063Z",
        },
    }


@pytest.mark.row("8x8:3/callStatus", "8x8:3/eventData", "8x8:3/clientActionId", "8x8:3/callDuration", "8x8:13/C6")
@pytest.mark.row("8x8:13/C8")
def test_captured_digits_are_told_with_the_id_of_the_reply_that_asked_for_them():
    payload = body(LATER)["payload"]
    assert payload["callStatus"] == "ACTION_COMPLETED"
    assert payload["eventData"] == {"dtmf": "0123"}
    assert payload["clientActionId"] == "act-1"
    assert payload["callDuration"] == 13
    assert body(LATER, event_data="string")["payload"]["eventData"] == "0123"


@pytest.mark.row("8x8:2/generations")
def test_the_second_generation_has_digits_as_text_and_times_in_seconds():
    payload = body(LATER, generation="g2")["payload"]
    assert (payload["eventData"], payload["timestamp"]) == ("0123", "2024-03-25T06:01:28Z")


def test_a_capture_that_failed_has_no_digits_and_the_end_of_a_bridge_no_event_data():
    failed = replace(LATER, done=replace(DONE, digits=""))
    assert body(failed)["payload"]["eventData"] == {"dtmf": ""}
    assert body(failed, event_data="string")["payload"]["eventData"] == ""
    assert "eventData" not in body(replace(LATER, done=replace(DONE, digits=None, bridged=True)))["payload"]


@pytest.mark.row("8x8:2/absent", "8x8:13/C9", "8x8:3/clientActionId", "8x8:3/destinationRefId")
def test_what_there_is_not_has_no_key():
    withheld = replace(
        COMING, party=None, reference_id="", number=Number("99912"), done=replace(DONE, client_action_id="")
    )
    payload = body(withheld)["payload"]
    absent = {
        "source",
        "sourceCountryCode",
        "destinationCountryCode",
        "destinationRefId",
        "sourceRefId",
        "clientActionId",
    }
    assert not absent & set(payload)
    assert (payload["sourceFormat"], payload["destination"]) == ("MSISDN", "+99912")


@pytest.mark.row("8x8:3/sourceRefId", "8x8:13/C3")
def test_a_leg_that_we_called_is_outbound_and_shows_the_virtual_number():
    payload = body(replace(LATER, inbound=False, party=CALLEE))["payload"]
    assert payload["callDirection"] == "OUTBOUND"
    assert (payload["source"], payload["destination"]) == ("+6568332048", "+6591178965")
    assert payload["sourceRefId"] == "pool-7"
    assert "destinationRefId" not in payload


# -- Wavecell ------------------------------------------------------------------------------------------------------


@pytest.mark.row("8x8:7.2/fields", "8x8:7.2/eventType")
def test_a_call_handle_is_flat_and_its_numbers_have_no_plus():
    assert json.loads(call_handle(COMING)) == {
        "sessionId": CALL_ID, "callId": "leg-a", "eventType": "CALL_RECEIVED", "sourceMsisdn": "12314377870",
        "targetMsisdn": "6568332048", "direction": 0, "referenceId": "pool-7", "timestamp": "2024-03-25T06:01:28Z",
        "status": "NOT_CONNECTED", "duration": 0, "sipStatus": 200,
    }  # fmt: skip


@pytest.mark.parametrize(("digits", "told"), [("1234", 1234), ("0", 0), ("0123", "0123"), ("12*", "12*")])
@pytest.mark.row("8x8:7.2/eventType")
def test_digits_are_a_number_unless_that_would_change_them(digits, told):
    handled = json.loads(call_handle(replace(LATER, inbound=False, party=CALLEE, done=replace(DONE, digits=digits))))
    assert (handled["eventType"], handled["status"], handled["duration"]) == ("DTMF_RECEIVED", "CONNECTED", 13)
    assert (handled["direction"], handled["sourceMsisdn"], handled["targetMsisdn"]) == (1, "6568332048", "6591178965")
    assert handled["dtmf"] == told
    assert type(handled["dtmf"]) is type(told)


def test_what_a_call_handle_does_not_know_has_no_key():
    handled = json.loads(call_handle(replace(LATER, party=None, reference_id="", done=replace(DONE, digits=""))))
    assert not {"referenceId", "dtmf", "sourceMsisdn"} & set(handled)


@pytest.mark.row("8x8:7.2/reply")
def test_commands_are_read_as_actions():
    call = {"action": "makeCall", "params": {"source": "6531000001", "destination": "6581234520"}}
    say = {"action": "say", "params": {"text": "Hello", "voiceProfile": "en-us-f"}}
    read = read_commands(json.dumps({"commands": [say, call]}).encode())
    assert [type(action) for action in read.flow.actions] == [Say, MakeCall]
    assert read_commands(b'{"commands":[{"action":"hangup"}]}').flow == CallFlow((Hangup(),))
    with pytest.raises(FlowFault, match=r"\$\.commands is missing"):
        read_commands(b'{"callflow":[]}')
    with pytest.raises(FlowFault, match=r"\$\.commands\[0\]\.action is missing"):
        read_commands(b'{"commands":[{}]}')
