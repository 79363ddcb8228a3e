"""Each dialect answers as its own OpenAPI document says, whatever the document allows to be asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from maskline.api.eight.openapi import openapi_document as eight_document
from maskline.api.native.openapi import openapi_document as native_document
from maskline.api.plivo.openapi import openapi_document as plivo_document
from maskline.api.services import OperatorAccess
from maskline.masking.session import SessionOptions
from maskline.storage.kept import LiveCall
from maskline.storage.store import Delivery, RecordedCall
from maskline.storage.webhook_store import Attempt, EndpointNote, Patience
from maskline.workflows.set_limits import stop_account
from tests.support.api_world import NUMBER, PARTIES, ApiWorld, credentials
from tests.support.described_api import DescribedApi, operations
from tests.support.eight_api import AMY, EightApi, Speech, bearer
from tests.support.store_values import T0, outbox_row

PLIVO = plivo_document(SessionOptions())
PLIVO_BODIES: dict[str, Any] = {
    "/v1/Account/{auth_id}/Masking/Session/": PARTIES,
    "/vts/v1/Account/{auth_id}/Masking/Session/": PARTIES,
    "/v1/Account/{auth_id}/Masking/Session/{session_uuid}/": {"call_time_limit": 120},
    "/vts/v1/Account/{auth_id}/Masking/Session/{session_uuid}/": {"call_time_limit": 120},
    "/v1/Account/{auth_id}/Number/{number}/": {"alias": "front desk"},
    "/v1/Account/{auth_id}/Subaccount/": {"name": "Acme rides", "enabled": True},
    "/v1/Account/{auth_id}/Subaccount/{subauth_id}/": {"name": "Acme rides", "enabled": True},
}
EIGHT = eight_document()
EIGHT_BASE = "/api/v1/subaccounts/{subAccountId}"
EIGHT_BODIES: dict[str, Any] = {
    "/callflows": {"callflow": [{"action": "makeCall", "params": {"source": NUMBER, "destination": "6590000001"}}]},
    "/webhooks": {"type": "VCA", "url": "https://hooks.example/vca", "httpAuthHeader": "Bearer x"},
    "/recording-push-config": {
        "protocol": "SFTP", "host": "files.example", "username": "u", "password": "pa55word", "path": "in",
    },
    "/messages/exports": {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"},
}  # fmt: skip
NATIVE = native_document()
NATIVE_BODIES: dict[str, Any] = {
    "/maskline/v1/webhooks/replay": {"states": ["failed"]},
    "/maskline/v1/webhooks/endpoints/{id}/enable": {"replay": True},
    "/maskline/v1/operator/accounts/{id}/limits": {"concurrent": 5, "destinations": {"countries": ["GB"]}},
}
NOTHING_YET = ("{recording_id}",)
"""Parts of paths where there is nothing: no call was made in these worlds."""


@pytest.fixture(scope="module")
def plivo() -> DescribedApi:
    return DescribedApi(PLIVO)


@pytest.fixture(scope="module")
def native() -> DescribedApi:
    return DescribedApi(NATIVE)


@pytest.fixture(scope="module")
def eight() -> DescribedApi:
    return DescribedApi(EIGHT)


def assert_real_one_succeeded(path: str, first: int) -> None:
    assert first == 404 if any(part in path for part in NOTHING_YET) else 200 <= first < 300


@pytest.mark.parametrize(("path", "method"), operations(PLIVO))
def test_plivo_answers_as_described(plivo: DescribedApi, path: str, method: str) -> None:
    world = ApiWorld()

    async def furnish() -> tuple[dict[str, str], dict[str, str]]:
        account = await world.account()
        subaccount = await world.subaccount(account)
        await world.number(account)
        await world.number(account, "+6531580002")
        headers = dict(credentials(account))
        async with world.client() as client:
            made = await client.post(f"/v1/Account/{account.id}/Masking/Session/", json=PARTIES, headers=headers)
        real = {"auth_id": account.id, "subauth_id": subaccount.id, "number": NUMBER[1:]}
        return headers, real | {"session_uuid": made.json()["session_uuid"]}

    headers, real = asyncio.run(furnish())
    plivo.app = world.app()
    body = PLIVO_BODIES.get(path) if method == "post" else None
    assert_real_one_succeeded(path, next(iter(plivo.hold(path, method, headers, real, body))))


@pytest.mark.row("8x8:8/openapi")
@pytest.mark.parametrize(("path", "method"), operations(EIGHT))
def test_eight_answers_as_described(eight: DescribedApi, path: str, method: str) -> None:
    world = EightApi()

    async def furnish() -> dict[str, str]:
        await world.start()
        await world.ask("POST", "/webhooks", json=EIGHT_BODIES["/webhooks"])
        await world.ask("POST", "/recording-push-config", json=EIGHT_BODIES["/recording-push-config"])
        _, made = await world.ask("POST", "/messages/exports", json={})
        real = {"subAccountId": world.acme.id, "type": "VCA", "number": NUMBER[1:], "sessionId": "call-1"}
        return real | {"jobId": made["jobId"]}

    real = asyncio.run(furnish())
    eight.app = world.app(speech=Speech(AMY))
    body = EIGHT_BODIES.get(path.removeprefix(EIGHT_BASE)) if method == "post" else None
    assert_real_one_succeeded(path, next(iter(eight.hold(path, method, bearer(world.key), real, body))))


@pytest.mark.row("8x8:8/openapi")
async def test_eight_publishes_its_document() -> None:
    async with EightApi().client() as http:
        answer = await http.get("/api/v1/openapi.json")
    assert (answer.status_code, answer.json()) == (200, EIGHT)


@pytest.mark.parametrize(("path", "method"), operations(NATIVE))
def test_the_native_api_answers_as_described(native: DescribedApi, path: str, method: str) -> None:
    world = EightApi()

    async def furnish() -> dict[str, str]:
        await world.start()
        url = "https://hooks.example/cb"
        await world.store.announce([outbox_row("failed", account_id=world.acme.id, url=url)])
        await world.store.lease_outbox("one", now=T0, until=T0 + 9, limit=9)
        done = Delivery("failed", "failed", T0, 500, "HTTP 500", attempt=Attempt("failed", 1, T0, 12, 500, "", "no"))
        await world.store.finish_outbox("one", [done], now=T0)
        (endpoint,) = await world.store.note_endpoints(
            [EndpointNote(world.acme.id, None, url, T0, 1, True)], Patience(), now=T0
        )
        live = LiveCall("talking", "e1", world.acme.id, None, T0, b"state")
        await world.store.commit_calls([RecordedCall((), world.acme.id, live=live)])
        if "calls" in path:
            return {"id": live.call_id}
        if "resume" in path:
            await stop_account(world.store, world.clock, world.acme.id)
        if "operator" in path:
            return {"id": world.acme.id}
        return {"id": endpoint.id if "endpoints" in path else "failed"}

    real = asyncio.run(furnish())
    native.app = world.app(operator=OperatorAccess("k" * 24))
    key = bearer("k" * 24 if "operator" in path else world.key)
    assert_real_one_succeeded(path, next(iter(native.hold(path, method, key, real, NATIVE_BODIES.get(path)))))


async def test_the_native_api_publishes_its_document() -> None:
    async with EightApi().client() as http:
        answer = await http.get("/maskline/v1/openapi.json")
    assert (answer.status_code, answer.json()) == (200, NATIVE)
