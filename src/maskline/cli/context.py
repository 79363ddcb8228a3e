"""What commands need besides their own words: an opened store, and reading secrets and owners.

What it is: the bridge from a synchronous command to the asynchronous workflows. What it is not: output.
Who uses it: every command that touches the database. The database may be in use by a running server at the
same time; SQLite's WAL allows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from maskline.errors import InvalidParameter, NotFound
from maskline.services import Services, opened_services
from maskline.settings import load_settings
from maskline.storage.store import Account
from maskline.workflows.find_account import find_account
from maskline.workflows.list_accounts import list_accounts

T = TypeVar("T")


def run(work: Callable[[Services], Awaitable[T]]) -> T:
    """Open the store named by the settings, do `work`, close it."""

    async def opened() -> T:
        async with opened_services(load_settings()) as services:
            return await work(services)

    return asyncio.run(opened())


async def all_accounts(services: Services) -> list[Account]:
    """Every account followed by its subaccounts."""
    found = []
    for account in await list_accounts(services.store):
        found += [account, *await list_accounts(services.store, account.id)]
    return found


async def chosen_accounts(services: Services, account_id: str | None) -> list[str]:
    """Ids of the main accounts a list goes over: the one asked for (`NotFound` if there is none), or all."""
    if account_id is not None:
        return [(await find_account(services.store, account_id)).id]
    return [account.id for account in await list_accounts(services.store)]


async def find_in_accounts(
    services: Services, account_id: str | None, what: str, look_up: Callable[[str], Awaitable[T]]
) -> T:
    """What `look_up(account id)` finds in the first account that has it; raises `NotFound`, which names
    `what` (session, call).

    The operator at the command line may see every account, so naming one is optional; the store still asks for
    the account with every look-up.
    """
    for owner in await chosen_accounts(services, account_id):
        try:
            return await look_up(owner)
        except NotFound:
            continue
    raise NotFound(f"There is no such {what}" + (" in this account." if account_id else "."))


def read_secret_file(path: Path | None, option: str) -> str:
    """A secret given by file, so that it is not seen in the process list; empty when no file is named."""
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"The file of {option} cannot be read: {error.__class__.__name__}.") from None
