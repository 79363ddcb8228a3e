"""The border of the 8x8 dialect: keys, ids in the path, shapes of errors, what belongs to no resource."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
import structlog
from prometheus_client import CollectorRegistry

from maskline.api.eight.errors import ErrorShape, Refused, error_body, error_headers, plain_body
from maskline.api.metrics import HttpMetrics
from maskline.errors import NotFound, StoreUnavailable, TooManyRequests
from maskline.logs import EVENTS
from maskline.workflows.api_keys import remove_api_key, switch_api_key
from maskline.workflows.remove_subaccount import remove_subaccount
from maskline.workflows.scope import Scope
from tests.support.api_world import basic
from tests.support.eight_api import AMY, RIDES, EightApi, bearer

pytestmark = pytest.mark.usefixtures("each_store")

LIST = "/speech-profiles"
VOICES = {
    "speechProfiles": [
        {
            "speechProfileCode": AMY.code, "localeCode": "en-US", "localeDescription": "English (America)",
            "gender": "F",
        }
    ],
    "count": 1, "statusCode": 0, "statusMessage": "ok",
}  # fmt: skip


def platform(answer):
    """(Status, code, message) of an error in the platform's shape."""
    status, body = answer
    assert uuid.UUID(body.pop("errorId"))
    assert body.pop("timestamp").endswith("Z")
    assert set(body) == {"code", "message"}
    return status, body["code"], body["message"]


NO_KEY = (401, 401, "The credentials are missing or wrong")
NOTHING = (404, 404, "There is no such account")


@pytest.mark.row("8x8:8/GET-speech-profiles", "8x8:8/auth")
async def test_a_key_opens_its_account_under_any_spelling_of_bearer():
    api = await EightApi().start()
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert await api.ask("GET", LIST, headers={"Authorization": f"{scheme}  {api.key}"}) == (200, VOICES)
    assert await api.ask("GET", LIST + "/") == (200, VOICES)


async def test_without_a_speech_engine_there_are_no_profiles():
    api = await EightApi().start(speech=None)
    nothing = {"speechProfiles": [], "count": 0, "statusCode": 0, "statusMessage": "ok"}
    assert await api.ask("GET", LIST) == (200, nothing)


class TestKeys:
    @pytest.mark.row("8x8:8/auth")
    async def test_that_are_none_or_wrong_are_401_with_a_challenge(self):
        api = await EightApi().start()
        for headers in (
            {}, bearer(""), bearer(" "), bearer("x" * 600), bearer(api.key + "x"), bearer(api.key[:-1]),
            {"Authorization": "Bearer ü".encode()},
            {"Authorization": api.key}, basic(api.acme.id, api.acme.auth_token),
        ):  # fmt: skip
            assert platform(await api.ask("GET", LIST, headers=headers)) == NO_KEY
        response = await api.http.get(api.path + LIST)
        assert response.headers["www-authenticate"] == 'Bearer realm="Maskline"'

    async def test_that_are_off_or_removed_are_refused_within_a_second(self):
        api = await EightApi().start()
        (key,) = await api.store.api_keys(api.acme.id)
        assert (await api.ask("GET", LIST))[0] == 200
        await switch_api_key(api.store, api.acme.id, key.id, enabled=False)
        assert (await api.ask("GET", LIST))[0] == 200
        api.clock.advance(1)
        assert platform(await api.ask("GET", LIST)) == NO_KEY
        await switch_api_key(api.store, api.acme.id, key.id, enabled=True)
        assert (await api.ask("GET", LIST))[0] == 200
        await remove_api_key(api.store, api.acme.id, key.id)
        api.clock.advance(1)
        assert platform(await api.ask("GET", LIST)) == NO_KEY

    async def test_of_an_account_that_is_disabled_or_removed_are_refused(self):
        api = await EightApi().start()
        key = bearer(await api.new_key(api.rides))
        api.path = f"/api/v1/subaccounts/{RIDES}"
        assert (await api.ask("GET", LIST, headers=key))[0] == 200
        await api.store.update_account(replace(api.rides, enabled=False))
        api.clock.advance(1)
        assert platform(await api.ask("GET", LIST, headers=key)) == NO_KEY
        await api.store.update_account(api.rides)
        await remove_subaccount(api.store, api.clock, Scope(api.acme.id), api.rides.id)
        assert platform(await api.ask("GET", LIST, headers=key)) == NO_KEY

    async def test_of_a_subaccount_are_refused_while_its_account_is_disabled(self):
        api = await EightApi().start()
        key = bearer(await api.new_key(api.rides))
        api.path = f"/api/v1/subaccounts/{RIDES}"
        await api.store.update_account(replace(api.acme, enabled=False))
        for headers in (key, None):
            assert platform(await api.ask("GET", LIST, headers=headers)) == NO_KEY
        await api.store.update_account(api.acme)
        assert (await api.ask("GET", LIST, headers=key))[0] == 200


