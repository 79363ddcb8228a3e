"""A customer's web server that keeps each webhook once, by its id, and sometimes fails.

What it is: what the promise "at least once" is measured against. What it is not: a judge (`crash_judge.py`). Who uses
it: the crash suite.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from aiohttp import web

HOST = "127.0.0.1"
SLOW = 0.25
"""Seconds."""


class CrashInbox:
    """`arrivals`: (id, digest of the body) of everything that was read, in order of its coming, also of what was then
    answered with an error: the customer has it."""

    def __init__(self, fault: Callable[[str], str]) -> None:
        self._fault = fault
        self.arrivals: list[tuple[str, str]] = []
        self.faults = 0
        self._seen: set[str] = set()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self._port}/{path}"

    @property
    def ids(self) -> set[str]:
        return {one for one, _ in self.arrivals}

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        webhook = request.headers.get("webhook-id", "")
        self.arrivals.append((webhook, hashlib.sha256(request.rel_url.raw_query_string.encode() + body).hexdigest()))
        fault = "" if webhook in self._seen else self._fault(webhook)
        self._seen.add(webhook)
        self.faults += bool(fault)
        if fault == "refuse":
            return web.Response(status=500)
        if fault == "drop" and request.transport is not None:
            request.transport.abort()
        if fault == "slow":
            await asyncio.sleep(SLOW)
        return web.Response()
