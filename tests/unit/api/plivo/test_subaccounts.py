"""Subaccounts over HTTP: their shapes, their credentials, and what is left when one is removed, on both stores."""

from __future__ import annotations

import re

import pytest

from maskline.api.plivo.openapi_account import SUBACCOUNT_FIELDS
from tests.support.api_world import PARTIES, ApiWorld, basic, credentials

pytestmark = pytest.mark.usefixtures("each_store")
NUMBER = "+6531580009"
KEY = {"Idempotency-Key": "order-17"}


class Api(ApiWorld):
    async def start(self):
        await self.store.open()
        self.acme = await self.account()
        self.http = self.client(rate_limit=0)
        self.replayed = False
        return self

    async def ask(self, method, path="/", *, by=None, headers=(), **more):
        by = credentials(self.acme) if by is None else by
        account_id = self.acme.id if by == credentials(self.acme) else by.get("path", self.acme.id)
        sent = {name: value for name, value in by.items() if name != "path"} | dict(headers)
        response = await self.http.request(method, f"/v1/Account/{account_id}{path}", headers=sent, **more)
        self.replayed = response.headers.get("idempotent-replayed") == "true"
        if response.status_code == 204:
            assert response.content == b""
            return 204, None
        body = response.json()
        assert len(body.pop("api_id")) == 36
        return response.status_code, body

    async def create(self, name="Rides", **more):
        """The subaccount's id and credentials."""
        status, body = await self.ask("POST", "/Subaccount/", json={"name": name, "enabled": True} | more)
        assert status == 201
        return body["auth_id"], basic(body["auth_id"], body["auth_token"]) | {"path": body["auth_id"]}

    async def names(self, query=""):
        _, body = await self.ask("GET", "/Subaccount/" + query)
        return [one["name"] for one in body["objects"]]


@pytest.mark.row("1/subaccount resource")
async def test_a_new_subaccount_is_answered_with_its_credentials_and_they_work():
    api = await Api().start()
    status, body = await api.ask("POST", "/Subaccount/", json={"name": "Rides", "enabled": True})
    assert (status, set(body), body["message"]) == (201, {"auth_id", "auth_token", "message"}, "created")
    assert re.fullmatch(r"SA[A-Z0-9]{18}", body["auth_id"])
    theirs = basic(body["auth_id"], body["auth_token"]) | {"path": body["auth_id"]}
    assert (await api.ask("GET", "/Masking/Session/", by=theirs))[0] == 200


@pytest.mark.row("1/subaccount resource")
async def test_a_subaccount_has_the_shape_of_plivos_pages():
    api = await Api().start()
    auth_id, _ = await api.create()
    status, body = await api.ask("GET", f"/Subaccount/{auth_id}/")
    kept = await api.store.account(auth_id)
    assert status == 200
    assert body == {
        "account": f"/v1/Account/{api.acme.id}/", "auth_id": auth_id, "auth_token": kept.auth_token,
        "created": body["created"], "enabled": True, "modified": None, "name": "Rides",
        "new_auth_token": kept.auth_token,
        "resource_uri": f"/v1/Account/{api.acme.id}/Subaccount/{auth_id}/",
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", body["created"])
    assert set(body) == set(SUBACCOUNT_FIELDS)


async def test_subaccounts_are_listed_in_pages():
    api = await Api().start()
    for name in ("a", "b", "c"):
        await api.create(name)
        api.clock.advance(1)
    assert await api.names() == ["a", "b", "c"]
    assert await api.names("?limit=2&offset=2") == ["c"]
    _, body = await api.ask("GET", "/Subaccount/?limit=2")
    assert body["meta"]["total_count"] == 3
    assert body["meta"]["next"] == f"/v1/Account/{api.acme.id}/Subaccount/?limit=2&offset=2"


async def test_a_subaccount_is_disabled_unless_enabled_is_said():
    api = await Api().start()
    for body in ({"name": "a"}, {"name": "b", "enabled": "false"}, {"name": "c", "enabled": False}):
        _, made = await api.ask("POST", "/Subaccount/", json=body)
        theirs = basic(made["auth_id"], made["auth_token"]) | {"path": made["auth_id"]}
        assert (await api.ask("GET", f"/Subaccount/{made['auth_id']}/"))[1]["enabled"] is False
        assert (await api.ask("GET", "/Masking/Session/", by=theirs))[0] == 401


@pytest.mark.row("1/subaccount resource")
async def test_credentials_are_switched_off_and_on_at_once():
    api = await Api().start()
    auth_id, theirs = await api.create()
    assert (await api.ask("GET", "/Masking/Session/", by=theirs))[0] == 200
    changed = await api.ask("POST", f"/Subaccount/{auth_id}/", json={"name": "Rides", "enabled": False})
    assert changed == (202, {"message": "changed"})
    assert (await api.ask("GET", "/Masking/Session/", by=theirs))[0] == 401
    await api.ask("POST", f"/Subaccount/{auth_id}/", json={"enabled": "true"})
    assert (await api.ask("GET", "/Masking/Session/", by=theirs))[0] == 200


async def test_a_subaccount_is_renamed_and_stays_as_it_is_otherwise():
    api = await Api().start()
    auth_id, _ = await api.create()
    api.clock.advance(86_400 * 365)
    await api.ask("POST", f"/Subaccount/{auth_id}/", json={"name": "Deliveries"})
    _, body = await api.ask("GET", f"/Subaccount/{auth_id}/")
    assert (body["name"], body["enabled"]) == ("Deliveries", True)
    assert body["modified"] > body["created"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "Mandatory parameter missing. name must be present"),
        ({"name": " "}, "Mandatory parameter missing. name must be present"),
        ({"name": 7}, "Invalid parameter. name should be at most 200 printable characters"),
        ({"name": "x" * 201}, "Invalid parameter. name should be at most 200 printable characters"),
        ({"name": "a\tb"}, "Invalid parameter. name should be at most 200 printable characters"),
        ({"name": "a", "enabled": "maybe"}, "Invalid parameter. enabled allowed values are true or false"),
    ],
)
async def test_a_wrong_value_is_named_and_nothing_is_made(body, sentence):
    api = await Api().start()
    assert await api.ask("POST", "/Subaccount/", json=body) == (400, {"error": sentence})
    assert await api.names() == []


