"""The flavour of the VTS pages: the page's own response, byte by byte, and what the page does not show.

Normal form of the comparison: the page's text without the blanks and line ends between its tokens, which is JSON as
this server writes it. Keys, their order, and type and text of every value then have to be equal byte for byte.
"""

from __future__ import annotations

import calendar
import json
import re
import time
from dataclasses import replace

import pytest

from maskline.api.plivo.openapi import FLAT_FIELDS, FLAT_NUMBERS, FLAT_PINS
from maskline.api.plivo.vts import flat_session
from maskline.client import reading
from maskline.clock import VirtualClock
from maskline.ids import SeededIds
from maskline.masking.decision import NumberUse
from maskline.masking.e164 import Number
from maskline.masking.policy import AccountPolicy
from maskline.masking.session import Interaction, PoolMode, Role, Session, SessionOptions
from tests.support.api_world import ApiWorld, credentials

PAGE = """{
"session_uuid": "abcd-1234-ab12-cd34",
"virtual_number": "+12205550020",
"status": "active",
"first_party": "+14155552345",
"second_party": "+12165554567",
"record": "true",
"recording_callback_url":"https://www.example.com/recording",
"record_file_format": null, 
"session_expiry": "3600",
"call_time_limit": "3600",
"initiate_call_to_first_party": "false",
"callback_url": "null",
"ring_timeout": "120",
"first_party_play_url": "null",
"second_party_play_url": "null", 
"created_time": "2023-08-17 21:26:44",
"modified_time": "2023-08-17 21:27:10",
"expiry_time": "null",
"last_interaction_time": "null",
"total_call_count": "0",
"total_call_amount": "0",
"total_call_billed_duration": "0",
"interaction": "{}"
}"""
CREATED = calendar.timegm(time.strptime("2023-08-17 21:26:44", "%Y-%m-%d %H:%M:%S"))
UPDATED = CREATED + 26
SESSION = Session(
    id="abcd-1234-ab12-cd34", account_id="MA0123456789ABCDEFGH", subaccount_id=None,
    first_party=Number("14155552345"), second_party=Number("12165554567"), virtual_number=Number("12205550020"),
    options=SessionOptions(record=True, recording_callback_url="https://www.example.com/recording"),
    created_at=CREATED, modified_at=UPDATED, expires_at=CREATED + 3600, planned_duration=3600,
)  # fmt: skip


def normal_form(text):
    """Without blanks and line ends outside of strings."""
    return "".join(re.findall(r'"[^"]*"|[^\s"]+', text))


def shown(session, wall=UPDATED):
    return flat_session(session, "https://h.example", wall)


class PageIds(SeededIds):
    def uuid(self):
        return "abcd-1234-ab12-cd34"


class Api(ApiWorld):
    """One account with the page's number."""

    async def start(self, **settings):
        await self.store.open()
        self.acme = await self.account()
        await self.number(self.acme, "+12205550020")
        self.http = self.client(**settings)
        self.path = f"/vts/v1/Account/{self.acme.id}/Masking/Session"
        return self

    async def ask(self, method, path="", headers=None, **more):
        headers = dict(credentials(self.acme)) | (headers or {})
        return await self.http.request(method, self.path + path, headers=headers, **more)


PARTIES = {"first_party": "+14155552345", "second_party": "+12165554567"}
CHANGE = {"record": "true", "recording_callback_url": "https://www.example.com/recording"}


@pytest.mark.row("4/nested bodies")
def test_the_session_of_the_page_is_written_as_on_the_page():
    assert json.dumps(shown(SESSION), separators=(",", ":")) == normal_form(PAGE)


@pytest.mark.row("4/nested bodies")
async def test_the_request_of_the_page_is_answered_with_the_response_of_the_page():
    api = Api()
    api.ids, api.clock = PageIds(), VirtualClock(CREATED)
    await api.start()
    await api.ask("POST", "/", json=PARTIES)
    api.clock.advance(UPDATED - CREATED)
    response = await api.ask("POST", "/abcd-1234-ab12-cd34", json=CHANGE)
    assert response.status_code == 200
    assert response.content == normal_form(PAGE).encode()


