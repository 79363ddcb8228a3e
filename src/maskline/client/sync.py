"""The client for programs without an event loop, over the standard library's `http.client`.

What it is: `RestClient`, its `masking_sessions`, and the idle connections they share. May be used by several threads at
once. What it is not: what is sent and read (`core.py`). The asynchronous twin is `aio.py`.
"""

from __future__ import annotations

import http.client
import selectors
import ssl
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar, Unpack

from maskline.client.core import Again, Done, Exchange, Request, Response, SessionApi
from maskline.client.errors import ConnectFailed, ConnectionLost, NoAnswer, TimedOut
from maskline.client.options import CreateOptions, ListFilters, UpdateOptions
from maskline.client.results import Message, Session, SessionPage, SessionReply
from maskline.client.retries import Retries

T = TypeVar("T")

_IDLE_CONNECTIONS = 10


class RestClient:
    """The masking-session API of one account.

    `base_url` is the server's address before `/v1`; with `/vts` at its end the VTS flavour is spoken. `timeout` is the
    longest silence of the server in seconds. `ssl_context` is for a server whose certificate is not publicly trusted.
    Use it as a context manager, or call `close`.
    """

    def __init__(
        self, auth_id: str, auth_token: str, base_url: str, *, timeout: float = 10.0, retries: Retries | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        api = SessionApi(auth_id, auth_token, base_url, retries or Retries())
        self._connections = _Connections(api, timeout, ssl_context)
        self.masking_sessions = MaskingSessions(api, self._connections)

    def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        self._connections.close()

    def __enter__(self) -> RestClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class MaskingSessions:
    """Every method raises `RestError` (`errors.py`) when the server refuses, fails or cannot be reached."""

    def __init__(self, api: SessionApi, connections: _Connections) -> None:
        self._api = api
        self._connections = connections

    def create_masking_session(
        self, first_party: str | None = None, second_party: str | None = None, *, idempotency_key: str | None = None,
        **options: Unpack[CreateOptions],
    ) -> SessionReply:  # fmt: skip
        """Open a session. Two calls with one `idempotency_key` open one; each call has its own unless given."""
        return self._run(self._api.create(first_party, second_party, options, idempotency_key))

    def get_masking_session(self, session_uuid: str) -> SessionReply:
        return self._run(self._api.get(session_uuid))

    def update_masking_session(
        self, session_uuid: str, *, idempotency_key: str | None = None, **options: Unpack[UpdateOptions]
    ) -> SessionReply:
        return self._run(self._api.update(session_uuid, options, idempotency_key))

    def delete_masking_session(self, session_uuid: str) -> Message:
        """End a session; calls that are up run on to their limit."""
        return self._run(self._api.delete(session_uuid))

    def list_masking_session(self, **filters: Unpack[ListFilters]) -> SessionPage:
        """One page, newest first."""
        return self._run(self._api.list(filters))

    def next_page(self, page: SessionPage) -> SessionPage | None:
        """The page after `page`; None after the last."""
        query = page.next_query
        if query is None:
            return None
        return self._run(self._api.page(query))

    def iterate_masking_sessions(self, **filters: Unpack[ListFilters]) -> Iterator[Session]:
        """Sessions of all pages. Pages are counted from the newest: a session created meanwhile moves the others
        on, and one of them may come twice."""
        page: SessionPage | None = self.list_masking_session(**filters)
        while page is not None:
            yield from page
            page = self.next_page(page)

    def _run(self, exchange: Exchange[T]) -> T:
        step: Again | Done[T]
        while True:
            try:
                response = self._connections.send(exchange.request)
            except NoAnswer as failure:
                step = exchange.failed(failure)
            else:
                step = exchange.received(response)
            if isinstance(step, Done):
                return step.value
            time.sleep(step.seconds)


class _Connections:
    """Connections to one server, kept open between requests; taking and giving back are atomic."""

    def __init__(self, api: SessionApi, timeout: float, ssl_context: ssl.SSLContext | None) -> None:
        self._url = api.base_url
        self._timeout = timeout
        self._idle: deque[http.client.HTTPConnection] = deque(maxlen=_IDLE_CONNECTIONS)
        secure = self._url.scheme == "https"
        self._ssl_context = (ssl_context or ssl.create_default_context()) if secure else None

    def send(self, request: Request) -> Response:
        """One request, one answer; raises `NoAnswer`."""
        connection = self._take() or self._open()
        try:
            response = _exchange(connection, request)
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:  # the server has not said "Connection: close"
            self._give_back(connection)
        return response

    def close(self) -> None:
        while self._idle:
            self._idle.popleft().close()

    def _take(self) -> http.client.HTTPConnection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if not _has_been_closed(connection):
                return connection
            connection.close()

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        if len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    def _open(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        connection = (
            http.client.HTTPConnection(host, self._url.port, timeout=self._timeout)
            if self._ssl_context is None
            else http.client.HTTPSConnection(host, self._url.port, timeout=self._timeout, context=self._ssl_context)
        )
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            lasting = isinstance(error, ssl.SSLCertVerificationError)
            raise ConnectFailed(f"No connection: {_reason(error)}.", lasting=lasting) from error
        return connection


def _exchange(connection: http.client.HTTPConnection, request: Request) -> Response:
    try:
        connection.request(request.method, request.target, request.body or None, dict(request.headers))
        answer = connection.getresponse()
        body = answer.read()
    except TimeoutError as error:
        raise TimedOut("The server did not answer in time.") from error
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionLost(f"The connection ended before the answer: {_reason(error)}.") from error
    return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


def _has_been_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection has something to read: between answers that can only be its end."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection.sock, selectors.EVENT_READ)
        return bool(selector.select(0))


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted, {error.verify_message}"
    return getattr(error, "strerror", None) or type(error).__name__
