"""What the operator's terminal reads: calls, facts, webhooks."""

from __future__ import annotations

import pytest

from maskline.errors import NotFound
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Delivery
from maskline.workflows.list_calls import follow_facts, get_call, list_calls
from maskline.workflows.list_webhooks import list_webhooks, replay_webhook
from tests.support.api_world import World
from tests.support.store_values import ACCOUNT, OTHER, T0, call_facts, call_record, recorded_call


@pytest.fixture
async def store():
    store = MemoryStore()
    for account in (ACCOUNT, OTHER):
        await store.add_account(account)
    await store.commit_calls([recorded_call("call-1"), recorded_call("call-2")])
    return store


async def test_calls_are_listed_in_their_account_only(store):
    assert {record.id for record in await list_calls(store, ACCOUNT.id)} == {"call-1", "call-2"}
    assert len(await list_calls(store, ACCOUNT.id, limit=1)) == 1
    assert await list_calls(store, ACCOUNT.id, session_id="session-9") == []
    assert await list_calls(store, OTHER.id) == []


async def test_a_call_comes_with_its_facts_to_its_account_only(store):
    assert await get_call(store, ACCOUNT.id, "call-1") == (call_record("call-1"), list(call_facts("call-1")))
    with pytest.raises(NotFound):
        await get_call(store, OTHER.id, "call-1")


async def test_facts_are_followed_by_cursor(store):
    first = await follow_facts(store, 0, limit=4)
    rest = await follow_facts(store, first[-1][0])
    assert [fact for _, fact in first + rest] == [*call_facts("call-1"), *call_facts("call-2")]
    assert await follow_facts(store, rest[-1][0]) == []


async def test_webhooks_are_listed_by_account_and_state_and_sent_again(store):
    clock = World().clock
    assert {row.id for row in await list_webhooks(store, ACCOUNT.id)} == {"call-1-row", "call-2-row"}
    assert await list_webhooks(store, OTHER.id) == []
    now = clock.wall()
    leased = await store.lease_outbox("me", now=max(now, T0 + 100), until=now + 1_000, limit=1)
    await store.finish_outbox("me", [Delivery(leased[0].id, "failed", now)], now=now)
    assert [row.id for row in await list_webhooks(store, None, state="failed")] == [leased[0].id]
    await replay_webhook(store, clock, leased[0].id)
    assert await list_webhooks(store, None, state="failed") == []
    with pytest.raises(NotFound):
        await replay_webhook(store, clock, "row-9")
