"""What signs an account's webhooks: its auth tokens, and the secrets its endpoints have now; read from the store and
cached until anything is configured.

What it is not: storage or sealing of them. Who uses it: `deliver.py`, at each try.
"""

from __future__ import annotations

from maskline.errors import NotFound
from maskline.storage.store import OutboxRow, Store
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
            # Anew, and not cleared: who still reads by the former version puts what it finds into the former one.
            self._keys = {}
            self._version = version
        key, known = (account_id, subaccount_id), self._keys
        if key not in known:
            known[key] = await self._read(account_id, subaccount_id)
        return known[key]

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


class StoreSecrets:
    """Call it with a row that has a secret. Raises `StoreUnavailable`."""

    __slots__ = ("_secrets", "_store", "_version")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._secrets: dict[str, dict[str, str]] = {}
        self._version: int | None = None

    async def __call__(self, row: OutboxRow) -> str:
        """What its endpoint signs with now: a retry three days, or a replay months, after the secret was changed is for
        a receiver that knows the new one. The row's own, where no endpoint has the row's URL any more."""
        version = await self._store.configuration_version()
        if version != self._version:
            self._secrets = {}
            self._version = version
        owner, known = row.subaccount_id or row.account_id, self._secrets
        if owner not in known:
            known[owner] = {one.url: one.secret for one in await self._store.endpoints(owner) if one.secret}
        return known[owner].get(row.url, row.secret)
