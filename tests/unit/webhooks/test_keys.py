"""Which tokens sign a webhook."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.errors import NotFound
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Account, Endpoint
from maskline.webhooks.keys import StoreKeys, StoreSecrets
from maskline.webhooks.sign import SigningKeys
from tests.support.store_values import outbox_row

MAIN = Account("MA" + "A" * 18, "Acme", None, ("main-token",), 0.0)
SUB = Account("SA" + "B" * 18, "riders", MAIN.id, ("sub-token",), 0.0)


async def test_a_main_account_signs_with_its_own_token_twice():
    store = MemoryStore()
    await store.add_account(MAIN)
    assert await StoreKeys(store)(MAIN.id, None) == SigningKeys(("main-token",), ("main-token",))


async def test_a_subaccount_signs_with_its_own_and_the_main_token():
    store = MemoryStore()
    keys = StoreKeys(store)
    await store.add_account(MAIN)
    await store.add_account(SUB)
    assert await keys(MAIN.id, SUB.id) == SigningKeys(("sub-token",), ("main-token",))


async def test_what_a_closed_subaccount_leaves_behind_is_signed_by_its_account():
    store = MemoryStore()
    keys = StoreKeys(store)
    await store.add_account(MAIN)
    await store.add_account(SUB)
    assert (await keys(MAIN.id, SUB.id)).own == ("sub-token",)
    await store.remove_subaccount(SUB.id, 1.0)
    assert await keys(MAIN.id, SUB.id) == SigningKeys(("main-token",), ("main-token",))


async def test_an_unknown_account_has_no_keys():
    with pytest.raises(NotFound):
        await StoreKeys(MemoryStore())(MAIN.id, SUB.id)


@pytest.mark.row("7.5/headers")
async def test_all_active_tokens_sign_from_the_moment_they_are_added_until_they_are_revoked():
    store = MemoryStore()
    keys = StoreKeys(store)
    await store.add_account(MAIN)
    await store.add_account(SUB)
    assert await keys(MAIN.id, SUB.id) == SigningKeys(("sub-token",), ("main-token",))
    await store.update_account(replace(SUB, auth_tokens=("newer", "sub-token")))
    await store.update_account(replace(MAIN, auth_tokens=("main-newer", "main-token")))
    assert await keys(MAIN.id, SUB.id) == SigningKeys(("newer", "sub-token"), ("main-newer", "main-token"))
    await store.update_account(replace(SUB, auth_tokens=("newer",)))
    assert (await keys(MAIN.id, SUB.id)).own == ("newer",)


async def test_keys_are_read_once_until_something_is_configured():
    reads = []

    class Counting(MemoryStore):
        async def account(self, account_id):
            reads.append(account_id)
            return await super().account(account_id)

    store = Counting()
    await store.add_account(MAIN)
    keys = StoreKeys(store)
    reads.clear()
    await keys(MAIN.id, None)
    await keys(MAIN.id, None)
    assert reads == [MAIN.id]
    await store.add_account(SUB)
    reads.clear()
    await keys(MAIN.id, None)
    assert reads == [MAIN.id]


async def test_a_row_is_signed_with_what_its_endpoint_has_now():
    store = MemoryStore()
    secrets = StoreSecrets(store)
    await store.add_account(MAIN)
    endpoint = Endpoint(MAIN.id, "eight.session_summary", "https://h.example/cb", secret="old")
    await store.set_endpoint(endpoint)
    row = outbox_row("1", account_id=MAIN.id, subaccount_id=None, url=endpoint.url, secret="old")
    assert await secrets(row) == "old"
    await store.set_endpoint(replace(endpoint, secret="new old"))
    assert await secrets(row) == "new old"
    assert await secrets(replace(row, url="https://h.example/former")) == "old"
    await store.remove_endpoint(MAIN.id, endpoint.kind)
    assert await secrets(row) == "old"
