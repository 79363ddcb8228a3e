"""The webhook of a recording that reached other storage (8x8's VRU). Called by `process_recordings.py`.

What it is: who hears of it (an endpoint of kind `eight.recording` of the call's subaccount, or of the account), and the
row. What it is not: the body (`webhooks/formats/eight_recording.py`).
"""

from __future__ import annotations

from uuid import UUID, uuid5

from maskline.masking.recording import Recording, RecordingStatus
from maskline.media.recordings.job import stored_path
from maskline.storage.store import OutboxRow, Store
from maskline.webhooks.formats import eight_recording
from maskline.workflows.receivers import About, outbox_row, read_receiver

_UPLOADED = UUID("6d3f0a52-9a43-5b0e-8c53-0f7f6b1f2a11")
"""Namespace of the rows' ids (RFC 9562 §5.5)."""


async def uploaded_rows(store: Store, recording: Recording, now: float) -> list[OutboxRow]:
    """None when the recording is not there, or nobody is to hear of it."""
    if recording.status is not RecordingStatus.COMPLETED or not recording.pushed:
        return []
    receiver = await read_receiver(store, recording.subaccount_id or recording.account_id, eight_recording.KIND)
    if receiver is None:
        return []
    body = eight_recording.recording_uploaded(
        receiver.shape.sub_account_id, recording.call_id, recording.id, recording.duration_ms,
        stored_path(recording.pushed),
    )  # fmt: skip
    about = About(recording.account_id, recording.subaccount_id, recording.call_id, recording.position)
    return [outbox_row(receiver, about, uploaded_row_id(recording.id), eight_recording.EVENT, body, now)]


def uploaded_row_id(recording_id: str) -> str:
    """By it the API finds what became of the webhook."""
    return str(uuid5(_UPLOADED, recording_id))
