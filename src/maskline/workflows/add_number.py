"""Give an account a virtual number. Called by the CLI and the demo."""

from __future__ import annotations

from maskline.clock import Clock
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import parse_number
from maskline.storage.store import Store
from maskline.workflows.find_account import own_subaccount


async def add_number(
    store: Store, clock: Clock, text: str, account_id: str, subaccount_id: str | None = None, reference_id: str = ""
) -> VirtualNumber:
    """Keep and return the number; a subaccount's id as `account_id` means that subaccount.

    Raises `InvalidParameter` (number or subaccount), `NotFound` (account) and `Conflict` (somebody has it).
    """
    number = parse_number(text, parameter="number")
    account = await store.account(account_id)
    if subaccount_id is not None:
        await own_subaccount(store, account.owner_id, subaccount_id)
    elif account.parent_id is not None:
        subaccount_id = account.id
    now = clock.wall()
    virtual = VirtualNumber(number, account.owner_id, subaccount_id, reference_id, number.country, added_at=now)
    await store.add_number(virtual, now)
    return virtual
