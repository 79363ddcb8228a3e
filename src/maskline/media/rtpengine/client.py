"""One rtpengine, spoken to over UDP.

What it is: requests with a cookie, retransmitted with the same cookie until answered (the daemon answers a repeated
cookie from memory, so that is safe), and whether the daemon answers at all. Beside it a TCP connection to the same
port number brings notices and takes what no datagram holds. What it is not: aware of calls. Who uses it: `driver.py`,
one per configured node.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from maskline.errors import MediaUnavailable
from maskline.media.rtpengine import ng_codec
from maskline.media.rtpengine.stream import NgStream

ANSWER_WITHIN = 1.5
"""Seconds for each request; the port promises `MediaUnavailable` within 2 from a daemon that is away, and a loaded
machine is late. A daemon that answers late, request after request, is not away."""
_FIRST_RETRY = 0.1
"""Seconds; doubles, so a request goes out four times. A busy daemon answers in under 10 ms."""
_RESTART_TOLERANCE = 2.5
"""Seconds by which a start time computed from whole seconds of uptime may wander."""

_LARGEST_DATAGRAM = 60_000

_log = structlog.get_logger()


class NgRefused(Exception):
    """The daemon answered that it will not; the text is its reason."""


class NgNode(asyncio.DatagramProtocol):
    def __init__(self, host: str, port: int, on_notice: Callable[[ng_codec.Dictionary], None] | None = None) -> None:
        """`on_notice` is given what the daemon says unasked."""
        self.host, self.port = host, port
        self.up = False
        self.restarted = asyncio.Event()
        """Set when the daemon is found to be another one than before; the driver clears it."""
        self.parted = asyncio.Event()
        """Set when the TCP connection ended: most likely the daemon did. The driver clears it."""
        self.answered = False
        """Whether the last probe found it."""
        self.reads_files = True
        """Whether it could read a clip's file last time; a daemon of another user or host cannot."""
        self._on_notice = on_notice
        self._stream = NgStream(self._received, self._on_stream_lost)
        self._said_deaf = False
        self.sessions = 0
        """Calls the daemon said it has, whoever made them."""
        self._said_away = False
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[str, asyncio.Future[ng_codec.Dictionary]] = {}
        self._prefix = secrets.token_hex(6)
        self._serial = 0
        self._started_at: float | None = None

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def notices(self) -> bool:
        """Whether digits of its calls reach us."""
        return self._stream.open

    def close(self) -> None:
        self._stream.close()
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        for future in self._waiting.values():
            future.cancel()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        try:
            cookie, reply = ng_codec.unpack(data)
        except ng_codec.NgFault:
            return  # nothing to match it with; the request times out and says so
        self._received(cookie, reply)

    def _received(self, cookie: str, reply: ng_codec.Dictionary) -> None:
        if "notify" in reply:
            if self._on_notice is not None:
                self._on_notice(reply)
            return
        future = self._waiting.get(cookie)
        if future is not None and not future.done():
            future.set_result(reply)

    def error_received(self, exc: Exception) -> None:
        """ICMP says nobody listens: the retransmission may meet a restarted daemon, the timeout judges."""

    async def request(self, command: str, fields: Mapping[str, Any]) -> ng_codec.Dictionary:
        """The daemon's reply; raises `NgRefused`, or `MediaUnavailable` within 2 s and at once when known away."""
        if not self.up:
            raise MediaUnavailable
        return await self._ask({"command": command, **fields})

    async def _ask(
        self, message: Mapping[str, Any], within: float | None = None, *, patient: bool = False
    ) -> ng_codec.Dictionary:
        """`within`: seconds, usually ANSWER_WITHIN. `patient`: one that does not answer is not away yet."""
        if self._transport is None:
            raise MediaUnavailable
        self._serial += 1
        cookie = f"{self._prefix}{self._serial}"
        datagram = ng_codec.pack(cookie, message)
        future: asyncio.Future[ng_codec.Dictionary] = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = future
        try:
            reply = await self._retransmit(datagram, future, ANSWER_WITHIN if within is None else within)
        except TimeoutError:
            if not patient:
                self._set_up(False)
            raise MediaUnavailable from None
        finally:
            del self._waiting[cookie]
        if reply.get("result") == "error":
            raise NgRefused(reply.get("error-reason", ""))
        return reply

    async def _retransmit(
        self, datagram: bytes, future: asyncio.Future[ng_codec.Dictionary], within: float
    ) -> ng_codec.Dictionary:
        if len(datagram) > _LARGEST_DATAGRAM:
            return await self._by_stream(datagram, future)
        pause, left = _FIRST_RETRY, within
        while left > 0.0 and self._transport is not None:
            self._transport.sendto(datagram)
            done, _ = await asyncio.wait([future], timeout=min(pause, left))
            if done:
                return future.result()
            left -= pause
            pause *= 2.0
        raise TimeoutError

    async def _by_stream(self, message: bytes, future: asyncio.Future[ng_codec.Dictionary]) -> ng_codec.Dictionary:
        if not self._stream.send(message):
            raise NgRefused("too large for a datagram, and listen-tcp-ng is not set")
        async with asyncio.timeout(ANSWER_WITHIN):
            return await future

    async def probe(self, within: float | None = None, *, patient: bool = False) -> None:
        """Ask for a sign of life; notes a daemon that went, came back or was replaced in between. `patient`: one that
        does not answer `within` these seconds is not said to be away."""
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        self.answered = False
        try:
            if self._transport is None:  # also tried again later: the name may not resolve yet
                remote = (self.host, self.port)
                self._transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=remote)
            reply = await self._ask({"command": "statistics"}, within, patient=patient)
            started_at = asked_at - float(reply["statistics"]["totalstatistics"]["uptime"])
            self.sessions = int(reply["statistics"]["currentstatistics"]["sessionstotal"])
        except (OSError, MediaUnavailable, NgRefused, KeyError, TypeError, ValueError):
            if not patient:
                self._set_up(False)
            return
        if self._started_at is not None and abs(started_at - self._started_at) > _RESTART_TOLERANCE:
            self.restarted.set()
        self._started_at = started_at
        await self._listen()
        self.answered = True
        self._set_up(True)

    async def _listen(self) -> None:
        """Without the connection calls work, but no digit is heard: that is said once."""
        if self._stream.open or await self._stream.connect(self.host, self.port):
            self._said_deaf = False
        elif not self._said_deaf:
            self._said_deaf = True
            _log.warning("media_digits_unheard", driver="rtpengine", worker=self.name)

    def _on_stream_lost(self) -> None:
        self.restarted.set()
        self.parted.set()

    def _set_up(self, up: bool) -> None:
        """Remember it, and say it once each way."""
        self.up = up
        if not up and not self._said_away:
            self._said_away = True
            _log.error("media_away", driver="rtpengine", worker=self.name)
        elif up and self._said_away:
            self._said_away = False
            _log.warning("media_back", driver="rtpengine", worker=self.name)
