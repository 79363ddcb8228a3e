"""One kept connection of `post.py`: a request at a time, and its answer as llhttp reads it.

What it is: an asyncio protocol. What it is not: connecting, time limits, or which connections are kept; its owner does
that. An answer that is framed by nothing ends with its connection (RFC 9112 §6.3), and 1xx are passed over (§15.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import field
from typing import cast

import httptools

from maskline.net.egress import EgressError, Failure
from maskline.values import dataclass

_HEAD = 32 * 1024
"""Bytes that an answer may have beside its body."""
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Posted:
    """An answer."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str = ""
    """Value of that header."""


def broken() -> EgressError:
    return EgressError(Failure.BROKEN, "the connection broke before an answer")


class PostConnection(asyncio.Protocol):
    """`lost` is called once, when the connection is no more."""

    __slots__ = (
        "_answer", "_ends_with_connection", "_framed", "_has_head", "_keep", "_lost", "_most", "_parser", "_parts",
        "_received", "_retry_after", "_size", "_status_will_do", "_transport", "reusable",
    )  # fmt: skip

    def __init__(self, lost: Callable[[PostConnection], None]) -> None:
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser
        """From a request to the end of the connection. It and we hold each other, which only the collector of cycles
        would end, and of what is older than a moment that looks while no call is in progress alone."""
        self._answer: asyncio.Future[Posted] | None = None
        self._keep: asyncio.TimerHandle | None = None
        self._parts: list[bytes] = []
        self._size = self._received = self._most = 0
        self._framed = self._ends_with_connection = self._has_head = self._status_will_do = False
        self._retry_after = ""
        self.reusable = False
        """Whether it may take another request."""

    def send(self, request: bytes, most: int, *, status_will_do: bool = False) -> asyncio.Future[Posted]:
        """The answer to come, or an `EgressError`. `most`: bytes of its body. `status_will_do`: once its head has come,
        an answer that breaks off, stalls or is too long is one too, with the beginning of its body."""
        assert self._transport is not None, "connected"
        if self._keep is not None:
            self._keep.cancel()
            self._keep = None
        self._parser = httptools.HttpResponseParser(self)
        self._parts, self._size, self._received, self._most = [], 0, 0, most
        self._framed = self._ends_with_connection = self._has_head = self.reusable = False
        self._status_will_do, self._retry_after = status_will_do, ""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def keep(self, timer: asyncio.TimerHandle) -> None:
        """It waits for its next request until the timer."""
        self._keep = timer

    def abort(self, error: EgressError) -> None:
        """It is of no use any more; who waits for an answer gets the error."""
        self.reusable = False
        if self._keep is not None:
            self._keep.cancel()
            self._keep = None
        if self._answer is not None and not self._answer.done():
            if self._status_will_do and self._has_head:
                self._answer.set_result(self._whole())
            else:
                self._answer.set_exception(error)
        if self._transport is not None:
            self._transport.abort()

    # -- from the loop -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            return self.abort(broken())  # nobody asked
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._status_will_do = False  # who breaks the rules once may have broken them before
            return self.abort(broken())
        if self._received > self._most + _HEAD and not self._answer.done():
            self.abort(self._too_large())
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        answer, is_whole = self._answer, exc is None and self._ends_with_connection
        if is_whole and answer is not None and not answer.done():
            answer.set_result(self._whole())
        self.abort(broken())
        if answer is not None:
            del self._parser
        self._lost(self)

    # -- from llhttp ---------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._answer is not None and self._answer.done():
            self.reusable = False  # one answer too many

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower in _FRAMING:
            self._framed = True
        elif lower == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._has_head = self._parser.get_status_code() >= 200
        self._ends_with_connection = self._has_head and not self._framed

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > self._most:
            self._parts.append(body[: self._most - self._size])
            return self.abort(self._too_large())
        self._parts.append(body)
        return None

    def on_message_complete(self) -> None:
        if not self._has_head:  # 1xx
            self._framed = False
        elif self._answer is not None and not self._answer.done():
            self.reusable = self._parser.should_keep_alive()
            self._answer.set_result(self._whole())

    def _whole(self) -> Posted:
        return Posted(self._parser.get_status_code(), b"".join(self._parts), self._retry_after)

    def _too_large(self) -> EgressError:
        return EgressError(Failure.TOO_LARGE, f"larger than {self._most} bytes")
