"""8x8 Voice Recording Uploaded (VRU): the body posted when a call's recording has reached its storage.

What it is: 8x8-wavecell.md §9 in the envelope of §2. What it is not: the states of a recording that the API shows
(`api/eight/recordings.py`). Who uses it: `workflows/recording_outbox.py`, for endpoints of kind `eight.recording`.
"""

from __future__ import annotations

from maskline.webhooks.formats.eight_parts import envelope
from maskline.webhooks.formats.summary import rounded

KIND = "eight.recording"
"""Endpoint kind that receives this body."""
EVENT = "CALL_RECORDING_STATUS"
DESCRIPTION = "Call recording status updated"


def recording_uploaded(
    sub_account_id: str, session_id: str, recording_id: str, duration_ms: int, file_path: str
) -> bytes:
    """`session_id` is the call's id, as in the session summary; `file_path` is where the file is in its storage."""
    payload = {
        "sessionId": session_id,
        "subAccountId": sub_account_id,
        "recordingId": recording_id,
        "durationSeconds": rounded(duration_ms / 1000),
        "filePath": file_path,
        "status": "UPLOAD_COMPLETED",
    }
    return envelope(EVENT, DESCRIPTION, payload)
