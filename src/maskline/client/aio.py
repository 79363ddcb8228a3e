"""The client for asyncio, over aiohttp.

What it is: `AsyncRestClient` and its `masking_sessions`: the methods of `sync.py`, awaited. What it is not: what is
sent and read (`core.py`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TypeVar, Unpack

import aiohttp
from yarl import URL

from maskline.client.core import Again, Done, Exchange, Request, Response, SessionApi
from maskline.client.errors import ConnectFailed, ConnectionLost, NoAnswer, TimedOut
from maskline.client.options import CreateOptions, ListFilters, UpdateOptions
from maskline.client.results import Message, Session, SessionPage, SessionReply
from maskline.client.retries import Retries

T = TypeVar("T")


class AsyncRestClient:
    """The masking-session API of one account; arguments are those of `RestClient`.

    Use it as an asynchronous context manager, or await `close`.
    """

    def __init__(
        self, auth_id: str, auth_token: str, base_url: str, *, timeout: float = 10.0, retries: Retries | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        api = SessionApi(auth_id, auth_token, base_url, retries or Retries())
        self._connections = _Connections(api, timeout, ssl_context)
        self.masking_sessions = AsyncMaskingSessions(api, self._connections)

    async def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        await self._connections.close()

    async def __aenter__(self) -> AsyncRestClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class AsyncMaskingSessions:
    """Every method raises `RestError` (`errors.py`) when the server refuses, fails or cannot be reached."""

    def __init__(self, api: SessionApi, connections: _Connections) -> None:
        self._api = api
        self._connections = connections

    async def create_masking_session(
        self, first_party: str | None = None, second_party: str | None = None, *, idempotency_key: str | None = None,
        **options: Unpack[CreateOptions],
    ) -> SessionReply:  # fmt: skip
        """Open a session. Two calls with one `idempotency_key` open one; each call has its own unless given."""
        return await self._run(self._api.create(first_party, second_party, options, idempotency_key))

    async def get_masking_session(self, session_uuid: str) -> SessionReply:
        return await self._run(self._api.get(session_uuid))

    async def update_masking_session(
        self, session_uuid: str, *, idempotency_key: str | None = None, **options: Unpack[UpdateOptions]
    ) -> SessionReply:
        return await self._run(self._api.update(session_uuid, options, idempotency_key))

    async def delete_masking_session(self, session_uuid: str) -> Message:
        """End a session; calls that are up run on to their limit."""
        return await self._run(self._api.delete(session_uuid))

    async def list_masking_session(self, **filters: Unpack[ListFilters]) -> SessionPage:
        """One page, newest first."""
        return await self._run(self._api.list(filters))

    async def next_page(self, page: SessionPage) -> SessionPage | None:
        """The page after `page`; None after the last."""
        query = page.next_query
        if query is None:
            return None
        return await self._run(self._api.page(query))

    async def iterate_masking_sessions(self, **filters: Unpack[ListFilters]) -> AsyncIterator[Session]:
        """Sessions of all pages. Pages are counted from the newest: a session created meanwhile moves the others
        on, and one of them may come twice."""
        page: SessionPage | None = await self.list_masking_session(**filters)
        while page is not None:
            for session in page:
                yield session
            page = await self.next_page(page)

    async def _run(self, exchange: Exchange[T]) -> T:
        step: Again | Done[T]
        while True:
            try:
                response = await self._connections.send(exchange.request)
            except NoAnswer as failure:
                step = exchange.failed(failure)
            else:
                step = exchange.received(response)
            if isinstance(step, Done):
                return step.value
            await asyncio.sleep(step.seconds)


class _Connections:
    """An aiohttp session for one server, made at the first request: only then is there surely a loop."""

    def __init__(self, api: SessionApi, timeout: float, ssl_context: ssl.SSLContext | None) -> None:
        self._origin = f"{api.base_url.scheme}://{api.base_url.netloc}"
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)
        self._ssl_context = ssl_context
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Response:
        """One request, one answer; raises `NoAnswer`."""
        url = URL(self._origin + request.target, encoded=True)
        try:
            async with self._opened().request(
                request.method, url, headers=request.headers, data=request.body or None, allow_redirects=False
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise _no_answer(error) from error
        return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._ssl_context or True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                middlewares=(_send_once,),
            )
        return self._session


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from repeating a GET or DELETE by itself when a connection breaks: a DELETE that was carried out
    twice looks refused, unless it is known that there were two (`core.py`)."""
    try:
        return await handler(request)
    except (aiohttp.ClientError, OSError) as error:
        raise _no_answer(error) from error


def _no_answer(error: Exception) -> NoAnswer:
    reason = getattr(error, "strerror", None) or type(error).__name__
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return ConnectFailed("No connection: the certificate is not trusted.", lasting=True)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return ConnectFailed(f"No connection: {reason}.")
        case TimeoutError():
            return TimedOut("The server did not answer in time.")
    return ConnectionLost(f"The connection ended before the answer: {reason}.")
