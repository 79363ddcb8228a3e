"""The session object has exactly the fields, types and formats that the strictest SDK parses."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from maskline.api.plivo.openapi import INTERACTION_FIELDS, SESSION_FIELDS
from maskline.api.plivo.serializer import session_object, time_text
from maskline.masking.e164 import Number
from maskline.masking.session import Interaction, PoolMode, Role, Session, SessionOptions

T0 = 1_700_000_000.75
SESSION = Session(
    id="5b1a7f2e-0000-4000-8000-000000000001",
    account_id="MA0123456789ABCDEFGH",
    subaccount_id=None,
    first_party=Number("6590000001"),
    second_party=Number("6590000002"),
    virtual_number=Number("6531580001"),
    options=SessionOptions(),
    created_at=T0,
    modified_at=T0,
    expires_at=T0 + 3600,
    planned_duration=3600,
)
INTERACTION = Interaction(
    call_id="c1", started_at=T0 + 1, ended_at=T0 + 21, caller=Role.FIRST,
    first_party_leg_id="leg-1", second_party_leg_id=None, duration=20, billed_duration=60, legs=1,
)  # fmt: skip


def shown(session=SESSION, wall=T0 + 1):
    return json.loads(json.dumps(session_object(session, "https://h.example", wall)))


@pytest.mark.row(
    "5/session_uuid",
    "5/parties",
    "5/virtual_number",
    "5/status",
    "5/initiate_call_to_first_party",
    "5/callback",
    "5/times",
    "5/last_interaction_time",
    "5/duration",
    "5/amount",
    "5/limits",
    "5/play URLs",
    "5/record",
    "5/recording details",
    "5/interaction",
    "5/total amounts",
    "5/total_call_count",
    "5/total_call_billed_duration",
    "5/is_pin_authentication_required",
    "5/PIN details",
    "5/unknown_caller_play",
    "5/single party and forced PIN",
    "5/virtual_number_cooloff_period",
    "5/subaccount",
    "5/session_expiry",
)
def test_the_object_of_a_new_session_is_exactly_this():
    assert shown() == {
        "session_uuid": "5b1a7f2e-0000-4000-8000-000000000001",
        "first_party": "6590000001",
        "second_party": "6590000002",
        "virtual_number": "6531580001",
        "status": "active",
        "initiate_call_to_first_party": False,
        "session_expiry": 3600,
        "call_time_limit": 3600,
        "ring_timeout": 120,
        "callback_url": "",
        "callback_method": "POST",
        "record": False,
        "record_file_format": "mp3",
        "recording_callback_url": "",
        "recording_callback_method": "POST",
        "first_party_play_url": "",
        "second_party_play_url": "",
        "unknown_caller_play": "",
        "is_pin_authentication_required": False,
        "generate_pin": None,
        "generate_pin_length": None,
        "first_party_pin": None,
        "second_party_pin": None,
        "pin_prompt_play": None,
        "pin_retry": None,
        "pin_retry_wait": None,
        "incorrect_pin_play": None,
        "create_session_with_single_party": False,
        "force_pin_authentication": False,
        "virtual_number_cooloff_period": 0,
        "subaccount": "",
        "created_time": "2023-11-14 22:13:20 +0000 UTC",
        "modified_time": "2023-11-14 22:13:20 +0000 UTC",
        "expiry_time": "2023-11-14 23:13:20 +0000 UTC",
        "last_interaction_time": "",
        "duration": 3600,
        "amount": 0,
        "total_call_amount": 0,
        "total_session_amount": 0,
        "total_call_count": 0,
        "total_call_billed_duration": 0,
        "interaction": None,
        "pool_mode": "shared",
        "first_party_virtual_number": "6531580001",
        "second_party_virtual_number": "6531580001",
    }


@pytest.mark.row("5/amount", "5.1/call_billed_duration")
def test_no_number_on_the_wire_is_a_float():
    used = replace(SESSION, interactions=(INTERACTION,), total_call_count=1, total_call_billed_duration=60)
    text = json.dumps(session_object(used, "https://h.example", T0))
    assert ".0" not in text


@pytest.mark.row("5/PIN details", "5/is_pin_authentication_required", "5/single party and forced PIN")
def test_pin_details_are_shown_while_pin_authentication_is_on():
    options = SessionOptions(
        is_pin_authentication_required=True, force_pin_authentication=True, generate_pin=True, generate_pin_length=6,
        pin_prompt_play="https://h.example/p.mp3", pin_retry=0, pin_retry_wait=7, create_session_with_single_party=True,
    )  # fmt: skip
    session = replace(SESSION, options=options, first_party_pin="012345", second_party_pin="678901")
    expected = {
        "is_pin_authentication_required": True, "generate_pin": True, "generate_pin_length": 6,
        "first_party_pin": "012345", "second_party_pin": "678901", "pin_prompt_play": "https://h.example/p.mp3",
        "pin_retry": 0, "pin_retry_wait": 7, "incorrect_pin_play": "", "force_pin_authentication": True,
        "create_session_with_single_party": True,
    }  # fmt: skip
    found = shown(session)
    assert {name: found[name] for name in expected} == expected
    assert list(found) == list(SESSION_FIELDS)


def test_both_virtual_numbers_are_shown_where_each_party_has_its_own():
    found = shown(replace(SESSION, pool_mode=PoolMode.SPLIT, second_virtual_number=Number("6531580002")))
    assert found["pool_mode"] == "split"
    numbers = [found[f"{which}virtual_number"] for which in ("", "first_party_", "second_party_")]
    assert numbers == ["6531580001", "6531580001", "6531580002"]


@pytest.mark.row("5/amount", "5/total amounts", "5.1/total_call_amount")
@pytest.mark.parametrize(
    ("fee", "calls", "amount", "call_amount", "total"),
    [
        (0, 0, "0", "0", "0"),
        (2_000_000, 0, "2", "0", "2"),
        (50_000, 1_950_000, "0", "1.95", "2"),
        (1_000_001, 100_000, "1", "0.1", "1.100001"),
    ],
)
def test_amounts_are_json_numbers_and_the_fee_is_never_a_fraction(fee, calls, amount, call_amount, total):
    used = replace(
        SESSION, amount=fee, total_call_amount=calls, interactions=(replace(INTERACTION, amount=calls),)
    )  # fmt: skip
    found = session_object(used, "https://h.example", T0)
    texts = [json.dumps(found[name]) for name in ("amount", "total_call_amount", "total_session_amount")]
    assert texts == [amount, call_amount, total]
    assert json.dumps(found["interaction"][0]["total_call_amount"]) == call_amount


@pytest.mark.row("5/status")
def test_status_follows_the_clock_and_the_calls():
    assert shown(wall=SESSION.expires_at - 0.001)["status"] == "active"
    assert shown(wall=SESSION.expires_at)["status"] == "expired"
    assert shown(replace(SESSION, calls_in_progress=1))["status"] == "in-progress"
    assert shown(replace(SESSION, ended_at=T0 + 1))["status"] == "expired"


@pytest.mark.row(
    "5/interaction",
    "5/last_interaction_time",
    "5.1/times",
    "5.1/call links",
    "5.1/recording_resource_url",
    "5.1/leg statuses",
    "5.1/type",
    "5.1/total_call_amount",
    "5.1/call_billed_duration",
    "5.1/total_call_count",
    "5.1/duration",
    "5.1/auth_id",
)
def test_interactions_are_an_array_with_absolute_links():
    used = replace(SESSION, interactions=(INTERACTION,), last_interaction_at=T0 + 21)
    assert shown(used)["last_interaction_time"] == "2023-11-14 22:13:41 +0000 UTC"
    assert shown(used)["interaction"] == [
        {
            "start_time": "2023-11-14 22:13:21 +0000 UTC",
            "end_time": "2023-11-14 22:13:41 +0000 UTC",
            "first_party_resource_url": "https://h.example/v1/Account/MA0123456789ABCDEFGH/Call/leg-1",
            "second_party_resource_url": None,
            "recording_resource_url": None,
            "type": "call",
            "total_call_amount": 0,
            "call_billed_duration": 60,
            "total_call_count": 1,
            "duration": 20,
            "auth_id": "MA0123456789ABCDEFGH",
        }
    ]


@pytest.mark.row("5.1/recording_resource_url")
def test_a_recorded_interaction_links_its_recording():
    used = replace(SESSION, interactions=(replace(INTERACTION, recording_id="rec-1"),))
    url = shown(used)["interaction"][0]["recording_resource_url"]
    assert url == "https://h.example/v1/Account/MA0123456789ABCDEFGH/Recording/rec-1/"


@pytest.mark.row("5/parties")
def test_a_missing_party_is_an_empty_string():
    assert shown(replace(SESSION, second_party=None))["second_party"] == ""


def test_the_published_description_has_the_same_fields_in_the_same_order():
    used = replace(SESSION, interactions=(INTERACTION,))
    assert list(shown(used)) == list(SESSION_FIELDS)
    assert list(shown(used)["interaction"][0]) == list(INTERACTION_FIELDS)


@pytest.mark.row("5/times", "5.1/times")
@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, ""),
        (0.0, "1970-01-01 00:00:00 +0000 UTC"),
        (1_709_251_199.999, "2024-02-29 23:59:59 +0000 UTC"),
    ],
)
def test_times(at, text):
    assert time_text(at) == text
