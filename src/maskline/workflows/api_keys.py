"""Bearer keys of an account or subaccount, for the 8x8 API. Called by the CLI.

A key of an account acts for its subaccounts too. It is shown once, when it is made; only its hash is kept.
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.ids import Ids
from maskline.storage.kept import ApiKey
from maskline.storage.store import Store


async def create_api_key(store: Store, clock: Clock, ids: Ids, account_id: str, name: str) -> tuple[ApiKey, str]:
    """Keep a new key; returns it with its text. Raises `NotFound`."""
    key, text = ApiKey(ids.uuid(), account_id, name.strip(), clock.wall()), ids.secret()
    await store.add_api_key(key, text)
    return key, text


async def list_api_keys(store: Store, account_id: str) -> list[ApiKey]:
    """Of one account or subaccount, oldest first; raises `NotFound`."""
    await store.account(account_id)
    return await store.api_keys(account_id)


async def switch_api_key(store: Store, account_id: str, key_id: str, *, enabled: bool) -> None:
    """A key that is off is refused like an unknown one. Raises `NotFound`."""
    await store.set_api_key_enabled(account_id, key_id, enabled)


async def remove_api_key(store: Store, account_id: str, key_id: str) -> None:
    """Raises `NotFound`."""
    await store.remove_api_key(account_id, key_id)
