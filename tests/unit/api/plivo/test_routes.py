"""The five operations over HTTP: statuses and whole bodies, good input and bad."""

from __future__ import annotations

import uuid

import pytest
import structlog

from maskline.errors import StoreUnavailable
from maskline.logs import EVENTS
from maskline.masking.session import Interaction, Role, SessionOptions
from maskline.storage.store import RecordedCall
from tests.support.api_world import FIRST, NUMBER, PARTIES, ApiWorld, basic, credentials

pytestmark = pytest.mark.usefixtures("each_store")


class Api(ApiWorld):
    """One account with one number and a client with its credentials."""

    async def start(self):
        await self.store.open()
        self.acme = await self.account()
        await self.number(self.acme)
        self.http = self.client(rate_limit=0)
        self.path = f"/v1/Account/{self.acme.id}/Masking/Session"
        return self

    async def ask(self, method, path="", *, headers=None, **more):
        headers = credentials(self.acme) if headers is None else headers
        response = await self.http.request(method, self.path + path, headers=dict(headers), **more)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        body = response.json()
        assert uuid.UUID(body.pop("api_id"))
        return response.status_code, body

    async def create(self, **more):
        status, body = await self.ask("POST", "/", json=PARTIES | more)
        assert status == 201
        return body["session_uuid"]


@pytest.mark.row("1/create", "5/virtual_number")
async def test_create_answers_201_with_the_session_in_a_wrapper():
    api = await Api().start()
    status, body = await api.ask("POST", "/", json=PARTIES | {"session_expiry": 600})
    session = body.pop("session")
    assert status == 201
    assert body == {
        "session_uuid": session["session_uuid"],
        "virtual_number": NUMBER,
        "message": "Session created",
    }
    assert (session["virtual_number"], session["first_party"]) == (NUMBER[1:], FIRST[1:])
    assert (session["status"], session["duration"]) == ("active", 600)


@pytest.mark.row("1/retrieve")
async def test_get_answers_the_same_session_in_response():
    api = await Api().start()
    _, created = await api.ask("POST", json=PARTIES)
    status, body = await api.ask("GET", "/" + created["session_uuid"])
    assert (status, body) == (200, {"response": created["session"]})


@pytest.mark.row("1/update", "3/session_uuid in the body", "2.3/booleans as text")
async def test_update_answers_200_with_the_session():
    api = await Api().start()
    session_id = await api.create()
    status, body = await api.ask("POST", f"/{session_id}/", json={"session_uuid": session_id, "record": "true"})
    assert status == 200
    assert body["message"] == "Session updated"
    assert body["session"]["record"] is True


@pytest.mark.row("1/expire", "1.1/request body", "1.2/already expired", "4/expire keeps the row")
async def test_expire_answers_200_with_a_body_and_ignores_what_clients_send_along():
    api = await Api().start()
    for sent in ({"json": {"session_uuid": "x"}}, {"content": b"{}"}, {"content": b"not json"}, {}):
        session_id = await api.create()
        assert await api.ask("DELETE", f"/{session_id}/", **sent) == (200, {"message": "Session expired"})
        assert await api.ask("DELETE", f"/{session_id}/", **sent) == (400, {"error": "Session already expired"})
        _, body = await api.ask("GET", f"/{session_id}/", content=b"ignored")
        assert body["response"]["status"] == "expired"


@pytest.mark.row("1/list", "5/resource_uri", "4/order and windows")
async def test_list_answers_meta_and_objects_with_their_uris():
    api = await Api().start()
    first = await api.create()
    api.clock.advance(1)
    await api.ask("DELETE", f"/{first}")
    second = await api.create()
    status, body = await api.ask("GET", "/")
    assert status == 200
    response = body["response"]
    assert response["meta"] == {"limit": 20, "next": None, "offset": 0, "previous": None, "total_count": 2}
    assert [session["session_uuid"] for session in response["objects"]] == [second, first]
    assert response["objects"][0]["resource_uri"] == f"{api.path}/{second}/"


