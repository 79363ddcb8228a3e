"""`/webhooks`: one for each of the vendor's types, listed, set and removed."""

from __future__ import annotations

import ipaddress
import uuid

import pytest

from maskline.net.guard import AddressGuard
from maskline.workflows.set_webhook import set_webhook
from tests.support.eight_api import RIDES, EightApi

pytestmark = pytest.mark.usefixtures("each_store")

URL = "https://hooks.example/8x8"
EMPTY = {"count": 0, "webhooks": [], "statusCode": 0, "statusMessage": "ok"}


def refusal(answer):
    """(Status, number as text, message) of an error in the shape of webhooks and recordings."""
    status, body = answer
    assert uuid.UUID(body.pop("errorId"))
    assert body.pop("timestamp").endswith("Z")
    assert set(body) == {"statusCode", "statusMessage"}
    assert isinstance(body["statusCode"], str)
    return status, body["statusCode"], body["statusMessage"]


@pytest.mark.row("8x8:8/GET-webhooks", "8x8:8/POST-webhooks", "8x8:8/webhook-body", "8x8:8/httpAuthHeader")
async def test_a_webhook_is_set_listed_and_its_header_never_shown():
    api = await EightApi().start()
    assert await api.ask("GET", "/webhooks") == (200, {"subAccountId": api.acme.id, **EMPTY})
    told = {
        "subAccountId": api.acme.id, "count": 1, "statusCode": 0, "statusMessage": "ok",
        "webhooks": [{"type": "VCA", "url": URL, "enabled": True, "httpAuthHeaderAvailable": True}],
    }  # fmt: skip
    wish = {"type": "VCA", "url": URL, "httpAuthHeader": "Bearer s3cret"}
    assert await api.ask("POST", "/webhooks", json=wish) == (200, told)
    assert await api.ask("GET", "/webhooks") == (200, told)
    (stored,) = await api.store.endpoints(api.acme.id)
    assert (stored.kind, stored.authorization, stored.enabled) == ("eight.call_action", "Bearer s3cret", True)


@pytest.mark.row("8x8:2/VCA", "8x8:2/VCS", "8x8:2/VSS", "8x8:2/VRU", "8x8:2/VNU")
async def test_each_type_has_its_endpoint_and_the_list_their_order():
    api = await EightApi().start()
    for name in ("VNU", "VRU", "VSS", "VCS", "VCA"):
        status, body = await api.ask("POST", "/webhooks", json={"type": name, "url": URL, "httpAuthHeader": None})
        assert status == 200
    assert [one["type"] for one in body["webhooks"]] == ["VCA", "VCS", "VSS", "VRU", "VNU"]
    assert not any(one["httpAuthHeaderAvailable"] for one in body["webhooks"])
    assert {one.kind for one in await api.store.endpoints(api.acme.id)} == {
        "eight.call_action", "eight.call_status", "eight.session_summary", "eight.recording", "eight.number",
    }  # fmt: skip


@pytest.mark.row("8x8:8/webhook-upsert")
async def test_a_type_that_is_there_is_replaced_and_what_the_operator_said_of_it_stays():
    api = await EightApi().start()
    await set_webhook(
        api.store, api.acme.id, "eight.call_status", "https://old.example/", authorization="Bearer old",
        external_id="acme_sg", options={"generation": "g2"}, secret="whsec_" + "QUJD" * 8, now=5.0,
    )  # fmt: skip
    assert (await api.ask("POST", "/webhooks", json={"type": "VCS", "url": URL}))[1]["count"] == 1
    (stored,) = await api.store.endpoints(api.acme.id)
    assert (stored.url, stored.authorization, stored.external_id, dict(stored.options)) == (
        URL, "", "acme_sg", {"generation": "g2"},
    )  # fmt: skip
    assert (stored.secret[:6], stored.created_at) == ("whsec_", 5.0)


@pytest.mark.row("8x8:13/C18")
@pytest.mark.parametrize(
    ("flags", "enabled"),
    [
        ({}, True), ({"enabled": False}, False), ({"active": False}, False),
        ({"active": False, "enabled": True}, True), ({"active": True, "enabled": False}, False),
    ],
)  # fmt: skip
async def test_active_is_another_name_of_enabled_which_is_answered(flags, enabled):
    api = await EightApi().start()
    _, body = await api.ask("POST", "/webhooks", json={"type": "VSS", "url": URL, **flags})
    assert body["webhooks"][0]["enabled"] is enabled
    assert "active" not in body["webhooks"][0]


