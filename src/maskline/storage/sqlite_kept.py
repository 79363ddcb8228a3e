"""What the 8x8 API stands on, on a SQLite file: bearer keys, where recordings are pushed, exports of calls.

What it is: these methods of the protocol. What it is not: accounts (`sqlite_configuration.py`). Who builds on it:
`sqlite_recordings.py`.
"""

from __future__ import annotations

import sqlite3

from maskline.errors import NotFound
from maskline.masking.call_record import CallRecord
from maskline.storage import rows, rows_kept
from maskline.storage.kept import ApiKey, ExportJob, PushConfig
from maskline.storage.sqlite_configuration import SqliteConfiguration, add_row, replace_row
from maskline.storage.sqlite_connection import run
from maskline.storage.store import NO_EXPORT, NO_KEY, NO_PUSH_CONFIG


class SqliteKept(SqliteConfiguration):
    """See `maskline.storage.kept_store`."""

    # -- bearer keys --------------------------------------------------------------------------------------------------
    async def add_api_key(self, key: ApiKey, text: str) -> None:
        self._account_row(key.account_id)
        row = rows_kept.api_key_to_row(key, text, self._sealer)
        await self._write(add_row, "add_api_key", *row, conflict="This key exists already.")

    async def api_key(self, text: str) -> ApiKey | None:
        found = self._rows("api_key", rows_kept.api_key_hash(text, self._sealer))
        return rows_kept.api_key_from_row(found[0]) if found else None

    async def api_keys(self, account_id: str) -> list[ApiKey]:
        return [rows_kept.api_key_from_row(row) for row in self._rows("api_keys", account_id)]

    async def set_api_key_enabled(self, account_id: str, key_id: str, enabled: bool) -> None:
        await self._write(replace_row, "set_api_key_enabled", account_id, key_id, enabled, missing=NO_KEY)

    async def remove_api_key(self, account_id: str, key_id: str) -> None:
        await self._write(replace_row, "remove_api_key", account_id, key_id, missing=NO_KEY)

    # -- where recordings go ------------------------------------------------------------------------------------------
    async def set_push_config(self, config: PushConfig) -> None:
        self._account_row(config.account_id)
        row = rows_kept.push_config_to_row(config, self._sealer)
        await self._write(add_row, "set_push_config", *row, conflict="")

    async def push_config(self, account_id: str) -> PushConfig | None:
        found = self._rows("push_config", account_id)
        return rows_kept.push_config_from_row(found[0], self._sealer) if found else None

    async def keep_host_key(self, account_id: str, changed_at: float, host_key: str) -> None:
        await self._write(_run, "keep_host_key", account_id, changed_at, host_key)

    async def remove_push_config(self, account_id: str) -> None:
        await self._write(replace_row, "remove_push_config", account_id, missing=NO_PUSH_CONFIG)

    # -- exports ------------------------------------------------------------------------------------------------------
    async def calls_between(
        self, account_id: str, subaccount_id: str | None, *, since: float, until: float, after: tuple[float, str],
        limit: int,
    ) -> list[CallRecord]:  # fmt: skip
        sealer = self._sealer
        values = (account_id, subaccount_id, since, until, *after, limit)
        return await self._list(
            lambda connection: [rows.call_from_row(row, sealer) for row in run(connection, "calls_between", *values)]
        )

    async def add_export(self, job: ExportJob) -> None:
        self._account_row(job.account_id)
        await self._write(_run, "add_export", *rows_kept.export_to_row(job))

    async def export(self, account_id: str, job_id: str) -> ExportJob:
        return _export(self._rows("export", account_id, job_id))

    async def export_of_link(self, job_id: str) -> ExportJob:
        return _export(self._rows("export_of_link", job_id))

    async def exports_in(self, status: str, limit: int) -> list[ExportJob]:
        return [rows_kept.export_from_row(row) for row in self._rows("exports_in", status, limit)]

    async def count_exports(self, account_id: str) -> int:
        return int(self._rows("count_exports", account_id)[0][0])

    async def change_export(self, job_id: str, *, was: tuple[str, ...], status: str, size: int = 0) -> bool:
        return bool(await self._write(_run, "change_export", job_id, status, size, was[0], was[-1]))

    async def exports_over(self, now: float, limit: int) -> list[ExportJob]:
        return [rows_kept.export_from_row(row) for row in self._rows("exports_over", now, limit)]

    async def remove_export(self, job_id: str) -> None:
        await self._write(_run, "remove_export", job_id)


def _run(connection: sqlite3.Connection, query: str, *values: object) -> int:
    """How many rows it changed."""
    return int(run(connection, query, *values).rowcount)


def _export(found: list[rows.Row]) -> ExportJob:
    if not found:
        raise NotFound(NO_EXPORT)
    return rows_kept.export_from_row(found[0])
