"""Inside a platform under test: every SIP message that its TCP and TLS connections carry, as it was before encryption.

Python imports this by its name at the start of a process whose PYTHONPATH has this folder, which tests/wire/conftest.py
sets for `maskline serve`. What it is: a copy of what goes in and out, appended to the file that STREAM_TAP names, to be
read by `wire_tap.StreamTap`. What it is not: part of the product, nor anything that changes what happens there.
"""

from __future__ import annotations

import os
import sys


def _listen(path: str) -> None:
    from maskline.net.stream_connection import StreamConnection
    from maskline.sip.framer import PING, PONG, Framer

    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    framers: dict[int, Framer] = {}
    receive, send, lost = StreamConnection.data_received, StreamConnection.send, StreamConnection.connection_lost

    def note(connection: StreamConnection, data: bytes, *, came: bool) -> None:
        if data not in (PING, PONG):
            flow = connection.flow
            os.write(file, b"%d %s %d %d\n%b" % (came, flow.host.encode(), flow.port, len(data), data))

    def data_received(connection: StreamConnection, data: bytes) -> None:
        for message in framers.setdefault(id(connection), Framer()).feed(data):
            note(connection, message, came=True)
        receive(connection, data)

    def send_data(connection: StreamConnection, data: bytes) -> None:
        if connection._queue is None:  # what waits for the connection comes here again
            note(connection, data, came=False)
        send(connection, data)

    def connection_lost(connection: StreamConnection, exc: Exception | None) -> None:
        framers.pop(id(connection), None)
        lost(connection, exc)

    StreamConnection.data_received = data_received  # type: ignore[method-assign]
    StreamConnection.send = send_data  # type: ignore[method-assign]
    StreamConnection.connection_lost = connection_lost  # type: ignore[method-assign]


if "STREAM_TAP" in os.environ and sys.orig_argv[-1:] == ["serve"]:
    _listen(os.environ["STREAM_TAP"])
