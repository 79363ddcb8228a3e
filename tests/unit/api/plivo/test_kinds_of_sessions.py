"""Sessions with PINs, with a single party, and with a number for each party, over HTTP from create to end."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog

from maskline.masking.policy import AccountPolicy
from maskline.masking.session import PoolMode
from tests.support.api_world import FIRST, PARTIES, SECOND
from tests.support.session_api import SessionApi

PLAY = "https://h.example/enter.mp3"
PINS = {"is_pin_authentication_required": True, "pin_prompt_play": PLAY}
GIVEN = PINS | {"first_party_pin": "482913", "second_party_pin": 570264}


async def api_with(*modes):
    api = await SessionApi().start()
    if modes:
        await api.store.update_account(replace(api.acme, policy=AccountPolicy(modes)))
    return api


class TestPins:
    @pytest.mark.row("5/PIN details", "2.3/pin as number")
    async def test_given_ones_are_shown_as_text_by_every_operation(self):
        api = await api_with()
        _, session = await api.create(**GIVEN)
        path = session["session_uuid"]
        _, found = await api.ask("GET", path)
        _, changed = await api.ask("POST", path, json={"record": True})
        _, listed = await api.ask("GET")
        for shown in (session, found["response"], changed["session"], listed["response"]["objects"][0]):
            assert (shown["first_party_pin"], shown["second_party_pin"]) == ("482913", "570264")
            assert (shown["pin_prompt_play"], shown["pin_retry"], shown["pin_retry_wait"]) == (PLAY, 1, 5)
            assert (shown["generate_pin"], shown["incorrect_pin_play"]) == (False, "")

    @pytest.mark.row("2/generate_pin", "2/generate_pin_length")
    async def test_made_ones_have_the_length_asked_for_and_differ(self):
        api = await api_with()
        for body, length in (({}, 4), ({"generate_pin_length": "15"}, 15)):
            _, session = await api.create(**PINS, generate_pin="true", **body)
            pins = {session["first_party_pin"], session["second_party_pin"]}
            assert [(len(pin), pin.isdecimal()) for pin in pins] == [(length, True)] * 2
            assert session["generate_pin_length"] == length

    @pytest.mark.row("2/first_party_pin", "2/second_party_pin")
    async def test_must_differ(self):
        api = await api_with()
        refusal = (400, "Invalid parameter. second_party_pin must differ from first_party_pin")
        assert await api.create(**GIVEN | {"second_party_pin": "482913"}) == refusal

    async def test_stand_in_no_refusal_and_no_log_line(self, monkeypatch):
        api = await api_with()
        _, session = await api.create(**GIVEN)
        with structlog.testing.capture_logs() as lines:
            told = [
                await api.create(**GIVEN | {"second_party_pin": "482913x"}),
                await api.ask("POST", session["session_uuid"], json={"first_party_pin": "570264"}),
            ]

            async def broken(*_args, **_more):
                raise RuntimeError("482913 570264")

            monkeypatch.setattr(api.store, "create_session", broken)
            told.append(await api.ask("POST", json=PARTIES | GIVEN))
        assert [status for status, _ in told] == [400, 400, 500]
        for pin in ("482913", "570264"):
            assert pin not in str(told)
            assert pin not in str(lines)

    @pytest.mark.row("5/PIN details")
    async def test_are_null_without_pin_authentication_whatever_was_sent(self):
        api = await api_with()
        _, session = await api.create(**GIVEN | {"is_pin_authentication_required": False, "generate_pin": True})
        for name in (
            "generate_pin", "generate_pin_length", "first_party_pin", "second_party_pin", "pin_prompt_play",
            "pin_retry", "pin_retry_wait", "incorrect_pin_play",
        ):  # fmt: skip
            assert session[name] is None


class TestSingleParty:
    @pytest.mark.row("2/create_session_with_single_party", "5/parties", "5/single party and forced PIN")
    @pytest.mark.parametrize("given", ["first_party", "second_party"])
    @pytest.mark.parametrize("absent", ["", None])
    async def test_either_party_may_be_left_out(self, given, absent):
        api = await api_with()
        missing = "second_party" if given == "first_party" else "first_party"
        status, session = await api.create(create_session_with_single_party=True, **{missing: absent})
        assert status == 201
        assert (session[given], session[missing]) == (PARTIES[given][1:], "")
        assert (session["create_session_with_single_party"], session["pool_mode"]) == (True, "open")

    @pytest.mark.row("2/create_session_with_single_party", "2/first_party", "2/second_party")
    async def test_one_party_is_needed_and_without_the_flag_both(self):
        api = await api_with()
        missing = "Mandatory parameter missing. {} must be present"
        nobody = {"first_party": "", "second_party": None}
        assert await api.create(create_session_with_single_party=True, **nobody) == (400, missing.format("first_party"))
        for name in PARTIES:
            assert await api.create(**{name: ""}) == (400, missing.format(name))

    @pytest.mark.row("3/parties", "6.3/missing party added")
    async def test_the_missing_one_is_filled_in_by_an_update(self):
        api = await api_with()
        _, session = await api.create(create_session_with_single_party=True, second_party="")
        path = session["session_uuid"]
        status, body = await api.ask("POST", path, json={"second_party": SECOND, "record": False})
        assert (status, body["session"]["second_party"]) == (200, SECOND[1:])
        _, listed = await api.ask("GET", f"?second_party={SECOND[1:]}")
        assert [one["session_uuid"] for one in listed["response"]["objects"]] == [path]
        status, body = await api.ask("POST", path, json={"second_party": FIRST})
        assert (status, body["error"]) == (400, "Invalid parameter. second_party must differ from first_party")

    @pytest.mark.row("2.2/zeros of typed clients")
    async def test_what_javas_client_sends_in_each_update_is_no_change(self):
        api = await api_with()
        _, session = await api.create(create_session_with_single_party=True, second_party="")
        zeros = {"session_expiry": 0, "call_time_limit": 0, "ring_timeout": 0, "record": False}
        body = zeros | {"create_session_with_single_party": False}
        status, answer = await api.ask("POST", session["session_uuid"], json=body)
        assert (status, answer["session"]) == (200, session)

    async def test_both_pins_are_needed_here_too(self):
        api = await api_with()
        alone = {"create_session_with_single_party": True, "second_party": ""}
        status, session = await api.create(**alone | GIVEN)
        assert (status, session["pool_mode"]) == (201, "shared")
        status, told = await api.create(**alone | GIVEN | {"second_party_pin": ""})
        assert (status, told) == (400, "Mandatory parameter missing. second_party_pin must be present")


class TestTwoNumbers:
    async def test_each_party_sees_its_own_and_both_find_the_session(self):
        api = await api_with(PoolMode.SPLIT)
        await api.create(first_party="+6590000077")
        _, body = await api.ask("POST", json=PARTIES)
        session = body["session"]
        first, second = session["first_party_virtual_number"], session["second_party_virtual_number"]
        assert session["pool_mode"] == "split"
        assert first == session["virtual_number"] != second
        assert body["virtual_number"] == "+" + first
        for number in (first, second):
            _, listed = await api.ask("GET", f"?virtual_number=%2B{number}")
            assert session["session_uuid"] in [one["session_uuid"] for one in listed["response"]["objects"]]


@pytest.mark.row("1.2/pool exhausted", "6.2/exhausted")
async def test_a_refusal_for_want_of_numbers_says_who_holds_them_and_until_when():
    api = await api_with()
    for other in range(20):
        assert (await api.create(second_party=f"+6590001{other:03}"))[0] == 201
    status, body = await api.ask("POST", json=PARTIES)
    assert (status, body["error"]) == (400, "Number pool exhausted or not available")
    assert body["detail"] == "first party already holds all 20 numbers of SG; earliest free 23:14Z"
