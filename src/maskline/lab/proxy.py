"""An HTTP proxy that leads a vendor's unmodified client to our server, without a change in DNS or in the client.

What it is: a CONNECT proxy (RFC 9110 §9.3.6) that knows a few host names and lands each of them on a TLS port of
its own, which decrypts and passes the bytes on to one HTTP server. The SDKs of Plivo have their addresses built in
and take a proxy as an option (plivo-vts.md §9.4), so this is how an application tries Maskline before it moves.
What it is not: a proxy for anything else (other hosts are refused), or the way to serve TLS in production.
Who uses it: `maskline lab proxy`, contract tests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from maskline.lab.private_ca import issue

VENDOR_HOSTS = ("api.plivo.com", "api.vtscom.net")
_HEAD_LIMIT = 8 * 1024
_HEAD_TIMEOUT = 10.0
_CHUNK = 64 * 1024
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Proxy:
    """Leads `hosts` to the HTTP server at `target` (host, port)."""

    def __init__(self, target: tuple[str, int], hosts: Sequence[str] = VENDOR_HOSTS) -> None:
        self._target = target
        self._hosts = frozenset(hosts)
        identity = issue(hosts)
        self.authority = identity.authority
        """PEM of the certificate that clients have to trust."""
        self._tls = identity.server_context()
        self._servers: list[asyncio.Server] = []
        self._busy: set[asyncio.Task[None]] = set()
        self.refused: list[str] = []
        """What was asked for and not led anywhere, newest last: a client that goes elsewhere is seen here."""

    async def open(self, host: str = "127.0.0.1", port: int = 0, tls_port: int = 0) -> None:
        """Listen on both ports of `host` (0: the system chooses); raises `OSError`."""
        tls = await asyncio.start_server(self._tracked(self._serve_tls), host, tls_port, ssl=self._tls)
        self._servers.append(tls)
        front = await asyncio.start_server(self._tracked(self._serve_connect), host, port, limit=_HEAD_LIMIT)
        self._servers.append(front)

    @property
    def tls_address(self) -> tuple[str, int]:
        """Where TLS for the vendor's names is served; a client that is led here by DNS needs no proxy."""
        return _address(self._servers[0])

    @property
    def address(self) -> tuple[str, int]:
        return _address(self._servers[1])

    @property
    def url(self) -> str:
        """What a client takes as its HTTPS proxy."""
        host, port = self.address
        return f"http://{host}:{port}"

    async def close(self) -> None:
        """Stop listening and drop what is connected."""
        for server in self._servers:
            server.close()
        for task in tuple(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    def _tracked(self, handler: Handler) -> Handler:
        async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._busy.add(task)
            try:
                await handler(reader, writer)
            except (OSError, TimeoutError, asyncio.CancelledError):
                # Whoever is connected hung up, was too slow, or the proxy closes: nobody is left to be told.
                writer.transport.abort()
            finally:
                self._busy.discard(task)
                writer.close()

        return tracked

    async def _serve_connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await self._refuse(writer, 400, "Bad Request", "an unreadable request")
            return
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        wanted = rest.partition(" ")[0]
        host, _, port = wanted.rpartition(":")
        if method != "CONNECT" or port != "443" or host.lower() not in self._hosts:
            await self._refuse(writer, 403, "Forbidden", f"{method} {wanted}")
            return
        inner_reader, inner_writer = await asyncio.open_connection(*self.tls_address)
        writer.write(_ESTABLISHED)
        await _splice(reader, writer, inner_reader, inner_writer)

    async def _refuse(self, writer: asyncio.StreamWriter, status: int, reason: str, wanted: str) -> None:
        self.refused.append(wanted)
        body = f"This proxy leads {', '.join(sorted(self._hosts))} (port 443) to Maskline and nothing else.\n".encode()
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()

    async def _serve_tls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(*self._target)
        await _splice(reader, writer, inner_reader, inner_writer)


async def _splice(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    inner_reader: asyncio.StreamReader,
    inner_writer: asyncio.StreamWriter,
) -> None:
    """Carry bytes both ways until either side ends; what was read is written before that."""
    ways = [asyncio.create_task(_copy(reader, inner_writer)), asyncio.create_task(_copy(inner_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        inner_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()


def _address(server: asyncio.Server) -> tuple[str, int]:
    host, port = server.sockets[0].getsockname()[:2]
    return str(host), int(port)
