"""Delete a recording's file by request; the recording stays known as deleted."""

from __future__ import annotations

from maskline.errors import Conflict, NotFound
from maskline.masking.recording import RecordingStatus
from maskline.storage.store import NO_RECORDING, NOT_FINISHED, Store
from maskline.workflows.get_recording import get_recording
from maskline.workflows.process_recordings import RecordingPlan, remove_recording
from maskline.workflows.scope import Scope

_DELETABLE = (RecordingStatus.COMPLETED, RecordingStatus.FAILED)


async def delete_recording(store: Store, plan: RecordingPlan, scope: Scope, recording_id: str) -> None:
    """Raises `NotFound` (none, or deleted already) and `Conflict` (not finished yet). A copy that was pushed elsewhere
    stays there: it is under other rules than ours."""
    recording = await get_recording(store, scope, recording_id)
    if recording.status is RecordingStatus.DELETED:
        raise NotFound(NO_RECORDING)
    if recording.status not in _DELETABLE:
        raise Conflict(NOT_FINISHED)
    await remove_recording(store, plan.folder, recording)