async def test_list_pages_and_filters():
    api = await Api().start()
    ids = []
    for _ in range(3):
        ids.insert(0, await api.create())
        await api.ask("DELETE", f"/{ids[0]}")
        api.clock.advance(1)
    seen, url = [], "/?limit=2&status=expired&first_party=%2B6590000001"
    while url:
        _, body = await api.ask("GET", url)
        seen += [session["session_uuid"] for session in body["response"]["objects"]]
        following = body["response"]["meta"]["next"]
        url = following and following.removeprefix(api.path)
    assert seen == ids
    _, body = await api.ask("GET", "/?status=active")
    assert body["response"]["objects"] == []


@pytest.mark.row("1/trailing slash")
async def test_both_slash_forms_and_double_slashes_are_served_directly():
    api = await Api().start()
    session_id = await api.create()
    for path in (f"/{session_id}", f"/{session_id}/", f"//{session_id}//"):
        assert (await api.ask("GET", path))[0] == 200
        assert (await api.ask("POST", path, json={"record": True}))[0] == 200
    for path in ("", "/", "//"):
        assert (await api.ask("GET", path))[0] == 200
    assert (await api.ask("DELETE", f"//{session_id}"))[0] == 200


async def test_defaults_come_from_the_preset():
    api = await Api().start()
    api.http = api.client(session_defaults=SessionOptions(1800, 14400, 45), rate_limit=0)
    _, body = await api.ask("POST", json=PARTIES)
    session = body["session"]
    assert [session[name] for name in ("session_expiry", "call_time_limit", "ring_timeout")] == [1800, 14400, 45]


@pytest.mark.row("1/call links")
async def test_links_begin_with_the_public_url_or_the_request():
    api = await Api().start()
    session_id = await api.create()
    done = Interaction("c", api.clock.wall(), api.clock.wall() + 9, Role.FIRST, "leg-a", "leg-b", 18, 60, 2)
    await api.store.commit_calls([RecordedCall((), api.acme.id, session_id=session_id, interaction=done)])
    for http, start in (
        (api.http, "http://api.test"),
        (api.client(public_url="https://mask.example"), "https://mask.example"),
    ):
        api.http = http
        _, body = await api.ask("GET", f"/{session_id}/")
        (interaction,) = body["response"]["interaction"]
        assert interaction["second_party_resource_url"] == f"{start}/v1/Account/{api.acme.id}/Call/leg-b"
        assert body["response"]["total_call_count"] == 2


class TestCredentials:
    ANSWER = (401, {"error": "The credentials are missing or wrong"})

    async def test_missing_or_wrong_are_401_with_a_challenge(self):
        api = await Api().start()
        for headers in ({}, basic(api.acme.id, "wrong"), {"Authorization": "Bearer x"}):
            assert await api.ask("GET", headers=headers) == self.ANSWER
        response = await api.http.get(api.path)
        assert response.headers["www-authenticate"].startswith("Basic realm=")

    @pytest.mark.row("1.1/path id")
    async def test_of_another_account_are_401(self):
        api = await Api().start()
        other = await api.account("Other")
        assert await api.ask("GET", headers=credentials(other)) == self.ANSWER

    @pytest.mark.row("1.1/subaccount credentials", "5/subaccount")
    async def test_of_a_subaccount_work_at_its_own_path_only(self):
        api = await Api().start()
        rides = await api.subaccount(api.acme)
        await api.number(rides, "+6531580009")
        assert await api.ask("GET", headers=credentials(rides)) == self.ANSWER
        api.path = f"/v1/Account/{rides.id}/Masking/Session"
        for headers in (credentials(rides), credentials(api.acme)):
            status, body = await api.ask(
                "POST", headers=headers, json={"first_party": FIRST, "second_party": "+6590000077"}
            )
            assert (status, body["session"]["subaccount"]) == (201, rides.id)
            assert (await api.ask("DELETE", "/" + body["session_uuid"], headers=headers))[0] == 200


