"""Each dialect answers as its own OpenAPI document says, whatever the document allows to be asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from maskline.api.app import build_http_app
from maskline.api.plivo.openapi import openapi_document
from maskline.masking.session import SessionOptions
from tests.support.api_world import NUMBER, PARTIES, ApiWorld, credentials
from tests.support.described_api import DescribedApi, operations

PLIVO = openapi_document(SessionOptions())
PLIVO_BODIES: dict[str, list[Any]] = {
    "/v1/Account/{auth_id}/Masking/Session/": [PARTIES],
    "/vts/v1/Account/{auth_id}/Masking/Session/": [PARTIES],
    "/v1/Account/{auth_id}/Masking/Session/{session_uuid}/": [{"call_time_limit": 120}],
    "/vts/v1/Account/{auth_id}/Masking/Session/{session_uuid}/": [{"call_time_limit": 120}],
    "/v1/Account/{auth_id}/Number/{number}/": [{"alias": "front desk"}],
    "/v1/Account/{auth_id}/Subaccount/": [{"name": "Acme rides", "enabled": True}],
    "/v1/Account/{auth_id}/Subaccount/{subauth_id}/": [{"name": "Acme rides", "enabled": True}],
}


@pytest.fixture(scope="module")
def plivo() -> DescribedApi:
    return DescribedApi(PLIVO)


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
    plivo.app = build_http_app(store=world.store, clock=world.clock, ids=world.ids, registry=CollectorRegistry())
    statuses = plivo.hold(path, method, headers, real, PLIVO_BODIES.get(path, []) if method == "post" else [])
    first = next(iter(statuses))
    assert first == 404 if "{recording_id}" in path else 200 <= first < 300  # no call was recorded in this world
