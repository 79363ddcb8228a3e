"""Show an account's virtual numbers. Called by the CLI."""

from __future__ import annotations

from maskline.masking.decision import VirtualNumber
from maskline.storage.store import Store


async def list_numbers(store: Store, account_id: str) -> list[VirtualNumber]:
    """All numbers of an account, or those of a subaccount; raises `NotFound`."""
    account = await store.account(account_id)
    numbers = await store.numbers(account.owner_id)
    if account.parent_id is None:
        return numbers
    return [number for number in numbers if number.subaccount_id == account.id]
