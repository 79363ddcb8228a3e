"""Make the tables of calls that were asked for, in the background: one at a time, a page of calls at a time.

What it is: queued jobs in order, the file (plain while it grows, sealed when it is done), and the end of what is over.
What it is not: the customer's side (`exports.py`). Who uses it: `app.py` runs `run()` as a task and calls `recover()`
before.

Pages are read beside the loop and written in a thread, so calls do not wait for a table. A process makes one at a time
and leases it, and says with its pages that it is at it: what a killed process left is begun again by another one when
the lease is over, or at once by the next process of that name. Of two makers of one job, as when one of them was
stopped for a while, one finishes it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from maskline.clock import Clock
from maskline.errors import NotFound, StoreUnavailable
from maskline.ids import Ids
from maskline.masking.call_record import CallRecord
from maskline.masking.redaction import Redaction, Redactor
from maskline.media.recordings.vault import seal_file
from maskline.storage.kept import ExportJob
from maskline.storage.store import Store
from maskline.webhooks.formats.eight_export import Owner, heading, lines
from maskline.workflows.exports import ExportPlan, remove_export

_log = structlog.get_logger("maskline.exports")

PAGE = 500
MOST_CALLS = 500_000
"""In one file: some 250 MB."""
_POLL = 1.0
_OVER_AT_ONCE = 50
_LEASE = 60.0
_RENEWED_AFTER = 15.0
"""Seconds; a page, or the sealing of the largest file, takes a few."""


class _TooMany(Exception):
    """More calls than a file may have."""


class _Lost(Exception):
    """It was cancelled, another process has it, or the server stops."""


class ProcessExports:
    """Run `run()` as a task; it ends after `stop()`."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, plan: ExportPlan) -> None:
        self._store = store
        self._clock = clock
        self._plan = plan
        self.owner = ids.uuid()
        """Set it before the start: what a process of this name left is taken up."""
        self._begun = False
        """A job was begun and its end is not written: the store went away."""
        self._renewed_at = 0.0
        self._wake = asyncio.Event()
        self._stopping = False

    def notify(self) -> None:
        """There is a job."""
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def recover(self) -> None:
        """Take up what a former process left; raises `StoreUnavailable`."""
        if not self._store.is_shared:
            await asyncio.to_thread(self._plan.drop_drafts)
        await self._store.free_exports(self.owner if self._store.is_shared else None)

    async def run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                await self._drain()
            except StoreUnavailable:
                _log.warning("exports_delayed")
            try:
                async with asyncio.timeout(_POLL):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _drain(self) -> None:
        await self._free()
        for job in await self._store.exports_over(self._clock.wall(), _OVER_AT_ONCE):
            await remove_export(self._store, self._plan, job.id)
        while not self._stopping and (leased := await self._lease()):
            await self._make(leased)

    async def _free(self) -> None:
        if self._begun:
            await self._store.free_exports(self.owner)
            self._begun = False

    async def _lease(self) -> ExportJob | None:
        now = self._clock.wall()
        self._begun = True  # the answer of a store that goes away may be lost
        job = await self._store.lease_export(self.owner, now=now, until=now + _LEASE)
        self._begun = job is not None
        self._renewed_at = self._clock.now()
        return job

    async def _make(self, job: ExportJob) -> None:
        plain = self._plan.draft_of(job.id, self.owner)
        try:
            count = await self._write(job, plain)
            size = await asyncio.to_thread(self._seal, job, plain) if count else 0
            # Before its end is written: nobody looks for drafts of a job that is done.
            await asyncio.to_thread(plain.unlink, missing_ok=True)
            if await self._finish(job, "succeeded" if count else "empty", size):
                _log.info("export_made", export_id=job.id, calls=count)
            elif not await self._is_anybodys(job.id):  # cancelled in the last moment
                await asyncio.to_thread(self._plan.file_of(job.id).unlink, missing_ok=True)
        except _Lost:
            await self._free()
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the process edge: one bad job must not stop the others
            if await self._finish(job, "failed"):
                _log.error("export_failed", export_id=job.id, error=type(error).__name__)
        finally:
            await asyncio.to_thread(plain.unlink, missing_ok=True)

    async def _finish(self, job: ExportJob, status: str, size: int = 0) -> bool:
        is_ours = await self._store.finish_export(self.owner, job.id, status, size)
        self._begun = False
        return is_ours

    async def _write(self, job: ExportJob, plain: Path) -> int:
        """How many calls there were. Raises `_Lost`, `_TooMany` and `OSError`."""
        owner_of = await self._owners(job)
        await asyncio.to_thread(self._plan.drop_drafts, job.id)  # of a maker that is dead, or has lost it
        await asyncio.to_thread(_begin, plain)
        count, after = 0, (0.0, "")
        while page := await self._store.calls_between(
            job.account_id, job.subaccount_id, since=job.since, until=job.until, after=after, limit=PAGE
        ):
            count += len(page)
            if count > MOST_CALLS:
                raise _TooMany
            await asyncio.to_thread(_append, plain, page, owner_of)
            after = (page[-1].started_at, page[-1].id)
            await self._go_on(job)
        return count

    async def _go_on(self, job: ExportJob) -> None:
        """Raises `_Lost`."""
        now, wall = self._clock.now(), self._clock.wall()
        if now - self._renewed_at >= _RENEWED_AFTER:
            is_ours = await self._store.renew_export(self.owner, job.id, now=wall, until=wall + _LEASE)
            self._renewed_at = now
        else:
            is_ours = await self._is_anybodys(job.id)
        if self._stopping or not is_ours:
            raise _Lost

    async def _is_anybodys(self, job_id: str) -> bool:
        """Whether it is made, or was, by us or by another process."""
        try:
            return (await self._store.export_of_link(job_id)).status != "cancelled"
        except NotFound:
            return False

    async def _owners(self, job: ExportJob) -> Callable[[CallRecord], Owner]:
        """Each call is told as its own (sub)account wants it; what a removed one wanted is not known any more, and
        its numbers are left out."""
        main = await self._store.account(job.account_id)
        key = self._plan.redaction_key
        owners = {
            one.id: Owner(one.shown_id, Redactor(one.redaction, key))
            for one in (main, *await self._store.accounts(main.id))
        }

        def owner_of(record: CallRecord) -> Owner:
            owner_id = record.subaccount_id or record.account_id
            return owners.get(owner_id) or Owner(owner_id, Redactor(Redaction.OMIT))

        return owner_of

    def _seal(self, job: ExportJob, plain: Path) -> int:
        size = plain.stat().st_size
        seal_file(plain, self._plan.file_of(job.id), self._plan.key, job.id)
        return size


def _begin(plain: Path) -> None:
    plain.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    plain.touch(mode=0o600)
    plain.write_text(heading(), encoding="utf-8", newline="")


def _append(plain: Path, page: list[CallRecord], owner_of: Callable[[CallRecord], Owner]) -> None:
    """Raises `FileNotFoundError` when another process has it and threw our draft away."""
    with plain.open("r+", encoding="utf-8", newline="") as file:
        file.seek(0, os.SEEK_END)
        file.write(lines(page, owner_of))
