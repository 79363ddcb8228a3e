"""What a party says and hears beside plain packets: clips, digits as telephone events and as tones."""

from __future__ import annotations

import asyncio
import math
import struct
import time
import wave
from pathlib import Path

from maskline.media.g711 import MU_TO_LINEAR
from maskline.media.port import Clip
from maskline.media.rtp import RtpPacket, build, parse
from tests.support.rtp_party import Party

_RATE = 8000
_DIGITS = "0123456789*#ABCD"
_TONES = {"5": (770, 1336), "1": (697, 1209), "9": (852, 1477)}
_MU = {level: byte for byte, level in enumerate(MU_TO_LINEAR)}
_LEVELS = sorted(_MU)


def clip(folder: Path, seconds: float = 0.3, hertz: int = 440) -> Clip:
    """A tone, which no party of these tests sends."""
    path = folder / f"{hertz}-{seconds}.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        wave_form = (9000 * math.sin(2 * math.pi * hertz * index / _RATE) for index in range(round(_RATE * seconds)))
        out.writeframes(b"".join(struct.pack("<h", int(level)) for level in wave_form))
    return Clip(str(path), seconds)


def drain(party: Party) -> list[RtpPacket]:
    """What waits at this party, now."""
    heard = []
    while party.queued():
        packet = parse(party.rtp.recv(2048))
        assert packet is not None
        heard.append(packet)
    return heard


def loudness(packet: RtpPacket) -> float:
    """Root mean square of µ-law; a party's own packets of these tests are silence."""
    return math.sqrt(sum(MU_TO_LINEAR[byte] ** 2 for byte in packet.payload) / len(packet.payload))


async def hear(party: Party, seconds: float) -> list[RtpPacket]:
    """All that comes in this time."""
    heard, deadline = [], time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            heard.append(await party.receive(left))
        except TimeoutError:
            break
    return heard


async def press(party: Party, digit: str, *, ends: int = 3, payload_type: int = 101) -> None:
    """RFC 4733: an event of 120 ms, of whose last packets `ends` arrive."""
    code, start = _DIGITS.index(digit), party.timestamp
    for index in range(6):
        _event(party, payload_type, start, struct.pack("!BBH", code, 10, 160 * (index + 1)))
        await asyncio.sleep(0.005)
    party.sequence += 3 - ends
    for _ in range(ends):
        _event(party, payload_type, start, struct.pack("!BBH", code, 0x8A, 960))
    party.timestamp += 960


def _event(party: Party, payload_type: int, timestamp: int, payload: bytes) -> None:
    packet = RtpPacket(payload_type, party.sequence & 0xFFFF, timestamp & 0xFFFFFFFF, party.ssrc, payload)
    party.rtp.sendto(build(packet), party.to)
    party.sequence += 1


async def whistle(party: Party, digit: str, *, milliseconds: int = 160) -> None:
    """The digit's two tones in the audio, µ-law, in real time, and silence behind it."""
    low, high = _TONES[digit]
    for frame in range(milliseconds // 20):
        angles = [2 * math.pi * (frame * 160 + index) / _RATE for index in range(160)]
        party.send(bytes(_mu(int(6000 * (math.sin(low * angle) + math.sin(high * angle)))) for angle in angles))
        await asyncio.sleep(0.02)
    for _ in range(5):
        party.send()
        await asyncio.sleep(0.02)


def _mu(level: int) -> int:
    return _MU[min(_LEVELS, key=lambda known: abs(known - level))]
