"""Look up one recording, or list those of an account or subaccount."""

from __future__ import annotations

from dataclasses import replace

from maskline.errors import NotFound
from maskline.masking.recording import Recording
from maskline.storage.filters import RecordingFilter
from maskline.storage.store import NO_RECORDING, Store
from maskline.workflows.scope import Scope


async def get_recording(store: Store, scope: Scope, recording_id: str) -> Recording:
    """Raises `NotFound`, also for one that the subaccount of the scope does not own."""
    recording = await store.recording(scope.account_id, recording_id)
    if scope.subaccount_id is not None and recording.subaccount_id != scope.subaccount_id:
        raise NotFound(NO_RECORDING)
    return recording


async def list_recordings(
    store: Store, scope: Scope, wanted: RecordingFilter, *, limit: int, offset: int = 0
) -> tuple[list[Recording], int]:
    """Newest first, and the total count of the filter."""
    if scope.subaccount_id is not None:
        wanted = replace(wanted, subaccount_id=scope.subaccount_id)
    return await store.recordings(scope.account_id, wanted, limit=limit, offset=offset)
