"""Frames between driver and worker."""

from __future__ import annotations

import pytest

from maskline.masking.call_record import Quality
from maskline.media.embedded import wire
from maskline.media.port import FarMedia, LocalMedia
from maskline.sdp.session import Codec

FAR = FarMedia("192.0.2.1", 4000, 4001, (Codec(0, "PCMU"), Codec(101, "telephone-event")), nat=True)


def test_frames_come_out_whole_however_they_arrive() -> None:
    messages = [{"id": 1, "op": "ping"}, {"id": 2, "op": "hello"}]
    stream = b"".join(wire.pack(message) for message in messages)
    buffer, seen = bytearray(), []
    for byte in stream:
        buffer.append(byte)
        seen += list(wire.take_frames(buffer))
    assert seen == messages
    assert not buffer


@pytest.mark.parametrize("rubbish", [b"\xff\xff\xff\xff", b"\0\0\0\x02[]", b"\0\0\0\x02{x", b"\0\0\0\x01\xff"])
def test_rubbish_is_a_broken_frame(rubbish: bytes) -> None:
    with pytest.raises(wire.BrokenFrame):
        list(wire.take_frames(bytearray(rubbish)))


def test_values_survive_the_way() -> None:
    assert wire.read_far(wire.write_far(FAR)) == FAR
    assert wire.read_far(wire.write_far(None)) is None
    local = LocalMedia("192.0.2.9", 20_000, 20_001)
    assert wire.read_local(wire.write_local(local)) == local
    quality = Quality(4.2, 0.01, 3.5, 100, 1, 100)
    assert wire.read_quality(wire.write_quality(quality)) == quality
