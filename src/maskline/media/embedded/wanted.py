"""What the engine has asked of a call's media: enough to ask all of it again of a new worker.

What it is: the memory of the driver, kept in the engine's process beside each call, and its JSON for the one `restore`
request that a worker gets which took the place of a dead one: same ports, same peers, the same streams going on. What
it is not: figures or audio; those died with the worker. Who uses it: `driver.py` writes, `link.py` sends, `relay.py`
acts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.embedded import wire
from maskline.media.embedded.figures import joined
from maskline.media.embedded.outgoing import Position
from maskline.media.embedded.sockets import Address
from maskline.media.port import FarMedia
from maskline.sdp.session import Codec


@dataclass(slots=True)
class Playing:
    path: str
    play_id: int
    repeat: int
    begun_at: float
    """Monotonic seconds; the clock is the same in all processes of a machine."""


@dataclass(slots=True)
class LegWanted:
    port: int
    codecs: tuple[Codec, ...]
    position: Position
    """Where our stream to its far side last was known to stand."""
    far: FarMedia | None = None
    source: Address | None = None
    """Where a far side behind NAT was found."""
    playing: Playing | None = None
    collecting: bool = False
    figures: Quality | None = None
    """As its worker last told them; not for the next one."""
    earlier: Quality | None = None
    """What workers before this one counted."""
    ipv6: bool = False
    """Its port is at our address of that family."""

    def attached(self, far: FarMedia | None) -> None:
        if far is not None and far != self.far:
            self.far, self.source = far, None


@dataclass(slots=True)
class CallWanted:
    id: str
    legs: dict[LegName, LegWanted] = field(default_factory=dict)
    bridged: bool = False
    digits: bool = True
    recording: str = ""
    """Id of the recording that runs."""

    def worker_died(self) -> None:
        for leg in self.legs.values():
            leg.earlier, leg.figures = joined(leg.earlier, leg.figures), None

    def with_earlier(self, figures: dict[LegName, Quality]) -> dict[LegName, Quality]:
        """With what was counted before this worker."""
        sums = ((name, joined(leg.earlier, figures.get(name))) for name, leg in self.legs.items())
        return {name: quality for name, quality in sums if quality is not None}

    def bridge(self, *, digits: bool) -> None:
        if not self.bridged:
            self.bridged, self.digits = True, digits
            for leg in self.legs.values():
                leg.playing = None

    def unbridge(self) -> None:
        self.bridged = False

    def stopped(self, name: LegName, play_id: int | None = None) -> None:
        """What plays to a leg, or the play of this number, is over."""
        leg = self.legs.get(name)
        if leg is not None and leg.playing is not None and play_id in (None, leg.playing.play_id):
            leg.playing = None


def write_position(position: Position) -> list[Any]:
    return [position.ssrc, position.sequence, position.timestamp, position.at]


def read_position(value: list[Any]) -> Position:
    ssrc, sequence, timestamp, at = value
    return Position(int(ssrc), int(sequence), int(timestamp), float(at))


def write_call(call: CallWanted) -> wire.Message:
    legs = {
        name.value: {
            "port": leg.port,
            "codecs": wire.write_codecs(leg.codecs),
            "position": write_position(leg.position),
            "far": wire.write_far(leg.far),
            "source": leg.source,
            "playing": None if leg.playing is None else asdict(leg.playing),
            "collecting": leg.collecting,
            "ipv6": leg.ipv6,
        }
        for name, leg in call.legs.items()
    }
    return {
        "id": call.id,
        "legs": legs,
        "bridged": call.bridged,
        "digits": call.digits,
        "recording": call.recording,
    }


def read_call(value: wire.Message) -> CallWanted:
    """Raises `KeyError`, `TypeError`, `ValueError` when it is none."""
    legs = {LegName(name): _read_leg(leg) for name, leg in value["legs"].items()}
    return CallWanted(value["id"], legs, bool(value["bridged"]), bool(value["digits"]), str(value["recording"]))


def _read_leg(value: wire.Message) -> LegWanted:
    source, playing = value["source"], value["playing"]
    return LegWanted(
        int(value["port"]),
        wire.read_codecs(value["codecs"]),
        read_position(value["position"]),
        wire.read_far(value["far"]),
        None if source is None else (str(source[0]), int(source[1])),
        None if playing is None else Playing(**playing),
        bool(value["collecting"]),
        ipv6=bool(value["ipv6"]),
    )
