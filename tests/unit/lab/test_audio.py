"""The audio side of a lab phone: an even and an odd port, one tone out, what arrives in order."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from maskline.lab.audio import Audio

HOST = "127.0.0.1"


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Audio, Audio]]:
    made = Audio(HOST, 440), Audio(HOST, 1000)
    for audio in made:
        await audio.open()
    yield made
    for audio in made:
        audio.close()


async def arrived(audio: Audio, packets: int) -> bool:
    """Bounded wait for `packets` to be heard."""
    for _ in range(200):
        if audio.heard_packets >= packets:
            return True
        await asyncio.sleep(0.01)
    return False


def stall() -> None:
    """Nothing of this process runs meanwhile."""
    time.sleep(0.2)


async def test_ports_are_an_even_and_an_odd_one(pair: tuple[Audio, Audio]) -> None:
    assert all(audio.port % 2 == 0 for audio in pair)


async def test_a_stream_can_be_moved_and_stopped(pair: tuple[Audio, Audio]) -> None:
    speaker, listener = pair
    speaker.start(HOST, 9)
    speaker.start(HOST, listener.port)
    assert await arrived(listener, 3)
    speaker.stop()
    speaker.stop()
    sent = speaker.sent_packets
    await asyncio.sleep(0.05)
    assert speaker.sent_packets == sent


async def test_a_closed_phone_sends_nothing(pair: tuple[Audio, Audio]) -> None:
    speaker, listener = pair
    speaker.start(HOST, listener.port)
    assert speaker._rtp
    speaker._rtp.close()
    await asyncio.sleep(0.05)
    assert speaker.sent_packets == 0


async def test_packets_are_heard_in_the_order_of_their_numbers_and_everything_is_kept(
    pair: tuple[Audio, Audio],
) -> None:
    _, listener = pair
    for sequence in (2, 1):
        listener._on_rtp(struct.pack("!BBHII", 0x80, 0, sequence, sequence, 7) + bytes([sequence]), 1.0)
    listener._on_rtp(b"not RTP at all", 1.0)
    listener._on_rtp(struct.pack("!BBHII", 0x80, 101, 3, 0, 7) + b"\5\0\0\0", 1.0)
    assert listener.heard == b"\1\2"
    assert len(listener.received) == 4


async def test_a_packet_was_heard_when_the_kernel_took_it(pair: tuple[Audio, Audio]) -> None:
    _, listener = pair
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for sequence in range(2):
            sender.sendto(struct.pack("!BBHII", 0x80, 0, sequence, 0, 7) + b"\1", (HOST, listener.port))
            stall()
    assert await arrived(listener, 2)
    first, second = listener.ear.arrivals
    assert second.at - first.at > 0.15
    assert second.at < time.monotonic() - 0.15


async def test_nobody_at_the_other_end_is_no_fault(pair: tuple[Audio, Audio]) -> None:
    speaker, listener = pair
    speaker.start(HOST, listener.port)
    assert await arrived(listener, 1)
    listener.close()
    listener.close()
    sent = speaker.sent_packets
    for _ in range(500):
        if speaker.sent_packets >= sent + 3:
            return
        await asyncio.sleep(0.01)
    pytest.fail("it speaks no more")


class OddPortsTaken(socket.socket):
    """Refuses ports that are asked for by number, as often as `times` says."""

    times = 0

    def bind(self, address: Any) -> None:
        if address[1] and OddPortsTaken.times:
            OddPortsTaken.times -= 1
            raise OSError("taken")
        super().bind(address)


async def test_another_pair_is_tried_when_the_odd_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OddPortsTaken, "times", 1)
    monkeypatch.setattr(socket, "socket", OddPortsTaken)
    audio = Audio(HOST, 440)
    await audio.open()
    assert OddPortsTaken.times == 0
    assert audio.port
    audio.close()


async def test_no_free_pair_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OddPortsTaken, "times", 1000)
    monkeypatch.setattr(socket, "socket", OddPortsTaken)
    audio = Audio(HOST, 440)
    with pytest.raises(OSError, match="no free RTP port pair"):
        await audio.open()
    audio.close()
    audio.stop()
