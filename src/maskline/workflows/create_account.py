"""Open a main account. Called by the CLI and the demo."""

from __future__ import annotations

from maskline.clock import Clock
from maskline.errors import MissingParameter
from maskline.ids import Ids
from maskline.storage.store import Account, Store


async def create_account(store: Store, clock: Clock, ids: Ids, name: str) -> Account:
    """Keep and return a new account with its id (`MA` + 18) and token; names need not be unique.

    Raises `MissingParameter` when the name is blank.
    """
    account = Account(ids.credential_id("MA"), account_name(name), None, (ids.secret(),), clock.wall())
    await store.add_account(account)
    return account


def account_name(name: str) -> str:
    """The name without blanks around it; raises `MissingParameter` when nothing is left."""
    stripped = name.strip()
    if not stripped:
        raise MissingParameter("Mandatory parameter missing. name must be present", parameter="name")
    return stripped
