"""The HTTP server starts on a port of its own, says when it cannot, and stops."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from maskline.api.server import HttpServer, _Joining
from maskline.errors import ConfigurationError
from tests.support.logging import configured_logs


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def ask(port):
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://127.0.0.1:{port}/")


async def test_it_serves_once_started_and_no_more_once_stopped():
    server = HttpServer(hello, "127.0.0.1", 0)
    await server.start()
    response = await ask(server.port)
    assert response.text == "hello"
    assert "server" not in response.headers
    port = server.port
    await server.stop()
    await server.stop()
    with pytest.raises(httpx2.ConnectError):
        await ask(port)


async def test_a_port_that_is_taken_is_one_clear_sentence():
    first = HttpServer(hello, "127.0.0.1", 0)
    await first.start()
    with pytest.raises(ConfigurationError, match=rf"HTTP cannot listen on 127.0.0.1:{first.port}: "):
        await HttpServer(hello, "127.0.0.1", first.port).start()
    await first.stop()


async def test_its_end_can_be_waited_for():
    server = HttpServer(hello, "127.0.0.1", 0)
    await server.start()
    server._server.should_exit = True
    await server.wait()
    await server.stop()


async def test_an_end_before_it_serves_is_an_error(monkeypatch):
    server = HttpServer(hello, "127.0.0.1", 0)

    async def ends(sockets=None):
        return None

    monkeypatch.setattr(server._server, "serve", ends)
    with pytest.raises(ConfigurationError, match="ended while it was starting"):
        await server.start()


@pytest.mark.parametrize(("level", "lines"), [("info", 0), ("debug", 1)])
async def test_bytes_that_are_no_request_leave_a_line_only_for_debugging(level: str, lines: int):
    with configured_logs(level) as log:
        server = HttpServer(hello, "127.0.0.1", 0)
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\x16\x03\x01 garbage\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        await server.stop()
        assert answer.startswith(b"HTTP/1.1 400")
        assert log.getvalue().count("Invalid HTTP request") == lines


class Wire:
    """A transport that remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def write(self, data):
        self.asked.append(data)

    def close(self):
        self.asked.append("close")

    def is_closing(self):
        return "close" in self.asked


async def test_what_is_written_in_one_round_of_the_loop_is_sent_at_once():
    wire = Wire()
    transport = _Joining(wire)
    transport.write(b"head")
    transport.write(b"body")
    assert wire.asked == []
    await asyncio.sleep(0)
    assert wire.asked == [b"headbody"]
    transport.write(b"more")
    await asyncio.sleep(0)
    assert wire.asked == [b"headbody", b"more"]


async def test_nothing_is_lost_or_sent_twice_when_the_connection_is_closed():
    wire = Wire()
    transport = _Joining(wire)
    transport.write(b"last words")
    assert not transport.is_closing()
    transport.close()
    assert wire.asked == [b"last words", "close"]
    assert transport.is_closing()
    await asyncio.sleep(0)
    assert wire.asked == [b"last words", "close"]


async def exchange(port, *requests):
    """Everything the server sends until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(requests))
    received = await reader.read()
    writer.close()
    return received


async def test_requests_behind_each_other_are_answered_in_order_and_whole():
    server = HttpServer(hello, "127.0.0.1", 0)
    await server.start()
    get, head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    received = await exchange(server.port, get, head, get, last)
    answers = received.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"hello", b"", b"hello", b"hello"]
    await server.stop()


async def test_what_is_no_http_is_answered_and_closed():
    server = HttpServer(hello, "127.0.0.1", 0)
    await server.start()
    assert (await exchange(server.port, b"\x16\x03\x01 what\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    await server.stop()
