"""Look up an account or subaccount by its id. Called by `api/auth.py` and the CLI."""

from __future__ import annotations

from maskline.errors import InvalidParameter, NotFound
from maskline.storage.store import Account, Store


async def find_account(store: Store, account_id: str) -> Account:
    """The account or subaccount; raises `NotFound`."""
    return await store.account(account_id)


async def own_subaccount(store: Store, account_id: str, subaccount_id: str) -> Account:
    """The subaccount of this account; raises `InvalidParameter` for any other id, in one sentence for unknown
    and foreign ones."""
    try:
        subaccount = await store.account(subaccount_id)
    except NotFound:
        subaccount = None
    if subaccount is None or subaccount.parent_id != account_id:
        raise InvalidParameter(
            "Invalid parameter. subaccount is not a subaccount of this account", parameter="subaccount"
        )
    return subaccount
