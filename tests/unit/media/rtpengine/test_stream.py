"""The TCP side: messages in pieces, nonsense, and an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop

from maskline.lab.ports import free_port
from maskline.media.rtpengine.ng_codec import pack
from maskline.media.rtpengine.stream import NgStream
from tests.support.ng_daemon import NgDaemon


class Ear:
    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.came = asyncio.Event()
        self.lost = asyncio.Event()

    def receive(self, cookie: str, message: dict[str, Any]) -> None:
        self.heard.append((cookie, message))
        self.came.set()


@pytest.fixture
async def ear() -> Ear:
    return Ear()


@pytest.fixture
async def stream(daemon: NgDaemon, ear: Ear) -> AsyncIterator[NgStream]:
    made = NgStream(ear.receive, ear.lost.set)
    assert await made.connect("127.0.0.1", daemon.port)
    yield made
    made.close()


async def test_messages_come_whole_however_they_are_cut(stream: NgStream, ear: Ear) -> None:
    both = pack("one", {"notify": "x", "list": ["a", 1]}) + pack("two", {"a": {"b": "c"}})
    for index in range(len(both)):
        stream.data_received(both[index : index + 1])
    assert ear.heard == [("one", {"notify": "x", "list": ["a", 1]}), ("two", {"a": {"b": "c"}})]


async def test_a_request_goes_out_and_its_reply_comes(stream: NgStream, ear: Ear) -> None:
    assert stream.send(pack("q", {"command": "ping"}))
    await ear.came.wait()
    assert ear.heard == [("q", {"result": "ok"})]


@pytest.mark.parametrize(
    "nonsense",
    [b"q 3:abc", b"q dxe", b"q d1:a" + b"x" * 40, b"q d1:ai" + b"9" * 40, b"q d1:a9" + b"9" * 30, b"x" * 300, b"q lle"],
    ids=["text", "key", "type", "integer", "length", "cookie", "endless"],
)
async def test_nonsense_ends_the_connection_and_is_told(stream: NgStream, ear: Ear, nonsense: bytes) -> None:
    stream.data_received(nonsense if nonsense != b"q lle" else b"q d1:a300000:" + b"x" * 299_000)
    await ear.lost.wait()
    assert not stream.open
    assert not stream.send(b"x")


async def test_the_end_of_the_daemon_is_told_and_our_own_is_not(daemon: NgDaemon, ear: Ear, stream: NgStream) -> None:
    daemon.write(pack("n", {"notify": "x"}))
    await ear.came.wait()
    daemon.hang_up()
    await ear.lost.wait()
    ear.lost.clear()
    assert await stream.connect("127.0.0.1", daemon.port)
    stream.close()
    await asyncio.sleep(0)
    assert not ear.lost.is_set()


async def test_where_nobody_listens_there_is_no_connection(ear: Ear) -> None:
    assert not await NgStream(ear.receive, ear.lost.set).connect("127.0.0.1", free_port())


def test_it_connects_on_the_servers_own_loop_too() -> None:
    """`serve` runs on uvloop, whose transports are no subclass of asyncio's."""

    async def ask() -> bool:
        daemon, ear = await NgDaemon().start(), Ear()
        stream = NgStream(ear.receive, ear.lost.set)
        connected = await stream.connect("127.0.0.1", daemon.port) and stream.send(pack("q", {"command": "ping"}))
        async with asyncio.timeout(30):
            await ear.came.wait()
        stream.close()
        await daemon.stop()
        return connected

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask())
