"""Both clients behind one face, so that a test says once what both must do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from maskline.client import AsyncRestClient, RestClient

Steps = Callable[["Face"], None]


class Face:
    """`masking_sessions` whose methods block, whichever client is behind them."""

    def __init__(self, sessions: Any, wait: Callable[[Any], Any]) -> None:
        self._sessions = sessions
        self._wait = wait

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **options: self._wait(getattr(self._sessions, name)(*args, **options))

    def all(self, **filters: Any) -> list[Any]:
        sessions = self._sessions.iterate_masking_sessions(**filters)
        return list(sessions) if hasattr(sessions, "__iter__") else self._wait(_collect(sessions))


async def _collect(sessions: Any) -> list[Any]:
    return [session async for session in sessions]


def with_sync(steps: Steps, *credentials: str, **settings: Any) -> None:
    with RestClient(*credentials, **settings) as client:
        steps(Face(client.masking_sessions, lambda value: value))


def with_aio(steps: Steps, *credentials: str, **settings: Any) -> None:
    with asyncio.Runner() as runner:
        client = AsyncRestClient(*credentials, **settings)
        try:
            steps(Face(client.masking_sessions, runner.run))
        finally:
            runner.run(client.close())


CLIENTS = {"sync": with_sync, "aio": with_aio}
