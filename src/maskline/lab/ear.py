"""What a lab phone hears: every packet with its time, the sound in them, the digits, and whether a prompt was spoken.

What it is: a memory of arrivals that can be laid out in time, kept as WAV and searched for a known sound
(`lab/likeness.py`). What it is not: a jitter buffer; nothing is played, so nothing is late. Who uses it:
`lab/audio.py`, the demo's checks, wire tests.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from maskline.lab.likeness import Match, Search, find
from maskline.lab.sound import DIGITS, FRAME, PCMA, PCMU, RATE, Samples, decode, encode, silence, write_wav

_OFF = RATE // 5
"""What does not follow on the packet before it and is this many samples from where its arrival says is placed anew."""
_LOOK = 0.1
"""Seconds between two searches for a prompt."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One RTP packet."""

    at: float
    """Monotonic seconds."""
    kind: int
    """Payload type."""
    sequence: int
    stamp: int
    ssrc: int
    payload: bytes = field(repr=False)


class Ear:
    """Fed by `hear`. `event_type`: the payload type that telephone-event has on this leg."""

    def __init__(self, event_type: int | None = 101) -> None:
        self.event_type = event_type
        self.arrivals: list[Arrival] = []

    def hear(self, data: bytes, at: float | None = None) -> None:
        """Take a datagram; what is not RTP is nothing to hear."""
        if len(data) <= 12 or data[0] >> 6 != 2 or 72 <= data[1] & 0x7F <= 76:
            return
        self.arrivals.append(
            Arrival(
                time.monotonic() if at is None else at, data[1] & 0x7F, int.from_bytes(data[2:4], "big"),
                int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:12], "big"), data[12 + 4 * (data[0] & 0x0F) :],
            )
        )  # fmt: skip

    @property
    def voices(self) -> list[Arrival]:
        """The packets with G.711 in them."""
        return [item for item in self.arrivals if item.kind in (PCMU, PCMA)]

    @property
    def digits(self) -> str:
        """The telephone-events that came, one for each beginning (RFC 4733 §2.1: its timestamp)."""
        events = {(a.ssrc, a.stamp): a.payload[0] for a in self.arrivals if a.kind == self.event_type and a.payload}
        return "".join(DIGITS[event] if event < len(DIGITS) else "?" for event in events.values())

    @property
    def began(self) -> float:
        """Monotonic seconds of the first sound; 0.0 when nothing was heard."""
        return self.voices[0].at if self.voices else 0.0

    def samples(self, since: float = 0.0) -> Samples:
        """What was heard from `since` (monotonic seconds) on, laid out in time: gaps are silence. Within a stream
        the packets' own clock counts, so that the network's jitter is not heard, nor a sender that was late and sent
        all at once; its start is its arrival, and so is what comes where its clock jumped."""
        voices = [item for item in self.voices if item.at >= since]
        if not voices:
            return silence(0)
        places: dict[int, tuple[int, int]] = {}
        following: dict[int, tuple[int, int]] = {}
        spots: list[tuple[int, Arrival]] = []
        for item in voices:
            arrived = round((item.at - voices[0].at) * RATE)
            start, stamp = places.setdefault(item.ssrc, (arrived, item.stamp))
            spot = start + _signed(item.stamp - stamp)
            if abs(spot - arrived) > _OFF and (item.sequence, item.stamp) != following.get(item.ssrc):
                places[item.ssrc] = (arrived, item.stamp)
                spot = arrived
            spots.append((spot, item))
            following[item.ssrc] = (item.sequence + 1) & 0xFFFF, (item.stamp + len(item.payload)) & 0xFFFFFFFF
        base = min(spot for spot, _ in spots)
        line = silence((max(spot for spot, _ in spots) - base + 8 * FRAME) / RATE)
        end = 0
        for spot, item in spots:
            sound = decode(item.payload, item.kind)[: 8 * FRAME]
            line[spot - base : spot - base + len(sound)] = sound
            end = max(end, spot - base + len(sound))
        return line[:end]

    def find(self, sound: Samples, since: float = 0.0) -> Match:
        """Where `sound` is in what was heard so far."""
        return find(sound, self.samples(since))

    async def wait_for(self, sound: Samples, within: float, since: float = 0.0) -> Match:
        """As soon as `sound` has been heard to its end; the best match there is when `within` seconds have passed."""
        deadline = time.monotonic() + within
        search = Search(sound)
        while True:
            match = search.look(self.samples(since))
            if match.heard or time.monotonic() >= deadline:
                return match
            await asyncio.sleep(_LOOK)

    def save(self, path: Path) -> None:
        write_wav(path, self.samples())

    @property
    def mu_law(self) -> bytes:
        """The sound alone, without gaps, streams in the order they came and packets by their numbers."""
        streams: dict[int, dict[int, bytes]] = {}
        first: dict[int, int] = {}
        for item in self.voices:
            payload = item.payload if item.kind == PCMU else encode(decode(item.payload, PCMA))
            since = item.sequence - first.setdefault(item.ssrc, item.sequence)
            streams.setdefault(item.ssrc, {})[(since + 0x8000 & 0xFFFF) - 0x8000] = payload
        return b"".join(stream[key] for stream in streams.values() for key in sorted(stream))


def _signed(difference: int) -> int:
    """RTP timestamps wrap at 2^32."""
    return (difference + 0x80000000 & 0xFFFFFFFF) - 0x80000000