async def test_a_create_with_a_key_happens_once():
    api = await Api().start()
    body = {"name": "Rides", "enabled": True}
    first = await api.ask("POST", "/Subaccount/", json=body, headers=KEY)
    assert not api.replayed
    api.clock.advance(60)
    assert await api.ask("POST", "/Subaccount/", json=body, headers=KEY) == first
    assert api.replayed
    assert await api.names() == ["Rides"]
    assert (await api.ask("POST", "/Subaccount/", json=body | {"name": "Other"}, headers=KEY))[0] == 422
    assert (await api.ask("POST", "/Subaccount/", json=body))[0] == 201
    assert await api.names() == ["Rides", "Rides"]


@pytest.mark.row("1/subaccount resource")
async def test_a_removed_subaccount_is_unknown_at_once_and_its_numbers_go_back():
    api = await Api().start()
    auth_id, theirs = await api.create()
    await api.number(api.acme)
    await api.number(await api.store.account(auth_id), NUMBER)
    _, session = await api.ask("POST", "/Masking/Session/", json=PARTIES, by=theirs)
    assert session["virtual_number"] == NUMBER
    assert await api.ask("DELETE", f"/Subaccount/{auth_id}/", json={"cascade": True}) == (204, None)
    assert (await api.ask("GET", "/Masking/Session/", by=theirs))[0] == 401
    assert await api.names() == []
    for method in ("GET", "POST", "DELETE"):
        assert (await api.ask(method, f"/Subaccount/{auth_id}/", json={"name": "back"}))[0] == 404
    _, number = await api.ask("GET", f"/Number/{NUMBER}/")
    assert number["subaccount"] is None
    _, got = await api.ask("GET", f"/Masking/Session/{session['session_uuid']}/")
    assert got["response"]["status"] == "active"


async def test_a_number_cannot_be_moved_to_a_removed_subaccount():
    api = await Api().start()
    auth_id, _ = await api.create()
    await api.number(api.acme)
    await api.ask("DELETE", f"/Subaccount/{auth_id}/")
    status, refusal = await api.ask("POST", "/Number/+6531580001/", json={"subaccount": auth_id})
    assert (status, refusal["error"]) == (400, "Invalid parameter. subaccount is not a subaccount of this account")


async def test_another_accounts_subaccounts_do_not_exist():
    api = await Api().start()
    theirs = await api.subaccount(await api.account("Other"))
    for method in ("GET", "POST", "DELETE"):
        status, body = await api.ask(method, f"/Subaccount/{theirs.id}/", json={"name": "mine"})
        assert (status, body["error"]) == (404, "There is no such subaccount in this account")
    assert (await api.ask("GET", f"/Subaccount/{api.acme.id}/"))[0] == 404


async def test_a_subaccount_manages_none():
    api = await Api().start()
    auth_id, theirs = await api.create()
    for method, path in (("GET", ""), ("POST", ""), ("GET", auth_id), ("POST", auth_id), ("DELETE", auth_id)):
        status, refusal = await api.ask(method, f"/Subaccount/{path}", by=theirs, json={"name": "x"})
        assert (status, refusal["error"]) == (403, "Only the main account may manage subaccounts")
    assert await api.names() == ["Rides"]
