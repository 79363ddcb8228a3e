"""Take one of an account's auth tokens out of use. Called by the CLI.

The API refuses it as soon as it reads the account again, a second later at most; webhooks are signed without it from
the next try on.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.clock import Clock
from maskline.errors import Conflict, InvalidParameter, NotFound
from maskline.storage.store import Account, Store
from maskline.workflows.find_account import find_account

SHOWN = 4
"""Characters at a token's end by which people know it."""


async def revoke_token(store: Store, clock: Clock, account_id: str, ending: str) -> Account:
    """The account or subaccount without the token that ends in `ending`.

    Raises `NotFound` (account, or no such token), `InvalidParameter` for too short an ending, and `Conflict` when it
    fits several tokens or the only one, or when somebody changed the account meanwhile.
    """
    account = await find_account(store, account_id)
    if len(ending) < SHOWN:
        raise InvalidParameter(f"Name the token by its last {SHOWN} characters at least.", parameter="ending")
    left = tuple(token for token in account.auth_tokens if not token.endswith(ending))
    if len(left) == len(account.auth_tokens):
        raise NotFound("This account has no auth token that ends so.")
    if not left and len(account.auth_tokens) == 1:
        raise Conflict("This is the only auth token of the account. Add another one first.")
    if len(left) != len(account.auth_tokens) - 1:
        raise Conflict("Several auth tokens of this account end so. Name more of its last characters.")
    changed = replace(account, auth_tokens=left, modified_at=clock.wall())
    await store.update_account(changed, was=account)
    return changed