class TestPaths:
    @pytest.mark.row("8x8:8/subAccountId", "8x8:8/base-url")
    async def test_name_a_subaccount_by_external_id_or_auth_id(self):
        api = await EightApi().start()
        own = bearer(await api.new_key(api.rides))
        for headers in (None, own):
            for name in (RIDES, api.rides.id):
                api.path = f"/api/v1/subaccounts/{name}"
                assert (await api.ask("GET", LIST, headers=headers)) == (200, VOICES)
        api.path = f"http://voice.example/api/v1/subaccounts/{RIDES}"
        assert (await api.ask("GET", LIST)) == (200, VOICES)

    @pytest.mark.row("8x8:8/subAccountId")
    async def test_that_are_foreign_or_unknown_are_404_alike(self):
        api = await EightApi().start()
        other = await api.name(await api.account("Other"), "other")
        branch = await api.name(await api.subaccount(other, "Other branch"), "branch")
        own = bearer(await api.new_key(api.rides))
        for name in (other.id, "other", branch.id, "branch", "unknown", "x" * 400, "%00", "ü", "a%20b"):
            api.path = f"/api/v1/subaccounts/{name}"
            assert platform(await api.ask("GET", LIST)) == NOTHING
            assert platform(await api.ask("GET", LIST, headers=own)) == NOTHING
        api.path = f"/api/v1/subaccounts/{api.acme.id}"
        assert platform(await api.ask("GET", LIST, headers=own)) == NOTHING

    async def test_that_name_a_disabled_subaccount_are_404_alike(self):
        api = await EightApi().start()
        await api.store.update_account(replace(api.rides, enabled=False))
        for name in (api.rides.id, RIDES):
            api.path = f"/api/v1/subaccounts/{name}"
            assert platform(await api.ask("GET", LIST)) == NOTHING
        await api.store.update_account(api.rides)
        assert (await api.ask("GET", LIST))[0] == 200

    async def test_say_nothing_without_a_key(self):
        api = await EightApi().start()
        for name in (api.acme.id, RIDES, "unknown"):
            api.path = f"/api/v1/subaccounts/{name}"
            assert platform(await api.ask("GET", LIST, headers=bearer("wrong"))) == NO_KEY

    async def test_an_account_may_be_named_by_its_external_id_too(self):
        api = await EightApi().start()
        await api.name(api.acme, "acme")
        api.path = "/api/v1/subaccounts/acme"
        assert (await api.ask("GET", LIST))[0] == 200


class TestNoResource:
    @pytest.mark.row("8x8:8.1/shape-platform", "8x8:7.3/not-served")
    @pytest.mark.parametrize("path", ["/calls", "/subaccounts", "/subaccounts/x", "/subaccounts/x/nothing"])
    async def test_is_404_in_the_platforms_shape(self, path):
        api = await EightApi().start()
        api.path = "/api/v1"
        answer = platform(await api.ask("POST", path, json={}))
        assert answer == (404, 404, "The requested resource does not exist")

    async def test_a_wrong_method_is_405_and_says_which_are_right(self):
        api = await EightApi().start()
        response = await api.http.request("PATCH", api.path + LIST)
        assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
        assert response.json()["code"] == 405


@pytest.mark.row("8x8:8/limits")
async def test_the_limit_of_an_account_holds_here_too():
    api = await EightApi().start(rate_limit=2)
    assert [(await api.ask("GET", LIST))[0] for _ in range(3)] == [200, 200, 429]
    response = await api.http.get(api.path + LIST, headers=bearer(api.key))
    assert int(response.headers["retry-after"]) >= 1
    api.path = f"/api/v1/subaccounts/{RIDES}"
    assert (await api.ask("GET", LIST))[0] == 200


