"""Make the tables of calls that were asked for, in the background: one at a time, a page of calls at a time.

What it is: queued jobs in order, the file (plain while it grows, sealed when it is done), and the end of what is over.
What it is not: the customer's side (`exports.py`). Who uses it: `app.py` runs `run()` as a task and calls `recover()`
before.

Pages are read beside the loop and written in a thread, so calls do not wait for a table. A job that a killed process
left, or whose store went away, is begun again: there is one maker, so what is running between two looks is nobody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from maskline.clock import Clock
from maskline.errors import NotFound, StoreUnavailable
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


class _TooMany(Exception):
    """More calls than a file may have."""


class ProcessExports:
    """Run `run()` as a task; it ends after `stop()`."""

    def __init__(self, store: Store, clock: Clock, plan: ExportPlan) -> None:
        self._store = store
        self._clock = clock
        self._plan = plan
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
        for path in await asyncio.to_thread(lambda: list(self._plan.folder.glob(".*"))):
            await asyncio.to_thread(path.unlink, missing_ok=True)
        await self._take_up()

    async def _take_up(self) -> None:
        while left := await self._store.exports_in("running", _OVER_AT_ONCE):
            for job in left:
                await self._store.change_export(job.id, was=("running",), status="queued")

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
        await self._take_up()
        for job in await self._store.exports_over(self._clock.wall(), _OVER_AT_ONCE):
            await remove_export(self._store, self._plan, job.id)
        while not self._stopping and (queued := await self._store.exports_in("queued", 1)):
            if await self._store.change_export(queued[0].id, was=("queued",), status="running"):
                await self._make(queued[0])

    async def _make(self, job: ExportJob) -> None:
        plain = self._plan.folder / f".{job.id}.csv"
        try:
            count = await self._write(job, plain)
            if count is None:
                return
            size = await asyncio.to_thread(self._seal, job, plain) if count else 0
            status = "succeeded" if count else "empty"
            if await self._store.change_export(job.id, was=("running",), status=status, size=size):
                _log.info("export_made", export_id=job.id, calls=count)
            else:  # cancelled in the last moment
                await asyncio.to_thread(self._plan.file_of(job.id).unlink, missing_ok=True)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the process edge: one bad job must not stop the others
            _log.error("export_failed", export_id=job.id, error=type(error).__name__)
            await self._store.change_export(job.id, was=("running",), status="failed")
        finally:
            await asyncio.to_thread(plain.unlink, missing_ok=True)

    async def _write(self, job: ExportJob, plain: Path) -> int | None:
        """How many calls there were; None: it was cancelled, or the server stops. Raises `_TooMany` and `OSError`."""
        owner_of = await self._owners(job)
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
            if self._stopping or not await self._is_wanted(job.id):
                return None
        return count

    async def _is_wanted(self, job_id: str) -> bool:
        try:
            return (await self._store.export_of_link(job_id)).status == "running"
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
    with plain.open("a", encoding="utf-8", newline="") as file:
        file.write(lines(page, owner_of))
