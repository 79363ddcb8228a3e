"""The TCP side of one rtpengine (`listen-tcp-ng`): notices, and requests too large for a datagram.

What it is: a connection that we make and make again. The daemon writes a notice per digit to it (`dtmf-log-ng-tcp`),
takes requests of any length, and its end says at once that the daemon died. What it is not: needed for anything else;
small requests go by UDP, where a lost daemon costs no reconnect. Who uses it: `client.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from maskline.media.rtpengine import ng_codec

_CONNECT_WITHIN = 0.5
_LARGEST = 262_144
"""Bytes that may wait for the rest of a message; a notice has 200, a reply to a request of ours 10,000 at most."""

Receive = Callable[[str, ng_codec.Dictionary], None]


class NgStream(asyncio.Protocol):
    def __init__(self, receive: Receive, lost: Callable[[], None]) -> None:
        self._receive = receive
        self._lost = lost
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        return self._transport is not None

    async def connect(self, host: str, port: int) -> bool:
        """False when nobody listens there."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_WITHIN):
                await loop.create_connection(lambda: self, host, port)
        except (OSError, TimeoutError):
            return False
        return True

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def send(self, message: bytes) -> bool:
        """False when not connected."""
        if self._transport is None:
            return False
        self._transport.write(message)
        return True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports, on which the server runs, are no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:  # else it was us
            self._transport = None
            self._lost()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer:
            try:
                found = ng_codec.unpack_first(self._buffer)
            except ng_codec.NgFault:
                found = None
                self._give_up()
            if found is None:
                break
            cookie, message, end = found
            self._buffer = self._buffer[end:]
            self._receive(cookie, message)
        if len(self._buffer) > _LARGEST:
            self._give_up()

    def _give_up(self) -> None:
        """This is not ng, and where the next message starts cannot be known: begin anew."""
        self._buffer = b""
        if self._transport is not None:
            self._transport.abort()
