"""The control protocol between driver and worker: length-prefixed JSON over a unix socket.

What it is: frames and the JSON shapes of `FarMedia`, `LocalMedia`, `Quality` and `Spool`. A request is
`{"id", "op", …}`, its reply `{"id", "ok": {…}}` or `{"id", "error": code}`, an event `{"event", "call", …}`.
What it is not: a public interface; driver and worker are always of the same version (`VERSION` is checked).
Who uses it: `link.py` on the engine's side, `control.py` on the worker's.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.port import FarMedia, LocalMedia, Spool, SpoolLeg
from maskline.sdp.session import Codec

VERSION = 4
LENGTH = struct.Struct(">I")
LONGEST_FRAME = 1 << 20
"""A frame longer than this is a fault of the other end, not a message."""

Message = dict[str, Any]


class BrokenFrame(ValueError):
    """The other end does not speak this protocol."""


def pack(message: Message) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    return LENGTH.pack(len(body)) + body


def unpack(body: bytes | bytearray) -> Message:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise BrokenFrame("not JSON") from error
    if not isinstance(message, dict):
        raise BrokenFrame("not an object")
    return message


def take_frames(buffer: bytearray) -> Iterator[Message]:
    """Remove and yield every whole frame at the head of `buffer`; raises `BrokenFrame`."""
    while len(buffer) >= 4:
        (length,) = LENGTH.unpack_from(buffer)
        if length > LONGEST_FRAME:
            raise BrokenFrame("frame too long")
        if len(buffer) < 4 + length:
            return
        body = bytes(buffer[4 : 4 + length])
        del buffer[: 4 + length]
        yield unpack(body)


def write_codecs(codecs: tuple[Codec, ...]) -> list[list[Any]]:
    return [[codec.payload_type, codec.name, codec.clock_rate, codec.channels, codec.fmtp] for codec in codecs]


def read_codecs(values: list[list[Any]]) -> tuple[Codec, ...]:
    return tuple(
        Codec(int(pt), str(name), int(rate), int(channels), str(fmtp)) for pt, name, rate, channels, fmtp in values
    )


def write_far(far: FarMedia | None) -> Message | None:
    if far is None:
        return None
    return {
        "address": far.address,
        "port": far.port,
        "rtcp_port": far.rtcp_port,
        "codecs": write_codecs(far.codecs),
        "nat": far.nat,
        "direction": far.direction,
    }


def read_far(value: Message | None) -> FarMedia | None:
    if value is None:
        return None
    codecs = read_codecs(value["codecs"])
    return FarMedia(
        value["address"], value["port"], value["rtcp_port"], codecs, bool(value["nat"]), direction=value["direction"]
    )


def write_local(local: LocalMedia) -> Message:
    return asdict(local)


def read_local(value: Message) -> LocalMedia:
    return LocalMedia(value["address"], value["port"], value["rtcp_port"])


def write_spool(spool: Spool) -> Message:
    legs = [[one.leg.value, one.port, write_codecs(one.codecs)] for one in spool.legs]
    return {"path": spool.path, "format": spool.format, "legs": legs}


def read_spool(value: Message) -> Spool:
    legs = tuple(SpoolLeg(LegName(leg), port, read_codecs(codecs)) for leg, port, codecs in value["legs"])
    return Spool(value["path"], value["format"], legs)


def write_quality(quality: Quality) -> Message:
    return asdict(quality)


def read_quality(value: Message) -> Quality:
    return Quality(**value)
