"""Read the outbox and send one of its rows again. Called by the CLI."""

from __future__ import annotations

from maskline.clock import Clock
from maskline.storage.store import OutboxRow, Store


async def list_webhooks(
    store: Store, account_id: str | None, *, state: str | None = None, limit: int = 50
) -> list[OutboxRow]:
    """Latest webhooks of an account, or of all; `state` is one of `OUTBOX_STATES`."""
    return await store.outbox(account_id, state=state, limit=limit)


async def replay_webhook(store: Store, clock: Clock, row_id: str) -> None:
    """Make a finished row due now; raises `NotFound`."""
    await store.replay_outbox(row_id, clock.wall())
