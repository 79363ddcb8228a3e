"""The webhook of a recording that reached other storage (8x8's VRU). Called by `process_recordings.py`.

What it is: who hears of it (an endpoint of kind `eight.recording` of the call's subaccount, or of the account), and the
row. What it is not: the body (`webhooks/formats/eight_recording.py`).
"""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import UUID, uuid5

from maskline.errors import NotFound
from maskline.masking.recording import Recording, RecordingStatus
from maskline.storage.store import OutboxRow, Store
from maskline.webhooks.formats import eight_recording

_UPLOADED = UUID("6d3f0a52-9a43-5b0e-8c53-0f7f6b1f2a11")
"""Namespace of the rows' ids (RFC 9562 §5.5)."""


async def uploaded_rows(store: Store, recording: Recording, now: float) -> list[OutboxRow]:
    """None when the recording is not there, or nobody is to hear of it."""
    if recording.status is not RecordingStatus.COMPLETED or not recording.pushed:
        return []
    owner = recording.subaccount_id or recording.account_id
    endpoints = [one for one in await store.endpoints(owner) if one.kind == eight_recording.KIND and one.enabled]
    try:
        name = (await store.account(owner)).shown_id
    except NotFound:  # a subaccount that was removed
        return []
    return [
        OutboxRow(
            id=uploaded_row_id(recording.id),
            account_id=recording.account_id,
            subaccount_id=recording.subaccount_id,
            subject=recording.call_id,
            sequence=recording.position,
            dialect="eight",
            event=eight_recording.EVENT,
            method="POST",
            url=endpoint.url,
            content_type="application/json",
            body=eight_recording.recording_uploaded(
                endpoint.external_id or name, recording.call_id, recording.id, recording.duration_ms,
                urlsplit(recording.pushed).path,
            ),
            authorization=endpoint.authorization,
            created_at=now,
            due_at=now,
            secret=endpoint.secret,
        )
        for endpoint in endpoints
    ]  # fmt: skip


def uploaded_row_id(recording_id: str) -> str:
    """By it the API finds what became of the webhook."""
    return str(uuid5(_UPLOADED, recording_id))
