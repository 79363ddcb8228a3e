"""Tables of calls that customers ask for: ask, look, cancel, fetch. Called by the 8x8 API.

What it is: the life of a job as its customer sees it, and the sealed file behind a signed link. What it is not: the
making (`process_exports.py`), or the columns (`webhooks/formats/eight_export.py`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from math import floor
from pathlib import Path

from maskline.clock import Clock
from maskline.errors import Conflict, Gone, InvalidParameter, LinkRefused, NotFound
from maskline.ids import Ids
from maskline.media.recordings.vault import SealedFile, VaultBroken
from maskline.storage.kept import ExportJob
from maskline.storage.store import NO_EXPORT, Store
from maskline.workflows.recording_links import RecordingLinks
from maskline.workflows.scope import Scope

FORMAT = "csv"
KEPT_SECONDS = 7 * 86_400.0
"""How long a job and its file are there, from the request on."""
LONGEST_SPAN = 92 * 86_400.0
DEFAULT_SPAN = 86_400.0
MOST_WAITING = 5
"""Jobs of one account that are queued or running."""
UNKNOWN = "There is no such export."
EXPIRED = "This link has expired; a new export has a new one."
BROKEN = "The stored file of this export cannot be read."
NO_EXPORT_LINKS = RecordingLinks(b"", "", 0.0, "exports")


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """Where files are kept, and what opens them and what redacts numbers in them."""

    folder: Path = Path("exports")
    key: bytes = field(default=bytes(32), repr=False)
    redaction_key: bytes = field(default=b"", repr=False)
    links: RecordingLinks = NO_EXPORT_LINKS

    def file_of(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.{FORMAT}"

    def draft_of(self, job_id: str, owner: str) -> Path:
        """Plain, while it grows."""
        return self.folder / f".{job_id}.{owner}.{FORMAT}"

    def drop_drafts(self, job_id: str = "*") -> None:
        """Whosesoever, of one job or of all: whoever still writes one has lost it, and finds it gone."""
        for path in [*self.folder.glob(f".{job_id}.*")]:
            path.unlink(missing_ok=True)


async def request_export(
    store: Store, clock: Clock, ids: Ids, scope: Scope, since: float | None, until: float | None, base_url: str
) -> ExportJob:
    """Queue and return a job for the calls that start in [since, until): the last day where neither is given. Raises
    `InvalidParameter`, and `Conflict` when too many wait."""
    now = clock.wall()
    until = now if until is None else until
    since = until - DEFAULT_SPAN if since is None else since
    if not 0.0 <= until - since <= LONGEST_SPAN or since < 0.0:
        days = round(LONGEST_SPAN / 86_400)
        raise InvalidParameter(f"Invalid parameter. to should be after from, and {days} days later at most")
    if await store.count_exports(scope.account_id) >= MOST_WAITING:
        raise Conflict(f"{MOST_WAITING} exports of this account are waiting already. Try again when one is done.")
    job = ExportJob(
        ids.uuid(), scope.account_id, scope.subaccount_id, since, until, now, now + KEPT_SECONDS, base_url
    )  # fmt: skip
    await store.add_export(job)
    return job


async def get_export(store: Store, scope: Scope, job_id: str) -> ExportJob:
    """Raises `NotFound`, also for one that the subaccount of the scope did not ask for."""
    job = await store.export(scope.account_id, job_id)
    if job.subaccount_id != scope.subaccount_id:
        raise NotFound(NO_EXPORT)
    return job


def export_url(job: ExportJob, links: RecordingLinks) -> str:
    """A signed link to the file, for as long as it is there; empty when there is none."""
    return links.until(floor(job.expires_at), job.id, FORMAT, job.base_url) if job.status == "succeeded" else ""


async def cancel_export(store: Store, plan: ExportPlan, scope: Scope, job_id: str) -> None:
    """One that is not done ends; one that is done goes, with its file. Raises `NotFound`."""
    job = await get_export(store, scope, job_id)
    if await store.cancel_export(job.id):
        return
    await remove_export(store, plan, job.id)


async def remove_export(store: Store, plan: ExportPlan, job_id: str) -> None:
    """The file first: what is said to be gone is."""
    await asyncio.to_thread(plan.drop_drafts, job_id)
    await asyncio.to_thread(plan.file_of(job_id).unlink, missing_ok=True)
    await store.remove_export(job_id)


class OpenExport:
    __slots__ = ("_clock", "_plan", "_store")

    def __init__(self, store: Store, clock: Clock, plan: ExportPlan) -> None:
        self._store = store
        self._clock = clock
        self._plan = plan

    async def by_link(self, job_id: str, file_format: str, expires: int, signature: str) -> SealedFile:
        """Close it. Raises `LinkRefused`, `Gone` (expired, cancelled, unreadable) and `NotFound`."""
        if not self._plan.links.is_genuine(job_id, file_format, expires, signature):
            raise LinkRefused
        if expires <= self._clock.wall():
            raise Gone(EXPIRED)
        try:
            job = await self._store.export_of_link(job_id)
        except NotFound:
            raise NotFound(UNKNOWN) from None
        try:
            return await asyncio.to_thread(SealedFile, self._plan.file_of(job.id), self._plan.key, job.id)
        except (OSError, VaultBroken):
            raise Gone(BROKEN) from None
