"""Find the account that a Bearer key speaks for, and the one that a path names. Called by `api/eight/auth.py`."""

from __future__ import annotations

from contextlib import suppress

from maskline.errors import NotAuthenticated, NotFound
from maskline.storage.store import Account, Store


async def account_of_key(store: Store, text: str) -> Account:
    """Whose key this is; raises `NotAuthenticated` when it is nobody's, or it or its account is disabled."""
    key = await store.api_key(text)
    if key is None or not key.enabled:
        raise NotAuthenticated
    try:
        account = await store.account(key.account_id)
    except NotFound:  # a removed subaccount
        raise NotAuthenticated from None
    if not account.enabled:
        raise NotAuthenticated
    return account


async def account_at(store: Store, caller: Account, path_id: str) -> Account:
    """The account or subaccount that `path_id` (auth id or external id) names for this caller: itself, or one of its
    subaccounts. Raises `NotFound`, in one sentence for unknown and foreign ones."""
    if path_id == caller.id or (path_id and path_id == caller.external_id):
        return caller
    with suppress(NotFound):
        found = await store.account(path_id)
        if found.parent_id == caller.id:
            return found
    return await store.account_of_external_id(caller.id, path_id)
