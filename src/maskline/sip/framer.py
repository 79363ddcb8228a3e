"""Bytes of one stream connection -> whole messages, cut at Content-Length (RFC 3261 §18.3).

What it is: one buffer, bounded, without IO and without a clock. What it is not: a parser; a message with a length that
cannot be trusted is handed out as far as its headers go, since the agent can answer those with 400, and nothing
behind it is read: where the next message begins is anybody's guess, an attacker's too. Who uses it: `net/streams.py`,
one for each connection; tests.
"""

from __future__ import annotations

import re

from maskline.sip.grammar import MAX_MESSAGE

PING = b"\r\n\r\n"
"""Keep-alive of RFC 5626 §4.4.1, answered with `PONG`."""
PONG = b"\r\n"
MAX_HEAD = 32_768
"""Bytes of start line and headers; a head that is longer has no end worth waiting for."""

_LENGTH = re.compile(rb"\r\n(?:content-length|l)(?:[ \t]|\r\n[ \t])*:(?:[ \t]|\r\n[ \t])*([^\r\n]*)", re.IGNORECASE)
_START = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]")
_DIGITS = re.compile(rb"[0-9]{1,9}[ \t]*")


class Framer:
    """Feed it what was received; after `fault` is set it wants nothing more."""

    __slots__ = ("_buffer", "_end", "_seen", "fault")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._end = 0
        """Length of the message at the front; 0: its head is not complete."""
        self._seen = 0
        """How much of the buffer holds no end of headers."""
        self.fault = ""
        """Why the connection must be closed, once it must."""

    @property
    def is_partial(self) -> bool:
        """Whether a message has begun and not ended; a line break is none."""
        return not PING.startswith(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Messages that are complete now, in order, and a `PING` for each keep-alive. Linear in what is fed."""
        if self.fault:
            return []
        if not self._buffer and len(data) <= MAX_MESSAGE:
            # Nearly always one segment is one message.
            head = data.find(b"\r\n\r\n", 0, MAX_HEAD + 4)
            if head > 0 and _START.match(data) and self._length(data, head) == len(data) - head - 4:
                return [data]
        self._buffer += data
        found: list[bytes] = []
        while self._next(found):
            pass
        if self.fault:
            self._buffer.clear()
        return found

    def _next(self, found: list[bytes]) -> bool:
        """Take one thing off the front; False: more bytes are needed, or no more are wanted."""
        buffer = self._buffer
        if not self._end:
            if buffer[:1] == b"\r":
                return self._skip_breaks(found)
            if buffer and _START.match(buffer) is None:
                self.fault = "no SIP"
                return False
            if not self._find_end(found):
                return False
        if len(buffer) < self._end:
            return False
        found.append(bytes(buffer[: self._end]))
        del buffer[: self._end]
        self._end = self._seen = 0
        return True

    def _skip_breaks(self, found: list[bytes]) -> bool:
        """Line breaks between messages: two are a ping, one is a pong, or more than a peer should send (§7.5)."""
        buffer = self._buffer
        if buffer.startswith(PING):
            found.append(PING)
            del buffer[:4]
            return True
        if PING.startswith(buffer):
            return False
        if not buffer.startswith(PONG):
            self.fault = "no SIP"
            return False
        del buffer[:2]
        return True

    def _find_end(self, found: list[bytes]) -> bool:
        """Where the message at the front ends, once its head is there."""
        buffer = self._buffer
        head = buffer.find(b"\r\n\r\n", max(0, self._seen - 3), MAX_HEAD + 4)
        if head < 0:
            self._seen = len(buffer)
            if len(buffer) >= MAX_HEAD + 4:
                self.fault = "headers too long"
            return False
        length = self._length(buffer, head)
        if length is None or head + 4 + length > MAX_MESSAGE:
            self.fault = "no message length" if length is None else "message too long"
            found.append(bytes(buffer[: head + 4]))
            return False
        self._end = head + 4 + length
        return True

    @staticmethod
    def _length(data: bytes | bytearray, head: int) -> int | None:
        """What Content-Length says; None when it is missing, no number, or said twice in two ways."""
        values = set(_LENGTH.findall(data, 0, head))
        if len(values) != 1:
            return None
        (value,) = values
        return int(value) if _DIGITS.fullmatch(value) else None
