"""Malformed RTP, RTCP and telephone events, from strangers and from the parties themselves, while a call goes on: the
media process lives, and nobody misses a packet."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from maskline.masking.facts import LegName
from maskline.media.port import DigitPressed
from maskline.media.rtp import Report, ReportBlock, RtpPacket, build, build_report
from tests.support.media_harness import CALL, Harness, connect
from tests.support.rtp_party import Party

pytestmark = pytest.mark.wire

SECONDS = 1.5


def malformed(rng: random.Random) -> Iterator[bytes]:
    """Datagrams that are nearly RTP or RTCP, for ever; never of a stream of the parties."""
    while True:
        ssrc = 0xEE000000 | rng.getrandbits(24)
        packet = RtpPacket(
            rng.choice([0, 0, 8, 13, 101, 127]), rng.getrandbits(16), rng.getrandbits(32), ssrc, b"\x7f" * 160
        )
        whole = bytearray(build(packet))
        report = bytearray(
            build_report(Report(ssrc, None, (ReportBlock(ssrc, 255, -1, 0, 0),) * rng.randrange(4)), b"x")
        )
        yield bytes(whole[: rng.randrange(len(whole))])
        yield rng.randbytes(rng.randrange(1, 1400))
        whole[0] = rng.choice([0x00, 0x40, 0xC0, 0x8F, 0x90, 0x9F, 0xA0, 0xBF])  # version, CSRCs, extension, padding
        yield bytes(whole)
        yield bytes(whole[:12]) + struct.pack("!HH", 0xBEDE, 0xFFFF)
        report[rng.randrange(len(report))] = rng.getrandbits(8)
        yield bytes(report)
        yield bytes(report[: rng.randrange(len(report))])
        yield b""


async def say(speaker: Party, listener: Party, payload: bytes) -> None:
    """It arrives, whatever else of the party's does; rtpengine passes on much that is no RTP."""
    speaker.send(payload)
    while True:
        data, _ = await listener.receive_bytes()
        if data[12:] == payload:
            return


async def test_nothing_malformed_ends_the_media_process_or_harms_the_call(media: Harness) -> None:
    rng, sent = random.Random(4), 0
    pid = media.pid
    with (
        Party(0xA) as alice,
        Party(0xB) as bob,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        await connect(media, alice, bob)
        await media.driver.collect(CALL, LegName.A, True)
        nonsense, until = malformed(rng), time.monotonic() + SECONDS
        while time.monotonic() < until:
            for party in (alice, bob):
                # An event too short to be one, in the party's own stream, and nonsense from its very sockets.
                party.send(rng.randbytes(rng.randrange(4)), 101)
                for _ in range(7):
                    data = next(nonsense)
                    for opened, target in (
                        (party.rtp, party.to),
                        (party.rtcp, party.rtcp_to),
                        (stranger, party.to),
                        (stranger, party.rtcp_to),
                    ):
                        with contextlib.suppress(BlockingIOError):
                            opened.sendto(data, target)
                        sent += 1
            await say(alice, bob, rng.randbytes(160))
            await say(bob, alice, rng.randbytes(160))
        figures = await media.driver.close(CALL)
    assert sent > 1000
    assert media.pid == pid
    assert media.driver.available
    # A telephone event that these sources made up by chance is one that they pressed.
    assert [event for event in media.events if not isinstance(event, DigitPressed)] == []
    assert set(figures) == set(LegName)
