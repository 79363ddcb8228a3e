"""Look up one subaccount of a main account. Called by the dialects and the other verbs on subaccounts."""

from __future__ import annotations

from maskline.errors import InvalidParameter, NotFound
from maskline.storage.store import Account, Store
from maskline.workflows.find_account import own_subaccount
from maskline.workflows.scope import Scope


async def get_subaccount(store: Store, scope: Scope, subaccount_id: str) -> Account:
    """Raises `NotFound` for any id that is none of the account's subaccounts, and `NotOffered` to a subaccount."""
    account_id = scope.main_account("manage subaccounts")
    try:
        return await own_subaccount(store, account_id, subaccount_id)
    except InvalidParameter:
        raise NotFound("There is no such subaccount in this account.") from None
