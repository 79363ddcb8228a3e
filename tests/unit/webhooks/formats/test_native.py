"""Maskline's own events, to the byte of their keys."""

from __future__ import annotations

import json
from dataclasses import replace

from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.recording import Recording, RecordingStatus
from maskline.masking.redaction import IN_FULL, Redaction, Redactor
from maskline.storage.webhook_store import FailingEndpoint
from maskline.webhooks.formats import native
from tests.support.calls import CALL_ID, CALLER, T0, VIRTUAL, make_record, make_session

NUMBER = VirtualNumber(Number("6531580001"), "MA1", None, "ref", "SG")


def test_times_have_milliseconds_and_what_is_not_there_is_null():
    assert native.iso_time(1_700_000_000.25) == "2023-11-14T22:13:20.250Z"
    assert native.iso_time(None) is None


def test_a_call_that_is_over_is_told_with_its_whole_record():
    record = make_record()
    told = json.loads(native.call_ended(record, IN_FULL))
    assert (told["type"], told["timestamp"]) == ("call.ended", native.iso_time(record.ended_at))
    data = told["data"]
    assert (data["callId"], data["outcome"], data["virtualNumber"]) == (
        record.id,
        "completed",
        record.virtual_number.e164,
    )
    assert data["recovered"] is False
    assert json.loads(native.call_ended(replace(record, recovered=True), IN_FULL))["data"]["recovered"] is True
    first, second = data["legs"]
    assert (first["source"], first["direction"]) == (record.legs[0].source.e164, "inbound")
    assert (second["source"], second["destination"]) == (record.legs[1].source.e164, record.legs[1].destination.e164)
    assert set(first) == set(second)


def test_parties_are_shown_as_the_account_says_and_virtual_numbers_always():
    body = native.call_ended(make_record(), Redactor(Redaction.OMIT))
    assert json.loads(body)["data"]["legs"][0]["source"] is None
    assert CALLER.digits.encode() not in body
    assert VIRTUAL.digits.encode() in body


def test_a_step_of_a_call_names_its_leg():
    step = native.Step(CALL_ID, None, NUMBER, T0, "leg_b", "leg-2", 486)
    assert json.loads(native.call_step(native.LEG_ENDED, step)) == {
        "type": "leg.ended", "timestamp": native.iso_time(T0),
        "data": {
            "callId": CALL_ID, "sessionId": None, "virtualNumber": "+6531580001", "referenceId": "ref",
            "leg": "leg_b", "legId": "leg-2", "sipStatus": 486,
        },
    }  # fmt: skip


def test_a_session_is_told_without_its_parties():
    session = make_session()
    body = native.session_event(native.SESSION_EXPIRED, session, T0)
    told = json.loads(body)["data"]
    assert (told["sessionId"], told["secondVirtualNumber"]) == (session.id, None)
    assert session.first_party.digits.encode() not in body


def test_a_recording_and_a_number_and_an_endpoint():
    recording = Recording(
        id="r1", account_id="MA1", subaccount_id=None, session_id="", call_id=CALL_ID, leg_id="l", format="mp3",
        status=RecordingStatus.COMPLETED, virtual_number=NUMBER.number, caller=CALLER, callee=None, started_at=T0,
        duration_ms=1200,
    )  # fmt: skip
    told = json.loads(native.recording_event(native.RECORDING_FAILED, recording, T0, "disk full"))["data"]
    assert (told["recordingId"], told["sessionId"], told["durationMs"], told["error"]) == (
        "r1",
        None,
        1200,
        "disk full",
    )
    assert json.loads(native.number_updated(NUMBER, T0))["data"]["state"] == "active"
    assert json.loads(native.number_updated(NUMBER, T0, gone=True))["data"]["state"] == "removed"
    failing = FailingEndpoint("e", "MA1", None, "https://h.example/", T0, 3, T0, T0, "gone")
    assert json.loads(native.endpoint_disabled(failing, T0))["type"] == "endpoint.disabled"
