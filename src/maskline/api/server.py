"""The HTTP server: uvicorn, on a socket we bind, without signal handlers and without access lines.

What it is: start, port, stop. What it is not: the owner of the process; `app.py` decides when to stop. Who uses
it: `app.py`, contract tests.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from maskline.api.dispatch import AsgiApp
from maskline.errors import ConfigurationError

_SHUTDOWN_SECONDS = 5
_KEEP_ALIVE_SECONDS = 30


class _Uvicorn(uvicorn.Server):
    """Says when it serves, and leaves signals to the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


class _Joining:
    """A transport that sends what is written in one round of the loop at once.

    uvicorn writes an answer's head and its body one by one; each is a system call and a packet of its own, which on
    loopback the sender also receives: a tenth of a create's CPU. The client is woken once instead of twice."""

    __slots__ = ("_flushing", "_loop", "_transport", "_written")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._written: list[bytes] = []
        self._flushing = False

    def write(self, data: bytes) -> None:
        self._written.append(data)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._written:
            data, self._written = b"".join(self._written), []
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Protocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(_Joining(cast(asyncio.Transport, transport)))  # type: ignore[arg-type]


class HttpServer:
    """Serve `app` on (host, port); port 0 lets the system choose. `setting`: where an operator says the port."""

    def __init__(self, app: AsgiApp, host: str, port: int, setting: str = "MASKLINE_HTTP_PORT") -> None:
        self._address = (host, port, setting)
        config = uvicorn.Config(
            app,
            lifespan="off",
            http=_Protocol,
            # An access line would carry list filters, and those are people's numbers.
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            limit_concurrency=10_000,
        )
        self._server = _Uvicorn(config)
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The bound port; only after `start`."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    def bind(self) -> None:
        """Take the address, nothing more; raises `ConfigurationError` when it cannot be had."""
        self._socket = _bind(*self._address)

    def close(self) -> None:
        """Give the address back; needed when nothing was served, harmless otherwise."""
        if self._socket is not None:
            self._socket.close()

    async def start(self) -> None:
        """Bind unless that is done, and return once requests are answered; raises `ConfigurationError`."""
        if self._socket is None:
            self.bind()
        assert self._socket is not None
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not self._server.ready.is_set():
            ready.cancel()
            await self._task
            raise ConfigurationError("The HTTP server ended while it was starting.")

    async def wait(self) -> None:
        """Return when the server has ended; raises what ended it."""
        assert self._task is not None
        await self._task

    async def stop(self) -> None:
        """Finish requests in progress (for some seconds) and close; calling it again does nothing."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
            self._task = None


def _bind(host: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        name = setting if error.errno in (errno.EADDRINUSE, errno.EACCES) else "MASKLINE_HTTP_HOST"
        raise ConfigurationError(f"HTTP cannot listen on {host}:{port}: {error.strerror} ({name}).") from None
    listener.setblocking(False)
    return listener