async def test_create_and_get_answer_with_the_same_flat_object():
    api = await Api().start()
    made = await api.ask("POST", json=PARTIES)
    assert made.status_code == 201
    session_id = made.json()["session_uuid"]
    found = await api.ask("GET", f"/{session_id}/")
    assert (found.status_code, found.content) == (200, made.content)
    assert list(made.json()) == list(FLAT_FIELDS)


async def test_a_list_has_sessions_and_beside_them_how_to_go_on():
    api = await Api().start()
    await api.number(api.acme, "+12205550021")
    ids = []
    for _ in range(2):
        ids.insert(0, (await api.ask("POST", json=PARTIES)).json()["session_uuid"])
        api.clock.advance(1)
    body = (await api.ask("GET", "/?limit=1")).json()
    assert [session["session_uuid"] for session in body["sessions"]] == ids[:1]
    assert list(body["sessions"][0]) == list(FLAT_FIELDS)
    assert body["meta"] == {
        "limit": 1, "next": f"{api.path}/?limit=1&offset=1", "offset": 0, "previous": None, "total_count": 2,
    }  # fmt: skip


async def test_expiry_and_errors_look_as_ever():
    api = await Api().start()
    session_id = (await api.ask("POST", json=PARTIES)).json()["session_uuid"]
    gone = await api.ask("DELETE", f"/{session_id}")
    assert (gone.status_code, gone.json()["message"]) == (200, "Session expired")
    again = await api.ask("DELETE", f"/{session_id}")
    assert (again.status_code, again.json()["error"]) == (400, "Session already expired")
    over = (await api.ask("GET", f"/{session_id}")).json()
    assert (over["status"], over["expiry_time"]) == ("expired", over["modified_time"])


async def test_everything_may_be_sent_as_text_and_a_body_be_sent_back_as_it_came():
    api = await Api().start()
    wish = PARTIES | {"session_expiry": "600", "call_time_limit": "700", "ring_timeout": "30", "geomatch": "true"}
    made = (await api.ask("POST", json=wish | {"record": "false", "initiate_call_to_first_party": "false"})).json()
    assert (made["session_expiry"], made["call_time_limit"], made["ring_timeout"]) == ("600", "700", "30")
    again = await api.ask("POST", "/" + made["session_uuid"], json=made)
    assert (again.status_code, again.json()) == (200, made)


async def test_under_a_vts_host_the_plain_path_speaks_this_flavour_and_metrics_tell_it():
    api = await Api().start(vts_hosts=["API.vtscom.net"])
    api.path = api.path.removeprefix("/vts")
    flat = await api.ask("POST", json=PARTIES, headers={"Host": "api.VTScom.net:8443"})
    assert list(flat.json()) == list(FLAT_FIELDS)
    session_id = flat.json()["session_uuid"]
    assert "response" in (await api.ask("GET", "/" + session_id)).json()
    listed = (await api.ask("GET", "?limit=1", headers={"Host": "api.vtscom.net"})).json()
    assert [session["session_uuid"] for session in listed["sessions"]] == [session_id]
    metrics = (await api.http.get("/metrics")).text
    assert 'maskline_http_requests_total{dialect="vts",operation="create",status="201"} 1.0' in metrics
    assert 'maskline_http_requests_total{dialect="plivo",operation="get",status="200"} 1.0' in metrics


def test_what_was_set_is_shown_and_what_is_missing_is_the_word_null():
    options = SessionOptions(
        record_file_format="wav", callback_url="https://h.example/cb", first_party_play_url="https://h.example/a",
        second_party_play_url="https://h.example/b",
    )  # fmt: skip
    flat = shown(replace(SESSION, options=options, second_party=None))
    assert flat["record_file_format"] == "wav"
    assert flat["second_party"] == flat["recording_callback_url"] == "null"
    assert flat["callback_url"] == "https://h.example/cb"
    assert (flat["first_party_play_url"], flat["second_party_play_url"]) == (
        "https://h.example/a",
        "https://h.example/b",
    )


