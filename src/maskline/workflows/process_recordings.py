"""Make files of recorded calls, in the background: one process per recording, a few at a time, until each is told.

What it is: lease, job, result, fact and webhook in one transaction, then the removal of the spool; tries again with
growing pauses, and takes up at the start what a killed process left. What it is not: conversion or upload
(`media/recordings`). Who uses it: `app.py` runs `run()` as a task and calls `recover()` before the engine starts.

A lease is over by time, whoever holds it; a job that is done twice writes the same files. The file comes first, then
the row that names it, then the end of the spool: nothing is lost wherever it stops.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from maskline.clock import Clock
from maskline.errors import ConfigurationError, NotFound, StoreUnavailable
from maskline.ids import Ids
from maskline.masking.facts import Fact, RecordingCompleted, RecordingFailed
from maskline.masking.recording import Recording, RecordingResult, RecordingStatus
from maskline.media.recordings.job import Destination, Done, Job
from maskline.media.recordings.runner import run_job
from maskline.media.spool import spool_parts
from maskline.net.guard import Network
from maskline.storage.store import OutboxRow, Store
from maskline.webhooks.formats import plivo_recordings
from maskline.workflows.native_outbox import native_recording_rows
from maskline.workflows.push_destination import PushDestinations, PushRefused, Resolve, look_up
from maskline.workflows.recording_links import RecordingLinks
from maskline.workflows.recording_outbox import recording_row
from maskline.workflows.uploaded_outbox import uploaded_rows

_log = structlog.get_logger("maskline.recordings")

RETRIES = (10.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0)
"""Seconds after each try that failed; after the last of them it is given up: eight hours in all."""
_LEAST_LIMIT = 300.0
_LIMIT_SHARE = 0.25
"""Of the recording's length: a job takes some 0.012 of it."""
_UNKNOWN_LENGTH = 6 * 3600.0
_LEASE_MARGIN = 60.0
_RECOVERY_PAUSE = 3.0
"""Seconds after the start: relay workers that outlived a crash end their spools when the engine takes them over."""
_YOUNG = 60.0
"""Seconds since a spool of an engine that lives was written last."""
_POLL = 1.0
_AT_ONCE = 100
_DAY = 86_400.0
_BROKEN = "An internal error occurred."


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """How recordings are made and where they are kept."""

    folder: Path = Path("recordings")
    """Of sealed files."""
    spools: Path = Path("spool")
    """Where the embedded relay spools; what no recording knows of is removed at the start."""
    key: bytes = field(default=bytes(32), repr=False)
    destination: Destination | None = None
    """Where recordings go whose account has no configuration of its own."""
    keep_local: bool = True
    jobs: int = 1
    retention_days: int = 0
    s3_endpoint: str = ""
    """URL of the S3-compatible storage that accounts' configurations mean; empty: AWS."""
    allowed: tuple[Network, ...] = ()
    """Internal networks where accounts' SFTP servers may be."""


RunJob = Callable[[Job, float], Awaitable[Done]]