@pytest.mark.row("8x8:8/DELETE-webhooks", "8x8:13/C19")
@pytest.mark.parametrize("name", ["VCS", "VNU"])
async def test_a_webhook_is_removed_and_shown_once_more(name):
    api = await EightApi().start()
    await api.ask("POST", "/webhooks", json={"type": name, "url": URL})
    gone = {
        "type": name, "url": URL, "enabled": True, "httpAuthHeaderAvailable": False, "statusCode": 0,
        "statusMessage": "deleted",
    }  # fmt: skip
    assert await api.ask("DELETE", f"/webhooks/{name}") == (200, gone)
    assert (await api.ask("GET", "/webhooks"))[1]["count"] == 0
    assert refusal(await api.ask("DELETE", f"/webhooks/{name}")) == (
        404, "404", "There is no webhook of this type",
    )  # fmt: skip


@pytest.mark.row("8x8:8.1/shape-422", "8x8:2/VDC")
@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"type": "VDC", "url": URL}, "type"), ({"url": URL}, "type"), ({"type": 7, "url": URL}, "type"),
        ({"type": "VCA"}, "url"), ({"type": "VCA", "url": 5}, "url"), ({"type": "VCA", "url": "hooks.example"}, "url"),
        ({"type": "VCA", "url": "https://hooks.example:25/"}, "url"),
        ({"type": "VCA", "url": URL, "httpAuthHeader": 5}, "httpAuthHeader"),
        ({"type": "VCA", "url": URL, "httpAuthHeader": "a\r\nX: 1"}, "httpAuthHeader"),
        ({"type": "VCA", "url": URL, "httpAuthHeader": "x" * 4097}, "httpAuthHeader"),
        ({"type": "VCA", "url": "http://user:passw0rd@hooks.example/"}, "user and password"),
        ({"type": "VCA", "url": "http://10.0.0.1/x"}, "MASKLINE_EGRESS_ALLOW"),
        ({"type": "VCA", "url": "http://169.254.169.254/x"}, "url"),
        ({"type": "VCA", "url": "http://[::1]:8080/"}, "url"),
        ({"type": "VCA", "url": URL, "enabled": "yes"}, "enabled"),
        ({"type": "VCA", "url": URL, "active": None}, "enabled"),
    ],
)  # fmt: skip
async def test_a_wrong_value_is_422_with_the_vendors_number_as_text(body, word):
    api = await EightApi().start()
    status, number, sentence = refusal(await api.ask("POST", "/webhooks", json=body))
    assert (status, number) == (422, "1001")
    assert word in sentence
    assert "passw0rd" not in sentence
    assert await api.store.endpoints(api.acme.id) == []


async def test_a_receiver_inside_is_taken_where_the_operator_opened_its_network():
    api = await EightApi().start(guard=AddressGuard([ipaddress.ip_network("10.0.0.0/8")]))
    longest = {"httpAuthHeader": "x" * 4096}
    assert (await api.ask("POST", "/webhooks", json={"type": "VCA", "url": "http://10.0.0.1/x", **longest}))[0] == 200
    assert (await api.ask("POST", "/webhooks", json={"type": "VCA", "url": "http://10.0.0.1/y"}))[0] == 200
    assert (await api.ask("POST", "/webhooks", json={"type": "VCA", "url": "http://127.0.0.1/x"}))[0] == 422


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"type": "VRU", "type": "VSS", "url": "https://hooks.example/"}', "the same key twice"),
        (b'{"type": "VSS", "url": NaN}', "NaN and Infinity"), (b'{"type": "VSS", "url": "\\ud800"}', "surrogate"),
        (b'{"type": "VSS",}', "line 1"), (b"[]", "not a JSON object"),
    ],
)  # fmt: skip
async def test_a_body_that_is_not_strictly_json_is_400_and_says_why(body, why):
    api = await EightApi().start()
    status, number, sentence = refusal(await api.ask("POST", "/webhooks", content=body))
    assert (status, number, why in sentence) == (400, "400", True)
    assert await api.store.endpoints(api.acme.id) == []


async def test_a_byte_order_mark_is_skipped_and_an_empty_body_names_what_is_missing():
    api = await EightApi().start()
    wish = b'\xef\xbb\xbf{"type": "VSS", "url": "https://hooks.example/"}'
    assert (await api.ask("POST", "/webhooks", content=wish))[0] == 200
    assert refusal(await api.ask("POST", "/webhooks", content=b" "))[:2] == (422, "1001")


async def test_a_type_that_is_none_cannot_be_removed_and_a_body_that_is_none_is_400():
    api = await EightApi().start()
    assert refusal(await api.ask("DELETE", "/webhooks/VDC"))[:2] == (422, "1001")
    assert refusal(await api.ask("POST", "/webhooks", content=b"[]"))[:2] == (400, "400")
    assert refusal(await api.ask("GET", "/webhooks", headers={}))[:2] == (401, "401")


async def test_a_subaccounts_webhooks_are_its_own():
    api = await EightApi().start()
    await api.ask("POST", "/webhooks", json={"type": "VCA", "url": URL})
    api.path = f"/api/v1/subaccounts/{RIDES}"
    assert await api.ask("GET", "/webhooks") == (200, {"subAccountId": RIDES, **EMPTY})
