"""What 8x8 calls the state of a recording. Called by the 8x8 API.

What it is: our states, and what became of the upload and of the webhook about it, as one of the vendor's seven words
(8x8-wavecell.md §9). What it is not: the recording itself.
"""

from __future__ import annotations

from maskline.masking.recording import Recording, RecordingStatus
from maskline.storage.store import Store
from maskline.workflows.uploaded_outbox import uploaded_row_id

STATUSES = (
    "PROCESSING", "PROCESSING_FAILED", "UPLOAD_COMPLETED", "UPLOAD_FAILED", "CALLBACK_COMPLETED", "CALLBACK_FAILED",
    "UNKNOWN",
)  # fmt: skip
_CALLBACK = {"done": "CALLBACK_COMPLETED", "failed": "CALLBACK_FAILED"}


async def recording_status(store: Store, recording: Recording) -> str:
    """A file that stays here counts as uploaded: its link is what a customer waits for. UNKNOWN: it was deleted."""
    match recording.status:
        case RecordingStatus.COMPLETED:
            state = await store.outbox_state(uploaded_row_id(recording.id))
            return _CALLBACK.get(state or "", "UPLOAD_COMPLETED")
        case RecordingStatus.FAILED:
            return "UPLOAD_FAILED" if recording.upload_failed else "PROCESSING_FAILED"
        case RecordingStatus.DELETED:
            return "UNKNOWN"
        case _:
            return "PROCESSING"