class TestForeignSessions:
    ANSWER = (404, {"error": "There is no such session in this account"})

    @pytest.mark.parametrize(("method", "more"), [("GET", {}), ("POST", {"json": {"record": True}}), ("DELETE", {})])
    async def test_and_unknown_ones_are_404_alike(self, method, more):
        api = await Api().start()
        session_id = await api.create()
        other = await api.account("Other")
        api.path = f"/v1/Account/{other.id}/Masking/Session"
        for wanted in (session_id, str(uuid.uuid4()), "x", "%00", "ü"):
            assert await api.ask(method, f"/{wanted}/", headers=credentials(other), **more) == self.ANSWER


class TestBadInput:
    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"{", "Invalid request. The body is not valid JSON"),
            (b'{"record": "true",\n}', "Invalid request. The body is not valid JSON"),
            (b"first_party=1", "Invalid request. The body is not valid JSON"),
            (b"\xff\xff", "Invalid request. The body is not valid JSON"),
            (b"[" * 50_000, "Invalid request. The body is not valid JSON"),
            (b"[]", "Invalid request. The body is not a JSON object"),
            (b"", "Mandatory parameter missing. first_party must be present"),
            (b"{}", "Mandatory parameter missing. first_party must be present"),
        ],
    )
    async def test_bodies(self, content, error):
        api = await Api().start()
        assert await api.ask("POST", content=content) == (400, {"error": error})

    @pytest.mark.row(
        "1.2/not a phone number",
        "1.2/mandatory parameter",
        "1.2/outside the range",
        "1.2/record values",
        "1.2/record_file_format values",
        "1.2/recording_callback_url",
    )
    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"second_party": None}, "Mandatory parameter missing. second_party must be present"),
            ({"first_party": "abc"}, "Invalid parameter. first_party is not a valid phone number"),
            ({"second_party": 5}, "Invalid parameter. second_party is not a valid phone number"),
            ({"second_party": FIRST}, "Invalid parameter. second_party must differ from first_party"),
            ({"first_party": NUMBER}, "Invalid parameter. first_party is a virtual number of this account"),
            ({"session_expiry": 59}, "Invalid parameter. session_expiry is outside the allowed range"),
            ({"call_time_limit": 86401}, "Invalid parameter. call_time_limit is outside the allowed range"),
            ({"record": "maybe"}, "Invalid parameter. record allowed values are true or false"),
            ({"record_file_format": "ogg"}, "Invalid parameter. record_file_format allowed values are mp3 or wav"),
            ({"recording_callback_url": "x"}, "Invalid parameter. recording_callback_url should be a valid URL"),
            (
                {"recording_callback_url": "http://h/" + "a" * 991},
                "Invalid parameter. recording_callback_url should be under 1000 characters",
            ),
            (
                {"second_party": None, "create_session_with_single_party": True, "initiate_call_to_first_party": True},
                "Invalid parameter. initiate_call_to_first_party needs both parties",
            ),
            ({"subaccount": "SA0"}, "Invalid parameter. subaccount is not a subaccount of this account"),
        ],
    )
    async def test_values(self, body, error):
        api = await Api().start()
        status, answer = await api.ask("POST", json=PARTIES | body)
        detail = answer.pop("detail", None)
        assert (status, answer) == (400, {"error": error})
        assert detail == ("Allowed are 60 to 86400" if "range" in error else None)

    @pytest.mark.row("2.2/unknown keys and null")
    async def test_unknown_keys_are_ignored(self):
        api = await Api().start()
        assert (await api.ask("POST", json=PARTIES | {"powerpack_uuid": "x", "x": {"y": []}}))[0] == 201

    async def test_an_oversized_body_is_413(self):
        api = await Api().start()
        answer = (413, {"error": "The request body is larger than 64 kB"})
        assert await api.ask("POST", json=PARTIES | {"x": "y" * 70_000}) == answer

    async def test_a_list_filter(self):
        api = await Api().start()
        answer = (400, {"error": "Invalid parameter. limit is outside the allowed range"})
        assert await api.ask("GET", "?limit=21") == answer

    @pytest.mark.row("3/what may not change")
    async def test_a_fixed_attribute_cannot_change(self):
        api = await Api().start()
        session_id = await api.create()
        answer = (400, {"error": "Invalid parameter. second_party cannot be changed"})
        assert await api.ask("POST", f"/{session_id}", json={"second_party": "+6590000055"}) == answer
        assert (await api.ask("POST", f"/{session_id}", json={"second_party": "6590000002"}))[0] == 200

    @pytest.mark.row("1.2/pool exhausted", "6.2/exhausted")
    async def test_an_exhausted_pool_is_400_with_the_cause_beside_the_text(self):
        api = await Api().start()
        await api.create()
        status, body = await api.ask("POST", json={"first_party": FIRST, "second_party": "+6590000003"})
        assert (status, body["error"]) == (400, "Number pool exhausted or not available")
        assert body["detail"].startswith("first party already holds the only number of SG; earliest free ")

    @pytest.mark.parametrize(("method", "path"), [("PUT", ""), ("DELETE", ""), ("PATCH", "/x"), ("PUT", "/x")])
    async def test_a_wrong_method_is_405_and_names_the_right_ones(self, method, path):
        api = await Api().start()
        answer = (405, {"error": "This method is not allowed for the requested resource"})
        assert await api.ask(method, path) == answer
        response = await api.http.request(method, api.path + path)
        assert {"GET", "POST"} <= set(response.headers["allow"].split(", "))

    async def test_an_unknown_resource_is_404(self):
        api = await Api().start()
        assert await api.ask("GET", "/a/b") == (404, {"error": "The requested resource does not exist"})


