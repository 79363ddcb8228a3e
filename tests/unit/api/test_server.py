"""The HTTP server starts on a port of its own, says when it cannot, and stops."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from maskline.api.server import HttpServer
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
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await server.stop()
        assert answer.startswith(b"HTTP/1.1 400")
        assert log.getvalue().count("Invalid HTTP request") == lines
