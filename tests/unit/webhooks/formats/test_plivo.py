"""Plivo session events: every attribute of their bodies."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest

from maskline.masking.facts import Cause
from maskline.masking.price import Charge
from maskline.webhooks.formats import plivo
from maskline.webhooks.formats.plivo_events import Generation
from tests.support.calls import CALLEE, CALLER, SESSION_ID, T0, VIRTUAL, make_session

STYLE = plivo.Style()


def ended(cause=Cause.NORMAL, duration=13, billed=14, amount=0):
    return plivo.Ended(duration, Charge(billed, amount), cause)


def form(event="SessionSecondPartyRing", at=T0, sequence=1, end=None, who=None, style=STYLE):
    who = who or plivo.parties(make_session(), CALLER, CALLEE, VIRTUAL)
    return read(style.call_event(who, event, at, sequence, end))


def read(body):
    pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True)
    assert urlencode(pairs).encode() == body  # written by hand, so held to the library's own encoding
    return dict(pairs)


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
    assert form(at=T0 + 0.9, sequence=2) == {
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
    shown = form("SessionSecondPartyHangup", end=ended())
    assert (shown["Duration"], shown["BilledDuration"], shown["Amount"]) == ("13", "14", "0")
    assert (shown["PlivoHangupCause"], shown["PlivoHangupCauseCode"]) == ("Normal Hangup", "4000")


@pytest.mark.row("7.2/Amount")
def test_a_hangup_has_what_the_leg_costs():
    assert form("SessionSecondPartyHangup", end=ended(amount=4_500))["Amount"] == "0.00450"


@pytest.mark.row("7.2/prefix of hangup attributes")
def test_the_prefix_of_the_hangup_keys_is_a_setting():
    style = plivo.Style(prefix="VTS")
    shown = form("SessionFirstPartyHangup", end=ended(Cause.BUSY), style=style)
    assert (shown["VTSHangupCause"], shown["VTSHangupCauseCode"]) == ("Busy Line", "3010")
    assert not [key for key in {*shown, *form(style=style)} if key.startswith("Plivo")]


@pytest.mark.parametrize("generation", [Generation.FIRST, Generation.ALL])
def test_the_first_generation_names_the_parties_twice(generation):
    shown = form(style=plivo.Style(generation))
    assert (shown["FirstParty"], shown["SecondParty"]) == (shown["From"], shown["To"])


@pytest.mark.parametrize("generation", [Generation.SECOND, Generation.THIRD, Generation.CURRENT])
def test_later_generations_name_them_once(generation):
    assert "FirstParty" not in form(style=plivo.Style(generation))


@pytest.mark.row("7.2/PinAuthenticationStatus", "7.2/PinRetryCounter", "7.2/SequenceNumber")
def test_a_pin_status_has_no_sequence():
    who = plivo.parties(make_session(), CALLER, CALLEE, VIRTUAL)
    shown = read(STYLE.pin_event(who, T0, "AuthorizedCaller", 0))
    assert shown["EventName"] == "SessionPinAuthenticationStatus"
    assert (shown["PinAuthenticationStatus"], shown["PinRetryCounter"]) == ("AuthorizedCaller", "0")
    assert shown["SequenceNumber"] == "" and shown["From"] == CALLER.digits


def test_a_withheld_caller_and_a_callee_never_dialled_are_empty():
    shown = form(who=plivo.parties(make_session(), None, None, VIRTUAL))
    assert (shown["From"], shown["To"]) == ("", "")


@pytest.mark.row("7.2/SequenceNumber")
def test_an_event_of_no_call_names_no_party_and_no_sequence():
    who = plivo.parties(make_session(), None, None, VIRTUAL)
    shown = read(STYLE.session_event(who, "SessionTimeout", T0))
    assert [*shown] == [*form(end=ended())]
    assert {key: value for key, value in shown.items() if value} == {
        "EventName": "SessionTimeout",
        "EventTimestamp": "2024-03-25 06:01:28 +0000 UTC",
        "SessionUUID": SESSION_ID,
        "VirtualNumber": VIRTUAL.digits,
    }


@pytest.mark.row("7.5/traps")
def test_numbers_have_no_plus_and_every_value_is_text():
    shown = form(end=ended())
    assert not [value for key, value in shown.items() if "+" in value and key != "EventTimestamp"]
    assert not [value for value in shown.values() if value in ("None", "null")]
    assert max(shown.items())[1].isdigit(), "validators strip a point at the end of what is signed"


def test_every_cause_has_a_name_and_a_code_and_codes_agree():
    assert set(plivo.HANGUP_CAUSES) == set(Cause)
    by_code = {}
    for name, code in (*plivo.HANGUP_CAUSES.values(), *plivo.UNANSWERED_CAUSES.values()):
        assert by_code.setdefault(code, name) == name


@pytest.mark.row("7.2/PlivoHangupCause", "7.2/PlivoHangupCauseCode")
@pytest.mark.parametrize(("answered", "said"), [(False, ("Canceled", "1000")), (True, ("Normal Hangup", "4000"))])
def test_an_end_by_request_is_canceled_before_the_answer_and_normal_after_it(answered, said):
    shown = form(end=plivo.Ended(0, Charge(0, 0), Cause.ENDED_BY_REQUEST, answered))
    assert (shown["PlivoHangupCause"], shown["PlivoHangupCauseCode"]) == said
    assert plivo.Ended(0, Charge(0, 0), Cause.BUSY).hangup == plivo.HANGUP_CAUSES[Cause.BUSY]


@pytest.mark.row("7.2/durations")
@pytest.mark.parametrize(
    ("answered", "ended_at", "expected"),
    [(None, T0, 0), (T0, T0 + 12.4, 12), (T0, T0 + 12.5, 13), (T0 + 0.1, T0 + 13.1, 13), (T0 + 5, T0, 0)],
)
def test_durations_are_rounded(answered, ended_at, expected):
    assert plivo.whole_seconds(answered, ended_at) == expected
