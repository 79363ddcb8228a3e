"""Look at tries of webhooks and at endpoints that fail, and send many again. Called by the CLI and the native API."""

from __future__ import annotations

from maskline.clock import Clock
from maskline.storage.store import Store
from maskline.storage.webhook_store import Attempt, FailingEndpoint, ReplayFilter, ReplayPlace

AT_ONCE = 200
"""Rows in one transaction: calls share the database."""


async def list_attempts(store: Store, row_id: str) -> list[Attempt]:
    """Of one webhook, in order."""
    return await store.attempts(row_id)


async def list_failing_endpoints(store: Store, account_id: str | None = None) -> list[FailingEndpoint]:
    """Of a main account, or of all; the longest first."""
    return await store.failing_endpoints(account_id)


async def replay_webhooks(store: Store, clock: Clock, wanted: ReplayFilter) -> int:
    """Make due what is wanted, in the order it was made; returns how many webhooks. What comes about meanwhile is left
    out. Raises `NotFound` (account)."""
    await store.account(wanted.account_id)
    count, place = 0, ReplayPlace()
    going: ReplayPlace | None = place
    now = clock.wall()
    while going is not None:
        some, going = await store.replay_some(wanted, now=now, after=going, limit=AT_ONCE)
        count += some
    return count


async def enable_endpoint(
    store: Store, clock: Clock, endpoint_id: str, account_id: str | None = None, *, replay: bool = False
) -> tuple[FailingEndpoint, int]:
    """Send there again from now on; with `replay` what was held meanwhile too. Returns it as it was, and how many
    webhooks are sent again. Raises `NotFound`."""
    endpoint = await store.enable_endpoint(endpoint_id, account_id)
    if not replay:
        return endpoint, 0
    wanted = ReplayFilter(endpoint.account_id, ("held",), endpoint.url, endpoint.subaccount_id)
    return endpoint, await replay_webhooks(store, clock, wanted)
