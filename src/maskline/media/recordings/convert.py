"""From the records of a spool to a stereo file: the first leg left, the other right, both true to the clock.

What it is: decoding and the walk over the records; the time between start and stop is the file's length, whatever came
or did not. What it is not: placement (`track.py`), or a process (`__main__.py`). Who uses it: one job per recording.

Memory is bounded whatever the length of the call: a few seconds of each channel. G.711 is what is decoded; the engine
keeps recorded calls to it where the caller has it (docs/decisions/0028-recordings-are-made-of-g711.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from maskline.masking.call_record import Quality
from maskline.media import rtp
from maskline.media.g711 import A_TO_LINEAR, MU_TO_LINEAR
from maskline.media.quality import ReceiverCounts
from maskline.media.recordings.track import RATE, Samples, Track
from maskline.media.spool import Codecs, Spooled, SpooledCodecs, SpooledEnd, SpooledPacket

_TABLES: dict[str, Samples] = {
    "PCMU": np.array(MU_TO_LINEAR, np.int16),
    "PCMA": np.array(A_TO_LINEAR, np.int16),
}
_SILENT = frozenset({"telephone-event", "CN"})
_STATIC = {0: "PCMU", 8: "PCMA", 13: "CN"}
"""RFC 3551 §6, for payload types no SDP names."""
_MARGIN = 6.0
"""Seconds behind the newest arrival at which samples leave: a burst may be this late and still find its place."""
_BLOCK = 4.0
"""Seconds that leave at a time."""
_LONGEST = 25 * 3600.0
"""Seconds; a call may last a day. What lies beyond is a wrong clock, not audio."""
_MP3_LEVEL = 0.5
"""LAME by libsndfile, constant rate: 32 kbit/s for stereo at 8 kHz, 0.5 s of CPU for a minute (measured)."""


class ConversionError(Exception):
    """Nothing to hear can be made of this spool. The sentence is for the operator and names no file."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of a spool."""

    started_at: float
    """Wall seconds."""
    duration: float
    """Seconds; of both channels."""
    closed: bool
    """Whether the spool says that its writer ended in good order."""
    packets: tuple[int, int]
    """Decoded, by channel."""
    quality: tuple[Quality | None, Quality | None]
    """What came in while it was recorded; None where nothing came."""
    undecoded: tuple[str, ...] = ()
    """Codecs that were met and are silent in the file."""


class _Leg:
    __slots__ = ("counts", "decoded", "names", "track", "undecoded")

    def __init__(self) -> None:
        self.track = Track()
        self.counts = ReceiverCounts(RATE)
        self.names: dict[int, str] = dict(_STATIC)
        self.decoded = 0
        self.undecoded: str = ""
        """A codec we met and cannot decode."""

    def learn(self, codecs: Codecs) -> None:
        self.names = _STATIC | {codec.payload_type: codec.name for codec in codecs}

    def feed(self, at: float, data: bytes) -> None:
        packet = rtp.parse(data)
        if packet is None:
            return
        self.counts.count(packet.ssrc, packet.sequence, packet.timestamp, at)
        name = self.names.get(packet.payload_type, str(packet.payload_type))
        table = _TABLES.get(name)
        if table is not None:
            self.decoded += 1
            self.track.feed(at, packet.ssrc, packet.timestamp, table[np.frombuffer(packet.payload, np.uint8)])
        elif name not in _SILENT:
            self.undecoded = name


class Converter:
    """Takes records one after the other; `started_at` None: the recording began with its first record."""

    def __init__(self, file: soundfile.SoundFile, started_at: float | None, ended_at: float | None) -> None:
        self._file = file
        self._started_at = started_at
        self._ended_at = ended_at
        self._legs = (_Leg(), _Leg())
        self._newest = 0.0
        """Seconds from the start to the last record."""
        self._written = 0
        self._closed = False

    def run(self, records: Iterable[Spooled]) -> Converted:
        """Raises `ConversionError` when there was audio and none of it could be decoded."""
        for record in records:
            self._take(record)
        for leg in self._legs:
            leg.track.finish()
        start = self._started_at or 0.0
        length = self._newest if self._ended_at is None else min(max(self._ended_at - start, 0.0), _LONGEST)
        self._write(round(length * RATE))
        first, second = self._legs
        undecoded = tuple(sorted({leg.undecoded for leg in self._legs if leg.undecoded}))
        if undecoded and not first.decoded and not second.decoded:
            raise ConversionError(f"The call used a codec that recordings cannot be made of ({', '.join(undecoded)}).")
        quality = (first.counts.quality(), second.counts.quality())
        return Converted(start, self._written / RATE, self._closed, (first.decoded, second.decoded), quality, undecoded)

    def _take(self, record: Spooled) -> None:
        if self._started_at is None:
            self._started_at = record.arrival
        at = record.arrival - self._started_at
        limit = _LONGEST if self._ended_at is None else min(self._ended_at - self._started_at, _LONGEST)
        if isinstance(record, SpooledCodecs):
            self._leg(record.leg).learn(record.codecs)
        elif isinstance(record, SpooledEnd):
            self._closed = True
        if not 0.0 <= at <= limit:
            return
        self._newest = max(self._newest, at)
        if isinstance(record, SpooledPacket):
            self._leg(record.leg).feed(at, record.data)
            self._flow()

    def _leg(self, index: int) -> _Leg:
        return self._legs[min(index, 1)]

    def _flow(self) -> None:
        ready = self._newest - _MARGIN - self._written / RATE
        if ready < _BLOCK:
            return
        for leg in self._legs:
            leg.track.advance(self._newest)
        self._write(round((self._newest - _MARGIN) * RATE))

    def _write(self, until: int) -> None:
        block = round(_BLOCK * RATE)
        while self._written < until:
            count = min(block, until - self._written)
            left, right = (leg.track.take(count) for leg in self._legs)
            # As 32 bits: libsndfile 1.2.2 garbles stereo MP3 that is given in 16 (correlation 0.71 against 0.98).
            self._file.write(np.stack((left, right), axis=1).astype(np.int32) << 16)
            self._written += count


def convert(
    records: Iterable[Spooled], path: Path, file_format: str, *, started_at: float | None, ended_at: float | None
) -> Converted:
    """Write the file at `path`; times are wall seconds, `ended_at` None: at the last record. Raises `ConversionError`,
    `spool.SpoolError` and `OSError`."""
    try:
        with _open(path, file_format) as file:
            return Converter(file, started_at, ended_at).run(records)
    except soundfile.LibsndfileError as error:
        raise ConversionError(f"The audio file cannot be written ({error.code}).") from None


def _open(path: Path, file_format: str) -> soundfile.SoundFile:
    if file_format == "mp3":
        return soundfile.SoundFile(
            path, "w", RATE, 2, "MPEG_LAYER_III", format="MP3", bitrate_mode="CONSTANT", compression_level=_MP3_LEVEL
        )
    return soundfile.SoundFile(path, "w", RATE, 2, "PCM_16", format="WAV")
