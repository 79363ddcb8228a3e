"""Rename a subaccount, or switch its credentials on and off. Called by the dialects and the CLI.

A disabled subaccount's requests are refused; its numbers, sessions and calls go on, and the main account may act for
it.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.clock import Clock
from maskline.storage.store import Account, Once, Store
from maskline.workflows.create_account import account_name
from maskline.workflows.get_subaccount import get_subaccount
from maskline.workflows.scope import Scope


async def update_subaccount(
    store: Store, clock: Clock, scope: Scope, subaccount_id: str, *, name: str | None = None,
    enabled: bool | None = None, once: Once | None = None,
) -> tuple[Account, bool]:  # fmt: skip
    """None leaves as is. Returns it, and False when `once` was met before and nothing was changed. Raises `NotFound`,
    `NotOffered`, `InvalidParameter`, `IdempotencyMismatch` and `Conflict`."""
    account = await get_subaccount(store, scope, subaccount_id)
    changed = replace(
        account,
        name=account.name if name is None else account_name(name),
        enabled=account.enabled if enabled is None else enabled,
        modified_at=clock.wall(),
    )
    if await store.update_account(changed, was=account, once=once):
        return changed, True
    return account, False
