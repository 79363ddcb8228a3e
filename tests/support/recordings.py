"""Recordings for tests: a row with sensible defaults, and its end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from maskline.masking.recording import Recording, RecordingEnd, RecordingStatus
from tests.support.store_values import ACCOUNT, ALICE, BOB, T0, VN1


def recording(recording_id: str = "rec-1", **changes: Any) -> Recording:
    base = Recording(
        recording_id, ACCOUNT.id, None, "session-1", "call-1", "call-1-a", "mp3", RecordingStatus.RECORDING, VN1,
        ALICE, BOB, T0 + 12.5, spool='{"path":"/spool/rec-1"}', callback_url="https://hooks.example/r",
        sequence=4, position=5,
    )  # fmt: skip
    return replace(base, **changes)


def recording_end(recording_id: str = "rec-1", **changes: Any) -> RecordingEnd:
    return replace(RecordingEnd(recording_id, T0 + 40, False, 7, 8, T0 + 40), **changes)
