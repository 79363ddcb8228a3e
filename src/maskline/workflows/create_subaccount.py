"""Open a subaccount: its own credentials, numbers and webhooks inside a main account. Called by the CLI."""

from __future__ import annotations

from maskline.clock import Clock
from maskline.errors import InvalidParameter
from maskline.ids import Ids
from maskline.storage.store import Account, Store
from maskline.workflows.create_account import account_name


async def create_subaccount(store: Store, clock: Clock, ids: Ids, parent_id: str, name: str) -> Account:
    """Keep and return a new subaccount (`SA` + 18) of `parent_id`.

    Raises `NotFound` for an unknown parent and `InvalidParameter` for one that is a subaccount itself.
    """
    parent = await store.account(parent_id)
    if parent.parent_id is not None:
        raise InvalidParameter("Invalid parameter. account is a subaccount itself", parameter="account")
    account = Account(ids.credential_id("SA"), account_name(name), parent.id, (ids.secret(),), clock.wall())
    await store.add_account(account)
    return account
