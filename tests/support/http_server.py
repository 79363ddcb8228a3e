"""The API on a real socket in a thread of its own, for clients that block (vendors' SDKs)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from maskline.api.app import build_http_app
from maskline.api.server import HttpServer
from maskline.clock import SystemClock
from maskline.ids import SystemIds

T = TypeVar("T")


class ServerThread:
    """An event loop in a thread with the store and the server on it."""

    def __init__(self, make_store: Callable[[], Any], **settings: Any) -> None:
        self.clock, self.ids = SystemClock(), SystemIds()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="api-under-test", daemon=True)
        self._thread.start()
        self.store = self.run(self._open(make_store))
        app = build_http_app(store=self.store, clock=self.clock, ids=self.ids, registry=CollectorRegistry(), **settings)
        self._server = self.run(self._serve(app))
        self.url = f"http://127.0.0.1:{self._server.port}"

    async def _open(self, make_store: Callable[[], Any]) -> Any:
        store = make_store()
        await store.open()
        return store

    async def _serve(self, app: Any) -> HttpServer:
        server = HttpServer(app, "127.0.0.1", 0)
        await server.start()
        return server

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run on the server's loop, from the test's thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout=60)

    def close(self) -> None:
        self.run(self._server.stop())
        self.run(self.store.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=60)
        self.loop.close()


@contextmanager
def serving(make_store: Callable[[], Any], **settings: Any) -> Iterator[ServerThread]:
    """`settings` go to `build_http_app`."""
    server = ServerThread(make_store, **settings)
    try:
        yield server
    finally:
        server.close()
