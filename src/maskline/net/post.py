"""POST to addresses that customers name, many times a second: HTTP/1.1 over kept connections, vetted as in `egress.py`.

What it is: one request and its whole answer, at a third of what aiohttp's client costs; where every call asks an
application and is told of, that is a thousand of them a second. What it is not: a general client; it knows no
redirects, proxies, cookies, compression, or bodies that are read as they come. Who uses it: `webhooks/ask.py` and
`webhooks/send.py`.

A name is refused when any of its addresses is internal, and what is connected to is the address that was judged, so a
name that changes in between (DNS rebinding) gains nothing. Answers are read by llhttp, as aiohttp's are.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import partial

from aiohttp.abc import AbstractResolver

from maskline.net.egress import EgressError, Failure, checked_url
from maskline.net.guard import AddressGuard, Network
from maskline.net.known_names import KnownNames
from maskline.net.names import ThreadedNames
from maskline.net.post_connection import PostConnection, Posted, broken
from maskline.values import dataclass

_KEEP = 15.0
"""Seconds that an unused connection is kept."""
_NEXT_ADDRESS = 1.0
"""Seconds after which the next address of a name is tried; the last one has what is left."""
_MOST_ADDRESSES = 4
_MOST_TARGETS = 4_096


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a URL leads to."""

    key: tuple[str, int, bool]
    """Host, port, TLS."""
    head: str = field(repr=False)
    """The request as far as it is the same for all of this URL."""


class Poster:
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
        self._tls = tls
        self._targets: dict[tuple[str, str, bool], _Target] = {}
        self._names = KnownNames(self._look_up)
        self._idle: dict[tuple[str, int, bool], list[PostConnection]] = {}
        self._open: set[PostConnection] = set()

    async def open(self) -> None:
        self._resolver = self._resolver or ThreadedNames()
        self._tls = self._tls or ssl.create_default_context()

    async def close(self) -> None:
        """Give up what is going on."""
        for connection in list(self._open):
            connection.abort(broken())
        await self._names.close()
        if self._resolver is not None:
            await self._resolver.close()

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, connect: float, total: float,
        most: int, status_will_do: bool = False,
    ) -> Posted:  # fmt: skip
        """POST, or GET without body; only inside a task. `connect`, `total`: seconds, the latter for all. `most`: bytes
        of the answer's body. `status_will_do`: as of `PostConnection.send`. Raises `EgressError`."""
        target = self._target(method, url, "Authorization" in headers)
        request = _request(target.head, headers, body)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + total
        connection = self._kept(target) or await self._connected(target, min(connect, total))
        answer = connection.send(request, most, status_will_do=status_will_do)
        late = loop.call_at(deadline, connection.abort, EgressError(Failure.TIMEOUT, "no answer in time"))
        try:
            return await answer
        finally:
            late.cancel()
            if connection.reusable:
                self._idle.setdefault(target.key, []).append(connection)
                connection.keep(loop.call_later(_KEEP, connection.abort, broken()))
            else:
                connection.abort(broken())
            # An error's traceback holds this frame: by it the error would hold itself, until the collector looks.
            del answer, connection

    # -- connections ---------------------------------------------------------------------------------------------------

    def _kept(self, target: _Target) -> PostConnection | None:
        idle = self._idle.get(target.key)
        while idle:
            connection = idle.pop()
            if connection.reusable:  # not just being closed
                return connection
        return None

    async def _connected(self, target: _Target, within: float) -> PostConnection:
        try:
            async with asyncio.timeout(within):
                *first, last = await self._addresses(target.key)
                for address in first:
                    try:
                        async with asyncio.timeout(_NEXT_ADDRESS):
                            return await self._connect(target, address)
                    except OSError:  # a time-out is one
                        continue
                return await self._connect(target, last)
        except TimeoutError:
            raise EgressError(Failure.CONNECT_TIMEOUT, "no connection in time") from None
        except ssl.SSLError:
            words = "TLS failed: the certificate or protocol was not accepted"
            raise EgressError(Failure.TLS_FAILED, words) from None
        except OSError:
            raise EgressError(Failure.NO_CONNECTION, "no connection: refused or unreachable") from None

    async def _connect(self, target: _Target, address: str) -> PostConnection:
        host, port, is_tls = target.key
        _, connection = await asyncio.get_running_loop().create_connection(
            partial(PostConnection, partial(self._forget, target.key)), address, port,
            ssl=self._tls if is_tls else None, server_hostname=host if is_tls else None,
        )  # fmt: skip
        self._open.add(connection)
        return connection

    def _forget(self, key: tuple[str, int, bool], connection: PostConnection) -> None:
        self._open.discard(connection)
        idle = self._idle.get(key, [])
        if connection in idle:
            idle.remove(connection)
        if not idle:
            self._idle.pop(key, None)

    # -- names ---------------------------------------------------------------------------------------------------------

    async def _addresses(self, key: tuple[str, int, bool]) -> list[str]:
        """One at least, each of which may be reached."""
        host, port, _ = key
        addresses = [host] if _is_address(host) else await self._names.addresses(host, port)
        if not all(self._guard.allows(address) for address in addresses):
            words = "an internal address, which only MASKLINE_EGRESS_ALLOW opens"
            raise EgressError(Failure.FORBIDDEN_ADDRESS, words)
        return addresses[:_MOST_ADDRESSES]

    async def _look_up(self, host: str, port: int) -> list[str]:
        assert self._resolver is not None, "open() comes first"
        return [found["host"] for found in await self._resolver.resolve(host, port, socket.AF_UNSPEC)]

    # -- requests ------------------------------------------------------------------------------------------------------

    def _target(self, method: str, text: str, has_authorization: bool) -> _Target:
        known = self._targets.get((method, text, has_authorization))
        if known is not None:
            return known
        url = checked_url(text, has_authorization)
        head = f"{method} {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n"
        if url.user is not None:
            credentials = f"{url.user}:{url.password or ''}".encode()
            head += f"Authorization: Basic {b64encode(credentials).decode()}\r\n"
        if len(self._targets) >= _MOST_TARGETS:
            self._targets.clear()
        assert url.raw_host is not None and url.port is not None, "a checked URL has both"
        target = _Target((url.raw_host, url.port, url.scheme == "https"), head)
        if method == "POST":  # a GET's URL carries its parameters, and comes once
            self._targets[method, text, has_authorization] = target
        return target


def _request(head: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [head]
    for name, value in headers.items():
        if not value.isprintable():
            raise EgressError(Failure.INVALID_URL, "not a request that can be sent")
        lines.append(f"{name}: {value}\r\n")
    lines.append("\r\n" if head.startswith("GET") else f"Content-Length: {len(body)}\r\n\r\n")
    try:
        return "".join(lines).encode("latin-1") + body
    except UnicodeEncodeError:
        raise EgressError(Failure.INVALID_URL, "not a request that can be sent") from None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
