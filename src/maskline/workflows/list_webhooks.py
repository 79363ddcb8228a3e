"""Read the outbox and send one of its rows again. Called by the CLI and the native API."""

from __future__ import annotations

from maskline.clock import Clock
from maskline.errors import NotFound
from maskline.storage.store import OutboxRow, Store
from maskline.storage.webhook_store import NO_WEBHOOK
from maskline.workflows.scope import Scope


async def list_webhooks(
    store: Store, account_id: str | None, *, state: str | None = None, limit: int = 50
) -> list[OutboxRow]:
    """Latest webhooks of an account, or of all; `state` is one of `OUTBOX_STATES`."""
    return await store.outbox(account_id, state=state, limit=limit)


async def find_webhook(store: Store, scope: Scope, row_id: str) -> OutboxRow:
    """One of an account, or of a subaccount alone. Raises `NotFound`."""
    row = await store.webhook(scope.account_id, row_id)
    if scope.subaccount_id not in (None, row.subaccount_id):
        raise NotFound(NO_WEBHOOK)
    return row


async def replay_webhook(store: Store, clock: Clock, row_id: str) -> None:
    """Make a finished row due now; raises `NotFound`."""
    await store.replay_outbox(row_id, clock.wall())
