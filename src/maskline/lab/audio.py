"""The audio side of a lab phone: a mouth, an ear and the two sockets between them and the network.

What it is: an RTP endpoint on a real socket pair (RTP, RTCP) that sends a packet each 20 ms by the monotonic clock.
What it is not: what is said (`lab/mouth.py`) or heard (`lab/ear.py`). Who uses it: `lab/phone.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable

from maskline.lab.ear import Ear
from maskline.lab.mouth import Mouth
from maskline.net.udp import SO_TIMESTAMPNS, age_of

_LONGEST = 65_535


class _Socket:
    """Tells of each datagram when the kernel took it, in monotonic seconds: the process may have been without CPU for
    long since then, and what it hears was in time all the same. Raises `OSError` when the port is taken."""

    def __init__(self, address: tuple[str, int], received: Callable[[bytes, float], None]) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._received = received
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        try:
            if sys.platform == "linux":
                self._sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._sock.bind(address)
        except OSError:
            self._sock.close()
            raise
        self.port: int = self._sock.getsockname()[1]
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._read)

    @property
    def closed(self) -> bool:
        return self._sock.fileno() < 0

    def close(self) -> None:
        if not self.closed:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):  # a full buffer or nobody there: lost, as elsewhere on the way
            self._sock.sendto(data, address)

    def _read(self) -> None:
        while not self.closed:
            try:
                data, told, _, _ = self._sock.recvmsg(_LONGEST, 64)
            except BlockingIOError:
                return
            self._received(data, time.monotonic() - age_of(told, time.time))


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
        self._rtp: _Socket | None = None
        self._rtcp: _Socket | None = None
        self._sender: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Bind an even/odd port pair chosen by the system; retried because the odd one may be taken."""
        for _ in range(50):
            rtp = _Socket((self.host, 0), self._on_rtp)
            if rtp.port % 2 == 0:
                with contextlib.suppress(OSError):
                    self._rtcp = _Socket((self.host, rtp.port + 1), self._on_rtcp)
                    self._rtp, self.port = rtp, rtp.port
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
        for sock in (self._rtp, self._rtcp):
            if sock:
                sock.close()

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
            if self._rtp and not self._rtp.closed and not self.muted:
                for packet in self.mouth.next_packets():
                    self._rtp.send(packet, (address, port))
            await asyncio.sleep(max(0.0, start + (count + 1) * 0.02 - loop.time()))

    def _on_rtp(self, data: bytes, at: float) -> None:
        self.received.append(data)
        self.ear.hear(data, at)

    def _on_rtcp(self, data: bytes, at: float) -> None:
        self.received.append(data)
