"""The part of the store protocol that the 8x8 API stands on: bearer keys.

What it is: a part of `store.py`, by intent, held to the same contract suite. What it is not: its row types (`kept.py`).
"""

from __future__ import annotations

from typing import Protocol

from maskline.storage.kept import ApiKey


class KeyStore(Protocol):
    async def add_api_key(self, key: ApiKey, text: str) -> None:
        """`text`: the key itself, of which only a keyed hash is kept. Raises `NotFound` (account or subaccount) and
        `Conflict` (its id or the key exists)."""
        ...

    async def api_key(self, text: str) -> ApiKey | None:
        """By the key itself; also one that is disabled, or whose subaccount is removed. Never suspends on SQLite."""
        ...

    async def api_keys(self, account_id: str) -> list[ApiKey]:
        """Of one account or subaccount, oldest first."""
        ...

    async def set_api_key_enabled(self, account_id: str, key_id: str, enabled: bool) -> None:
        """Raises `NotFound`."""
        ...

    async def remove_api_key(self, account_id: str, key_id: str) -> None:
        """Raises `NotFound`."""
        ...
