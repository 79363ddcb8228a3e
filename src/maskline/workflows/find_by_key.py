"""Find the account that a Bearer key speaks for, and the one that a path names. Called by `api/eight/auth.py`."""

from __future__ import annotations

from contextlib import suppress

from maskline.errors import NotAuthenticated, NotFound
from maskline.storage.store import NO_ACCOUNT, Account, Store


async def account_of_key(store: Store, text: str) -> Account:
    """Whose key this is; raises `NotAuthenticated` when it is nobody's, or it, its account or the account above that is
    disabled."""
    key = await store.api_key(text)
    if key is None or not key.enabled:
        raise NotAuthenticated
    try:
        account = await store.account(key.account_id)
        above = account if account.parent_id is None else await store.account(account.parent_id)
    except NotFound:  # a subaccount that was removed meanwhile
        raise NotAuthenticated from None
    if not (account.enabled and above.enabled):
        raise NotAuthenticated
    return account


async def account_at(store: Store, caller: Account, path_id: str) -> Account:
    """The account or subaccount that `path_id` (auth id or external id) names for this caller: itself, or one of its
    subaccounts. Raises `NotFound`, in one sentence for unknown, foreign and disabled ones."""
    if path_id == caller.id or (path_id and path_id == caller.external_id):
        return caller
    with suppress(NotFound):
        found = await store.account(path_id)
        if found.parent_id == caller.id and found.enabled:
            return found
    found = await store.account_of_external_id(caller.id, path_id)
    if not found.enabled:
        raise NotFound(NO_ACCOUNT)
    return found
