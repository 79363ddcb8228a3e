"""The one port: health, metrics, mounting, and addresses that lead nowhere."""

from __future__ import annotations

import pytest

from maskline.api.health import PartHealth
from maskline.errors import StoreUnavailable
from tests.support.api_world import PARTIES, ApiWorld, credentials


def health_of(**parts):
    async def health():
        return parts

    return health


class TestHealthz:
    @pytest.mark.parametrize(
        ("parts", "status", "word"),
        [
            ({}, 200, "ok"),
            ({"store": PartHealth(True)}, 200, "ok"),
            ({"store": PartHealth(True), "media": PartHealth(False, "No answer.", essential=False)}, 200, "degraded"),
            ({"store": PartHealth(False, "Away."), "media": PartHealth(True)}, 503, "down"),
        ],
    )
    async def test_says_whether_the_process_can_serve(self, parts, status, word):
        async with ApiWorld().client(health=health_of(**parts)) as client:
            response = await client.get("/healthz")
        assert response.status_code == status
        body = response.json()
        assert body["status"] == word
        assert body["parts"] == {name: {"ok": part.ok, "detail": part.detail} for name, part in parts.items()}

    async def test_is_down_when_it_cannot_be_told(self):
        async def health():
            raise StoreUnavailable

        async with ApiWorld().client(health=health) as client:
            response = await client.get("/healthz/")
        assert response.status_code == 503
        assert response.json()["detail"] == "The database does not answer."


class TestMetrics:
    async def test_count_requests_by_operation_and_status_without_accounts_or_numbers(self):
        world = ApiWorld()
        account = await world.account()
        await world.number(account)
        async with world.client() as client:
            path = f"/v1/Account/{account.id}/Masking/Session/"
            await client.post(path, json=PARTIES, headers=credentials(account))
            await client.post(path, json=PARTIES)
            await client.get("/v1/nowhere")
            text = (await client.get("/metrics")).text
        assert 'maskline_http_requests_total{dialect="plivo",operation="create",status="201"} 1.0' in text
        assert 'maskline_http_requests_total{dialect="plivo",operation="create",status="401"} 1.0' in text
        assert 'maskline_http_requests_total{dialect="plivo",operation="none",status="404"} 1.0' in text
        assert 'maskline_http_request_seconds_count{dialect="plivo",operation="create"} 2.0' in text
        assert account.id not in text
        assert "90000001" not in text


@pytest.mark.parametrize("path", ["/", "/nowhere", "/v2/Account", "//", "/v1"])
async def test_an_address_that_leads_nowhere_is_404_in_json(path):
    async with ApiWorld().client() as client:
        response = await client.get(path)
    assert response.status_code == 404
    assert response.json() == {"error": "There is nothing at this address."}


async def test_a_wrong_method_is_405_in_json():
    async with ApiWorld().client() as client:
        response = await client.post("/healthz")
    assert response.status_code == 405
    assert "GET" in response.headers["allow"]
    assert response.json() == {"error": "This method is not allowed here."}
