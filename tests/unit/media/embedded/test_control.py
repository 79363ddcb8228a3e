"""Control of a worker over its unix socket, pumped by hand."""

from __future__ import annotations

import selectors
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maskline.lab.ports import free_ports
from maskline.media.embedded import wire
from maskline.media.embedded.control import Controllers, Operations, SocketInUse, listen
from maskline.media.embedded.relay import Relay
from tests.support.wav_clip import tone, write_clip

FAR: dict[str, Any] = {"address": "127.0.0.1", "port": 4000, "rtcp_port": 4001, "codecs": [[0, "PCMU", 8000, 1, ""]]}
FAR |= {"nat": False, "direction": "sendrecv"}
OPEN: dict[str, Any] = {"op": "open", "call": "c", "leg": "a", "far": FAR, "codecs": FAR["codecs"], "ipv6": False}


class Desk:
    def __init__(self, folder: Path) -> None:
        self.selector = selectors.DefaultSelector()
        self.path = folder / "s"
        self.controllers = Controllers(self.selector, listen(self.path))
        self.relay = Relay(self.selector, "127.0.0.1", free_ports(4), timeout=60.0, emit=lambda _: None, wall=time.time)
        self.shutdowns = 0
        self.controllers.serve(Operations(self.relay, {"version": 1}, self._on_shutdown))

    def _on_shutdown(self) -> None:
        self.shutdowns += 1

    def turn(self) -> None:
        while ready := self.selector.select(0):
            for key, _ in ready:
                key.data()

    def client(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(30.0)
        made.connect(str(self.path))
        self.turn()
        return made

    def ask(self, client: socket.socket, **request: Any) -> wire.Message:
        client.sendall(wire.pack({"id": 7, **request}))
        self.turn()
        (reply,) = wire.take_frames(bytearray(client.recv(65536)))
        assert reply["id"] == 7
        return reply

    def close(self) -> None:
        self.relay.close_all(0.0)
        self.controllers.close()
        self.selector.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def client(desk: Desk) -> Iterator[socket.socket]:
    with desk.client() as made:
        yield made


def test_a_call_is_led_through_its_life(desk: Desk, client: socket.socket) -> None:
    local = desk.ask(client, **OPEN)["ok"]
    assert local["rtcp_port"] == local["port"] + 1
    assert desk.ask(client, op="hello")["ok"] == {"version": 1, "calls": ["c"]}
    assert "ok" in desk.ask(client, **{**OPEN, "leg": "b", "far": None})
    assert desk.ask(client, op="attach", call="c", leg="b", far=FAR) == {"id": 7, "ok": {}}
    assert desk.ask(client, op="bridge", digits=True, call="c")["ok"] == {}
    assert desk.ask(client, op="stats", call="c")["ok"] == {}
    assert desk.ask(client, op="ping")["ok"] == {}
    assert desk.ask(client, op="close", call="c")["ok"] == {}
    assert desk.ask(client, op="shutdown")["ok"] == {}
    assert desk.shutdowns == 1


def test_clips_and_digits_are_asked_for_by_name(desk: Desk, client: socket.socket, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.wav", tone(440, 0.1))
    play: dict[str, Any] = {"op": "play", "call": "c", "leg": "a", "path": clip.path, "play": 1, "repeat": 1}
    assert desk.ask(client, **play)["error"] == "unknown_call"
    desk.ask(client, **OPEN)
    assert desk.ask(client, **play)["ok"] == {}
    assert desk.ask(client, op="stop_playing", call="c", leg="a")["ok"] == {}
    assert desk.ask(client, **{**play, "path": "/nowhere.wav"})["error"] == "unplayable_clip"
    desk.ask(client, op="attach", call="c", leg="a", far={**FAR, "codecs": [[9, "G722", 8000, 1, ""]]})
    assert desk.ask(client, **play)["error"] == "unplayable"
    assert desk.ask(client, op="collect", call="c", leg="a", on=True)["ok"] == {}
    assert desk.ask(client, op="send_digit", call="c", leg="a", digit="1", duration_ms=100)["ok"] == {}


def test_refusals_are_told_by_a_code(desk: Desk, client: socket.socket) -> None:
    assert desk.ask(client, op="bridge", digits=True, call="c")["error"] == "unknown_call"
    assert desk.ask(client, **{**OPEN, "far": {**FAR, "address": "no.address"}})["error"] == "unusable_address"
    for index in range(2):
        desk.ask(client, **{**OPEN, "call": str(index)})
    assert desk.ask(client, **OPEN)["error"] == "no_ports"


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "ping"},
        {"id": 1, "op": "dance"},
        {"id": 1, "op": "open"},
        {"id": 1, **OPEN, "leg": "z"},
        {"id": 1, **OPEN, "far": 5},
        {"id": 1, "op": "attach", "call": "c", "leg": "a", "far": None},
    ],
)
def test_what_is_no_request_ends_the_connection(desk: Desk, client: socket.socket, request_: dict[str, Any]) -> None:
    client.sendall(wire.pack(request_))
    desk.turn()
    assert client.recv(10) == b""
    assert len(desk.controllers) == 0


def test_rubbish_ends_the_connection(desk: Desk, client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    desk.turn()
    assert len(desk.controllers) == 0


def test_every_controller_gets_the_events(desk: Desk, client: socket.socket) -> None:
    with desk.client() as other:
        assert len(desk.controllers) == 2
        desk.controllers.push({"event": "timed_out", "call": "c"})
        for end in (client, other):
            assert list(wire.take_frames(bytearray(end.recv(1000)))) == [{"event": "timed_out", "call": "c"}]


def test_a_controller_that_leaves_is_forgotten(desk: Desk, client: socket.socket) -> None:
    client.close()
    desk.turn()
    assert len(desk.controllers) == 0
    desk.controllers.push({"event": "timed_out", "call": "c"})


def test_a_controller_that_does_not_read_is_dropped(desk: Desk, client: socket.socket) -> None:
    for _ in range(20_000):
        desk.controllers.push({"event": "timed_out", "call": "c" * 100})
    assert len(desk.controllers) == 0


def test_only_our_user_may_open_the_socket_and_a_dead_one_is_replaced(desk: Desk, tmp_path: Path) -> None:
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
    with pytest.raises(SocketInUse):
        listen(desk.path)
    leftover = tmp_path / "dead"
    listen(leftover).close()
    listen(leftover).close()


def test_where_the_streams_of_a_call_stand_is_told(desk: Desk) -> None:
    client = desk.client()
    position = desk.ask(client, **OPEN)["ok"]["position"]
    assert desk.ask(client, op="positions", call="c")["ok"] == {"a": position}
    assert desk.ask(client, op="positions", call="x")["error"] == "unknown_call"
