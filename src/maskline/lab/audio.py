"""The audio side of a lab phone: a mouth, an ear and the two sockets between them and the network.

What it is: an RTP endpoint on a real socket pair (RTP, RTCP) that sends a packet each 20 ms by the monotonic clock.
What it is not: what is said (`lab/mouth.py`) or heard (`lab/ear.py`). Who uses it: `lab/phone.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from maskline.lab.ear import Ear
from maskline.lab.mouth import Mouth


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._received(data)


class Audio:
    """One stream each way. `port` is valid after `open`; `received` holds every datagram for the leak check."""

    def __init__(self, host: str, tone: int) -> None:
        self.host = host
        self.port = 0
        self.received: list[bytes] = []
        self.mouth = Mouth(tone)
        self.ear = Ear()
        self.muted = False
        """On hold: packets are neither made nor sent, and the stream's clock goes on."""
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
        """Speak to the far side until `close`; called again, it moves to the new address."""
        self.stop()
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
        """The audio that arrived as µ-law, in sequence order."""
        return self.ear.mu_law

    @property
    def heard_packets(self) -> int:
        """Different packets with sound in them."""
        return len({(item.ssrc, item.sequence) for item in self.ear.voices})

    @property
    def sent_packets(self) -> int:
        return self.mouth.sent_packets

    async def _send(self, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for count in range(1 << 30):
            if self._rtp and not self._rtp.is_closing() and not self.muted:
                for packet in self.mouth.next_packets():
                    self._rtp.sendto(packet, (address, port))
            await asyncio.sleep(max(0.0, start + (count + 1) * 0.02 - loop.time()))

    def _on_rtp(self, data: bytes) -> None:
        self.received.append(data)
        self.ear.hear(data)
