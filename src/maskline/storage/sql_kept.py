"""What the 8x8 API stands on, on a SQL database: bearer keys, where recordings are pushed, exports of calls.

What it is: these methods of the protocol. What it is not: accounts (`sql_configuration.py`). Who builds on it:
`sql_recordings.py`.
"""

from __future__ import annotations

from maskline.errors import NotFound
from maskline.masking.call_record import CallRecord
from maskline.storage import rows, rows_kept
from maskline.storage.kept import ApiKey, ExportJob, PushConfig
from maskline.storage.sql import SqlConnection, by_its_clock, run
from maskline.storage.sql_configuration import SqlConfiguration, add_row, replace_row
from maskline.storage.store import NO_EXPORT, NO_KEY, NO_PUSH_CONFIG


class SqlKept(SqlConfiguration):
    """See `maskline.storage.kept_store`."""

    # -- bearer keys --------------------------------------------------------------------------------------------------
    async def add_api_key(self, key: ApiKey, text: str) -> None:
        await self._account_row(key.account_id)
        row = rows_kept.api_key_to_row(key, text, self._sealer)
        await self._write(add_row, "add_api_key", *row, conflict="This key exists already.")

    async def api_key(self, text: str) -> ApiKey | None:
        found = await self._rows("api_key", rows_kept.api_key_hash(text, self._sealer))
        return rows_kept.api_key_from_row(found[0]) if found else None

    async def api_keys(self, account_id: str) -> list[ApiKey]:
        return [rows_kept.api_key_from_row(row) for row in await self._rows("api_keys", account_id)]

    async def set_api_key_enabled(self, account_id: str, key_id: str, enabled: bool) -> None:
        await self._write(replace_row, "set_api_key_enabled", account_id, key_id, enabled, missing=NO_KEY)

    async def remove_api_key(self, account_id: str, key_id: str) -> None:
        await self._write(replace_row, "remove_api_key", account_id, key_id, missing=NO_KEY)

    # -- where recordings go ------------------------------------------------------------------------------------------
    async def set_push_config(self, config: PushConfig) -> None:
        await self._account_row(config.account_id)
        row = rows_kept.push_config_to_row(config, self._sealer)
        await self._write(add_row, "set_push_config", *row, conflict="")

    async def push_config(self, account_id: str) -> PushConfig | None:
        found = await self._rows("push_config", account_id)
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
        await self._account_row(job.account_id)
        await self._write(_run, "add_export", *rows_kept.export_to_row(job))

    async def export(self, account_id: str, job_id: str) -> ExportJob:
        return _export(await self._rows("export", account_id, job_id))

    async def export_of_link(self, job_id: str) -> ExportJob:
        return _export(await self._rows("export_of_link", job_id))

    async def count_exports(self, account_id: str) -> int:
        return int((await self._rows("count_exports", account_id))[0][0])

    async def lease_export(self, owner: str, *, now: float, until: float) -> ExportJob | None:
        if not await self._rows("exports_to_make"):
            return None
        row = await self._write(_lease_export, owner, now, until)
        return None if row is None else rows_kept.export_from_row(row)

    async def renew_export(self, owner: str, job_id: str, *, now: float, until: float) -> bool:
        def unit(connection: SqlConnection) -> int:
            return _run(connection, "renew_export", job_id, owner, by_its_clock(connection, now, until)[1])

        return bool(await self._write(unit))

    async def finish_export(self, owner: str, job_id: str, status: str, size: int = 0) -> bool:
        return bool(await self._write(_run, "finish_export", job_id, owner, status, size))

    async def free_exports(self, owner: str | None) -> int:
        return await self._write(_run, "free_exports", owner)

    async def cancel_export(self, job_id: str) -> bool:
        return bool(await self._write(_run, "cancel_export", job_id))

    async def exports_over(self, now: float, limit: int) -> list[ExportJob]:
        return [rows_kept.export_from_row(row) for row in await self._rows("exports_over", now, limit)]

    async def remove_export(self, job_id: str) -> None:
        await self._write(_run, "remove_export", job_id)


def _run(connection: SqlConnection, query: str, *values: object) -> int:
    """How many rows it changed."""
    return int(run(connection, query, *values).rowcount)


def _lease_export(connection: SqlConnection, owner: str, now: float, until: float) -> rows.Row | None:
    row: rows.Row | None = run(connection, "lease_export", owner, *by_its_clock(connection, now, until)).fetchone()
    return row


def _export(found: list[rows.Row]) -> ExportJob:
    if not found:
        raise NotFound(NO_EXPORT)
    return rows_kept.export_from_row(found[0])
