"""Control of a worker: the unix socket, who is connected, what each request does.

What it is: non-blocking connections that take framed requests and answer them at once (nothing a relay is asked
for has to wait), and the pushing of events to every controller. What it is not: policy; `relay.py` acts.
Who uses it: `worker.py`. Only the user that started the worker can open the socket (mode 0600).
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maskline.masking.facts import LegName
from maskline.media.embedded import wire
from maskline.media.embedded.call import UnknownCall, Unplayable
from maskline.media.embedded.clips import UnplayableClip
from maskline.media.embedded.relay import NoPorts, Relay
from maskline.media.embedded.sockets import UnusableAddress
from maskline.media.embedded.wanted import read_call, write_position
from maskline.media.spool import SpoolError

_REFUSALS: dict[type[Exception], str] = {
    NoPorts: "no_ports",
    UnknownCall: "unknown_call",
    UnusableAddress: "unusable_address",
    Unplayable: "unplayable",
    UnplayableClip: "unplayable_clip",
    SpoolError: "no_spool",
}


class SocketInUse(Exception):
    """Another worker answers on this socket."""


def listen(path: Path) -> socket.socket:
    """The listening socket; a dead worker's leftover is replaced. Raises `SocketInUse`, `OSError`."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_mask = os.umask(0o177)
    try:
        _remove_leftover(path)
        listener.bind(str(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(old_mask)
    listener.setblocking(False)
    listener.listen(8)
    return listener


def _remove_leftover(path: Path) -> None:
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise SocketInUse


class Operations:
    """Requests by name; each returns what goes into `ok`."""

    def __init__(self, relay: Relay, identity: dict[str, Any], on_shutdown: Callable[[], None]) -> None:
        self._relay = relay
        self._identity = identity
        self._on_shutdown = on_shutdown
        self._by_name: dict[str, Callable[[wire.Message], wire.Message]] = {
            "hello": self._hello,
            "ping": lambda _: {},
            "open": self._open,
            "positions": self._positions,
            "attach": self._attach,
            "bridge": self._bridge,
            "unbridge": self._unbridge,
            "play": self._play,
            "stop_playing": self._stop_playing,
            "collect": self._collect,
            "send_digit": self._send_digit,
            "start_recording": self._start_recording,
            "stop_recording": self._stop_recording,
            "restore": self._restore,
            "stats": self._stats,
            "close": self._close,
            "shutdown": self._shutdown,
        }

    def answer(self, request: wire.Message) -> wire.Message:
        """Raises `BrokenFrame` when the request is not one."""
        try:
            identifier = request["id"]
            return {"id": identifier, "ok": self._by_name[request["op"]](request)}
        except tuple(_REFUSALS) as error:
            return {"id": identifier, "error": _REFUSALS[type(error)]}
        except (KeyError, TypeError, ValueError) as error:
            raise wire.BrokenFrame("not a request") from error

    def _hello(self, _: wire.Message) -> wire.Message:
        return {**self._identity, "calls": self._relay.calls()}

    def _open(self, request: wire.Message) -> wire.Message:
        local = self._relay.open_leg(
            request["call"],
            LegName(request["leg"]),
            wire.read_far(request["far"]),
            wire.read_codecs(request["codecs"]),
            time.monotonic(),
            ipv6=bool(request["ipv6"]),
        )
        leg = LegName(request["leg"])
        return {**wire.write_local(local), "position": write_position(self._relay.position(request["call"], leg))}

    def _positions(self, request: wire.Message) -> wire.Message:
        """Where our streams stand, for an engine that takes the call over."""
        call_id = request["call"]
        return {leg.value: write_position(self._relay.position(call_id, leg)) for leg in self._relay.legs(call_id)}

    def _attach(self, request: wire.Message) -> wire.Message:
        far = wire.read_far(request["far"])
        if far is None:
            raise wire.BrokenFrame("attach without a far side")
        self._relay.attach(request["call"], LegName(request["leg"]), far, time.monotonic())
        return {}

    def _bridge(self, request: wire.Message) -> wire.Message:
        self._relay.bridge(request["call"], time.monotonic(), digits=bool(request["digits"]))
        return {}

    def _unbridge(self, request: wire.Message) -> wire.Message:
        self._relay.unbridge(request["call"])
        return {}

    def _play(self, request: wire.Message) -> wire.Message:
        play_id, repeat = int(request["play"]), int(request["repeat"])
        path = str(request["path"])
        self._relay.play(request["call"], LegName(request["leg"]), path, play_id, repeat, time.monotonic())
        return {}

    def _stop_playing(self, request: wire.Message) -> wire.Message:
        self._relay.stop_playing(request["call"], LegName(request["leg"]))
        return {}

    def _collect(self, request: wire.Message) -> wire.Message:
        self._relay.collect(request["call"], LegName(request["leg"]), bool(request["on"]), time.monotonic())
        return {}

    def _send_digit(self, request: wire.Message) -> wire.Message:
        digit, duration = str(request["digit"]), int(request["duration_ms"])
        self._relay.send_digit(request["call"], LegName(request["leg"]), digit, duration, time.monotonic())
        return {}

    def _start_recording(self, request: wire.Message) -> wire.Message:
        spool = self._relay.start_recording(request["call"], str(request["recording"]), time.monotonic())
        return wire.write_spool(spool)

    def _stop_recording(self, request: wire.Message) -> wire.Message:
        self._relay.stop_recording(request["call"], time.monotonic())
        return {}

    def _restore(self, request: wire.Message) -> wire.Message:
        lost = []
        for value in request["calls"]:
            call = read_call(value)
            try:
                self._relay.restore(call, time.monotonic())
            except NoPorts:
                lost.append(call.id)
        return {"lost": lost}

    def _stats(self, request: wire.Message) -> wire.Message:
        return {leg.value: wire.write_quality(figures) for leg, figures in self._relay.stats(request["call"]).items()}

    def _close(self, request: wire.Message) -> wire.Message:
        figures = self._relay.close(request["call"], time.monotonic())
        return {leg.value: wire.write_quality(quality) for leg, quality in figures.items()}

    def _shutdown(self, _: wire.Message) -> wire.Message:
        self._on_shutdown()
        return {}


class Controllers:
    """The connected controllers, normally one: the driver of the engine."""

    def __init__(self, selector: selectors.BaseSelector, listener: socket.socket) -> None:
        self._selector = selector
        self._listener = listener
        self._operations: Operations | None = None
        self._buffers: dict[socket.socket, bytearray] = {}

    def serve(self, operations: Operations) -> None:
        self._operations = operations
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def __len__(self) -> int:
        return len(self._buffers)

    def push(self, event: wire.Message) -> None:
        frame = wire.pack(event)
        for connection in list(self._buffers):
            self._send(connection, frame)

    def close(self) -> None:
        for connection in list(self._buffers):
            self._drop(connection)
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # the controller went away between the wake-up and here
        connection.setblocking(False)
        self._buffers[connection] = bytearray()
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection))

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        buffer = self._buffers[connection]
        buffer += data
        try:
            for request in wire.take_frames(buffer):
                if self._operations is not None:
                    self._send(connection, wire.pack(self._operations.answer(request)))
        except wire.BrokenFrame:
            self._drop(connection)

    def _send(self, connection: socket.socket, frame: bytes) -> None:
        """A controller that leaves 200 KB of replies unread is stuck: its packets must not wait for it."""
        try:
            sent = connection.send(frame)
        except OSError:
            sent = -1
        if sent != len(frame):
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        if self._buffers.pop(connection, None) is not None:
            self._selector.unregister(connection)
            connection.close()
