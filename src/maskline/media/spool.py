"""What was said in a recorded call, as it arrived: the spool file of our own relay, and rtpengine's pcap.

What it is: the format, its writer (called once per packet in the relay worker, so: no numpy, no system call per packet)
and readers that give the same records for both. What it is not: audio; `media/recordings/convert.py` makes a file
people can hear. Who uses it: the embedded worker writes; the converter reads, in a process of its own.

The file: MAGIC, then records. A record is a 12-byte head (kind, leg, length of its body, arrival) and the body.
The first record is the opening, JSON: recording id, wall seconds that arrival 0 stands for, codecs by leg. A packet's
body is the RTP datagram as the party sent it. A party whose SDP changes gets a codecs record; a recording that was
ended in good order has a closing record as its last. Prompts are not in it: they are said by us, before the bridge.

A crash loses what was not flushed and may leave half a record, or zeros: readers stop there. A writer never appends to
a file that exists: after a worker's restart the recording goes on in a part of its own (NAME.2, NAME.3 …), and readers
take the parts in order. A write error (disk full) ends the recording, never the call.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from maskline.sdp.session import Codec

MAGIC = b"MASKSPL1"
_HEAD = struct.Struct("<BBHd")
"""Kind, leg (its place in the opening), length of the body, arrival in seconds of the writer's clock."""
_PACKET, _CODECS, _OPENING, _CLOSING = 1, 2, 3, 4
_FLUSH_AT = 256 * 1024
"""Bytes held at most when nobody flushes: eleven seconds of one call."""
_PARTS = 1000

_pack_head = _HEAD.pack

Codecs = tuple[Codec, ...]


class SpoolError(Exception):
    """A spool cannot be made, or is none of ours. The text names no path: those are for the log's own field."""


@dataclass(frozen=True, slots=True)
class SpooledPacket:
    arrival: float
    """Wall seconds."""
    leg: int
    """0: the first leg, 1: the other."""
    data: bytes
    """RTP, as it came."""


@dataclass(frozen=True, slots=True)
class SpooledCodecs:
    """What the payload types of a leg mean from here on."""

    arrival: float
    leg: int
    codecs: Codecs


@dataclass(frozen=True, slots=True)
class SpooledEnd:
    """The recording was ended in good order; without it the writer was killed."""

    arrival: float


Spooled = SpooledPacket | SpooledCodecs | SpooledEnd


class SpoolWriter:
    """One recording's file. `clock` is what `append` is told as arrival, `wall` the time of day at that moment.

    Raises `SpoolError` when the file cannot be made. Afterwards nothing raises: `failed` says why it stopped.
    """

    __slots__ = ("_buffer", "_descriptor", "failed", "path", "size")

    def __init__(self, path: Path, recording_id: str, codecs: Sequence[Codecs], *, clock: float, wall: float) -> None:
        self._descriptor, self.path = _create(path)
        self._buffer = bytearray(MAGIC)
        self.failed = ""
        """Why nothing more is kept; empty while all is well."""
        self.size = 0
        """Bytes written so far."""
        opening = {"recording": recording_id, "epoch": wall - clock, "codecs": [_plain(one) for one in codecs]}
        self._put(_OPENING, 0, clock, json.dumps(opening, separators=(",", ":")).encode())
        self.flush()

    def append(self, leg: int, arrival: float, packet: bytes | bytearray | memoryview) -> None:
        """Keep one RTP datagram of at most 65,535 bytes. A copy is taken: the caller may reuse the buffer."""
        buffer = self._buffer
        buffer += _pack_head(_PACKET, leg, len(packet), arrival)
        buffer += packet
        if len(buffer) > _FLUSH_AT:
            self.flush()

    def change_codecs(self, leg: int, arrival: float, codecs: Codecs) -> None:
        """The leg's SDP was agreed anew (re-INVITE): payload types mean this from now on."""
        self._put(_CODECS, leg, arrival, json.dumps(_plain(codecs), separators=(",", ":")).encode())

    def _put(self, kind: int, leg: int, arrival: float, body: bytes) -> None:
        self._buffer += _pack_head(kind, leg, len(body), arrival) + body

    def flush(self) -> bool:
        """Hand what has gathered to the kernel, every 0.2 to 1 s. False: the recording has stopped, see `failed`.

        Not fsync: what the kernel has survives the death of every process, and a power cut ends the calls too."""
        if not self.failed and self._buffer:
            try:
                self._write_all()
            except OSError as error:
                self.failed = error.strerror or type(error).__name__
        # Also after a failure, in which the file may end in half a record: nothing may follow that.
        self._buffer.clear()
        return not self.failed

    def _write_all(self) -> None:
        rest = memoryview(self._buffer)
        try:
            while rest:
                written = os.write(self._descriptor, rest)
                self.size += written
                rest = rest[written:]
        finally:
            rest.release()

    def close(self, arrival: float) -> bool:
        """End the recording in good order; as `flush`. A second call does nothing."""
        if self._descriptor < 0:
            return not self.failed
        self._put(_CLOSING, 0, arrival, b"")
        whole = self.flush()
        os.close(self._descriptor)
        self._descriptor = -1
        self.failed = self.failed or "closed"
        return whole


def _create(path: Path) -> tuple[int, Path]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in range(1, _PARTS):
            name = path if part == 1 else _part(path, part)
            try:
                return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600), name
            except FileExistsError:
                continue
    except OSError as error:
        raise SpoolError(f"The spool file cannot be made: {error.strerror}.") from None
    raise SpoolError("The spool file cannot be made: it has too many parts already.")


