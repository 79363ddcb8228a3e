"""A far side for media tests: two UDP sockets on loopback that send RTP and RTCP and tell what arrived.

Nothing here sleeps: that a packet did not come is shown by one sent after it that did.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass, field
from typing import Self

from maskline.media.port import FarMedia, LocalMedia
from maskline.media.quality import ReceiverCounts
from maskline.media.rtp import Report, ReportBlock, RtpPacket, build, build_report, parse, parse_rtcp
from maskline.sdp.session import Codec

PCMU = Codec(0, "PCMU")
PCMA = Codec(8, "PCMA")
EVENTS = Codec(101, "telephone-event", fmtp="0-15")
VOICE = (PCMU, EVENTS)


def _open(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.bind(("127.0.0.1", port))
    except OSError:
        opened.close()
        raise
    opened.setblocking(False)
    return opened


def open_pair() -> tuple[socket.socket, socket.socket]:
    """RTP on a free even port, RTCP on the one above."""
    while True:
        rtp = _open(0)
        port = rtp.getsockname()[1]
        if port % 2 == 0:
            with contextlib.suppress(OSError):
                return rtp, _open(port + 1)
        rtp.close()


@dataclass
class Party:
    ssrc: int
    codecs: tuple[Codec, ...] = VOICE
    nat: bool = False
    sequence: int = 1000
    timestamp: int = 50_000
    counts: ReceiverCounts = field(default_factory=ReceiverCounts)
    last_sr: int = 0
    last_sr_at: float = 0.0

    def __post_init__(self) -> None:
        self.rtp, self.rtcp = open_pair()
        self.to = ("127.0.0.1", 9)
        self.rtcp_to = ("127.0.0.1", 9)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.rtp.close()
        self.rtcp.close()

    @property
    def port(self) -> int:
        return int(self.rtp.getsockname()[1])

    @property
    def far(self) -> FarMedia:
        return FarMedia("127.0.0.1", self.port, self.port + 1, self.codecs, self.nat)

    def aim(self, local: LocalMedia) -> None:
        self.to = (local.address, local.port)
        self.rtcp_to = (local.address, local.rtcp_port)

    def next(self, payload: bytes = b"\xff" * 160, payload_type: int = 0) -> RtpPacket:
        packet = RtpPacket(payload_type, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc, payload)
        self.sequence += 1
        self.timestamp += 160
        return packet

    def send(self, payload: bytes = b"\xff" * 160, payload_type: int = 0) -> RtpPacket:
        packet = self.next(payload, payload_type)
        self.rtp.sendto(build(packet), self.to)
        return packet

    async def receive_bytes(self, within: float = 30.0) -> tuple[bytes, tuple[str, int]]:
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.sock_recvfrom(self.rtp, 2048), within)

    async def receive(self, within: float = 30.0) -> RtpPacket:
        data, _ = await self.receive_bytes(within)
        packet = parse(data)
        assert packet is not None
        self.counts.count(packet.ssrc, packet.sequence, packet.timestamp, time.monotonic())
        return packet

    async def receive_rtcp(self, within: float = 30.0) -> bytes:
        loop = asyncio.get_running_loop()
        data, _ = await asyncio.wait_for(loop.sock_recvfrom(self.rtcp, 2048), within)
        for item in parse_rtcp(data):
            if isinstance(item, Report) and item.sender is not None:
                self.last_sr, self.last_sr_at = item.sender.middle, time.monotonic()
        return data

    def send_report(self, cname: bytes = b"alice@home.example") -> None:
        """What this party received so far, as a phone tells it."""
        counts = self.counts
        blocks: tuple[ReportBlock, ...] = ()
        if counts.ssrc >= 0:
            fraction = min(255, int(counts.loss * 256))
            jitter, delay = int(counts.jitter_ticks), int((time.monotonic() - self.last_sr_at) * 65536)
            heard = (counts.lost, counts.extended_max, jitter, self.last_sr, delay if self.last_sr else 0)
            blocks = (ReportBlock(counts.ssrc, fraction, *heard),)
        self.rtcp.sendto(build_report(Report(self.ssrc, None, blocks), cname), self.rtcp_to)

    def queued(self) -> bool:
        """Whether a packet waits unread."""
        try:
            self.rtp.recv(2048, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        return True
