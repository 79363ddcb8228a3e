"""A recording against what the telephones say they sent."""

from __future__ import annotations

import pytest

from maskline.lab import sound
from maskline.lab.likeness import agreement
from tests.support.heard_field import Evening, Voices, together

pytestmark = pytest.mark.wire
SECONDS = 30


@together
def test_each_channel_of_a_recording_is_what_its_party_said_all_the_time(evening: Evening) -> None:
    caller, callee = evening.baresip(1), evening.baresip(2)
    session = evening.session(
        caller.number, callee.number, record=True, record_file_format="wav",
        recording_callback_url=evening.customer.url("/hook"),
    )  # fmt: skip
    evening.dial(caller)
    caller.wait_for("CALL_ESTABLISHED")
    callee.wait_to_hear(Voices.of(1)[SECONDS * sound.RATE : (SECONDS + 1) * sound.RATE], SECONDS + 20.0)
    caller.hang_up()
    callee.wait_for("CALL_CLOSED")
    begun = evening.wait_for_event(session, "SessionRecordingInitiated").values
    told = evening.wait_for_event(session, "SessionRecordingCompleted").values
    assert told["RecordingUUID"] == begun["RecordingUUID"]
    assert told["RecordingFormat"] == ".wav"
    kept = evening.folder / "recording.wav"
    kept.write_bytes(evening.fetch(told["RecordingURL"]))
    channels = sound.read_wav(kept)
    assert len(channels) == 2
    for channel, phone in zip(channels, (caller, callee), strict=True):
        match = agreement(channel, phone.said)
        assert match.likeness >= 0.95
        assert SECONDS <= len(channel) / sound.RATE <= SECONDS + 4
    assert abs(int(told["RecordingDuration"]) - len(channels[0]) / sound.RATE) <= 1
    assert agreement(channels[0], callee.said).likeness < 0.3