class ProcessRecordings:
    """`told` is called when there are webhooks. Run `run()` as a task; it ends after `stop()`, its jobs killed."""

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, plan: RecordingPlan, links: RecordingLinks,
        told: Callable[[], None], *, run_job: RunJob = run_job, resolve: Resolve = look_up,
    ) -> None:  # fmt: skip
        self._store = store
        self._clock = clock
        self._ids = ids
        self._plan = plan
        self._links = links
        self._told = told
        self._run_job = run_job
        self._destinations = PushDestinations(
            store, plan.destination, s3_endpoint=plan.s3_endpoint, allowed=plan.allowed, resolve=resolve
        )
        self.owner = ids.uuid()
        """Set it before the start: what a process of this name left is taken up."""
        self._wake = asyncio.Event()
        self._stopping = False
        self._away = False
        self._jobs: set[asyncio.Task[None]] = set()
        self.made = 0
        self.failed = 0

    def notify(self) -> None:
        """There is a recording to make."""
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    @property
    def busy(self) -> int:
        """Jobs that run."""
        return len(self._jobs)

    async def recover(self) -> int:
        """At the start, before any call: take up what a former process left. Returns how many recordings. Raises
        `ConfigurationError` when recordings could not be pushed where they are to go."""
        if self._plan.destination is not None:
            await asyncio.to_thread(check_destination, self._plan.destination)
        now = self._clock.wall()
        found = await self._store.recover_recordings(now + _RECOVERY_PAUSE, now=now, owner=self.owner)
        for recording in await self._store.recordings_to_clean(_AT_ONCE):
            await self._drop_spool(recording)
        # What another engine has just begun to spool is known to nobody but it.
        before = now - _YOUNG if self._store.is_shared else None
        for path in await asyncio.to_thread(_spool_files, self._plan.spools, before):
            if not await self._is_known(path.name.partition(".")[0]):
                await asyncio.to_thread(path.unlink, missing_ok=True)
                _log.warning("recording_spool_orphaned")
        if found:
            _log.warning("recordings_recovered", count=found)
        return found

    async def _is_known(self, recording_id: str) -> bool:
        try:
            return bool((await self._store.recording_of_link(recording_id)).spool)
        except NotFound:
            return False

    async def run(self) -> None:
        try:
            while not self._stopping:
                self._wake.clear()
                await self._begin_due()
                try:
                    async with asyncio.timeout(_POLL):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            for job in self._jobs:
                job.cancel()
            await asyncio.gather(*self._jobs, return_exceptions=True)

    async def _begin_due(self) -> None:
        while len(self._jobs) < self._plan.jobs and not self._stopping:
            now = self._clock.wall()
            try:
                recording = await self._store.lease_recording(self.owner, now=now, until=now + self._longest())
            except StoreUnavailable:
                if not self._away:
                    _log.warning("recordings_delayed")
                self._away = True
                return
            self._away = False
            if recording is None:
                return
            job = asyncio.ensure_future(self._process(recording))
            self._jobs.add(job)
            job.add_done_callback(self._job_over)

    def _job_over(self, job: asyncio.Task[None]) -> None:
        self._jobs.discard(job)
        self._wake.set()
        if not job.cancelled() and job.exception() is not None:
            # The row's lease ends by itself, and it is tried again.
            _log.error("recording_job_failed", error=type(job.exception()).__name__)

    @staticmethod
    def _longest() -> float:
        return _LEAST_LIMIT + _LIMIT_SHARE * _UNKNOWN_LENGTH + _LEASE_MARGIN

    async def _process(self, recording: Recording) -> None:
        length = _UNKNOWN_LENGTH if recording.ended_at is None else recording.ended_at - recording.started_at
        limit = _LEAST_LIMIT + _LIMIT_SHARE * min(length, _UNKNOWN_LENGTH)
        try:
            done = await self._make(recording, limit)
            await self._keep(recording, result_of(recording, done, self._clock.wall()))
        except Exception as error:  # noqa: BLE001 - counts as a try: without a result its lease would last for hours
            _log.error("recording_job_failed", recording_id=recording.id, error=type(error).__name__)
            await self._keep(recording, result_of(recording, Done(error=_BROKEN), self._clock.wall()))

    async def _make(self, recording: Recording, limit: float) -> Done:
        config = await self._destinations.config_of(recording)
        try:
            destination = await self._destinations.of(config)
        except PushRefused as error:
            return Done(error=str(error), upload_failed=True)
        done = await self._run_job(self._job(recording, destination), limit)
        if config is not None and done.host_key and not config.host_key:
            await self._store.keep_host_key(config.account_id, config.changed_at, done.host_key)
        return done

    async def _keep(self, recording: Recording, result: RecordingResult) -> None:
        while not self._stopping:
            try:
                await self._finish(recording, result)
                return
            except StoreUnavailable:
                await asyncio.sleep(_POLL)

    async def _finish(self, recording: Recording, result: RecordingResult) -> None:
        facts, rows = await self._tell(recording, result, self._clock.wall())
        if not await self._store.finish_recording(self.owner, result, facts=facts, outbox=rows):
            _log.warning("recording_lease_lost", recording_id=recording.id)
            return
        if rows:
            self._told()
        self._note(result, recording.attempts)
        if result.status is RecordingStatus.COMPLETED:
            await self._drop_spool(recording)

    def _job(self, recording: Recording, destination: Destination | None) -> Job:
        plan = self._plan
        return Job(
            recording.id, recording.call_id, recording.format, recording.spool, recording.started_at,
            recording.ended_at, str(plan.folder), plan.key.hex(), destination, plan.keep_local,
        )  # fmt: skip

    async def _tell(
        self, recording: Recording, result: RecordingResult, now: float
    ) -> tuple[list[Fact], list[OutboxRow]]:
        if result.status is RecordingStatus.STOPPED:
            return [], []
        sequence = len(await self._store.facts(recording.id)) + 1
        fact: Fact
        if result.status is RecordingStatus.COMPLETED:
            event = plivo_recordings.COMPLETED
            fact = RecordingCompleted(
                recording.id, sequence, now, recording.call_id, result.duration_ms, result.partial
            )
        else:
            event = plivo_recordings.FAILED
            fact = RecordingFailed(recording.id, sequence, now, recording.call_id, result.error)
        finished = replace(
            recording, status=result.status, started_at=result.started_at, ended_at=result.ended_at,
            duration_ms=result.duration_ms, partial=result.partial, file=result.file, pushed=result.pushed,
        )  # fmt: skip
        rows = await uploaded_rows(self._store, finished, now)
        rows += await native_recording_rows(self._store, finished, now, self._ids, result.error)
        if recording.callback_url:
            rows.append(
                recording_row(finished, event, now, recording.sequence, recording.position, self._links, self._ids, now)
            )
        return [fact], rows

    def _note(self, result: RecordingResult, attempts: int) -> None:
        if result.status is RecordingStatus.COMPLETED:
            self.made += 1
            _log.info("recording_made", recording_id=result.recording_id, duration_ms=result.duration_ms)
        elif result.status is RecordingStatus.FAILED:
            self.failed += 1
            _log.error("recording_failed", recording_id=result.recording_id, error=result.error)
        else:
            _log.warning(
                "recording_retried", recording_id=result.recording_id, attempts=attempts, error=result.error
            )  # fmt: skip

    async def _drop_spool(self, recording: Recording) -> None:
        try:
            await asyncio.to_thread(remove_spool, recording)
        except OSError as error:  # rtpengine's folder may be another user's; the next start tries again
            _log.error("recording_not_deleted", recording_id=recording.id, error=error.strerror)
            return
        await self._store.drop_spool(recording.id)

    # -- retention -------------------------------------------------------------------------------------------------

    async def forget(self) -> bool:
        """Delete what is older than is to be kept; whether there may be more."""
        now = self._clock.wall()
        await self._store.recover_recordings(now, now=now)  # of engines that died meanwhile
        if not self._plan.retention_days:
            return False
        before = self._clock.wall() - self._plan.retention_days * _DAY
        old = await self._store.old_recordings(before, _AT_ONCE)
        deleted = 0
        for recording in old:
            try:
                await remove_recording(self._store, self._plan.folder, recording)
                deleted += 1
            except OSError as error:
                _log.error("recording_not_deleted", recording_id=recording.id, error=error.strerror)
        if deleted:
            _log.info("recordings_deleted", count=deleted)
        return deleted == _AT_ONCE


