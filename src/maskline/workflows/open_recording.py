"""Open the file of a recording for who may have it: by a signed link, or an account of its own.

What it is: the checks, and the words in which they refuse. What it is not: HTTP. Who uses it: the download, the CLI.
"""

from __future__ import annotations

import asyncio

from maskline.clock import Clock
from maskline.errors import Gone, LinkRefused, NotFound
from maskline.masking.recording import Recording, RecordingStatus
from maskline.media.recordings.vault import SealedFile, VaultBroken
from maskline.storage.store import Store
from maskline.workflows.process_recordings import RecordingPlan
from maskline.workflows.recording_links import RecordingLinks

UNKNOWN = "There is no such recording."
"""Nobody's account is meant: whoever has the link asks."""
EXPIRED = "This link has expired; the recording's resource has a new one."
DELETED = "This recording was deleted."
NOT_YET = "This recording is not finished yet."
ELSEWHERE = "This recording is not kept here."
BROKEN = "The stored file of this recording cannot be read."


class OpenRecording:
    __slots__ = ("_clock", "_links", "_plan", "_store")

    def __init__(self, store: Store, clock: Clock, links: RecordingLinks, plan: RecordingPlan) -> None:
        self._store = store
        self._clock = clock
        self._links = links
        self._plan = plan

    async def by_link(self, recording_id: str, file_format: str, expires: int, signature: str) -> SealedFile:
        """Raises `LinkRefused`, `Gone` (expired, deleted) and `NotFound`."""
        if not self._links.is_genuine(recording_id, file_format, expires, signature):
            raise LinkRefused
        if expires <= self._clock.wall():
            raise Gone(EXPIRED)
        try:
            recording = await self._store.recording_of_link(recording_id)
        except NotFound:
            raise NotFound(UNKNOWN) from None
        if recording.format != file_format:
            raise NotFound(UNKNOWN)
        return await self.of(recording)

    async def of(self, recording: Recording) -> SealedFile:
        """Its file; close it. Raises `Gone` and `NotFound`."""
        if recording.status is RecordingStatus.DELETED:
            raise Gone(DELETED)
        if not recording.downloadable:
            raise NotFound(ELSEWHERE if recording.pushed else NOT_YET)
        try:
            return await asyncio.to_thread(SealedFile, self._plan.folder / recording.file, self._plan.key, recording.id)
        except (OSError, VaultBroken):
            raise Gone(BROKEN) from None
