"""The store in memory: recordings.

What it is: the same rules as `queries.sql` states for them, in Python. What it is not: durable. Who builds on it:
`memory.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from maskline.errors import Conflict, NotFound
from maskline.masking.facts import Fact
from maskline.masking.recording import Recording, RecordingResult, RecordingStatus
from maskline.storage.filters import RecordingFilter
from maskline.storage.memory_live import MemoryLive
from maskline.storage.memory_log import MemoryLog
from maskline.storage.store import NO_RECORDING, NOT_FINISHED, NOTHING_TO_RETRY, OutboxRow, RecordedCall

_TO_MAKE = (RecordingStatus.STOPPED, RecordingStatus.PROCESSING)
_OVER = (RecordingStatus.FAILED, RecordingStatus.DELETED)


class MemoryRecordings(MemoryLive, MemoryLog):
    """See `maskline.storage.store.Store`."""

    def __init__(self) -> None:
        super().__init__()
        self._recordings: dict[str, Recording] = {}
        self._makers: dict[str, str] = {}
        """Owner of the lease, of those that are processed."""

    def _take_recording(self, call: RecordedCall) -> None:
        """The share of a call's commit."""
        if call.recording is not None:
            self._recordings.setdefault(call.recording.id, call.recording)
        end = call.recording_end
        recording = self._recordings.get(end.recording_id) if end else None
        if end is not None and recording is not None and recording.status is RecordingStatus.RECORDING:
            self._recordings[recording.id] = recording.stopped(end)

    async def recording(self, account_id: str, recording_id: str) -> Recording:
        found = await self.recording_of_link(recording_id)
        if found.account_id != account_id:
            raise NotFound(NO_RECORDING)
        return found

    async def recording_of_link(self, recording_id: str) -> Recording:
        found = self._recordings.get(recording_id)
        if found is None:
            raise NotFound(NO_RECORDING)
        return found

    async def recordings(
        self, account_id: str, wanted: RecordingFilter, *, limit: int, offset: int = 0
    ) -> tuple[list[Recording], int]:
        found = [one for one in self._recordings.values() if one.account_id == account_id and _matches(one, wanted)]
        found.sort(key=lambda one: (one.started_at, one.id), reverse=True)
        return found[max(offset, 0) :][: max(limit, 0)], len(found)

    async def recover_recordings(self, due_at: float, *, now: float = 0.0, owner: str = "") -> int:
        living = {one.id for one in self._owners.values() if one.until > now and one.id != owner}
        left = [
            one for one in self._recordings.values()
            if one.spool and one.status in (RecordingStatus.RECORDING, RecordingStatus.PROCESSING)
            and one.call_id not in self._live
            and (one.status is RecordingStatus.RECORDING or self._makers.get(one.id) not in living)
        ]  # fmt: skip
        for one in left:
            partial = one.partial or one.status is RecordingStatus.RECORDING
            self._makers.pop(one.id, None)
            self._put(replace(one, status=RecordingStatus.STOPPED, partial=partial, due_at=due_at))
        return len(left)

    async def free_leases(self, owners: Sequence[str], *, now: float) -> int:
        left = [
            one for one in self._recordings.values()
            if one.status is RecordingStatus.PROCESSING and one.due_at > now and self._makers.get(one.id) in owners
        ]  # fmt: skip
        for one in left:
            del self._makers[one.id]
            self._put(replace(one, status=RecordingStatus.STOPPED, due_at=now))
        rows = sum([await self.free_exports(owner) for owner in owners])
        rows += self._outbox.free(owners, now) + self._requests.free(owners) + self._flows.free(owners)
        return rows + len(left)

    async def lease_recording(self, owner: str, *, now: float, until: float) -> Recording | None:
        due = [one for one in self._recordings.values() if one.status in _TO_MAKE and one.due_at <= now]
        if not due:
            return None
        first = min(due, key=lambda one: one.due_at)
        self._makers[first.id] = owner
        leased = replace(first, status=RecordingStatus.PROCESSING, due_at=until, attempts=first.attempts + 1)
        self._put(leased)
        return leased

    async def next_recording_due(self) -> float | None:
        return min((one.due_at for one in self._recordings.values() if one.status in _TO_MAKE), default=None)

    async def finish_recording(
        self, owner: str, result: RecordingResult, *, facts: Sequence[Fact] = (), outbox: Sequence[OutboxRow] = ()
    ) -> bool:
        if self._makers.get(result.recording_id) != owner:
            return False
        self._outbox.add(outbox)
        self._write_back(result)
        for fact in facts:
            self._add_fact(fact)
        return True

    def _write_back(self, result: RecordingResult) -> None:
        self._makers.pop(result.recording_id)
        self._put(
            replace(
                self._recordings[result.recording_id], status=result.status, due_at=result.due_at,
                started_at=result.started_at, ended_at=result.ended_at, duration_ms=result.duration_ms,
                partial=result.partial, file=result.file, pushed=result.pushed, size=result.size, error=result.error,
                upload_failed=result.upload_failed,
            )
        )  # fmt: skip

    async def drop_spool(self, recording_id: str) -> None:
        if recording_id in self._recordings:
            self._put(replace(self._recordings[recording_id], spool=""))

    async def recordings_to_clean(self, limit: int) -> list[Recording]:
        done = (RecordingStatus.COMPLETED, RecordingStatus.DELETED)
        return [one for one in self._recordings.values() if one.spool and one.status in done][:limit]

    async def old_recordings(self, before: float, limit: int) -> list[Recording]:
        old = [
            one for one in self._recordings.values()
            if one.started_at < before
            and (one.status is RecordingStatus.COMPLETED or (one.status is RecordingStatus.FAILED and one.spool))
        ]  # fmt: skip
        return sorted(old, key=lambda one: (one.status, one.started_at))[:limit]

    async def delete_recording(self, account_id: str, recording_id: str) -> Recording:
        found = await self.recording(account_id, recording_id)
        if found.status is RecordingStatus.DELETED:
            raise NotFound(NO_RECORDING)
        if found.status not in (RecordingStatus.COMPLETED, RecordingStatus.FAILED):
            raise Conflict(NOT_FINISHED)
        self._put(replace(found, status=RecordingStatus.DELETED, file="", pushed="", size=0))
        return found

    async def retry_recording(self, account_id: str, recording_id: str, now: float) -> None:
        found = await self.recording(account_id, recording_id)
        if found.status is not RecordingStatus.FAILED or not found.spool:
            raise Conflict(NOTHING_TO_RETRY)
        self._put(replace(found, status=RecordingStatus.STOPPED, attempts=0, due_at=now, error="", upload_failed=False))

    def _forget_recordings(self, before: float, limit: int) -> int:
        old = [
            one.id for one in self._recordings.values()
            if one.status in _OVER and one.started_at < before and not one.spool
        ]  # fmt: skip
        for recording_id in old[:limit]:
            del self._recordings[recording_id]
        return len(old[:limit])

    def _put(self, recording: Recording) -> None:
        self._recordings[recording.id] = recording


def _matches(recording: Recording, wanted: RecordingFilter) -> bool:
    return (
        wanted.subaccount_id in (None, recording.subaccount_id)
        and wanted.call_id in (None, recording.call_id, recording.leg_id)
        and wanted.session_id in (None, recording.session_id)
        and wanted.since <= recording.started_at <= wanted.until
    )
