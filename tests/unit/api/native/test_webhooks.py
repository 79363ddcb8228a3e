"""The native API on webhooks: whose they are, what became of them, and sending them again."""

from __future__ import annotations

from typing import Any

import pytest

from maskline.storage.store import Delivery
from maskline.storage.webhook_store import Attempt, EndpointNote, Patience
from tests.support.eight_api import EightApi, bearer
from tests.support.store_values import OTHER, T0, outbox_row

URL = "https://hooks.example/cb"


class NativeApi(EightApi):
    """Acme has a webhook that failed and one that was delivered, its subaccount one that failed; both endpoints are
    disabled."""

    async def begin(self) -> NativeApi:
        self.told = 0
        await self.start(committed=self.hear)
        self.path = "/maskline/v1/webhooks"
        await self.store.add_account(OTHER)
        rows = [
            outbox_row("failed", subject="1", account_id=self.acme.id, url=URL + "?x=6591234567"),
            outbox_row("done", subject="2", account_id=self.acme.id, url=URL),
            outbox_row("riders", subject="3", account_id=self.acme.id, subaccount_id=self.rides.id, url=URL),
            outbox_row("foreign", subject="4", account_id=OTHER.id, url=URL),
        ]
        await self.store.announce(rows)
        await self.store.lease_outbox("one", now=T0, until=T0 + 9, limit=9)
        done = [
            Delivery(
                row.id, "done" if row.id == "done" else "failed", T0, 500, "HTTP 500",
                attempt=Attempt(row.id, 1, T0, 12, 500, "", "no"),
            )
            for row in rows
        ]  # fmt: skip
        await self.store.finish_outbox("one", done, now=T0)
        notes = [EndpointNote(self.acme.id, owner, URL, T0, 1, True) for owner in (None, self.rides.id)]
        await self.store.note_endpoints(notes, Patience(), now=T0)
        self.riders_key = bearer(await self.new_key(self.rides))
        return self

    def hear(self) -> None:
        self.told += 1

    async def state(self, row_id: str) -> str | None:
        return await self.store.outbox_state(row_id)


@pytest.fixture
async def api() -> NativeApi:
    return await NativeApi().begin()


async def test_deliveries_are_listed_to_their_account_or_subaccount(api: NativeApi) -> None:
    status, body = await api.ask("GET", "/deliveries")
    assert (status, {one["id"] for one in body["deliveries"]}) == (200, {"failed", "done", "riders"})
    _, body = await api.ask("GET", "/deliveries", headers=api.riders_key)
    assert [one["id"] for one in body["deliveries"]] == ["riders"]
    assert [one["id"] for one in (await api.ask("GET", "/deliveries?state=done"))[1]["deliveries"]] == ["done"]
    assert (await api.ask("GET", "/deliveries?state=lost"))[0] == 400


async def test_one_delivery_comes_with_its_tries_and_no_number(api: NativeApi) -> None:
    status, body = await api.ask("GET", "/deliveries/failed")
    assert (status, body["state"], body["lastStatus"]) == (200, "failed", 500)
    assert [(one["number"], one["status"], one["answer"]) for one in body["tries"]] == [(1, 500, "no")]
    assert "6591234567" not in str(body)


@pytest.mark.parametrize("row_id", ["foreign", "nothing"])
async def test_a_foreign_delivery_is_not_found(api: NativeApi, row_id: str) -> None:
    assert (await api.ask("GET", f"/deliveries/{row_id}"))[0] == 404
    assert (await api.ask("POST", f"/deliveries/{row_id}/replay"))[0] == 404
    assert (await api.ask("GET", "/deliveries/done", headers=api.riders_key))[0] == 404


async def test_one_delivery_is_sent_again(api: NativeApi) -> None:
    assert await api.ask("POST", "/deliveries/failed/replay") == (202, {"replayed": 1})
    assert (await api.state("failed"), await api.state("riders"), api.told) == ("due", "failed", 1)


@pytest.mark.parametrize(
    ("wish", "count"),
    [
        ({}, 2), ({"states": ["done", "failed"]}, 3), ({"endpoint": URL}, 2), ({"since": T0 + 1}, 0),
        ({"until": T0}, 0), ({"states": ["held"]}, 0),
    ],
)  # fmt: skip
async def test_many_are_sent_again(api: NativeApi, wish: dict[str, Any], count: int) -> None:
    assert await api.ask("POST", "/replay", json=wish) == (202, {"replayed": count})
    assert await api.state("foreign") == "failed"


@pytest.mark.parametrize(
    "wish", [{"states": []}, {"states": ["due"]}, {"states": [1]}, {"since": True}, {"since": "today"}, {"all": 1}]
)
async def test_a_wish_that_makes_no_sense_is_refused(api: NativeApi, wish: dict[str, Any]) -> None:
    status, body = await api.ask("POST", "/replay", json=wish)
    assert (status, body["error"]["code"]) == (400, "invalid_parameter")


async def test_a_subaccount_sends_only_its_own_again(api: NativeApi) -> None:
    assert await api.ask("POST", "/replay", headers=api.riders_key) == (202, {"replayed": 1})
    assert (await api.state("riders"), await api.state("failed")) == ("due", "failed")


async def test_a_disabled_endpoint_is_listed_and_enabled_by_whom_it_belongs_to(api: NativeApi) -> None:
    _, body = await api.ask("GET", "/endpoints")
    acme, riders = sorted(body["endpoints"], key=lambda one: one["subaccountId"] or "")
    assert (acme["reason"], acme["url"], riders["subaccountId"]) == ("gone", URL, api.rides.id)
    assert (await api.ask("POST", f"/endpoints/{acme['id']}/enable", headers=api.riders_key))[0] == 404
    assert await api.ask("POST", f"/endpoints/{riders['id']}/enable", headers=api.riders_key) == (
        200, {"enabled": riders["id"], "replayed": 0}
    )  # fmt: skip
    answer = await api.ask("POST", f"/endpoints/{acme['id']}/enable", json={"replay": True})
    assert answer == (200, {"enabled": acme["id"], "replayed": 0})
    assert (await api.ask("GET", "/endpoints"))[1] == {"endpoints": []}


@pytest.mark.parametrize("authorization", [None, "Basic abc", "Bearer ", "Bearer nobodys", "Bearer " + "x" * 600])
async def test_nobody_is_let_in_without_a_key(api: NativeApi, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    status, body = await api.ask("GET", "/deliveries", headers=headers)
    assert (status, body["error"]["code"]) == (401, "not_authenticated")


async def test_what_is_not_there_and_what_breaks_has_the_same_shape(api: NativeApi, monkeypatch: Any) -> None:
    assert (await api.ask("GET", "/nothing"))[1]["error"]["code"] == "no_such_resource"
    assert (await api.ask("DELETE", "/deliveries"))[1]["error"]["code"] == "wrong_method"

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("6591234567")

    monkeypatch.setattr(api.store, "outbox", broken)
    status, body = await api.ask("GET", "/deliveries")
    assert (status, body["error"]) == (500, {"code": "internal", "message": "Something went wrong here."})
