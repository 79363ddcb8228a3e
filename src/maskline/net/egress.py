"""The HTTP client for addresses that customers name.

What it is: one request, vetted (`guard.py`) at the address actually dialled, without redirects, proxies, cookies
or decompression, in bounded time; and why there was no answer, as one of few kinds. What it is not: meaning of an
answer, retries or signatures. Who uses it: `media/prompts/fetch.py`, `workflows/trigger_event.py`; webhooks go out by
`post.py`. Where recordings are pushed is the operator's word, or judged apart (`workflows/push_destination.py`).

A name is refused when any of its addresses is internal, and each socket is judged again when it is made: a
check before the connect alone is beaten by a name that changes its address in between (DNS rebinding).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from maskline.net.guard import BAD_PORT, AddressGuard, Network, is_web_port
from maskline.net.names import ThreadedNames

_NO_URL = "not an http or https URL"


class Failure(StrEnum):
    """Why there was no (complete) answer."""

    INVALID_URL = "invalid_url"
    """Nothing that can be requested: another scheme, a forbidden port, a header that would break the request."""
    FORBIDDEN_ADDRESS = "forbidden_address"
    """Internal, and not named in MASKLINE_EGRESS_ALLOW."""
    UNKNOWN_NAME = "unknown_name"
    NO_CONNECTION = "no_connection"
    """Refused or unreachable."""
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_FAILED = "tls_failed"
    TIMEOUT = "timeout"
    """Connected, but no complete answer in time."""
    BROKEN = "broken"
    """Connected, but the connection broke or what came was no HTTP."""
    TOO_LARGE = "too_large"
    """The answer is larger than the reader wants."""


class EgressError(Exception):
    """There was no answer, or not all of it. `str()` is a few words without URL, address or body."""

    def __init__(self, failure: Failure, words: str) -> None:
        super().__init__(words)
        self.failure = failure


class _Forbidden(OSError):
    """An OSError, so that aiohttp takes it for a failed connect and wraps it like one."""


_FAULTS = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
"""All that aiohttp raises for what a server or a caller does wrong."""


class Egress:
    """One for each purpose, since each has threads of its own that look up names. `allowed`: internal networks that may
    be reached. `resolver` and `tls` are for tests and private CAs."""

    def __init__(
        self,
        allowed: Iterable[Network] = (),
        *,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = AddressGuard(allowed)
        self._resolver = resolver
        self._tls: ssl.SSLContext | bool = tls or True
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        connector = aiohttp.TCPConnector(
            resolver=_GuardedResolver(self._resolver or ThreadedNames(), self._guard),
            socket_factory=self._make_socket,
            ssl=self._tls,
            limit=0,  # each user bounds what it runs at a time
            ttl_dns_cache=30,
        )
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        connect: float,
        total: float,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer's head, open for reading inside the block; whatever is unread then closes the connection.
        `connect`, `total`: seconds, the latter for all including what is read. Raises `EgressError`."""
        assert self._session is not None, "open() comes first"
        headers = headers or {}
        target = checked_url(url, "Authorization" in headers)
        timeout = aiohttp.ClientTimeout(total=total, connect=connect)
        try:
            response = await self._session.request(
                method, target, data=body, headers=headers, timeout=timeout, allow_redirects=False
            )
        except _FAULTS as error:
            raise _failure(error) from error
        async with response:
            yield response

    def _make_socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if not self._guard.allows(str(address[0])):
            raise _Forbidden
        return socket.socket(family, kind, protocol)


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body; raises `EgressError`, as soon as it is known to be longer than `limit` bytes too."""
    too_large = EgressError(Failure.TOO_LARGE, f"larger than {limit} bytes")
    if (response.content_length or 0) > limit:
        response.close()
        raise too_large
    parts, size = [], 0
    try:
        while chunk := await response.content.readany():
            size += len(chunk)
            if size > limit:
                response.close()
                raise too_large
            parts.append(chunk)
    except _FAULTS as error:
        raise _failure(error) from error
    return b"".join(parts)


class _GuardedResolver(AbstractResolver):
    """Resolves like another, and refuses the name when any answer is internal."""

    def __init__(self, inner: AbstractResolver, guard: AddressGuard) -> None:
        self._inner = inner
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(self._guard.allows(result["host"]) for result in found):
            raise _Forbidden
        return found

    async def close(self) -> None:
        await self._inner.close()


def checked_url(text: str, has_authorization: bool) -> URL:
    """The URL as written (receivers sign what they see); raises `EgressError` for one that must not be called."""
    if not text.isprintable() or " " in text:
        raise EgressError(Failure.INVALID_URL, _NO_URL)
    try:
        url = URL(text, encoded=text.isascii())
        port = url.port
    except ValueError:
        raise EgressError(Failure.INVALID_URL, _NO_URL) from None
    if url.scheme not in ("http", "https") or not url.host or port is None:
        raise EgressError(Failure.INVALID_URL, _NO_URL)
    if not is_web_port(port):
        raise EgressError(Failure.INVALID_URL, f"the URL {BAD_PORT}")
    # aiohttp refuses two sources of credentials; the configured one wins over user info in the URL.
    return url.with_user(None) if has_authorization and url.user is not None else url


def _failure(error: BaseException) -> EgressError:
    if any(isinstance(cause, _Forbidden) for cause in _causes(error)):
        words = "an internal address, which only MASKLINE_EGRESS_ALLOW opens"
        return EgressError(Failure.FORBIDDEN_ADDRESS, words)
    for kinds, failure, words in _FAILURES:
        if isinstance(error, kinds):
            return EgressError(failure, words)
    return EgressError(Failure.BROKEN, "the connection broke before an answer")


_FAILURES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Failure, str], ...] = (
    ((aiohttp.InvalidURL, aiohttp.InvalidUrlClientError), Failure.INVALID_URL, "not a URL that can be called"),
    (aiohttp.ConnectionTimeoutError, Failure.CONNECT_TIMEOUT, "no connection in time"),
    (TimeoutError, Failure.TIMEOUT, "no answer in time"),
    (aiohttp.ClientConnectorDNSError, Failure.UNKNOWN_NAME, "the name is unknown"),
    (
        (aiohttp.ClientSSLError, ssl.SSLError),
        Failure.TLS_FAILED,
        "TLS failed: the certificate or protocol was not accepted",
    ),
    (aiohttp.ClientConnectorError, Failure.NO_CONNECTION, "no connection: refused or unreachable"),
    (ValueError, Failure.INVALID_URL, "not a request that can be sent"),
)
"""Most special first: several of these are subclasses of later ones."""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 10:  # a chain may be a ring
        yield error
        error = error.__cause__ or error.__context__
        seen += 1
