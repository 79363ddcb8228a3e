"""Who is asking: a Bearer key, and whether its account may act at this path.

What it is: the check of every request of this dialect. What it is not: the answers, which `errors.py` shapes. Who uses
it: `routes.py`.

A key of an account acts for it and for its subaccounts; a subaccount's for that alone. No key, a wrong one, a disabled
one and one of an account that is disabled, itself or the account above it, get one and the same 401; unknown, foreign
and disabled ids in the path one and the same 404.
"""

from __future__ import annotations

import hashlib

from maskline.clock import Clock
from maskline.errors import NotAuthenticated
from maskline.storage.store import Account, Store
from maskline.workflows.find_by_key import account_at, account_of_key

_CACHED = 10_000
_LONGEST_KEY = 512


class BearerAuthenticator:
    """What was found is looked up again when older than `max_age` seconds: that is how long a revoked key still works.
    What was not found is not remembered, so a new key works at once.

    Keys are looked up by a hash, here and in the store: the time it takes tells nothing of how much of one is right."""

    __slots__ = ("_clock", "_found", "_store", "max_age")

    def __init__(self, store: Store, clock: Clock, max_age: float = 1.0) -> None:
        self._store = store
        self._clock = clock
        self._found: dict[tuple[bytes, str], tuple[float, Account]] = {}
        self.max_age = max_age

    async def __call__(self, authorization: str | None, path_id: str) -> Account:
        """The account of the path. Raises `NotAuthenticated`, `NotFound` and `StoreUnavailable`."""
        text = read_bearer(authorization)
        place = (hashlib.sha256(text.encode()).digest(), path_id)
        now = self._clock.now()
        cached = self._found.get(place)
        if cached is not None and now - cached[0] < self.max_age:
            return cached[1]
        self._found.pop(place, None)
        account = await account_at(self._store, await account_of_key(self._store, text), path_id)
        if len(self._found) >= _CACHED:
            self._found.clear()
        self._found[place] = (now, account)
        return account


def read_bearer(authorization: str | None) -> str:
    """The key of an Authorization header (RFC 6750 §2.1); raises `NotAuthenticated`."""
    scheme, _, text = (authorization or "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text or len(text) > _LONGEST_KEY:
        raise NotAuthenticated
    return text
