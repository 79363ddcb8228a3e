"""The attributes of PIN authentication and of sessions of one party, over HTTP."""

from __future__ import annotations

import pytest

from tests.support.api_world import FIRST, SECOND
from tests.support.session_api import NO_BOOLEAN, NO_INTEGER, NO_URL, OUTSIDE, Case, SessionApi, check

URL = "https://h.example/a.mp3"
PINS = {"first_party_pin": "1234", "second_party_pin": "56789"}
ASKED = {"is_pin_authentication_required": True, "pin_prompt_play": URL}
GENERATED = ASKED | {"generate_pin": True}
NO_DIGITS, WRONG_LENGTH = "should be digits only", "should have 4 to 15 digits"
MANDATORY = "Mandatory parameter missing. {} must be present"

ATTRIBUTES = [
    pytest.param(
        "is_pin_authentication_required",
        {**PINS, "pin_prompt_play": URL},
        Case(False, ((True, True), ("true", True), (False, False)), (("x", NO_BOOLEAN),)),
        marks=pytest.mark.row("2/is_pin_authentication_required", "5/is_pin_authentication_required"),
    ),
    pytest.param(
        "generate_pin",
        ASKED | PINS,
        Case(False, ((True, True), (False, False)), (("x", NO_BOOLEAN),)),
        marks=pytest.mark.row("2/generate_pin", "5/PIN details"),
    ),
    pytest.param(
        "generate_pin_length",
        GENERATED,
        Case(4, ((4, 4), (15, 15), ("6", 6)), ((3, OUTSIDE), (16, OUTSIDE), ("x", NO_INTEGER))),
        marks=pytest.mark.row("2/generate_pin_length", "5/PIN details"),
    ),
    pytest.param(
        "first_party_pin",
        ASKED | PINS,
        Case(
            "1234",
            (("0001", "0001"), ("1" * 15, "1" * 15), (2468, "2468")),
            (("123", WRONG_LENGTH), ("1" * 16, WRONG_LENGTH), ("12a4", NO_DIGITS), (1.5, NO_DIGITS), (True, NO_DIGITS)),
        ),
        marks=pytest.mark.row("2/first_party_pin", "2.3/pin as number", "5/PIN details", "1.2/other parameters"),
    ),
    pytest.param(
        "second_party_pin",
        ASKED | PINS,
        Case(
            "56789",
            (("0001", "0001"), (13579, "13579")),
            (("123", WRONG_LENGTH), ("x", NO_DIGITS), ("1234", "must differ from first_party_pin")),
        ),
        marks=pytest.mark.row("2/second_party_pin", "2.3/pin as number", "5/PIN details"),
    ),
    pytest.param(
        "pin_prompt_play",
        ASKED | PINS,
        Case(URL, ((URL + "2", URL + "2"),), (("x", NO_URL),)),
        marks=pytest.mark.row("2/pin_prompt_play", "5/PIN details"),
    ),
    pytest.param(
        "pin_retry",
        ASKED | PINS,
        Case(1, ((0, 0), ("0", 0), (5, 5)), ((6, OUTSIDE), (-1, OUTSIDE), ("x", NO_INTEGER))),
        marks=pytest.mark.row("2/pin_retry", "5/PIN details"),
    ),
    pytest.param(
        "pin_retry_wait",
        ASKED | PINS,
        Case(5, ((5, 5), (10, 10)), ((4, OUTSIDE), (11, OUTSIDE))),
        marks=pytest.mark.row("2/pin_retry_wait", "5/PIN details"),
    ),
    pytest.param(
        "incorrect_pin_play",
        ASKED | PINS,
        Case("", ((URL, URL),), (("x", NO_URL),)),
        marks=pytest.mark.row("2/incorrect_pin_play", "5/PIN details"),
    ),
    pytest.param(
        "force_pin_authentication",
        ASKED | PINS,
        Case(False, ((True, True), (False, False)), (("x", NO_BOOLEAN),)),
        marks=pytest.mark.row("2/force_pin_authentication", "5/single party and forced PIN"),
    ),
    pytest.param(
        "create_session_with_single_party",
        {},
        Case(False, ((True, True), ("true", True), (False, False)), (("x", NO_BOOLEAN),)),
        marks=pytest.mark.row("2/create_session_with_single_party", "5/single party and forced PIN"),
    ),
]


@pytest.mark.parametrize(("name", "base", "expected"), ATTRIBUTES)
async def test_an_attribute_has_its_default_its_values_and_its_refusals(name, base, expected):
    await check(await SessionApi().start(), name, expected, base)


@pytest.mark.row("2/pin_prompt_play", "2/first_party_pin", "2/second_party_pin")
@pytest.mark.parametrize("missing", ["pin_prompt_play", "first_party_pin", "second_party_pin"])
async def test_pin_authentication_needs_a_prompt_and_two_pins(missing):
    api = await SessionApi().start()
    assert await api.create(**(ASKED | PINS | {missing: ""})) == (400, MANDATORY.format(missing))


