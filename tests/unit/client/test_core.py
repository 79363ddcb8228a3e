"""What is sent, when it is sent again, and what an answer that is no success becomes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from maskline.client import (
    AuthenticationFailed,
    BadRequest,
    Conflict,
    ConnectFailed,
    ConnectionLost,
    Forbidden,
    NotFound,
    RequestRefused,
    Retries,
    ServerFailed,
    TimedOut,
    TooManyRequests,
    Unavailable,
    UnreadableAnswer,
)
from maskline.client.core import Again, Done, Response, SessionApi, read_error, split_base_url

KEY = "Idempotency-Key"
SESSION = {"session_uuid": "s-1", "status": "active"}
EXPIRED = {"api_id": "a-2", "error": "Session already expired"}


def api(base_url="https://masking.example.com", **retries):
    return SessionApi("MA1", "token", base_url, Retries(first_wait=0.0, **retries))


def answer(status, body=None, **headers):
    return Response(status, headers, b"" if body is None else json.dumps(body).encode())


class TestRequests:
    def test_a_create_is_a_post_of_what_was_given(self):
        request = (
            api().create("+6590000001", None, {"record": True, "callback_url": None, "ring_timeout": 30}, None).request
        )
        assert (request.method, request.target) == ("POST", "/v1/Account/MA1/Masking/Session/")
        assert json.loads(request.body) == {"first_party": "+6590000001", "record": True, "ring_timeout": 30}
        assert request.headers["Content-Type"] == "application/json"
        assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"MA1:token"
        assert request.headers["User-Agent"].startswith("maskline-python/")

    def test_the_vts_flavour_is_a_prefix_of_the_path(self):
        request = api("https://h.example/vts/").get("s-1").request
        assert (request.method, request.target) == ("GET", "/vts/v1/Account/MA1/Masking/Session/s-1/")

    def test_every_post_has_a_key_of_its_own_unless_it_is_given_one(self):
        first, second = (api().create("a", "b", {}, None).request.headers[KEY] for _ in range(2))
        assert UUID(first).version == UUID(second).version == 4
        assert first != second
        assert api().update("s-1", {}, "order-17").request.headers[KEY] == "order-17"

    def test_get_and_delete_have_no_key_and_no_body(self):
        for exchange in (api().get("s-1"), api().delete("s-1"), api().list({})):
            assert KEY not in exchange.request.headers
            assert exchange.request.body == b""

    @pytest.mark.parametrize("key", ["", "with blank", "ümlaut", "x" * 256, "line\nbreak"])
    def test_a_key_that_is_no_header_value_is_refused(self, key):
        with pytest.raises(ValueError, match="idempotency_key"):
            api().create("a", "b", {}, key)

    def test_filters_go_into_the_query(self):
        since = datetime(2024, 1, 31, 13, 5, tzinfo=UTC)
        filters = {"first_party": "+6590000001", "created_time__gte": since, "limit": 5, "status": None}
        target = urlsplit(api().list(filters).request.target)
        assert target.path == "/v1/Account/MA1/Masking/Session/"
        assert parse_qs(target.query) == {
            "first_party": ["+6590000001"], "created_time__gte": ["2024-01-31 13:05:00"], "limit": ["5"],
        }  # fmt: skip

    def test_a_session_id_cannot_leave_its_place_in_the_path(self):
        assert api().get("../x?y").request.target.endswith("/Masking/Session/..%2Fx%3Fy/")
        for method in (api().get, api().delete):
            with pytest.raises(ValueError, match="session_uuid"):
                method("")

    def test_a_misspelt_option_is_refused_because_the_server_would_skip_it(self):
        with pytest.raises(TypeError, match="'sesion_expiry'"):
            api().create("a", "b", {"sesion_expiry": 60}, None)
        with pytest.raises(TypeError, match="'virtual_number_cooloff_period'"):
            api().update("s-1", {"virtual_number_cooloff_period": 60}, None)
        with pytest.raises(TypeError, match="'state'"):
            api().list({"state": "active"})

    def test_credentials_are_needed(self):
        for auth_id, token in (("", "t"), ("MA1", "")):
            with pytest.raises(ValueError, match="auth_id and auth_token"):
                SessionApi(auth_id, token, "https://h.example", Retries())


class TestBaseUrl:
    @pytest.mark.parametrize(
        "url",
        ["masking.example.com", "ftp://h.example", "https://", "https://h.example/?x=1", "https://h.example/#x",
         "https://u:p@h.example", "https://h.example/v1/", "https://h.example/a b", "https://hö.example"],
    )  # fmt: skip
    def test_what_is_no_address_of_a_server_is_refused(self, url):
        with pytest.raises(ValueError, match="base_url"):
            split_base_url(url)

    def test_host_port_and_prefix_are_kept(self):
        parts = split_base_url("http://[::1]:8080/vts/")
        assert (parts.scheme, parts.hostname, parts.port, parts.path) == ("http", "::1", 8080, "/vts")


class TestTries:
    def test_a_success_is_done(self):
        step = api().get("s-1").received(answer(200, {"response": SESSION}))
        assert isinstance(step, Done)
        assert step.value.session_uuid == "s-1"

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_passing_trouble_is_met_by_the_same_request_again(self, status):
        exchange = api().create("a", "b", {}, None)
        request = exchange.request
        assert isinstance(exchange.received(answer(status)), Again)
        assert exchange.request is request
        assert isinstance(exchange.received(answer(201, {"session": SESSION})), Done)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 422, 500, 501, 302])
    def test_anything_else_is_not_repeated(self, status):
        with pytest.raises((RequestRefused, ServerFailed, UnreadableAnswer)):
            api().create("a", "b", {}, None).received(answer(status))

    def test_tries_are_counted_over_answers_and_silence(self):
        exchange = api(tries=3).get("s-1")
        exchange.failed(TimedOut("t"))
        exchange.received(answer(503))
        with pytest.raises(ConnectionLost):
            exchange.failed(ConnectionLost("c"))

    def test_the_last_answer_is_what_is_raised(self):
        exchange = api(tries=2).get("s-1")
        exchange.received(answer(502))
        with pytest.raises(Unavailable, match="busy") as raised:
            exchange.received(answer(503, {"error": "busy", "api_id": "a-1"}))
        assert (raised.value.status, raised.value.api_id) == (503, "a-1")

    def test_the_wait_follows_retry_after(self):
        step = api().get("s-1").received(answer(429, **{"retry-after": "3"}))
        assert step == Again(3.0)

    def test_a_certificate_nobody_trusts_is_not_tried_twice(self):
        with pytest.raises(ConnectFailed):
            api().get("s-1").failed(ConnectFailed("c", lasting=True))

    @pytest.mark.parametrize("lost", [TimedOut("t"), ConnectionLost("c"), 502, 503, 504])
    def test_a_delete_that_finds_the_session_expired_after_an_unknown_outcome_has_done_its_work(self, lost):
        exchange = api().delete("s-1")
        exchange.received(answer(lost)) if isinstance(lost, int) else exchange.failed(lost)
        step = exchange.received(answer(400, EXPIRED))
        assert isinstance(step, Done)
        assert (step.value.message, step.value.api_id) == ("Session expired", "a-2")

    @pytest.mark.parametrize("harmless", [None, ConnectFailed("c"), 429])
    def test_a_delete_of_an_expired_session_is_refused_when_no_try_of_ours_can_have_ended_it(self, harmless):
        exchange = api().delete("s-1")
        if isinstance(harmless, int):
            exchange.received(answer(harmless))
        elif harmless:
            exchange.failed(harmless)
        with pytest.raises(BadRequest, match="already expired"):
            exchange.received(answer(400, EXPIRED))

    def test_only_that_answer_to_only_a_delete_counts_as_done(self):
        exchange = api().delete("s-1")
        exchange.failed(TimedOut("t"))
        with pytest.raises(NotFound):
            exchange.received(answer(404, EXPIRED))
        exchange = api().update("s-1", {}, None)
        exchange.failed(TimedOut("t"))
        with pytest.raises(BadRequest):
            exchange.received(answer(400, EXPIRED))

    def test_a_conflict_with_our_own_unfinished_try_is_waited_out(self):
        exchange = api().create("a", "b", {}, None)
        exchange.failed(TimedOut("t"))
        assert isinstance(exchange.received(answer(409)), Again)
        with pytest.raises(Conflict):
            api().create("a", "b", {}, None).received(answer(409))

    def test_an_unreadable_success_says_its_status(self):
        with pytest.raises(UnreadableAnswer) as raised:
            api().get("s-1").received(Response(200, {}, b"<html>"))
        assert raised.value.status == 200


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [(400, BadRequest), (401, AuthenticationFailed), (403, Forbidden), (404, NotFound), (405, RequestRefused),
         (409, Conflict), (413, RequestRefused), (422, RequestRefused), (429, TooManyRequests), (500, ServerFailed),
         (502, Unavailable), (503, Unavailable), (504, Unavailable), (599, ServerFailed), (301, UnreadableAnswer)],
    )  # fmt: skip
    def test_each_status_has_its_class(self, status, kind):
        assert type(read_error(answer(status))) is kind

    def test_an_error_holds_what_the_server_said(self):
        body = {"api_id": "a-1", "error": "Number pool exhausted or not available", "detail": "first party is busy"}
        error = read_error(answer(400, body))
        assert (error.error, error.detail, error.api_id) == (body["error"], body["detail"], "a-1")
        assert str(error) == "Number pool exhausted or not available (first party is busy)"

    @pytest.mark.parametrize(
        ("text", "parameter"),
        [
            ("Invalid parameter. session_expiry is outside the allowed range", "session_expiry"),
            ("Mandatory parameter missing. second_party must be present", "second_party"),
            ("Session already expired", ""),
        ],
    )
    def test_the_parameter_is_read_from_the_servers_sentence(self, text, parameter):
        assert read_error(answer(400, {"error": text})).parameter == parameter

    def test_a_parameter_that_is_named_in_a_field_wins(self):
        assert read_error(answer(400, {"error": "No.", "parameter": "geomatch"})).parameter == "geomatch"

    @pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b'{"error": {"code": 7}}', b'{"error": ""}'])
    def test_a_body_of_another_kind_gives_way_to_the_status(self, body):
        assert str(read_error(Response(502, {}, body))) == "Bad Gateway"
        assert str(read_error(Response(599, {}, body))) == "Unexpected status"

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, None),
            ({"retry-after": "0"}, 0.0),
            ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
            ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:30 GMT"}, 0.0),
            ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
            ({"retry-after": "soon", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
            ({"retry-after": "Wed, 21 Oct 2026 07:28:30 -0000", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
            ({"retry-after": "9" * 400}, None),
        ],
    )  # fmt: skip
    def test_retry_after_is_seconds_or_a_date_against_the_answers_own(self, headers, seconds):
        assert read_error(answer(429, **headers)).retry_after == seconds