async def test_head_is_answered_like_get_without_a_body():
    api = await Api().start()
    session_id = await api.create()
    response = await api.http.head(f"{api.path}/{session_id}", headers=dict(credentials(api.acme)))
    assert response.status_code == 200


@pytest.mark.row("1.1/rate limit")
async def test_the_301st_request_in_five_seconds_is_429():
    api = await Api().start()
    api.http = api.client(rate_limit=300)
    for _ in range(300):
        assert (await api.ask("GET"))[0] == 200
    assert await api.ask("GET") == (429, {"error": "Too many requests. Try again later"})
    response = await api.http.get(api.path, headers=dict(credentials(api.acme)))
    assert 5 <= int(response.headers["retry-after"]) <= 6
    api.clock.advance(5)
    assert (await api.ask("GET"))[0] == 200


async def test_a_database_that_is_away_is_503(monkeypatch):
    api = await Api().start()

    async def away(*_args, **_kwargs):
        raise StoreUnavailable

    monkeypatch.setattr(api.store, "create_session", away)
    assert await api.ask("POST", json=PARTIES) == (503, {"error": "The database does not answer"})


@pytest.mark.row("1.2/internal error")
async def test_a_bug_is_500_without_a_traceback_and_one_line_without_numbers(monkeypatch):
    api = await Api().start()

    async def broken(*_args, **_kwargs):
        raise RuntimeError(f"party {FIRST} is odd")

    monkeypatch.setattr(api.store, "create_session", broken)
    with structlog.testing.capture_logs() as lines:
        assert await api.ask("POST", json=PARTIES) == (500, {"error": "Internal server error"})
    (line,) = lines
    assert (line["event"], line["error"]) == ("request_failed", "RuntimeError")
    assert "test_routes.py:" in line["at"]
    assert FIRST[1:] not in str(line)
    assert line["event"] in EVENTS


async def test_the_description_is_published():
    async with ApiWorld().client() as client:
        response = await client.get("/v1/openapi.json")
    assert response.status_code == 200
    assert response.json()["openapi"] == "3.1.0"
