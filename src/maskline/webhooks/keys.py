"""The auth tokens that sign an account's webhooks, read from the store and cached until anything is configured.

What it is not: storage or sealing of tokens. Who uses it: `deliver.py`, at each try of a signed dialect.
"""

from __future__ import annotations

from maskline.errors import NotFound
from maskline.storage.store import Store
from maskline.webhooks.sign import SigningKeys


class StoreKeys:
    """Call it with an account and a subaccount. Raises `NotFound` and `StoreUnavailable`."""

    __slots__ = ("_keys", "_store", "_version")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: dict[tuple[str, str | None], SigningKeys] = {}
        self._version: int | None = None

    async def __call__(self, account_id: str, subaccount_id: str | None) -> SigningKeys:
        version = await self._store.configuration_version()
        if version != self._version:
            self._keys.clear()
            self._version = version
        key = (account_id, subaccount_id)
        if key not in self._keys:
            self._keys[key] = await self._read(account_id, subaccount_id)
        return self._keys[key]

    async def _read(self, account_id: str, subaccount_id: str | None) -> SigningKeys:
        main = await self._store.account(account_id)
        if subaccount_id is None:
            return SigningKeys(main.auth_tokens, main.auth_tokens)
        try:
            own = await self._store.account(subaccount_id)
        except NotFound:
            # Closed, but its live sessions run to their end: who hears of them now is the main account.
            own = main
        return SigningKeys(own.auth_tokens, main.auth_tokens)
