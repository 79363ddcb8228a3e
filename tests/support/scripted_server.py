"""An HTTP server that does what a script says, one entry a request: answer, hang up, or say nothing.

Runs in threads of its own, so that it serves blocking and asynchronous clients alike.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

HANG_UP = "hang up"
"""Read the request, close the connection."""
SILENCE = "silence"
"""Read the request, answer nothing while the server lives."""


UNWANTED = "unwanted"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = ""
    """Sent as JSON unless it is text."""
    headers: tuple[tuple[str, str], ...] = ()
    hang_up: bool = False
    """Close after it, without having said so."""

    def encode(self) -> bytes:
        content = (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()
        lines = [f"HTTP/1.1 {self.status} Whatever", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode() + content


@dataclass(frozen=True)
class Seen:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """Counted from 0."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedServer:
    def __init__(self, script: Sequence[Answer | str], context: ssl.SSLContext | None) -> None:
        self._script = list(script)
        self._context = context
        self.seen: list[Seen] = []
        self._over = threading.Event()
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"https://localhost:{self.port}" if context else f"http://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                number = len(self._connections) - 1
                thread = threading.Thread(target=self._serve, args=(connection, number), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while (request := _read(stream, number)) is not None:
                    self.seen.append(request)
                    step = self._script.pop(0) if self._script else UNWANTED
                    if step == SILENCE:
                        self._over.wait(20)
                    if not isinstance(step, Answer):
                        return
                    connection.sendall(step.encode())
                    if step.hang_up:
                        return

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=60)


def _read(stream: Any, number: int) -> Seen | None:
    line = stream.readline()
    if not line:
        return None
    method, target, _ = line.decode().split()
    head = b""
    while (one := stream.readline()) not in (b"\r\n", b""):
        head += one
    headers = {name.lower(): value for name, value in BytesParser(policy=HTTP).parsebytes(head + b"\r\n").items()}
    return Seen(method, target, headers, stream.read(int(headers.get("content-length", 0))), number)


@contextmanager
def scripted(*script: Answer | str, context: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """Entries that were not asked for are an error of the test."""
    server = ScriptedServer(script, context)
    try:
        yield server
        assert len(server.seen) == len(script)
    finally:
        server.close()
