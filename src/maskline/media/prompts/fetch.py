"""Get the audio file behind a prompt's URL, with limits, through the guarded client.

What it is: one GET that is not redirected, sized and timed, few at a time and fewer to one host, and the reason why it
failed as a code. What it is not: a judgement on the content, whose type the server may call what it likes
(`decode.py` looks at the bytes), or a cache. Who uses it: `store.py`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from maskline import __version__
from maskline.media.port import PromptUnavailable
from maskline.net.egress import Egress, EgressError, Failure, read_body

_CONNECT_WITHIN = 3.0
_AT_A_TIME, _TO_ONE_HOST = 32, 4
"""Bounds sockets and memory (32 files of 5 MB), and keeps one customer's dead server from stopping all others."""
_HEADERS = {
    "User-Agent": f"Maskline/{__version__}",
    "Accept": "audio/mpeg, audio/wav, */*;q=0.1",
    "Accept-Encoding": "identity",
}


@dataclass(slots=True)
class _Lane:
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_TO_ONE_HOST))
    users: int = 0


class Fetcher:
    """`timeout`: seconds in all, waiting for a slot not included; `size`: bytes."""

    def __init__(self, egress: Egress, *, timeout: float, size: int) -> None:
        self._egress = egress
        self._timeout = timeout
        self._size = size
        self._slots = asyncio.Semaphore(_AT_A_TIME)
        self._lanes: dict[str, _Lane] = {}

    async def __call__(self, url: str) -> bytes:
        """The file. Raises `PromptUnavailable`: http_NNN for another status than 200, else a `Failure`."""
        host = origin_of(url)
        lane = self._lanes.setdefault(host, _Lane())
        lane.users += 1
        try:
            async with lane.slots, self._slots:
                return await self._get(url)
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[host]

    async def _get(self, url: str) -> bytes:
        connect = min(_CONNECT_WITHIN, self._timeout)
        try:
            async with self._egress.request(
                "GET", url, connect=connect, total=self._timeout, headers=_HEADERS
            ) as response:
                if response.status != 200:
                    response.close()
                    raise PromptUnavailable(f"http_{response.status}")
                return await read_body(response, self._size)
        except EgressError as error:
            late = error.failure is Failure.CONNECT_TIMEOUT
            raise PromptUnavailable(str(Failure.TIMEOUT if late else error.failure)) from None


def origin_of(url: str) -> str:
    """Scheme, host and port: all of a URL that a log may show, since path and query may hold numbers and secrets."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}"