def _part(path: Path, part: int) -> Path:
    return path.with_name(f"{path.name}.{part}")


def spool_parts(path: Path) -> list[Path]:
    """The files of one recording that exist, in order."""
    parts = [path, *(_part(path, part) for part in range(2, _PARTS))]
    existing = []
    for part in parts:
        if not part.exists():
            break
        existing.append(part)
    return existing


def _plain(codecs: Codecs) -> list[list[object]]:
    return [[codec.payload_type, codec.name, codec.clock_rate, codec.channels, codec.fmtp] for codec in codecs]


# -- reading -----------------------------------------------------------------------------------------------------


def read_spool(path: Path) -> Iterator[Spooled]:
    """All records of a recording and its further parts, by part in order of arrival; arrivals as wall seconds.

    A part begins with the codecs of its legs. What follows a torn or damaged record in a part is left out. Raises
    `SpoolError` when a file is none of ours, and `OSError`."""
    for part in spool_parts(path):
        with part.open("rb") as file:
            yield from _read_part(file)


def _read_part(file: BinaryIO) -> Iterator[Spooled]:
    magic = file.read(len(MAGIC))
    if not MAGIC.startswith(magic):
        raise SpoolError("This is not a spool file of this version.")
    epoch, legs = 0.0, 1
    while True:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        kind, leg, length, arrival = _HEAD.unpack(head)
        body = file.read(length)
        if len(body) < length or leg >= legs or not math.isfinite(arrival):
            return
        if kind == _PACKET:
            yield SpooledPacket(epoch + arrival, leg, body)
        elif kind == _CLOSING:
            yield SpooledEnd(epoch + arrival)
        elif kind in (_CODECS, _OPENING):
            try:
                if kind == _OPENING:
                    epoch, said = _read_opening(body)
                    legs = len(said)
                else:
                    said = [(leg, _read_codecs(json.loads(body)))]
            except (ValueError, TypeError, KeyError):
                return  # damaged: nothing after it can be trusted
            for index, codecs in said:
                yield SpooledCodecs(epoch + arrival, index, codecs)
        else:
            return


def _read_opening(body: bytes) -> tuple[float, list[tuple[int, Codecs]]]:
    opening = json.loads(body)
    epoch = float(opening["epoch"])
    if not math.isfinite(epoch):
        raise ValueError("no time of day")
    return epoch, [(index, _read_codecs(codecs)) for index, codecs in enumerate(opening["codecs"])]


def _read_codecs(plain: list[list[object]]) -> Codecs:
    return tuple(
        Codec(int(str(number)), str(name), int(str(rate)), int(str(channels)), str(fmtp))
        for number, name, rate, channels, fmtp in plain
    )


# -- rtpengine's pcap --------------------------------------------------------------------------------------------

_MAGICS: Mapping[bytes, tuple[str, float]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
_LINK_HEADS = {1: 14, 12: 0, 101: 0}
"""Bytes before the IP header by link type: Ethernet, and raw IP under its two numbers."""
_LARGEST_CAPTURE = 65_535
_UDP = 17


def read_pcap(path: Path, legs: Mapping[int, int]) -> Iterator[SpooledPacket]:
    """The RTP packets of a pcap file (rtpengine's `recording-method=pcap`; wall-clock arrivals), without RTCP.

    `legs`: leg by the UDP port of ours that a packet came to; others are left out. A torn end is left out. Raises
    `SpoolError` when it is no pcap of IP packets, and `OSError`."""
    with path.open("rb") as file:
        start = file.read(24)
        if not start:
            return
        if len(start) < 24 or start[:4] not in _MAGICS:
            raise SpoolError("This is not a pcap file.")
        order, fraction = _MAGICS[start[:4]]
        (link,) = struct.unpack_from(order + "I", start, 20)
        if link not in _LINK_HEADS:
            raise SpoolError("This pcap file does not hold IP packets.")
        for seconds, part, packet in _captures(file, struct.Struct(order + "IIII")):
            found = _datagram(packet, _LINK_HEADS[link])
            if found is None:
                continue
            port, data = found
            if port in legs and len(data) >= 12 and not 192 <= data[1] <= 223:
                yield SpooledPacket(seconds + part * fraction, legs[port], data)


def _captures(file: BinaryIO, head: struct.Struct) -> Iterator[tuple[int, int, bytes]]:
    while True:
        start = file.read(head.size)
        if len(start) < head.size:
            return
        seconds, part, captured, _ = head.unpack(start)
        if captured > _LARGEST_CAPTURE:
            return  # torn and written over: nothing after it can be trusted
        packet = file.read(captured)
        if len(packet) < captured:
            return
        yield seconds, part, packet


def _datagram(packet: bytes, offset: int) -> tuple[int, bytes] | None:
    """Destination port and payload of a UDP datagram in an IP packet."""
    if len(packet) <= offset:
        return None
    version = packet[offset] >> 4
    if version == 4 and len(packet) > offset + 9 and packet[offset + 9] == _UDP:
        udp = offset + 4 * (packet[offset] & 0x0F)
    elif version == 6 and len(packet) > offset + 6 and packet[offset + 6] == _UDP:
        udp = offset + 40
    else:
        return None
    if len(packet) < udp + 8:
        return None
    port = int.from_bytes(packet[udp + 2 : udp + 4], "big")
    length = int.from_bytes(packet[udp + 4 : udp + 6], "big")
    return port, packet[udp + 8 : udp + length]
