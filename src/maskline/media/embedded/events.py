"""What a worker tells its driver: the events of the media port, and what only the driver wants to know.

What it is: values and their JSON. What it is not: for the engine; `link.py` keeps `Latched` and `Stands` to itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.embedded.outgoing import Position
from maskline.media.embedded.sockets import Address
from maskline.media.embedded.wanted import read_position, write_position
from maskline.media.embedded.wire import BrokenFrame, Message, read_quality, write_quality
from maskline.media.port import DigitPressed, MediaEvent, MediaTimedOut, PlayDone, RecordingLost


@dataclass(frozen=True, slots=True)
class Latched:
    """A far side behind NAT was found."""

    call_id: str
    leg: LegName
    source: Address


@dataclass(frozen=True, slots=True)
class Stands:
    """Where the streams to both far sides stand, and the figures so far, told with every RTCP report."""

    call_id: str
    positions: dict[LegName, Position]
    figures: dict[LegName, Quality]


WorkerEvent = MediaEvent | Latched | Stands


def write_event(event: WorkerEvent) -> Message:
    """Of those that a worker knows of."""
    match event:
        case PlayDone(call_id, leg, play_id):
            return {"event": "play_done", "call": call_id, "leg": leg.value, "play": play_id}
        case DigitPressed(call_id, leg, digit):
            return {"event": "digit", "call": call_id, "leg": leg.value, "digit": digit}
        case RecordingLost(call_id):
            return {"event": "recording_lost", "call": call_id}
        case Latched(call_id, leg, source):
            return {"event": "latched", "call": call_id, "leg": leg.value, "source": source}
        case Stands(call_id, positions, figures):
            stand = {leg.value: write_position(position) for leg, position in positions.items()}
            counted = {leg.value: write_quality(quality) for leg, quality in figures.items()}
            return {"event": "stands", "call": call_id, "at": stand, "figures": counted}
        case _:
            return {"event": "timed_out", "call": event.call_id}


def read_event(message: Message) -> WorkerEvent:
    """Raises `BrokenFrame`."""
    try:
        return _read(message["event"], message["call"], message)
    except (KeyError, ValueError, TypeError) as error:
        raise BrokenFrame("not an event") from error


def _read(kind: str, call_id: str, message: Message) -> WorkerEvent:
    if kind == "play_done":
        return PlayDone(call_id, LegName(message["leg"]), message["play"])
    if kind == "digit":
        return DigitPressed(call_id, LegName(message["leg"]), message["digit"])
    if kind == "recording_lost":
        return RecordingLost(call_id)
    if kind == "latched":
        host, port = message["source"]
        return Latched(call_id, LegName(message["leg"]), (host, port))
    if kind == "stands":
        positions = {LegName(leg): read_position(value) for leg, value in message["at"].items()}
        figures = {LegName(leg): read_quality(value) for leg, value in message["figures"].items()}
        return Stands(call_id, positions, figures)
    if kind == "timed_out":
        return MediaTimedOut(call_id)
    raise ValueError(kind)
