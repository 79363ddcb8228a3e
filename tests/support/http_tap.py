"""What a vendor's client really sends: an HTTP server that notes each request, passes it on, and may lose the answer.

It stands between the lab's proxy (which decrypts) and the server under test, so that a test sees paths and bodies
as they were on the wire, and can make an answer fail after the server has done its work.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL


@dataclass(frozen=True)
class Sent:
    """One request of the client as it was on the wire, and the status the server gave."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class HttpTap:
    """Passes everything on to `target` (scheme, host and port)."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self.sent: list[Sent] = []
        self.lose_answers = 0
        """So many answers to come are replaced by a 503, after the server has given them."""

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._client = aiohttp.ClientSession(auto_decompress=False)

    @property
    def address(self) -> tuple[str, int]:
        assert self._runner is not None
        host, port = self._runner.addresses[0][:2]
        return host, port

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        assert self._client is not None
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() != "transfer-encoding"}
        url = URL(self._target + request.raw_path, encoded=True)
        async with self._client.request(
            request.method, url, data=body or None, headers=headers, allow_redirects=False
        ) as answer:
            content, status = await answer.read(), answer.status
            kept = {
                name: answer.headers[name] for name in ("Content-Type", "WWW-Authenticate") if name in answer.headers
            }
        path, _, query = request.raw_path.partition("?")
        self.sent.append(Sent(request.method, path, query, dict(request.headers), body, status))
        if self.lose_answers:
            self.lose_answers -= 1
            return web.json_response({"error": "The answer was lost on the way"}, status=503)
        return web.Response(status=status, body=content, headers=kept)
