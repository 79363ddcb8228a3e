"""Read calls and follow what happens in them. Called by the CLI."""

from __future__ import annotations

from maskline.masking.call_record import CallRecord
from maskline.masking.facts import Fact
from maskline.storage.store import Store


async def list_calls(
    store: Store, account_id: str, *, session_id: str | None = None, limit: int = 20
) -> list[CallRecord]:
    """The account's latest calls, newest first."""
    return await store.calls(account_id, session_id=session_id, limit=limit)


async def get_call(store: Store, account_id: str, call_id: str) -> tuple[CallRecord, list[Fact]]:
    """A finished call and its facts in order; raises `NotFound`."""
    return await store.call(account_id, call_id), await store.facts(call_id)


async def follow_facts(store: Store, cursor: int, limit: int = 100) -> list[tuple[int, Fact]]:
    """Facts of all tenants committed after `cursor`, each with its own cursor: for the operator's terminal."""
    return await store.facts_since(cursor, limit)
