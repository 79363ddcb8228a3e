"""Open a subaccount: its own credentials, numbers and webhooks inside a main account. Called by the dialects and the
CLI."""

from __future__ import annotations

from maskline.clock import Clock
from maskline.errors import InvalidParameter
from maskline.ids import Ids
from maskline.storage.store import Account, Once, Store
from maskline.workflows.create_account import account_name, read_external_id


async def create_subaccount(
    store: Store, clock: Clock, ids: Ids, parent_id: str, name: str, *, enabled: bool = True, external_id: str = "",
    once: Once | None = None,
) -> Account:  # fmt: skip
    """Keep and return a new subaccount (`SA` + 18) of `parent_id`, or the one that `once` made before.

    Raises `NotFound` for an unknown parent, `InvalidParameter` for one that is a subaccount itself and for a name or
    external id that is none, `Conflict` for an external id that is taken, and `IdempotencyMismatch`.
    """
    parent = await store.account(parent_id)
    if parent.parent_id is not None:
        raise InvalidParameter("Invalid parameter. account is a subaccount itself", parameter="account")
    account = Account(
        ids.credential_id("SA"), account_name(name), parent.id, (ids.secret(),), clock.wall(), enabled,
        external_id=read_external_id(external_id),
    )  # fmt: skip
    return await store.add_account(account, once=once)
