"""A daemon that speaks ng and does nothing: notes what it is asked, over UDP and TCP on one port number."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Self

from maskline.media.rtpengine.ng_codec import pack, unpack, unpack_first

Reply = Mapping[str, Any]
_SDP = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 0\r\na=rtcp:{rtcp}\r\n"


class NgDaemon(asyncio.DatagramProtocol):
    """`replies` by command override what it says; a callable is given the message. `silent`: it says nothing.
    `late`: seconds until it answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.over_tcp: list[dict[str, Any]] = []
        self.replies: dict[str, Reply | Callable[[dict[str, Any]], Reply]] = {}
        self.silent = False
        self.late = 0.0
        self.uptime = 100.0
        self.sessions = 0
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self, *, tcp: bool = True) -> Self:
        loop = asyncio.get_running_loop()
        while True:
            self._udp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
            self.port = self._udp.get_extra_info("sockname")[1]
            if not tcp:
                return self
            try:
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            except OSError:  # somebody has the number for TCP
                self._udp.close()
            else:
                return self

    async def stop(self) -> None:
        self._udp.close()
        self.hang_up()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def commands(self) -> list[str]:
        return [message["command"] for message in self.asked if message["command"] != "statistics"]

    def notify(self, data: Any) -> None:
        self.write(pack("n", {"notify": "onDTMF", "data": data}))

    def write(self, data: bytes) -> None:
        """To everybody connected."""
        for writer in self._writers:
            writer.write(data)

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def connection_made(self, transport: Any) -> None:
        self._udp = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        cookie, message = unpack(data)
        self.asked.append(message)
        if not self.silent:
            reply = pack(cookie, self._reply(message))
            asyncio.get_running_loop().call_later(self.late, self._say, reply, addr)

    def _say(self, reply: bytes, addr: Any) -> None:
        if not self._udp.is_closing():
            self._udp.sendto(reply, addr)

    def _reply(self, message: dict[str, Any]) -> Reply:
        command = message["command"]
        known = self.replies.get(command)
        if known is not None:
            return known(message) if callable(known) else known
        if command == "statistics":
            totals = {"uptime": str(self.uptime)}
            return {"statistics": {"totalstatistics": totals, "currentstatistics": {"sessionstotal": self.sessions}}}
        if command in ("offer", "answer"):
            port = 4000 if message.get("to-tag") == "v" else 5000
            return {"result": "ok", "sdp": _SDP.format(port=port, rtcp=port + 1)}
        return {"result": "ok"}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        data = b""
        while more := await reader.read(65536):
            data += more
            while found := unpack_first(data) if data else None:
                cookie, message, end = found
                data = data[end:]
                self.over_tcp.append(message)
                writer.write(pack(cookie, self._reply(message)))
