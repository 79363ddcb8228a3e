"""The policy that holds for an account's or subaccount's sessions: its own, else its main account's, else the default.

What it is not: changing one (`set_policy.py`). Who uses it: `create_session`, which asks at each create, hence the
cache; it is read again once anything was configured, by any process.
"""

from __future__ import annotations

from maskline.masking.policy import AccountPolicy
from maskline.storage.store import Store
from maskline.workflows.scope import Scope

_DEFAULT = AccountPolicy()


class FindPolicy:
    __slots__ = ("_found", "_store", "_version")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[Scope, AccountPolicy] = {}
        self._version: int | None = None

    async def __call__(self, scope: Scope) -> AccountPolicy:
        """Raises `NotFound` and `StoreUnavailable`."""
        version = await self._store.configuration_version()
        if version != self._version:
            self._found = {}  # not cleared: see `FindLimits.at`
            self._version = version
        known = self._found
        policy = known.get(scope)
        if policy is None:
            policy = known[scope] = await self._read(scope)
        return policy

    async def _read(self, scope: Scope) -> AccountPolicy:
        own = None if scope.subaccount_id is None else (await self._store.account(scope.subaccount_id)).policy
        return own or (await self._store.account(scope.account_id)).policy or _DEFAULT
