"""POST callflows: what is answered, what is refused and how, what is kept, and which requests are repeats."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest
import structlog

from maskline.errors import StoreUnavailable
from maskline.logs import EVENTS
from maskline.masking.decision import NumberState
from maskline.masking.e164 import Number
from maskline.storage.store import Endpoint
from tests.support.api_world import FIRST, NUMBER, SECOND
from tests.support.eight_api import AMY, RIDES, EightApi, bearer

pytestmark = pytest.mark.usefixtures("each_store")

DIAL = {"action": "makeCall", "params": {"source": NUMBER, "destination": FIRST}}
BRIDGE = {"action": "makeCall", "params": {"source": NUMBER[1:], "destination": SECOND[1:]}}
SAY = {"action": "say", "params": {"text": "Hello", "voiceProfile": AMY.code}}
CAPTURE = {"action": "sayAndCapture", "params": {"promptMessage": "Press", "voiceProfile": AMY.code.upper()}}
HANGUP = {"action": "hangup"}


class Flows(EightApi):
    async def start(self, **settings):
        self.notified = []
        return await super().start(requested=lambda: self.notified.append(1), **settings)

    async def send(self, *actions, key=None, headers=None, **more):
        """(Status, body) for a flow of these actions."""
        headers = {**(bearer(self.key) if headers is None else headers), **({"Idempotency-Key": key} if key else {})}
        return await self.ask("POST", "/callflows", headers=headers, json={"callflow": list(actions), **more})

    async def waiting(self):
        now = self.clock.wall()
        return await self.store.lease_requested_flows("reader", now=now, until=now, limit=99)

    async def refused(self, answer, code):
        """The sentence of an answer that refuses with this code, after which nothing is kept."""
        status, body = answer
        assert uuid.UUID(body.pop("callFlowRequestId"))
        assert body.pop("sessionStatus") == "NOT_CREATED"
        assert body.pop("statusCode") == code
        assert self.notified == []
        assert await self.waiting() == []
        sentence = body.pop("statusMessage")
        assert body == {}
        return status, sentence


def until(api, seconds):
    from maskline.webhooks.formats.eight_parts import iso_milliseconds

    return iso_milliseconds(api.clock.wall() + seconds)


@pytest.mark.row("8x8:8/POST-callflows", "8x8:8.1/1", "8x8:4/rule-two-makecalls", "8x8:2/numbers-in", "8x8:4/chained")
@pytest.mark.row("8x8:2/ids")
async def test_a_flow_is_acknowledged_and_kept_as_it_was_sent():
    api = await Flows().start()
    status, body = await api.send(DIAL, SAY, BRIDGE, HANGUP, clientRequestId="order 7")
    assert status == 200
    session, request = body.pop("sessionId"), body.pop("callFlowRequestId")
    assert uuid.UUID(session) and uuid.UUID(request) and session != request
    assert body == {"sessionStatus": "CREATED", "statusCode": 1, "statusMessage": "Created"}
    assert api.notified == [1]
    (flow,) = await api.waiting()
    assert (flow.id, flow.request_id, flow.account_id) == (session, request, api.acme.id)
    assert (flow.client_request_id, flow.valid_until, flow.requested_at) == ("order 7", None, api.clock.wall())
    assert json.loads(flow.body)["callflow"] == [DIAL, SAY, BRIDGE, HANGUP]


@pytest.mark.row("8x8:4/validUntil", "8x8:8/POST-callflows")
@pytest.mark.parametrize("text", ["2999-01-31T12:00:00.250Z", "2999-01-31T12:00:00Z"])
async def test_its_validity_is_echoed_as_it_was_written(text):
    api = await Flows().start()
    _, body = await api.send(DIAL, validUntil=text)
    assert body["validUntil"] == text
    (flow,) = await api.waiting()
    assert flow.valid_until is not None
    assert flow.valid_until % 1 == (0.25 if "." in text else 0)


@pytest.mark.row("8x8:13/C11")
async def test_what_nobody_knows_is_ignored_and_said_in_the_log_without_its_value():
    api = await Flows().start()
    dial = {**DIAL, "params": DIAL["params"] | {"callRecording": True, "ringTone": SECOND}}
    with structlog.testing.capture_logs() as lines:
        assert (await api.send(dial))[0] == 200
    (line,) = lines
    assert line["event"] in EVENTS
    assert line["places"] == ["$.callflow[0].params.ringTone is ignored"]


async def test_the_content_type_is_not_looked_at():
    api = await Flows().start()
    headers = bearer(api.key) | {"Content-Type": "text/plain"}
    content = json.dumps({"callflow": [DIAL]}).encode()
    assert (await api.ask("POST", "/callflows", headers=headers, content=content))[0] == 200


class TestRefused:
    """(HTTP status, code, sentence) of what is wrong."""

    @pytest.mark.row(
        "8x8:8.1/-1001", "8x8:8.1/-1007", "8x8:8.1/-1009", "8x8:8.1/-1016", "8x8:8.1/-1017", "8x8:8.1/http-status",
        "8x8:8.1/json-path", "8x8:4/strict-json", "8x8:8.1/-1011",
    )  # fmt: skip
    @pytest.mark.parametrize(
        ("content", "code", "sentence"),
        [
            (b"", -1001, "Invalid JSON request body"),
            (b'{"callflow": [],}', -1001, "Invalid JSON request body"),
            (b"\xff", -1001, "Invalid JSON request body"),
            (b"[]", -1009, "Invalid call flow entry provided. $ must be an object"),
            (b"{}", -1009, "Invalid call flow entry provided. $.callflow is missing"),
            ({"callflow": [{"action": "fly"}]}, -1007, "Invalid action type: $.callflow[0].action must be one of"),
            (
                {"callflow": [DIAL, {"action": "say", "params": {}}]}, -1009,
                "Invalid call flow entry provided. $.callflow[1].params.text is missing",
            ),
            (
                {"callflow": [DIAL, {**SAY, "params": SAY["params"] | {"text": "a\x00b"}}]}, -1016,
                "Invalid Callflow Content: Some special characters are invalid/unaccepted: $.callflow[1].params.text",
            ),
            (
                {"callflow": [{**DIAL, "params": DIAL["params"] | {"destination": "12"}}]}, -1017,
                "Invalid MSISDN format in Destination: $.callflow[0].params.destination",
            ),
            (
                {"callflow": [{**DIAL, "params": DIAL["params"] | {"destination": [FIRST, SECOND]}}]}, -1011,
                "Multiple destination phone numbers found in the request: $.callflow[0].params.destination",
            ),
        ],
    )  # fmt: skip
    async def test_for_its_form_with_400(self, content, code, sentence):
        api = await Flows().start()
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        status, told = await api.refused(await api.ask("POST", "/callflows", content=body), code)
        assert status == 400
        assert told.startswith(sentence)

    @pytest.mark.row(
        "8x8:8.1/-1010", "8x8:8.1/-1012", "8x8:8.1/-1013", "8x8:8.1/http-status", "8x8:4/rule-first-makecall",
        "8x8:4/rule-hangup-position", "8x8:4/rule-two-makecalls", "8x8:8.1/-1002", "8x8:4/say.voiceProfile",
        "8x8:8.1/-1018", "8x8:8.1/-1020",
    )  # fmt: skip
    @pytest.mark.parametrize(
        ("actions", "code"),
        [
            ([SAY, DIAL], -1013),
            ([], -1013),
            ([DIAL, BRIDGE, DIAL], -1010),
            ([DIAL, HANGUP, SAY], -1012),
            ([DIAL, {**SAY, "params": {"text": "Hi", "voiceProfile": "nobody"}}], -1002),
            ([DIAL, {**CAPTURE, "params": {"promptMessage": "Hi", "voiceProfile": ""}}], -1002),
            ([DIAL, {"action": "executeScenario", "params": {"scenarioName": "x"}}], -1018),
            ([{"action": "executeScenario", "params": {"scenarioName": "x"}}], -1020),
        ],
    )
    async def test_for_what_it_asks_with_422(self, actions, code):
        api = await Flows().start()
        status, _ = await api.refused(await api.send(*actions), code)
        assert status == 422

    async def test_for_any_voice_where_nothing_can_be_spoken(self):
        api = await Flows().start(speech=None)
        assert (await api.refused(await api.send(DIAL, SAY), -1002))[0] == 422
        assert (await api.send(DIAL))[0] == 200

    @pytest.mark.row("8x8:8.1/-1014", "8x8:4/makeCall.source")
    async def test_for_a_source_that_is_not_the_subaccounts_own(self):
        api = await Flows().start()
        other = await api.account("Other")
        for owner, number in ((other, "+6531580077"), (api.rides, "+6531580078")):
            await api.number(owner, number)
        retired = Number("6531580079")
        await api.number(api.acme, retired.e164)
        known = await api.store.number(retired)
        await api.store.update_number(replace(known, state=NumberState.RETIRED), api.clock.wall())
        for number in ("+6531580077", "+6531580078", retired.e164, FIRST, "+6531580099"):
            second = {**BRIDGE, "params": BRIDGE["params"] | {"source": number}}
            answer = await api.refused(await api.send(DIAL, second), -1014)
            assert answer == (422, "Source or caller ID is not allowed: $.callflow[1].params.source")
        api.path = f"/api/v1/subaccounts/{RIDES}"
        assert (await api.refused(await api.send(DIAL), -1014))[0] == 422
        own = {**DIAL, "params": DIAL["params"] | {"source": "+6531580078"}}
        assert (await api.send(own))[0] == 200

    @pytest.mark.row("8x8:8.1/-1015", "8x8:4/validUntil")
    async def test_when_its_validity_is_over(self):
        api = await Flows().start()
        for seconds in (0, -1, -1e6):
            answer = await api.refused(await api.send(DIAL, validUntil=until(api, seconds)), -1015)
            assert answer == (422, "The validity period of the call flow request has expired: $.validUntil")
        assert (await api.send(DIAL, validUntil=until(api, 1)))[0] == 200

    @pytest.mark.row("8x8:8.1/-1004")
    async def test_when_digits_are_asked_for_and_nobody_is_to_be_told_of_them(self):
        api = await Flows().start()
        endpoint = Endpoint(api.acme.id, "eight.call_action", "https://h.example/vca", enabled=False)
        other = replace(endpoint, kind="eight.call_status", enabled=True)
        for one in (endpoint, other):
            await api.store.set_endpoint(one)
        answer = await api.refused(await api.send(DIAL, CAPTURE), -1004)
        assert answer == (422, "DTMF callback url not provided: $.callflow[1]")
        await api.store.set_endpoint(replace(endpoint, enabled=True))
        assert (await api.send(DIAL, CAPTURE))[0] == 200

    @pytest.mark.row("8x8:8.1/-1005", "8x8:8.1/-1006", "8x8:13/C5")
    async def test_for_its_timeouts_only_where_that_is_asked_for(self):
        loose, strict = await Flows().start(), await Flows().start(eight_strict=True)
        for more, code in (({"digitTimeout": 5}, -1005), ({"digitTimeout": 5, "overallTimeout": 5}, -1006)):
            capture = {**CAPTURE, "params": CAPTURE["params"] | more}
            assert (await strict.refused(await strict.send(DIAL, capture), code))[0] == 422
            assert (await loose.refused(await loose.send(DIAL, capture), -1004))[0] == 422

    @pytest.mark.row("8x8:8.1/shape-callflows", "8x8:8/auth", "8x8:8/subAccountId")
    async def test_without_a_key_with_401_and_elsewhere_with_404(self):
        api = await Flows().start()
        answer = await api.refused(await api.send(DIAL, headers=bearer("wrong")), 401)
        assert answer == (401, "The credentials are missing or wrong")
        api.path = "/api/v1/subaccounts/unknown"
        assert await api.refused(await api.send(DIAL), 404) == (404, "There is no such account")

    async def test_when_it_is_too_large_with_413(self):
        api = await Flows().start()
        answer = await api.refused(await api.send(DIAL, clientRequestId="x" * 70_000), 413)
        assert answer == (413, "The request body is larger than 64 kB")

    @pytest.mark.row("8x8:8.1/-9999", "8x8:8.1/shape-callflows")
    async def test_when_it_cannot_be_kept_with_503_and_by_a_bug_with_500(self, monkeypatch):
        api = await Flows().start()
        for error, status, code in ((StoreUnavailable(), 503, -9999), (RuntimeError(FIRST), 500, 500)):

            async def add(*_args, error=error, **_more):
                raise error

            with monkeypatch.context() as patched, structlog.testing.capture_logs() as lines:
                patched.setattr(api.store, "add_requested_flow", add)
                answer = await api.refused(await api.send(DIAL), code)
            assert answer == (status, "An unknown error has occurred")
            assert FIRST[1:] not in str(lines)


class TestRepeats:
    @pytest.mark.row("8x8:14/Idempotency-Key")
    async def test_under_one_key_start_one_session_and_get_the_same_answer(self):
        api = await Flows().start()
        text = until(api, 5)
        first = await api.send(DIAL, SAY, key="k", validUntil=text)
        api.clock.advance(10)
        endpoint = f"{api.path}/callflows"
        body = {"validUntil": text, "callflow": [DIAL, SAY]}
        response = await api.http.post(endpoint, json=body, headers=bearer(api.key) | {"Idempotency-Key": "k"})
        assert (response.status_code, response.json()) == first
        assert response.headers["idempotent-replayed"] == "true"
        assert api.notified == [1]
        assert len(await api.waiting()) == 1

    async def test_are_told_from_another_request_under_the_same_key_by_422(self):
        api = await Flows().start()
        await api.send(DIAL, key="k")
        status, body = await api.send(DIAL, SAY, key="k")
        assert (status, body["statusCode"], body["sessionStatus"]) == (422, 422, "NOT_CREATED")
        assert body["statusMessage"] == "This Idempotency-Key was used with another request"
        assert len(await api.waiting()) == 1

    async def test_under_no_key_or_another_one_are_requests_of_their_own(self):
        api = await Flows().start()
        sessions = {(await api.send(DIAL, key=key))[1]["sessionId"] for key in (None, None, "a", "b")}
        assert len(sessions) == 4
        api.path = f"/api/v1/subaccounts/{RIDES}"
        await api.number(api.rides, "+6531580078")
        own = {**DIAL, "params": DIAL["params"] | {"source": "+6531580078"}}
        assert (await api.send(own, key="a"))[0] == 200, "a key is one account's"

    async def test_with_a_key_that_is_none_are_refused(self):
        api = await Flows().start()
        status, sentence = await api.refused(await api.send(DIAL, key="a b"), 400)
        assert (status, "Idempotency-Key" in sentence) == (400, True)