def test_calls_are_counted_in_texts_and_listed_as_json_in_a_text():
    interaction = Interaction("c", CREATED + 1, CREATED + 21, Role.FIRST, "leg-1", None, 20, 60, 1, amount=1_500_000)
    used = replace(
        SESSION, interactions=(interaction,), last_interaction_at=CREATED + 21, total_call_count=1,
        total_call_billed_duration=60, total_call_amount=1_500_000,
    )  # fmt: skip
    flat = shown(used)
    assert [flat[f"total_call_{name}"] for name in ("count", "amount", "billed_duration")] == ["1", "1.5", "60"]
    assert flat["last_interaction_time"] == "2023-08-17 21:27:05"
    (told,) = json.loads(flat["interaction"])
    assert (told["total_call_amount"], told["duration"], told["start_time"]) == (
        1.5, 20, "2023-08-17 21:26:45 +0000 UTC",
    )  # fmt: skip


def test_the_expiry_is_told_once_the_session_is_over():
    assert shown(SESSION, SESSION.expires_at - 0.001)["expiry_time"] == "null"
    assert shown(SESSION, SESSION.expires_at)["expiry_time"] == "2023-08-17 22:26:44"
    assert shown(SESSION, SESSION.expires_at)["status"] == "expired"


PINS = {"is_pin_authentication_required": "true", "generate_pin": "true", "pin_prompt_play": "https://h.example/a.mp3"}


async def test_a_session_with_a_number_for_each_party_shows_both_behind_the_pages_keys():
    api = await Api().start()
    await api.number(api.acme, "+12205550021")
    await api.store.update_account(replace(api.acme, policy=AccountPolicy((PoolMode.SPLIT,))))
    await api.ask("POST", json={"first_party": "+14155550099", "second_party": PARTIES["second_party"]})
    made = (await api.ask("POST", json=PARTIES)).json()
    assert list(made) == [*FLAT_FIELDS, *FLAT_NUMBERS]
    numbers = {made["first_party_virtual_number"], made["second_party_virtual_number"]}
    assert (made["pool_mode"], numbers) == ("split", {"+12205550020", "+12205550021"})
    assert made["virtual_number"] == made["first_party_virtual_number"]
    told = reading.read_reply(made, {})
    assert (told.pool_mode, told.second_party_virtual_number) == ("split", made["second_party_virtual_number"])


async def test_generated_pins_are_told_as_texts_and_the_body_may_be_sent_back_as_it_came():
    api = await Api().start()
    made = (await api.ask("POST", json=PARTIES | PINS)).json()
    assert list(made) == [*FLAT_FIELDS, *FLAT_NUMBERS, *FLAT_PINS]
    assert {name: made[name] for name in (*FLAT_NUMBERS, *FLAT_PINS)} == PINS | {
        "pool_mode": "shared", "first_party_virtual_number": "+12205550020",
        "second_party_virtual_number": "+12205550020", "force_pin_authentication": "false", "generate_pin_length": "4",
        "first_party_pin": made["first_party_pin"], "second_party_pin": made["second_party_pin"],
        "pin_retry": "1", "pin_retry_wait": "5", "incorrect_pin_play": "null",
    }  # fmt: skip
    assert [len(made[name]) for name in ("first_party_pin", "second_party_pin")] == [4, 4]
    again = await api.ask("POST", "/" + made["session_uuid"], json=made)
    assert (again.status_code, again.json()) == (200, made)
    told = reading.read_reply(made, {})
    assert (told.first_party_pin, told.second_party_pin) == (made["first_party_pin"], made["second_party_pin"])
    assert (told.generate_pin, told.generate_pin_length, told.pin_retry, told.incorrect_pin_play) == (True, 4, 1, None)
    assert told.extra == {}


async def test_a_pin_that_the_pool_had_to_make_is_told_too():
    api = await Api().start()
    await api.store.update_account(replace(api.acme, policy=AccountPolicy((PoolMode.SHARED, PoolMode.PIN))))
    (number,) = await api.store.numbers(api.acme.id)
    await api.store.update_number(replace(number, use=NumberUse.PIN), 0.0)
    made = (await api.ask("POST", json=PARTIES)).json()
    assert (made["pool_mode"], made["is_pin_authentication_required"]) == ("pin", "true")
    assert made["first_party_pin"] != made["second_party_pin"]
