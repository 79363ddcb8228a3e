"""The part of the store protocol that the 8x8 API stands on: bearer keys, where recordings are pushed, exports.

What it is: a part of `store.py`, by intent, held to the same contract suite. What it is not: its row types (`kept.py`).
"""

from __future__ import annotations

from typing import Protocol

from maskline.masking.call_record import CallRecord
from maskline.storage.kept import ApiKey, ExportJob, PushConfig


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


class PushConfigStore(Protocol):
    async def set_push_config(self, config: PushConfig) -> None:
        """Create or replace. Raises `NotFound` (account or subaccount)."""
        ...

    async def push_config(self, account_id: str) -> PushConfig | None:
        """Of this account or subaccount alone; never suspends on SQLite."""
        ...

    async def keep_host_key(self, account_id: str, changed_at: float, host_key: str) -> None:
        """What the server's key was at the first push; nothing when the configuration is another by now."""
        ...

    async def remove_push_config(self, account_id: str) -> None:
        """Raises `NotFound`."""
        ...


class ExportStore(Protocol):
    async def calls_between(
        self, account_id: str, subaccount_id: str | None, *, since: float, until: float, after: tuple[float, str],
        limit: int,
    ) -> list[CallRecord]:  # fmt: skip
        """Calls that started in [since, until), by start and id, behind a call's (start, id); of one subaccount, or of
        the whole account."""
        ...

    async def add_export(self, job: ExportJob) -> None:
        """Raises `NotFound` (account)."""
        ...

    async def export(self, account_id: str, job_id: str) -> ExportJob:
        """Of a main account; raises `NotFound`."""
        ...

    async def export_of_link(self, job_id: str) -> ExportJob:
        """By its id alone: the caller has proved by a signed link that it may. Raises `NotFound`."""
        ...

    async def count_exports(self, account_id: str) -> int:
        """Of a main account, those that are queued or running."""
        ...

    async def lease_export(self, owner: str, *, now: float, until: float) -> ExportJob | None:
        """The oldest that waits, or whose maker's lease is over: it is running, and `owner`'s. A lease lasts for
        `until - now` by the clock of the database."""
        ...

    async def renew_export(self, owner: str, job_id: str, *, now: float, until: float) -> bool:
        """Its maker is at it; False when it is not its own any more."""
        ...

    async def finish_export(self, owner: str, job_id: str, status: str, size: int = 0) -> bool:
        """What its maker made of it; False when it is not its own any more."""
        ...

    async def free_exports(self, owner: str | None) -> int:
        """Those that `owner` makes wait again; None: those that anybody makes. Returns how many."""
        ...

    async def cancel_export(self, job_id: str) -> bool:
        """False when it is done, or is gone."""
        ...

    async def exports_over(self, now: float, limit: int) -> list[ExportJob]:
        """Whose time is over."""
        ...

    async def remove_export(self, job_id: str) -> None:
        """Its file is removed; one that is gone is no fault."""
        ...
