"""The store on a SQL database: recordings.

What it is: the protocol's methods on them, and what their transactions do. What it is not: their birth, which is a part
of their call's commit (`sql_units.py`). Who builds on it: `sql_flows.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskline.errors import Conflict, NotFound
from maskline.masking.facts import Fact
from maskline.masking.recording import Recording, RecordingResult, RecordingStatus
from maskline.storage import rows, rows_facts, rows_outbox
from maskline.storage.crypto import Sealer
from maskline.storage.filters import RecordingFilter
from maskline.storage.rows import Row
from maskline.storage.sql import SqlConnection, by_its_clock, run
from maskline.storage.sql_kept import SqlKept
from maskline.storage.sql_outbox import add_outbox
from maskline.storage.sql_units import add_facts
from maskline.storage.store import NO_RECORDING, NOT_FINISHED, NOTHING_TO_RETRY, OutboxRow


class SqlRecordings(SqlKept):
    """See `maskline.storage.store.Store`."""

    async def recording(self, account_id: str, recording_id: str) -> Recording:
        return self._one(await self._rows("recording", account_id, recording_id))

    async def recording_of_link(self, recording_id: str) -> Recording:
        return self._one(await self._rows("recording_of_link", recording_id))

    def _one(self, found: list[Row]) -> Recording:
        if not found:
            raise NotFound(NO_RECORDING)
        return rows.recording_from_row(found[0], self._sealer)

    async def recordings(
        self, account_id: str, wanted: RecordingFilter, *, limit: int, offset: int = 0
    ) -> tuple[list[Recording], int]:
        values = (account_id, wanted.subaccount_id, wanted.call_id, wanted.session_id, wanted.since, wanted.until)

        def read(connection: SqlConnection) -> tuple[list[Row], int]:
            # The total belongs to the same state as the page.
            with connection.snapshot():
                (total,) = run(connection, "count_recordings", *values).fetchone()
                return run(connection, "recordings", *values, max(limit, 0), max(offset, 0)).fetchall(), int(total)

        found, total = await self._list(read)
        return [rows.recording_from_row(row, self._sealer) for row in found], total

    async def recover_recordings(self, due_at: float, *, now: float = 0.0, owner: str = "") -> int:
        def unit(connection: SqlConnection) -> int:
            values = (due_at, owner, connection.wall(now))
            return int(run(connection, "recover_recordings", *values).rowcount)

        return await self._write(unit)

    async def lease_recording(self, owner: str, *, now: float, until: float) -> Recording | None:
        due = await self.next_recording_due()
        if due is None or due > now:
            return None
        row = await self._write(_lease, owner, now, until)
        return None if row is None else rows.recording_from_row(row, self._sealer)

    async def next_recording_due(self) -> float | None:
        due: float | None = (await self._rows("next_recording_due"))[0][0]
        return due

    async def finish_recording(
        self, owner: str, result: RecordingResult, *, facts: Sequence[Fact] = (), outbox: Sequence[OutboxRow] = ()
    ) -> bool:
        fact_rows = rows_facts.facts_to_rows(facts)
        prepared = [rows_outbox.outbox_to_row(row, self._sealer) for row in outbox]
        return await self._write(_finish, owner, result, fact_rows, prepared)

    async def drop_spool(self, recording_id: str) -> None:
        await self._write_small(lambda connection: run(connection, "drop_spool", recording_id))

    async def recordings_to_clean(self, limit: int) -> list[Recording]:
        found = await self._list(lambda connection: run(connection, "recordings_to_clean", limit).fetchall())
        return [rows.recording_from_row(row, self._sealer) for row in found]

    async def old_recordings(self, before: float, limit: int) -> list[Recording]:
        def read(connection: SqlConnection) -> list[Row]:
            kept = run(connection, "old_recordings", before, limit).fetchall()
            return kept + run(connection, "old_failures", before, limit - len(kept)).fetchall()

        return [rows.recording_from_row(row, self._sealer) for row in await self._list(read)]

    async def delete_recording(self, account_id: str, recording_id: str) -> Recording:
        return await self._write_small(_delete, self._sealer, account_id, recording_id)

    async def retry_recording(self, account_id: str, recording_id: str, now: float) -> None:
        await self._write_small(_retry, self._sealer, account_id, recording_id, now)


def _lease(connection: SqlConnection, owner: str, now: float, until: float) -> Row | None:
    row: Row | None = run(connection, "lease_recording", owner, *by_its_clock(connection, now, until)).fetchone()
    return row


def _finish(
    connection: SqlConnection, owner: str, result: RecordingResult, facts: Sequence[Row], outbox: Sequence[Row]
) -> bool:
    finished = run(
        connection, "finish_recording", result.recording_id, owner, result.status.value, result.due_at,
        result.started_at, result.ended_at, result.duration_ms, result.partial, result.file, result.pushed,
        result.size, result.error, result.upload_failed,
    ).rowcount  # fmt: skip
    if finished:
        add_facts(connection, facts)
        add_outbox(connection, outbox)
    return bool(finished)


def _read(connection: SqlConnection, sealer: Sealer, account_id: str, recording_id: str) -> Recording:
    row = run(connection, "recording", account_id, recording_id).fetchone()
    if row is None:
        raise NotFound(NO_RECORDING)
    return rows.recording_from_row(row, sealer)


def _delete(connection: SqlConnection, sealer: Sealer, account_id: str, recording_id: str) -> Recording:
    recording = _read(connection, sealer, account_id, recording_id)
    if recording.status is RecordingStatus.DELETED:
        raise NotFound(NO_RECORDING)
    if recording.status not in (RecordingStatus.COMPLETED, RecordingStatus.FAILED):
        raise Conflict(NOT_FINISHED)
    run(connection, "delete_recording", recording_id)
    return recording


def _retry(connection: SqlConnection, sealer: Sealer, account_id: str, recording_id: str, now: float) -> None:
    recording = _read(connection, sealer, account_id, recording_id)
    if recording.status is not RecordingStatus.FAILED or not recording.spool:
        raise Conflict(NOTHING_TO_RETRY)
    run(connection, "retry_recording", recording_id, now)