def check_destination(to: Destination) -> None:
    """Raises `ConfigurationError` when it cannot work from here: before the first call, not after it."""
    for name, path in (("KEY_FILE", to.key_file), ("KNOWN_HOSTS", to.known_hosts)):
        if path and not os.access(path, os.R_OK):
            raise ConfigurationError(f"The file {path} cannot be read (MASKLINE_RECORDING_SFTP_{name}).")


def result_of(recording: Recording, done: Done, now: float) -> RecordingResult:
    """What a try came to: done, to be repeated, or given up."""
    if not done.error:
        return RecordingResult(
            recording.id, RecordingStatus.COMPLETED, 0.0, done.started_at, done.ended_at, done.duration_ms,
            recording.partial or not done.whole, done.file, done.pushed, done.size,
        )  # fmt: skip
    give_up = done.permanent or recording.attempts > len(RETRIES)
    status = RecordingStatus.FAILED if give_up else RecordingStatus.STOPPED
    due_at = 0.0 if give_up else now + RETRIES[recording.attempts - 1]
    return RecordingResult(
        recording.id, status, due_at, recording.started_at, recording.ended_at, partial=recording.partial,
        error=done.error, upload_failed=done.upload_failed,
    )  # fmt: skip


async def remove_recording(store: Store, folder: Path, recording: Recording) -> None:
    """The file and the spool first, then the mark: what is said to be deleted is. A repeat is no fault. Raises as
    `Store.delete_recording`."""
    if recording.file:
        await asyncio.to_thread((folder / recording.file).unlink, missing_ok=True)
    if recording.spool:
        await asyncio.to_thread(remove_spool, recording)
        await store.drop_spool(recording.id)
    await store.delete_recording(recording.account_id, recording.id)


def remove_spool(recording: Recording) -> None:
    """All its parts; none there is no fault."""
    if recording.spool:
        for part in reversed(spool_parts(Path(json.loads(recording.spool)["path"]))):
            part.unlink(missing_ok=True)


def _spool_files(folder: Path, before: float | None) -> list[Path]:
    """Those that were written last before a wall second."""
    files = [path for path in folder.glob("*") if path.is_file()] if folder.is_dir() else []
    return files if before is None else [path for path in files if path.stat().st_mtime < before]