@pytest.mark.row("8x8:8/TLS")
async def test_plain_http_is_answered_like_any_other():
    api = await EightApi().start()
    response = await api.http.get("http://api.test" + api.path + LIST, headers=bearer(api.key))
    assert (response.status_code, response.headers.get("upgrade")) == (200, None)


async def test_a_store_that_is_away_is_503_and_a_bug_is_500_with_a_line_that_tells_where(monkeypatch):
    api = await EightApi().start()

    def fails(error):
        async def voices():
            raise error

        return voices

    api.http = api.client(speech=type("Bad", (), {"voices": staticmethod(fails(StoreUnavailable()))}))
    assert platform(await api.ask("GET", LIST)) == (503, 503, "The database does not answer")
    api.http = api.client(speech=type("Bad", (), {"voices": staticmethod(fails(RuntimeError("+6590000001")))}))
    with structlog.testing.capture_logs() as lines:
        assert platform(await api.ask("GET", LIST)) == (500, 500, "An unknown error has occurred")
    (line,) = lines
    assert line["event"] in EVENTS
    assert line["error"] == "RuntimeError"
    assert "6590000001" not in str(line)
    assert ".py:" in line["at"]


async def test_the_document_is_served_without_a_key():
    api = await EightApi().start()
    api.path = "/api/v1"
    status, document = await api.ask("GET", "/openapi.json", headers={})
    assert (status, document["openapi"]) == (200, "3.1.0")


class TestShapes:
    WALL = 1_700_000_000.25
    TIME = "2023-11-14T22:13:20.250Z"

    @pytest.mark.row("8x8:8.1/shape-callflows", "8x8:8.1/shape-422", "8x8:8.1/shape-numbers")
    def test_four_of_one_error(self):
        error = Refused(1001, "Bad.")
        told = {shape: error_body(shape, error, "id", self.WALL) for shape in ErrorShape}
        assert error.http_status == 422
        assert told == {
            ErrorShape.FLOW: {
                "sessionStatus": "NOT_CREATED", "callFlowRequestId": "id", "statusCode": 1001,
                "statusMessage": "Bad",
            },
            ErrorShape.SERVICE: {
                "errorId": "id", "statusCode": "1001", "statusMessage": "Bad", "timestamp": self.TIME,
            },
            ErrorShape.NUMBER: {"statusCode": 1001, "statusMessage": "Bad", "timestamp": self.TIME},
            ErrorShape.PLATFORM: {"code": 1001, "message": "Bad", "errorId": "id", "timestamp": self.TIME},
        }  # fmt: skip

    def test_an_error_without_a_number_has_its_status(self):
        assert error_body(ErrorShape.NUMBER, NotFound("No."), "id", self.WALL)["statusCode"] == 404
        assert plain_body(ErrorShape.FLOW, 500, "No", "id", self.WALL)["statusCode"] == 500

    @pytest.mark.row("8x8:8.1/-9999")
    def test_a_flow_that_could_not_be_kept_for_no_fault_of_its_own_is_9999(self):
        body = error_body(ErrorShape.FLOW, StoreUnavailable(), "id", self.WALL)
        assert (body["statusCode"], body["statusMessage"]) == (-9999, "An unknown error has occurred")

    def test_headers_that_belong_to_a_status(self):
        assert error_headers(TooManyRequests(retry_after=2.2)) == {"Retry-After": "3"}
        assert error_headers(NotFound()) == {}


async def test_requests_are_counted_by_operation_and_status():
    registry = CollectorRegistry()
    counted = HttpMetrics(registry)
    counted.count("eight", "list_speech_profiles", 200, 0.1)
    labels = {"dialect": "eight", "operation": "list_speech_profiles", "status": "200"}
    assert registry.get_sample_value("maskline_http_requests_total", labels) == 1
    api = await EightApi().start()
    await api.ask("GET", LIST)
    text = (await api.http.get("/metrics")).text
    assert 'maskline_http_requests_total{dialect="eight",operation="list_speech_profiles",status="200"} 1.0' in text
