"""The HTTP client for requests to addresses that customers name.

What it is: one POST or GET, vetted (`guard.py`) at the address actually dialled, without redirects, proxies,
cookies or decompression, in bounded time and memory. What it is not: retries (`schedule.py`) or signatures.
Who uses it: `deliver.py`; recordings and prompts will come through here too.

A name is refused when any of its addresses is internal, and each socket is judged again when it is made: a
check before the connect alone is beaten by a name that changes its address in between (DNS rebinding).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from maskline.webhooks.guard import BAD_PORT, AddressGuard, Network, is_web_port
from maskline.webhooks.schedule import CallbackRules, Fault, TryResult, read_retry_after
from maskline.webhooks.sign import Request

MAX_ANSWER = 4096
"""Bytes read of an answer; what a receiver says beyond its status is of no use to us."""


_NO_URL = "not an http or https URL"


class _Forbidden(OSError):
    """An OSError, so that aiohttp takes it for a failed connect and wraps it like one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request ended."""

    result: TryResult
    error: str = ""
    """A few words for `last_error` and the log; without URL, address or answer body. Empty after 2xx."""


class Egress:
    """`allowed`: internal networks that may be reached. `resolver` and `tls` are for tests and private CAs."""

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
            resolver=_GuardedResolver(self._resolver or aiohttp.ThreadedResolver(), self._guard),
            socket_factory=self._make_socket,
            ssl=self._tls,
            limit=0,  # the deliverer bounds what runs, per receiver and in all
            ttl_dns_cache=30,
        )
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, request: Request, headers: Mapping[str, str], rules: CallbackRules, *, now: float) -> Answer:
        """Send and tell how it ended; only cancellation is raised. `now`: wall seconds, for dates in answers."""
        assert self._session is not None, "open() comes first"
        url = _checked_url(request.url, "Authorization" in headers)
        if isinstance(url, str):
            return Answer(TryResult(fault=Fault.INVALID), url)
        timeout = aiohttp.ClientTimeout(total=rules.total, connect=rules.connect)
        try:
            async with self._session.request(
                request.method, url, data=request.body or None, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                await _drain(response)
                return _answer(response, now)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return _failure(error)

    def _make_socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if not self._guard.allows(str(address[0])):
            raise _Forbidden
        return socket.socket(family, kind, protocol)


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


def _checked_url(text: str, has_authorization: bool) -> URL | str:
    """The URL as written (receivers sign what they see), or why it must not be called."""
    if not text.isprintable() or " " in text:
        return _NO_URL
    try:
        url = URL(text, encoded=text.isascii())
        port = url.port
    except ValueError:
        return _NO_URL
    if url.scheme not in ("http", "https") or not url.host or port is None:
        return _NO_URL
    if not is_web_port(port):
        return f"the URL {BAD_PORT}"
    # aiohttp refuses two sources of credentials; the configured one wins over user info in the URL.
    return url.with_user(None) if has_authorization and url.user is not None else url


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a short answer to its end, so that the connection can serve the next webhook; cut a long one. The
    status has arrived, so an answer that breaks off or stalls after it changes nothing."""
    left = MAX_ANSWER
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
        while left > 0:
            chunk = await response.content.read(left)
            if not chunk:
                return
            left -= len(chunk)
    response.close()


def _answer(response: aiohttp.ClientResponse, now: float) -> Answer:
    retry_after = read_retry_after(response.headers.get("Retry-After", ""), now)
    result = TryResult(response.status, retry_after=retry_after)
    return Answer(result, "" if 200 <= response.status < 300 else f"HTTP {response.status}")


def _failure(error: BaseException) -> Answer:
    chain = list(_causes(error))
    if any(isinstance(cause, _Forbidden) for cause in chain):
        return Answer(TryResult(fault=Fault.FORBIDDEN), "an internal address, which only MASKLINE_EGRESS_ALLOW opens")
    for kinds, fault, text in _FAILURES:
        if isinstance(error, kinds):
            return Answer(TryResult(fault=fault), text)
    return Answer(TryResult(fault=Fault.READ), "the connection broke before an answer")


_FAILURES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Fault, str], ...] = (
    ((aiohttp.InvalidURL, aiohttp.InvalidUrlClientError), Fault.INVALID, "not a URL that can be called"),
    (aiohttp.ConnectionTimeoutError, Fault.CONNECT, "no connection in time"),
    (TimeoutError, Fault.READ, "no answer in time"),
    (aiohttp.ClientConnectorDNSError, Fault.CONNECT, "the name is unknown"),
    ((aiohttp.ClientSSLError, ssl.SSLError), Fault.CONNECT, "TLS failed: the certificate or protocol was not accepted"),
    (aiohttp.ClientConnectorError, Fault.CONNECT, "no connection: refused or unreachable"),
    (ValueError, Fault.INVALID, "not a request that can be sent"),
)
"""Most special first: several of these are subclasses of later ones."""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 10:  # a chain may be a ring
        yield error
        error = error.__cause__ or error.__context__
        seen += 1
