"""What carries a lab phone's SIP: a UDP socket, or connections of TCP or TLS.

What it is: one door for the phone, whatever is behind it. What it is not: SIP, or whom to trust: a phone takes messages
from anybody. Who uses it: `lab/phone.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from maskline.net.streams import StreamEvents, Streams, StreamSettings
from maskline.net.tls import Tls
from maskline.sip.flow import DEFAULT_PORTS, Flow

Address = tuple[str, int]


class UdpWire(asyncio.DatagramProtocol):
    transport = "udp"

    def __init__(self, on_message: Callable[[bytes, Flow], None]) -> None:
        self._on_message = on_message
        self._socket: asyncio.DatagramTransport | None = None

    async def open(self, host: str) -> Address:
        loop = asyncio.get_running_loop()
        self._socket, _ = await loop.create_datagram_endpoint(lambda: self, (host, 0))
        address: Address = self._socket.get_extra_info("sockname")[:2]
        return address

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._on_message(data, Flow("udp", addr[0], addr[1]))

    def send(self, data: bytes, flow: Flow) -> None:
        if self._socket and not self._socket.is_closing():
            self._socket.sendto(data, (flow.host, flow.port))

    def close(self) -> None:
        if self._socket:
            self._socket.close()


class StreamWire:
    """`tls`: what the phone shows and believes; without it TCP is spoken."""

    def __init__(
        self,
        on_message: Callable[[bytes, Flow], None],
        on_failed: Callable[[Flow], None],
        on_closed: Callable[[Flow], None],
        tls: Tls | None,
    ) -> None:
        self.transport = "tcp" if tls is None else "tls"
        self._tls = tls
        self._streams = Streams(
            StreamEvents(
                on_message, lambda: None, lambda flow, reason: on_failed(flow), on_closed, lambda flow: True,
                lambda host: None, lambda host, names: names[0], lambda flow: (),
            ),
            StreamSettings(tls=tls),
        )  # fmt: skip

    async def open(self, host: str) -> Address:
        """One without a certificate of its own can only connect."""
        self._streams.speak_from(host)
        address = (host, DEFAULT_PORTS[self.transport])
        if self._tls is None or self._tls.server is not None:
            address = self._streams.bind(host, 0, self.transport)
        self._streams.start()
        return address

    def send(self, data: bytes, flow: Flow) -> None:
        self._streams.send(data, flow)

    def close(self) -> None:
        self._streams.close()
