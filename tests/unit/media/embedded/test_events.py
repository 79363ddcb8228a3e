"""What a worker tells its driver, as JSON and back."""

from __future__ import annotations

import json

import pytest

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.embedded import wire
from maskline.media.embedded.events import Latched, Stands, WorkerEvent, read_event, write_event
from maskline.media.embedded.outgoing import Position
from maskline.media.port import DigitPressed, MediaTimedOut, PlayDone, RecordingLost

A, B = LegName.A, LegName.B


@pytest.mark.parametrize(
    "event",
    [
        PlayDone("c", A, 5),
        DigitPressed("c", B, "#"),
        RecordingLost("c"),
        MediaTimedOut("c"),
        Latched("c", A, ("192.0.2.1", 4000)),
        Stands("c", {A: Position(1, 2, 3, 4.5), B: Position(5, 6, 7, 8.5)}, {A: Quality(4.2, 0.1, 3.5, 90, 10, 90)}),
    ],
)
def test_events_survive_the_way(event: WorkerEvent) -> None:
    assert read_event(json.loads(json.dumps(write_event(event)))) == event


@pytest.mark.parametrize(
    "rubbish",
    [
        {},
        {"event": "dance", "call": "c"},
        {"event": "digit", "call": "c", "leg": "z"},
        {"event": "latched", "call": "c", "leg": "a", "source": 5},
    ],
)
def test_what_is_no_event_is_a_broken_frame(rubbish: wire.Message) -> None:
    with pytest.raises(wire.BrokenFrame):
        read_event(rubbish)