@pytest.mark.row("2/generate_pin", "2/generate_pin_length")
@pytest.mark.parametrize(("length", "digits"), [(0, 4), (4, 4), (9, 9)])
async def test_generated_pins_have_the_length_and_differ(length, digits):
    api = await SessionApi().start()
    status, session = await api.create(**GENERATED, generate_pin_length=length)
    pins = {session["first_party_pin"], session["second_party_pin"]}
    assert status == 201
    assert len(pins) == 2
    assert all(len(pin) == digits and pin.isdecimal() for pin in pins)


@pytest.mark.row("2/generate_pin")
async def test_a_pin_that_is_given_is_kept_beside_a_generated_one():
    api = await SessionApi().start()
    _, session = await api.create(**GENERATED, second_party_pin="777777")
    assert session["second_party_pin"] == "777777"
    assert len(session["first_party_pin"]) == 4


@pytest.mark.row("5/PIN details", "2/generate_pin", "2/pin_retry")
async def test_without_pin_authentication_the_details_mean_nothing_and_are_null():
    api = await SessionApi().start()
    details = {**PINS, "generate_pin": True, "generate_pin_length": 6, "pin_prompt_play": URL, "pin_retry": 3,
               "pin_retry_wait": 7, "incorrect_pin_play": URL}  # fmt: skip
    status, session = await api.create(**details)
    assert status == 201
    assert {session[name] for name in details} == {None}


@pytest.mark.row("2/force_pin_authentication")
async def test_asking_registered_callers_needs_pin_authentication():
    api = await SessionApi().start()
    sentence = "Invalid parameter. force_pin_authentication needs is_pin_authentication_required"
    assert await api.create(force_pin_authentication=True) == (400, sentence)


@pytest.mark.row("2.3/PIN authentication")
@pytest.mark.parametrize("alias", ["is_pin_authentication", "pin_authentication_required"])
async def test_pin_authentication_is_read_under_its_other_names(alias):
    api = await SessionApi().start()
    _, session = await api.create(**{alias: True, "pin_prompt_play": URL, **PINS})
    assert session["is_pin_authentication_required"] is True
    # Java sends its stray key beside the real one, which wins.
    _, session = await api.create(**{alias: True, "is_pin_authentication_required": False})
    assert session["is_pin_authentication_required"] is False


@pytest.mark.row("2/create_session_with_single_party", "2/first_party", "2/second_party", "5/parties")
@pytest.mark.parametrize(("given", "missing"), [("first_party", "second_party"), ("second_party", "first_party")])
@pytest.mark.parametrize("absent", ["", None])
async def test_a_session_of_one_party_needs_one_of_the_two(given, missing, absent):
    api = await SessionApi().start()
    status, session = await api.create(**{missing: absent, "create_session_with_single_party": True})
    assert status == 201
    assert session[missing] == ""
    assert session[given] in (FIRST[1:], SECOND[1:])
    body = {given: absent, missing: absent, "create_session_with_single_party": True}
    assert await api.create(**body) == (400, MANDATORY.format("first_party"))


@pytest.mark.row("2.3/create_session_with_single_Party")
async def test_the_go_clients_spelling_of_single_party_is_read():
    api = await SessionApi().start()
    status, session = await api.create(second_party="", create_session_with_single_Party=True)
    assert (status, session["create_session_with_single_party"]) == (201, True)


@pytest.mark.row("3/parties", "6.3/missing party added")
async def test_only_the_missing_party_of_a_session_of_one_party_may_be_filled_in():
    api = await SessionApi().start()
    _, session = await api.create(second_party="", create_session_with_single_party=True)
    status, body = await api.ask("POST", session["session_uuid"], json={"second_party": SECOND})
    assert (status, body["session"]["second_party"]) == (200, SECOND[1:])
    _, ordinary = await api.create(first_party="+6590000071", second_party="+6590000072")
    status, body = await api.ask("POST", ordinary["session_uuid"], json={"second_party": "+6590000073"})
    assert (status, body["error"]) == (400, "Invalid parameter. second_party cannot be changed")


@pytest.mark.row("3/what may not change")
async def test_what_is_fixed_is_refused_by_name_when_it_would_change():
    api = await SessionApi().start()
    _, session = await api.create(**ASKED, **PINS)
    path = session["session_uuid"]
    other = {
        "first_party": "+6590000073", "second_party": "+6590000074", "initiate_call_to_first_party": True,
        "is_pin_authentication_required": False, "pin_prompt_play": URL + "2", "pin_retry": 4, "pin_retry_wait": 9,
        "incorrect_pin_play": URL + "3", "subaccount": "SA0123456789ABCDEFGH", "first_party_pin": "9999",
    }  # fmt: skip
    for name, value in other.items():
        status, body = await api.ask("POST", path, json={name: value})
        assert status == 400, name
        assert name in body["error"]
        status, _ = await api.ask("POST", path, json={name: session[name]})
        assert status == 200, name
