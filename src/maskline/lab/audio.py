"""The audio side of a lab phone: it plays a tone, and keeps what it hears.

What it is: an RTP endpoint on a real socket pair (RTP, RTCP), 20 ms µ-law packets paced against the monotonic
clock. What it is not: a jitter buffer; frames are kept in the order of their sequence numbers. Who uses it:
`lab/phone.py`.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable

from maskline.lab.tones import FRAME, tone_frames

_PCMU = 0
_HEADER = struct.Struct("!BBHII")


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._received(data)


class Audio:
    """One stream each way. `port` is valid after `open`; `received` holds every datagram for the leak check."""

    def __init__(self, host: str, tone: int) -> None:
        self.host = host
        self.tone = tone
        self.port = 0
        self.received: list[bytes] = []
        self.sent_packets = 0
        self._frames = tone_frames(tone)
        self._heard: dict[int, bytes] = {}
        self._random = random.Random()
        self._rtp: asyncio.DatagramTransport | None = None
        self._rtcp: asyncio.DatagramTransport | None = None
        self._sender: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Bind an even/odd port pair chosen by the system; retried because the odd one may be taken."""
        loop = asyncio.get_running_loop()
        for _ in range(50):
            rtp, _ = await loop.create_datagram_endpoint(lambda: _Socket(self._on_rtp), (self.host, 0))
            port = rtp.get_extra_info("sockname")[1]
            if port % 2 == 0:
                try:
                    rtcp, _ = await loop.create_datagram_endpoint(
                        lambda: _Socket(self.received.append), (self.host, port + 1)
                    )
                except OSError:
                    rtp.close()
                    continue
                self._rtp, self._rtcp, self.port = rtp, rtcp, port
                return
            rtp.close()
        raise OSError("no free RTP port pair")

    def start(self, address: str, port: int) -> None:
        """Send the tone to the far side until `close`; called again, it moves to the new address."""
        if self._sender:
            self._sender.cancel()
        self._sender = asyncio.get_running_loop().create_task(self._send(address, port))

    def stop(self) -> None:
        if self._sender:
            self._sender.cancel()
            self._sender = None

    def close(self) -> None:
        self.stop()
        for transport in (self._rtp, self._rtcp):
            if transport:
                transport.close()

    @property
    def heard(self) -> bytes:
        """The µ-law audio that arrived, in sequence order."""
        return b"".join(self._heard[key] for key in sorted(self._heard))

    @property
    def heard_packets(self) -> int:
        return len(self._heard)

    async def _send(self, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        ssrc, sequence, stamp = (self._random.getrandbits(bits) for bits in (32, 15, 31))
        start, marker = loop.time(), 0x80
        for count in range(1 << 30):
            packet = _HEADER.pack(0x80, _PCMU | marker, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc)
            marker = 0
            if self._rtp and not self._rtp.is_closing():
                self._rtp.sendto(packet + self._frames[count % len(self._frames)], (address, port))
                self.sent_packets += 1
            sequence, stamp = sequence + 1, stamp + FRAME
            await asyncio.sleep(max(0.0, start + (count + 1) * 0.02 - loop.time()))

    def _on_rtp(self, data: bytes) -> None:
        self.received.append(data)
        if len(data) > 12 and data[0] >> 6 == 2 and data[1] & 0x7F == _PCMU:
            sequence = int.from_bytes(data[2:4], "big")
            self._heard[sequence] = data[12 + 4 * (data[0] & 0x0F) :]
