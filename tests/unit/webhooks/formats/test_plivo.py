"""Plivo session events: which fact becomes which event, and every attribute of it."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest

from maskline.masking.facts import (
    CallEnded,
    CallReceived,
    CallRouted,
    Cause,
    HungUpBy,
    LegAnswered,
    LegDialed,
    LegEnded,
    LegName,
    LegRinging,
    Outcome,
)
from maskline.masking.session import SessionOptions
from maskline.webhooks.formats import plivo
from tests.support.calls import CALLEE, CALLER, SESSION_ID, T0, make_session


def ended(leg=LegName.B, cause=Cause.NORMAL, at=T0 + 22):
    return LegEnded("call", 5, at, leg, Outcome.COMPLETED, cause, 200, HungUpBy.CALLER)


def form(fact, sequence=1, answered_at=None, who=None):
    who = who or plivo.parties(make_session(), CALLER, CALLEE)
    body = plivo.call_event(who, fact, plivo.event_name(fact) or "", sequence, answered_at)
    pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True)
    assert urlencode(pairs).encode() == body  # written by hand, so held to the library's own encoding
    return dict(pairs)


@pytest.mark.row("7.1/ring and answer", "7.1/hangup", "6.1/virtual number leg")
@pytest.mark.parametrize(
    ("fact", "event"),
    [
        (LegAnswered("call", 4, T0, LegName.A), "SessionFirstPartyAnswer"),
        (LegRinging("call", 3, T0, LegName.B, False), "SessionSecondPartyRing"),
        (LegAnswered("call", 4, T0, LegName.B), "SessionSecondPartyAnswer"),
        (ended(LegName.B), "SessionSecondPartyHangup"),
        (ended(LegName.A), "SessionFirstPartyHangup"),
        (LegRinging("call", 3, T0, LegName.A, False), None),
        (LegDialed("call", 2, T0, LegName.B, "trunk"), None),
        (CallReceived("call", 1, T0, "trunk", "+1"), None),
        (CallRouted("call", 1, T0, SESSION_ID, "first_party"), None),
        (CallEnded("call", 6, T0, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER), None),
        (ended(LegName.A, Cause.SESSION_EXPIRED), None),
    ],
)
def test_facts_become_the_events_of_the_page(fact, event):
    assert plivo.event_name(fact) == event


def test_events_name_leg_a_first_party_even_when_the_second_party_calls():
    who = plivo.parties(make_session(), CALLEE, CALLER)
    shown = form(LegAnswered("call", 4, T0, LegName.A), who=who)
    assert shown["EventName"] == "SessionFirstPartyAnswer"
    assert (shown["From"], shown["To"]) == (CALLEE.digits, CALLER.digits)


@pytest.mark.row(
    "7.2/EventName",
    "7.2/EventTimestamp",
    "7.2/SessionUUID",
    "7.2/From",
    "7.2/To",
    "7.2/VirtualNumber",
    "7.2/SequenceNumber",
)
def test_a_call_event_has_all_attributes_and_leaves_what_does_not_apply_empty():
    assert form(LegRinging("call", 3, T0 + 0.9, LegName.B, False), sequence=2) == {
        "EventName": "SessionSecondPartyRing",
        "EventTimestamp": "2024-03-25 06:01:28 +0000 UTC",
        "SessionUUID": SESSION_ID,
        "From": "12314377870",
        "To": "6591178965",
        "VirtualNumber": "6568332048",
        "PinAuthenticationStatus": "",
        "PinRetryCounter": "",
        "Amount": "",
        "BilledDuration": "",
        "Duration": "",
        "PlivoHangupCause": "",
        "PlivoHangupCauseCode": "",
        "SequenceNumber": "2",
    }


@pytest.mark.row("7.2/durations", "7.2/PlivoHangupCause", "7.2/PlivoHangupCauseCode")
def test_a_hangup_has_durations_and_cause():
    shown = form(ended(at=T0 + 22.2), answered_at=T0 + 9)
    assert shown["Duration"] == "13"
    assert shown["BilledDuration"] == "14"
    assert shown["Amount"] == "0"
    assert (shown["PlivoHangupCause"], shown["PlivoHangupCauseCode"]) == ("Normal Hangup", "4000")


def test_a_leg_never_answered_costs_nothing():
    shown = form(ended(cause=Cause.BUSY))
    assert (shown["Duration"], shown["BilledDuration"]) == ("0", "0")
    assert (shown["PlivoHangupCause"], shown["PlivoHangupCauseCode"]) == ("Busy Line", "3010")


def test_a_withheld_caller_and_a_callee_never_dialled_are_empty():
    shown = form(ended(LegName.A), who=plivo.parties(make_session(), None, None))
    assert (shown["From"], shown["To"]) == ("", "")


@pytest.mark.row("7.2/SequenceNumber")
def test_a_session_timeout_names_no_party_and_no_sequence():
    session = make_session(options=SessionOptions(callback_url="https://h.example/"))
    shown = dict(parse_qsl(plivo.timeout_event(session, T0).decode(), keep_blank_values=True))
    assert shown["EventName"] == "SessionTimeout"
    assert [*shown] == [*form(ended())]
    assert {key for key, value in shown.items() if value} == {
        "EventName",
        "EventTimestamp",
        "SessionUUID",
        "VirtualNumber",
    }


@pytest.mark.row("7.5/traps")
def test_numbers_have_no_plus_and_every_value_is_text():
    shown = form(ended(), answered_at=T0)
    assert not [value for key, value in shown.items() if "+" in value and key != "EventTimestamp"]
    assert not [value for value in shown.values() if value in ("None", "null")]
    assert max(shown.items())[1].isdigit(), "validators strip a point at the end of what is signed"


def test_every_cause_has_a_name_and_a_code_and_codes_agree():
    assert set(plivo.HANGUP_CAUSES) == set(Cause)
    by_code = {}
    for name, code in plivo.HANGUP_CAUSES.values():
        assert by_code.setdefault(code, name) == name


@pytest.mark.row("7.2/durations")
@pytest.mark.parametrize(
    ("answered", "ended_at", "expected"),
    [(None, T0, (0, 0)), (T0, T0 + 12.4, (12, 13)), (T0, T0 + 12.5, (13, 13)), (T0 + 0.1, T0 + 13.1, (13, 13)),
     (T0 + 5, T0, (0, 0))],
)  # fmt: skip
def test_durations_are_rounded_and_bills_rounded_up(answered, ended_at, expected):
    assert plivo.leg_seconds(answered, ended_at) == expected
