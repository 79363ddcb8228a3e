"""A web server on loopback whose answer a test chooses, and names with addresses a test chooses."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.abc import AbstractResolver

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


class Names(AbstractResolver):
    """A resolver with a table; a name may change its answer with each question."""

    def __init__(self, **table: list[list[str]]) -> None:
        self.table = {name.replace("_", "."): answers for name, answers in table.items()}

    async def resolve(self, host, port=0, family=socket.AF_INET):
        answers = self.table[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            {"hostname": host, "host": address, "port": port, "proto": 0, "flags": 0,
             "family": socket.AF_INET6 if ":" in address else socket.AF_INET}
            for address in addresses
        ]  # fmt: skip

    async def close(self):
        self.table.clear()


class Receiver:
    """A web server on loopback; `answer` may be replaced."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = self.ok
        self.port = 0
        self.url = ""

    async def ok(self, _request):
        return web.Response(text="fine")

    async def handle(self, request):
        self.requests.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        return await self.answer(request)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens inside the block, on a port of its own."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = site._server.sockets[0].getsockname()[1]
    receiver.url = f"http://127.0.0.1:{receiver.port}"
    yield receiver
    await runner.cleanup()
