"""From an ASGI request to the endpoint of its path and method, and its answer back: as little as that takes.

What it is: `Request` and `Response` as the API needs them, and a dispatcher over a table of routes. What it is not: a
web framework: no middleware, no forms, no cookies; a dialect builds bodies and error shapes itself. Who uses it:
`api/app.py` builds one over the dialects' sections.

A create passes through here in a few microseconds; the same through a general framework's layers was a sixth of its
CPU (docs/decisions/0015-own-dispatcher.md).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = tuple[tuple[bytes, bytes], ...]

_SLASHES = re.compile("//+")
# RFC 3986 §3.2: a registered name or IPv4 address, or an IPv6 address in brackets, and a port. The underscore is no
# part of a host name, but of names that container networks give.
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Request:
    """One HTTP request; the body comes through `receive` (api/body.py)."""

    __slots__ = ("params", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive, params: dict[str, str]) -> None:
        self.scope = scope
        self.receive = receive
        self.params = params
        """What stood in the places of `{name}` in the route's template, percent signs decoded."""

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        """Percent signs decoded, without doubled slashes and those at the end."""
        return one_slash(self.scope["path"])

    @property
    def query(self) -> bytes:
        """What is behind the question mark, as sent."""
        return bytes(self.scope["query_string"])

    def header(self, name: bytes) -> str | None:
        """The first header of this name (lower case), None when there is none."""
        for key, value in self.scope["headers"]:
            if key == name:
                return str(value.decode("latin-1"))
        return None

    @property
    def base_url(self) -> str:
        """Scheme and host under which the client knows us; our own address when it sends no proper Host."""
        server = self.scope.get("server")  # ASGI: any iterable of two; the cache needs one that can be hashed
        return _base_url(self.scope.get("scheme", "http"), self.header(b"host"), server and tuple(server))


def one_slash(path: str) -> str:
    """`/a/b` of `/a/b/` and `/a//b`; the root is empty."""
    if "//" in path:
        path = _SLASHES.sub("/", path)
    return path.rstrip("/")


@lru_cache(maxsize=1024)
def _base_url(scheme: str, host: str | None, server: tuple[str, int | None] | None) -> str:
    match = _HOST.fullmatch(host or "")
    if match and int(match[1] or 0) <= 65_535:
        return f"{scheme}://{host}"
    address, port = server or ("localhost", None)
    shown = f"[{address}]" if ":" in address else address
    return f"{scheme}://{shown}" if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{scheme}://{shown}:{port}"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    headers: RawHeaders
    """Names in lower case; Content-Length is added."""
    pieces: AsyncGenerator[bytes, None] | None = None
    """Sent instead of `body`, one after the other as the client takes them; `length` bytes in all."""
    length: int = 0


Endpoint = Callable[[Request], Awaitable[Response]]
Refuse = Callable[[int, RawHeaders], Response]
"""Answers 404 and 405 in the shape of a section; the second value is what HTTP demands beside the status."""


@dataclass(frozen=True, slots=True)
class Route:
    template: str
    """Path below the section's prefix, without a slash at its end; `{name}` stands for one segment."""
    endpoints: Mapping[str, Endpoint]
    """By method; GET also answers HEAD."""


@dataclass(frozen=True, slots=True)
class Section:
    """Paths that begin alike and whose errors look alike."""

    prefix: str
    """Empty, or begins and does not end with a slash."""
    routes: Sequence[Route]
    refuse: Refuse


class _Pattern:
    """One route, taken apart."""

    __slots__ = ("endpoints", "fixed", "length", "names")

    def __init__(self, path: str, endpoints: Mapping[str, Endpoint]) -> None:
        segments = path.split("/")
        names = [(at, text[1:-1]) for at, text in enumerate(segments) if text.startswith("{")]
        self.length = len(segments)
        self.names = tuple(names)
        self.fixed = tuple((at, text) for at, text in enumerate(segments) if not text.startswith("{"))
        self.endpoints = dict(endpoints)
        if "GET" in endpoints:
            self.endpoints.setdefault("HEAD", endpoints["GET"])

    def matches(self, segments: list[str]) -> bool:
        for at, text in self.fixed:  # noqa: SIM110  a loop of two or three rounds; a generator costs as much again
            if segments[at] != text:
                return False
        return True


async def _send_pieces(scope: Scope, send: Send, response: Response, pieces: AsyncGenerator[bytes, None]) -> None:
    headers = [(b"content-length", b"%d" % response.length), *response.headers]
    async with aclosing(pieces):
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if scope["method"] != "HEAD":
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Dispatcher:
    """The ASGI application. `/a/b`, `/a/b/` and `/a//b` are one path: SDKs differ, and a redirect would lose body and
    credentials (plivo-vts.md §1)."""

    __slots__ = ("_patterns", "_sections")

    def __init__(self, sections: Iterable[Section]) -> None:
        # The longest prefix first, so that the section without one is asked last.
        self._sections = sorted(sections, key=lambda section: -len(section.prefix))
        self._patterns: dict[int, list[_Pattern]] = {}
        for section in self._sections:
            for route in section.routes:
                pattern = _Pattern(section.prefix + route.template, route.endpoints)
                self._patterns.setdefault(pattern.length, []).append(pattern)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"There is nothing here but HTTP: {scope['type']}")
        response = await self._answer(scope, receive, one_slash(scope["path"]).split("/"))
        if response.pieces is not None:
            await _send_pieces(scope, send, response, response.pieces)
            return
        # RFC 9110 §8.6: a 204 has no length.
        length = () if response.status == 204 else ((b"content-length", b"%d" % len(response.body)),)
        await send({"type": "http.response.start", "status": response.status, "headers": [*length, *response.headers]})
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, scope: Scope, receive: Receive, segments: list[str]) -> Response:
        allowed: set[str] = set()
        for pattern in self._patterns.get(len(segments), ()):
            if pattern.matches(segments):
                endpoint = pattern.endpoints.get(scope["method"])
                if endpoint is not None:
                    return await endpoint(Request(scope, receive, {name: segments[at] for at, name in pattern.names}))
                allowed.update(pattern.endpoints)
        refuse = self._section("/".join(segments)).refuse
        if allowed:  # RFC 9110 §15.5.6: a 405 says what is allowed
            return refuse(405, ((b"allow", ", ".join(sorted(allowed)).encode()),))
        return refuse(404, ())

    def _section(self, path: str) -> Section:
        return next(
            section for section in self._sections if not section.prefix or path.startswith(section.prefix + "/")
        )
