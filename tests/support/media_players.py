"""Many clips playing at once on one media driver, and how soon one more is heard."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from maskline.masking.facts import LegName
from maskline.media.port import Clip, FarMedia
from tests.support.media_harness import Harness
from tests.support.media_load import cpu_seconds
from tests.support.media_sound import clip
from tests.support.rtp_party import VOICE

_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("@qq")


@dataclass(frozen=True)
class Played:
    players: int
    starts_ms: tuple[float, ...]
    """From the command to the first packet as the kernel took it, of clips started one by one beside the players."""
    cpu_per_player: float
    """Share of one core."""


def _listener() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    opened.bind(("127.0.0.1", 0))
    opened.settimeout(30.0)
    return opened


async def measure_players(media: Harness, folder: Path, players: int, probes: int, seconds: float) -> Played:
    sound = clip(folder, 2.0)
    with _listener() as sink:  # never read: what does not fit is dropped, which costs the players nothing
        for index in range(players):
            await _start(media, f"player-{index}", sink, sound, repeat=0)
            await asyncio.sleep(0.0)
        before, since = cpu_seconds(media.pid), time.monotonic()
        await asyncio.sleep(seconds)
        share = (cpu_seconds(media.pid) - before) / (time.monotonic() - since)
        starts = [await _probe(media, f"probe-{index}", sound) for index in range(probes)]
        for index in range(players):
            await media.driver.close(f"player-{index}")
    return Played(players, tuple(starts), share / players)


async def _open(media: Harness, call_id: str, listener: socket.socket) -> None:
    far = FarMedia("127.0.0.1", listener.getsockname()[1], 9, VOICE)
    await media.driver.open_leg(call_id, LegName.A, far, codecs=VOICE)


async def _start(media: Harness, call_id: str, listener: socket.socket, sound: Clip, *, repeat: int) -> None:
    await _open(media, call_id, listener)
    await media.driver.play(call_id, LegName.A, sound, 1, repeat=repeat)


async def _probe(media: Harness, call_id: str, sound: Clip) -> float:
    with _listener() as ear:
        await _open(media, call_id, ear)
        started = time.time_ns()
        await media.driver.play(call_id, LegName.A, sound, 1)
        _, ancillary, _, _ = await asyncio.to_thread(ear.recvmsg, 2048, 64)
        seconds, nanoseconds = _STAMP.unpack(ancillary[0][2][:16])
        await media.driver.close(call_id)
    return float(seconds * 1_000_000_000 + nanoseconds - started) / 1e6
