"""8x8's webhook of a recording that was uploaded."""

from __future__ import annotations

import json

import pytest

from maskline.webhooks.formats.eight_recording import recording_uploaded


@pytest.mark.row("8x8:9/VRU", "8x8:2/VRU")
def test_the_body_names_the_call_the_file_and_its_length():
    path = "/calls/019a/77_2026-11-22T10-00-00Z.mp3"
    body = json.loads(recording_uploaded("riders", "019a", "77", 12_500, path))
    assert body == {
        "namespace": "VOICE",
        "eventType": "CALL_RECORDING_STATUS",
        "description": "Call recording status updated",
        "payload": {
            "sessionId": "019a", "subAccountId": "riders", "recordingId": "77", "durationSeconds": 13,
            "filePath": path, "status": "UPLOAD_COMPLETED",
        },
    }  # fmt: skip
