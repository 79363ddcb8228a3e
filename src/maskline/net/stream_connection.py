"""One TCP or TLS connection that carries SIP: bytes in, messages out, and a bounded queue of what is to be sent.

What it is: an asyncio protocol around `sip/framer.py`. What it is not: the table of connections or the decision to
open one (`streams.py`, its only user).
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING, cast

from maskline.sip.flow import Flow
from maskline.sip.framer import PING, PONG, Framer

if TYPE_CHECKING:
    from maskline.net.streams import Streams

PING_SECONDS = 95.0
"""Of silence on a connection that we opened, until it is kept alive: firewalls forget it after some minutes, and a call
would be sent into nothing (RFC 5626 §4.4.1 has 95 to 120 s where the peer says nothing)."""
PONG_SECONDS = 10.0
"""How long whoever has answered a ping before may take for the next one."""


class StreamConnection(asyncio.Protocol):
    """Both directions of one connection. Times are those of the loop."""

    __slots__ = (
        "_framer", "_owner", "_pinged_at", "_pongs", "_queue", "_queued", "_transport", "active_at", "began_at",
        "flow", "heard", "ours", "why",
    )  # fmt: skip

    def __init__(self, owner: Streams, flow: Flow, now: float, *, ours: bool) -> None:
        """`ours`: we open it."""
        self._owner = owner
        self.flow = flow
        self.ours = ours
        self.heard = ours
        """Whether it may be quiet: a message came, or we opened it."""
        self.active_at = now
        """When something last came or went, our own keep-alive left out: that alone keeps no connection. A peer's does,
        for it is how a telephone behind a NAT stays where it can be reached."""
        self.began_at = now
        """When the message that is on its way began; before the first one, when the connection did."""
        self.why = ""
        """Why we close it; empty while we do not."""
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._queue: list[bytes] | None = []
        """What waits for the connection to stand."""
        self._queued = 0
        """Bytes of it."""
        self._pinged_at: float | None = None
        """When we last asked whether it stands."""
        self._pongs: bool | None = None
        """Whether the last ping was answered; None: none ever was, as by peers that know nothing of it."""

    # -- asyncio's calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's classes
        self._owner.made(self, self._transport)
        queue, self._queue = self._queue or [], None
        for data in queue:
            self.send(data)

    def data_received(self, data: bytes) -> None:
        if self.why:
            return
        owner, framer = self._owner, self._framer
        if self._pongs is False:
            self._pongs = True
        if data == PONG and self._pinged_at is not None and not framer.is_partial:
            self._pongs = True
            return
        was_partial = framer.is_partial
        found = framer.feed(data)
        now = self.active_at = owner.now()
        for message in found:
            if message == PING:
                self.send(PONG)
            else:
                self.heard = True
                owner.on_message(message, self.flow)
        if self.heard and (found or not was_partial):
            self.began_at = now
        owner.on_batch()
        if framer.fault:
            self.end("malformed")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.lost(self, self.why or ("peer" if exc is None else "error"))

    # -- the owner's calls ------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send, or keep until the connection stands. A peer that does not read is cut off: what waits for it would
        grow without end, and SIP asks again."""
        queue = self._queue
        if queue is not None:
            self._queued += len(data)
            if self._queued <= self._owner.limits.write_buffer:
                queue.append(data)
            return
        transport = self._transport
        if transport is None or self.why:
            return
        self.active_at = self._owner.now()
        transport.write(data)
        if transport.get_write_buffer_size() > self._owner.limits.write_buffer:
            self.abort("unread")

    def overdue(self, now: float) -> str:
        """Why the connection has to go at this moment; empty: it may stay."""
        limits = self._owner.limits
        if self._queue is not None:
            return ""  # connecting and handshake have their own limits
        if (self._framer.is_partial or not self.heard) and now - self.began_at > limits.message_seconds:
            return "slow"
        if self._pongs is False and self._pinged_at is not None and now - self._pinged_at > PONG_SECONDS:
            return "unanswered"
        return "idle" if now - self.active_at > limits.idle_seconds else ""

    def keep_alive(self, now: float) -> None:
        """Ping where it is due (RFC 5626 §4.4.1): whoever opened a connection keeps it, so those of peers are theirs.
        Nobody has to answer who never did; any stream takes line breaks between messages (RFC 3261 §7.5)."""
        if not self.ours or self._transport is None or self.why or self._pongs is False:
            return
        if now - max(self.active_at, self._pinged_at or self.began_at) >= PING_SECONDS:
            self._pinged_at = now
            if self._pongs:
                self._pongs = False
            self._transport.write(PING)

    def end(self, why: str) -> None:
        """Close when everything is sent."""
        if not self.why:
            self.why = why
            if self._transport is not None:
                self._transport.close()

    def abort(self, why: str) -> None:
        """Close at once."""
        self.why = self.why or why
        if self._transport is not None:
            self._transport.abort()


def reason_of(error: Exception) -> str:
    """Why a connection of ours did not come about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'handshake failed').replace('_', ' ').lower()}"
    if isinstance(error, TimeoutError):
        return "timed out"
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
