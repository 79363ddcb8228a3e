"""The ng client against a daemon that a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from maskline.errors import MediaUnavailable
from maskline.media.rtpengine import client as client_module
from maskline.media.rtpengine.client import NgNode, NgRefused
from maskline.media.rtpengine.ng_codec import pack, unpack

Answer = Callable[[str, dict[str, Any]], list[bytes]]


def statistics(uptime: object = "100", sessions: int = 3) -> dict[str, Any]:
    current = {"sessionstotal": sessions}
    return {"result": "ok", "statistics": {"totalstatistics": {"uptime": uptime}, "currentstatistics": current}}


class Daemon(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answer: Answer = lambda cookie, _: [pack(cookie, statistics())]

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        cookie, message = unpack(data)
        self.asked.append((cookie, message))
        for datagram in self.answer(cookie, message):
            self.transport.sendto(datagram, addr)


@pytest.fixture
async def daemon() -> AsyncIterator[Daemon]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Daemon, local_addr=("127.0.0.1", 0))
    yield protocol
    transport.close()


@pytest.fixture
async def node(daemon: Daemon) -> AsyncIterator[NgNode]:
    made = NgNode(*daemon.transport.get_extra_info("sockname")[:2])
    await made.probe()
    daemon.asked.clear()
    yield made
    made.close()


async def test_a_daemon_that_answers_is_up(daemon: Daemon, node: NgNode) -> None:
    assert node.up
    assert node.sessions == 3
    assert await node.request("ping", {"call-id": "C"}) == statistics()
    assert daemon.asked[0][1] == {"command": "ping", "call-id": "C"}


async def test_a_lost_request_is_sent_again_with_the_same_cookie(daemon: Daemon, node: NgNode) -> None:
    daemon.answer = lambda cookie, _: [pack(cookie, {"result": "ok"})] if len(daemon.asked) == 2 else []
    assert await node.request("offer", {}) == {"result": "ok"}
    assert len(daemon.asked) == 2
    assert len({cookie for cookie, _ in daemon.asked}) == 1


async def test_nonsense_and_late_replies_are_passed_over(daemon: Daemon, node: NgNode) -> None:
    daemon.answer = lambda cookie, _: [b"nonsense", pack("old", {"result": "x"}), *[pack(cookie, {"result": "ok"})] * 2]
    assert await node.request("offer", {}) == {"result": "ok"}


async def test_a_refusal_carries_the_reason(daemon: Daemon, node: NgNode) -> None:
    daemon.answer = lambda cookie, _: [pack(cookie, {"result": "error", "error-reason": "Unknown call-id"})]
    with pytest.raises(NgRefused, match="Unknown call-id"):
        await node.request("query", {})
    assert node.up


async def test_silence_is_told_in_time_and_then_at_once(
    daemon: Daemon, node: NgNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "ANSWER_WITHIN", 0.3)
    daemon.answer = lambda *_: []
    with pytest.raises(MediaUnavailable):
        await node.request("offer", {})
    assert not node.up
    monkeypatch.setattr(client_module, "ANSWER_WITHIN", 3600.0)
    async with asyncio.timeout(60):
        with pytest.raises(MediaUnavailable):
            await node.request("offer", {})
    daemon.answer = lambda cookie, _: [pack(cookie, statistics())]
    await node.probe()
    assert node.up


async def test_going_and_coming_back_are_said_once_each(
    daemon: Daemon, node: NgNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(client_module, "ANSWER_WITHIN", 0.05)
    answering = daemon.answer
    daemon.answer = lambda *_: []
    for _ in range(3):
        await node.probe()
    daemon.answer = answering
    monkeypatch.setattr(client_module, "ANSWER_WITHIN", 30.0)
    for _ in range(3):
        await node.probe()
    lines = capsys.readouterr()
    text = lines.out + lines.err
    assert (text.count("media_away"), text.count("media_back")) == (1, 1)


@pytest.mark.parametrize("uptime", ["3", "5000"])
async def test_another_uptime_is_another_daemon(daemon: Daemon, node: NgNode, uptime: str) -> None:
    await node.probe()
    assert not node.restarted.is_set()
    daemon.answer = lambda cookie, _: [pack(cookie, statistics(uptime))]
    await node.probe()
    assert node.restarted.is_set()


@pytest.mark.parametrize("reply", [{"result": "ok"}, statistics("soon"), {"result": "error"}])
async def test_statistics_without_sense_are_no_sign_of_life(
    daemon: Daemon, node: NgNode, reply: dict[str, Any]
) -> None:
    daemon.answer = lambda cookie, _: [pack(cookie, reply)]
    await node.probe()
    assert not node.up


async def test_a_name_that_does_not_resolve_is_tried_again() -> None:
    node = NgNode("rtpengine.invalid", 2223)
    await node.probe()
    assert not node.up
    with pytest.raises(MediaUnavailable):
        await node.request("ping", {})
    node.close()


async def test_closing_ends_what_waits(daemon: Daemon, node: NgNode) -> None:
    daemon.answer = lambda *_: []
    waiting = asyncio.create_task(node.request("offer", {}))
    await asyncio.sleep(0)
    node.close()
    with pytest.raises((asyncio.CancelledError, MediaUnavailable)):
        await waiting
    with pytest.raises(MediaUnavailable):
        await node.request("offer", {})
