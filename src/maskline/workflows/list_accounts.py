"""Show the main accounts, or the subaccounts of one. Called by the CLI."""

from __future__ import annotations

from maskline.storage.store import Account, Store


async def list_accounts(store: Store, parent_id: str | None = None) -> list[Account]:
    """Main accounts, or the subaccounts of `parent_id`; raises `NotFound` for an unknown parent."""
    if parent_id is not None:
        await store.account(parent_id)
    return await store.accounts(parent_id)
