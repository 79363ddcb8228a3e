"""The customer's web server: it keeps the webhooks it gets, answers as told, and has the prompts that are fetched.

What it is: the customer's side of HTTP in the lab. What it is not: part of the product. Who uses it: the demo, e2e and
wire tests.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    at: float
    """Monotonic seconds."""
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def values(self) -> dict[str, Any]:
        """The body (or the query of a GET) as a dict: JSON or form, by content type."""
        if self.headers.get("Content-Type", "").startswith("application/json"):
            parsed: dict[str, Any] = json.loads(self.body)
            return parsed
        text = self.query if self.method == "GET" else self.body.decode()
        return dict(parse_qsl(text, keep_blank_values=True))

    @property
    def event(self) -> str:
        """What the request reports, for people: Plivo's EventName, 8x8's eventType, else the path."""
        values = self.values
        return str(values.get("EventName") or values.get("eventType") or self.path.strip("/"))


class Inbox:
    """Listens on an ephemeral port of `host`; `answers` maps a path to the statuses to give, in turn."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = 0
        self.received: list[Received] = []
        self.answers: dict[str, list[int]] = {}
        self.files: dict[str, bytes] = {}
        """By path, what is there to be fetched; a WAV file each."""
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    def url(self, path: str) -> str:
        return f"http://{self.host}:{self.port}{path}"

    async def wait_for(self, wanted: int, path: str, within: float) -> list[Received]:
        """The requests on `path` once there are `wanted` of them; fewer when `within` seconds have passed."""

        def matching() -> list[Received]:
            return [item for item in self.received if item.path == path]

        async with self._arrived:
            try:
                async with asyncio.timeout(within):
                    await self._arrived.wait_for(lambda: len(matching()) >= wanted)
            except TimeoutError:
                return matching()
        return matching()

    async def _take(self, request: web.Request) -> web.Response:
        item = Received(
            time.monotonic(),
            request.method,
            request.path,
            request.rel_url.raw_query_string,
            dict(request.headers),
            await request.read(),
        )
        async with self._arrived:
            self.received.append(item)
            self._arrived.notify_all()
        if request.method == "GET" and request.path in self.files:
            return web.Response(body=self.files[request.path], content_type="audio/wav")
        statuses = self.answers.get(request.path)
        return web.Response(status=statuses.pop(0) if statuses else 200)
