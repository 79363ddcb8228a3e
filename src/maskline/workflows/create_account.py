"""Open a main account. Called by the CLI and the demo."""

from __future__ import annotations

import re

from maskline.clock import Clock
from maskline.errors import InvalidParameter, MissingParameter
from maskline.ids import Ids
from maskline.masking.limits import Limits
from maskline.storage.store import Account, Store

_EXTERNAL_ID = re.compile(r"[A-Za-z0-9\-._&]{3,50}")
_AUTH_ID = re.compile(r"(?:MA|SA)[A-Z0-9]{18}")


async def create_account(store: Store, clock: Clock, ids: Ids, name: str, limits: Limits | None = None) -> Account:
    """Keep and return a new account with its id (`MA` + 18) and token; names need not be unique.

    Raises `MissingParameter` when the name is blank.
    """
    account = Account(ids.credential_id("MA"), account_name(name), None, (ids.secret(),), clock.wall(), limits=limits)
    await store.add_account(account)
    return account


def account_name(name: str) -> str:
    """The name without blanks around it; raises `MissingParameter` when nothing is left."""
    stripped = name.strip()
    if not stripped:
        raise MissingParameter("Mandatory parameter missing. name must be present", parameter="name")
    return stripped


def read_external_id(text: str) -> str:
    """8x8's `subAccountId`, or empty for none; raises `InvalidParameter`. What looks like an auth id is refused: paths
    take either, and one must not stand for another's."""
    if text and (not _EXTERNAL_ID.fullmatch(text) or _AUTH_ID.fullmatch(text)):
        raise InvalidParameter(
            "Invalid parameter. external_id should be 3 to 50 letters, digits or any of - . _ & and no auth id",
            parameter="external_id",
        )
    return text
