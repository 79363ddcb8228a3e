"""Who is asking: HTTP Basic with auth id and token, and whether that account may act at this path.

What it is: the check shared by the dialects that use Basic. What it is not: the 401 body, which each dialect
shapes. Who uses it: `plivo/routes.py`.

Rules: an account acts for itself and for its subaccounts, disabled ones too: it can enable them again; a subaccount for
itself alone, and not while its account is disabled. Unknown ids, wrong tokens, disabled accounts and foreign paths get
one and the same answer. Each active token of an account is as good as the others.
"""

from __future__ import annotations

import base64
import hmac
from functools import lru_cache

from maskline.clock import Clock
from maskline.errors import NotAuthenticated, NotFound
from maskline.storage.store import Account, Store
from maskline.workflows.find_account import find_account

_CACHED_ACCOUNTS = 10_000
_NO_TOKENS = ("-" * 40,)


class Authenticator:
    """Accounts are read again when older than `max_age` seconds: that is how long a revoked token still works.
    Unknown ids are not remembered, so a new account works at once."""

    __slots__ = ("_accounts", "_clock", "_store", "max_age")

    def __init__(self, store: Store, clock: Clock, max_age: float = 1.0) -> None:
        self._store = store
        self._clock = clock
        self._accounts: dict[str, tuple[float, Account]] = {}
        self.max_age = max_age

    async def __call__(self, authorization: str | None, path_id: str) -> Account:
        """The account of the path; raises `NotAuthenticated`, and `StoreUnavailable`."""
        auth_id, token = read_basic(authorization)
        caller = await self._find(auth_id)
        # Compared also when the id is unknown, so that the time taken does not tell ids apart.
        expected = caller.auth_tokens if caller else _NO_TOKENS
        given = token.encode("utf-8", "replace")
        matches = [hmac.compare_digest(one.encode(), given) for one in expected]
        if caller is None or not any(matches) or not await self._is_enabled(caller):
            raise NotAuthenticated
        if path_id == caller.id:
            return caller
        target = await self._find(path_id)
        if target is None or target.parent_id != caller.id:
            raise NotAuthenticated
        return target

    async def _is_enabled(self, caller: Account) -> bool:
        """It and the account above it."""
        above = caller if caller.parent_id is None else await self._find(caller.parent_id)
        return caller.enabled and above is not None and above.enabled

    def forget(self, account_id: str) -> None:
        """Read the account again at its next request: it was changed or removed here, and that is to hold at once."""
        self._accounts.pop(account_id, None)

    async def _find(self, account_id: str) -> Account | None:
        now = self._clock.now()
        cached = self._accounts.get(account_id)
        if cached is not None and now - cached[0] < self.max_age:
            return cached[1]
        try:
            account = await find_account(self._store, account_id)
        except NotFound:
            self._accounts.pop(account_id, None)
            return None
        if len(self._accounts) >= _CACHED_ACCOUNTS:
            self._accounts.clear()
        self._accounts[account_id] = (now, account)
        return account


@lru_cache(maxsize=4096)
def read_basic(authorization: str | None) -> tuple[str, str]:
    """User and password of an Authorization header (RFC 7617); raises `NotAuthenticated`, which is not kept."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        raise NotAuthenticated
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:  # not base64, or not UTF-8
        raise NotAuthenticated from None
    if not colon:
        raise NotAuthenticated
    return user, password
