"""Requests out, answers in: everything both clients share, without socket, clock or event loop.

What it is: `SessionApi` makes an `Exchange` per call of a method; a client sends `exchange.request`, feeds what came
(`received`) or did not (`failed`), and does as told: `Again` after some seconds, or `Done` with the value.
What it is not: a transport. Who uses it: `sync.py` and `aio.py`.

Why a repeat is safe: every POST carries an Idempotency-Key that stays the same over its tries, so the server answers
the second with what the first one did; GET changes nothing; a DELETE that finds the session expired, after a try whose
outcome is not known, has done what it was for.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Generic, NoReturn, TypeVar
from urllib.parse import SplitResult, quote, urlencode, urlsplit
from uuid import uuid4

from maskline import __version__
from maskline.client.errors import (
    ConnectFailed,
    NoAnswer,
    RestError,
    TooManyRequests,
    Unavailable,
    UnreadableAnswer,
    class_of,
)
from maskline.client.options import CreateOptions, ListFilters, UpdateOptions
from maskline.client.reading import parse_body, read_message, read_page, read_reply
from maskline.client.results import Message, SessionPage, SessionReply
from maskline.client.retries import Retries
from maskline.client.values import query_text

T = TypeVar("T")

USER_AGENT = f"maskline-python/{__version__}"
IDEMPOTENCY_KEY = "Idempotency-Key"
ALREADY_EXPIRED = "session already expired"

_CREATE_NAMES = frozenset(CreateOptions.__annotations__)
_UPDATE_NAMES = frozenset(UpdateOptions.__annotations__)
_FILTER_NAMES = frozenset(ListFilters.__annotations__)
_KEY = re.compile(r"[!-~]{1,255}\Z")
_PARAMETER = re.compile(r"(?:Invalid parameter|Mandatory parameter missing)\. (\w+) ")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    """Path and query, encoded."""
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Again:
    seconds: float


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    value: T


Read = Callable[[Mapping[str, Any], Mapping[str, str]], T]
"""Makes the value of a successful answer's body and headers."""


class Exchange(Generic[T]):
    """One call of a method, over all its tries."""

    __slots__ = ("_read", "_retries", "_tries", "_unknown", "request")

    def __init__(self, request: Request, read: Read[T], retries: Retries) -> None:
        self.request = request
        self._read = read
        self._retries = retries
        self._tries = 0
        self._unknown = False
        """Whether a try may have been carried out without our hearing of it."""

    def received(self, response: Response) -> Again | Done[T]:
        """Raises `RestError` when the answer is no success and no further try is due."""
        self._tries += 1
        if 200 <= response.status < 300:
            return Done(self._success(response))
        error = read_error(response)
        if self._was_done_before(error):
            return Done(self._read({"message": "Session expired", "api_id": error.api_id}, response.headers))
        if not self._deserves_another_try(error):
            raise error
        # A proxy's 502 to 504 say nothing about what happened behind it.
        self._unknown |= isinstance(error, Unavailable)
        return self._again(error)

    def failed(self, failure: NoAnswer) -> Again:
        """Raises `failure` when no further try is due."""
        self._tries += 1
        if isinstance(failure, ConnectFailed) and failure.lasting:
            raise failure
        self._unknown |= failure.may_have_acted
        return self._again(failure)

    def _success(self, response: Response) -> T:
        try:
            return self._read(parse_body(response.body), response.headers)
        except UnreadableAnswer as error:
            raise UnreadableAnswer(error.error, status=response.status) from None

    def _was_done_before(self, error: RestError) -> bool:
        return (
            self._unknown
            and self.request.method == "DELETE"
            and error.status == 400
            and error.error.lower().startswith(ALREADY_EXPIRED)
        )

    def _deserves_another_try(self, error: RestError) -> bool:
        if isinstance(error, TooManyRequests | Unavailable):
            return True
        # The first try is still being worked on under the same key.
        return error.status == 409 and self._unknown and IDEMPOTENCY_KEY in self.request.headers

    def _again(self, error: RestError) -> Again:
        wait = self._retries.wait(self._tries, error.retry_after)
        if wait is None:
            raise error
        return Again(wait)


def read_error(response: Response) -> RestError:
    """The error an answer stands for; a body that is none of this API's is replaced by the status' own phrase."""
    try:
        body = parse_body(response.body)
    except UnreadableAnswer:
        body = {}
    told = body.get("error")
    error = told if isinstance(told, str) and told else _phrase(response.status)
    named = _PARAMETER.match(error)
    return class_of(response.status)(
        error,
        status=response.status,
        detail=_text(body.get("detail")),
        api_id=_text(body.get("api_id")),
        parameter=_text(body.get("parameter")) or (named[1] if named else ""),
        retry_after=_retry_after(response.headers),
    )


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unexpected status"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds (RFC 9110 §10.2.3). A date is read against the answer's own Date, so that our clock does not matter."""
    raw = headers.get("retry-after", "").strip()
    if raw.isascii() and raw.isdigit() and len(raw) < 10:
        return float(raw)
    until, now = _http_date(raw), _http_date(headers.get("date", ""))
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _http_date(raw: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(raw)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


class SessionApi:
    """What the five methods send, for one account at one server."""

    __slots__ = ("_collection", "_headers", "_retries", "base_url")

    def __init__(self, auth_id: str, auth_token: str, base_url: str, retries: Retries) -> None:
        if not auth_id or not auth_token:
            raise ValueError("auth_id and auth_token are needed.")
        self.base_url = split_base_url(base_url)
        self._retries = retries
        self._collection = f"{self.base_url.path}/v1/Account/{quote(auth_id, safe='')}/Masking/Session/"
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": "Basic " + base64.b64encode(f"{auth_id}:{auth_token}".encode()).decode("ascii"),
            "User-Agent": USER_AGENT,
        }

    def create(
        self, first_party: str | None, second_party: str | None, options: Mapping[str, Any], key: str | None
    ) -> Exchange[SessionReply]:
        _check_names(options, _CREATE_NAMES, "create_masking_session")
        parties = {"first_party": first_party, "second_party": second_party}
        return self._post(self._collection, parties | dict(options), key)

    def update(self, session_uuid: str, options: Mapping[str, Any], key: str | None) -> Exchange[SessionReply]:
        _check_names(options, _UPDATE_NAMES, "update_masking_session")
        return self._post(self._path(session_uuid), options, key)

    def get(self, session_uuid: str) -> Exchange[SessionReply]:
        return Exchange(Request("GET", self._path(session_uuid), self._headers), read_reply, self._retries)

    def delete(self, session_uuid: str) -> Exchange[Message]:
        return Exchange(Request("DELETE", self._path(session_uuid), self._headers), read_message, self._retries)

    def list(self, filters: Mapping[str, Any]) -> Exchange[SessionPage]:
        _check_names(filters, _FILTER_NAMES, "list_masking_session")
        return self.page({name: query_text(value) for name, value in filters.items() if value is not None})

    def page(self, query: Mapping[str, str]) -> Exchange[SessionPage]:
        target = f"{self._collection}?{urlencode(query)}" if query else self._collection
        return Exchange(Request("GET", target, self._headers), read_page, self._retries)

    def _post(self, target: str, body: Mapping[str, Any], key: str | None) -> Exchange[SessionReply]:
        if key is not None and not _KEY.match(key):
            raise ValueError("An idempotency_key is 1 to 255 visible ASCII characters.")
        headers = {**self._headers, "Content-Type": "application/json", IDEMPOTENCY_KEY: key or str(uuid4())}
        content = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
        return Exchange(Request("POST", target, headers, content), read_reply, self._retries)

    def _path(self, session_uuid: str) -> str:
        # Without an id the path would be the collection's, and an update a create.
        if not session_uuid:
            raise ValueError("A session_uuid is needed.")
        return f"{self._collection}{quote(session_uuid, safe='')}/"


def split_base_url(base_url: str) -> SplitResult:
    """Scheme, host and path before `/v1`, without slash at its end; raises `ValueError`."""
    parts = urlsplit(base_url)
    written = base_url.isascii() and base_url.isprintable() and " " not in base_url
    if parts.scheme not in ("http", "https") or not parts.hostname or not written:
        _refuse("must be http:// or https:// and a host")
    if parts.query or parts.fragment or parts.username is not None:
        _refuse("holds no query, fragment or credentials")
    if parts.path.rstrip("/").endswith("/v1"):
        _refuse("ends before /v1")
    return parts._replace(path=parts.path.rstrip("/"))


def _refuse(what: str) -> NoReturn:
    raise ValueError(f"A base_url {what}: https://masking.example.com, or https://masking.example.com/vts.")


def _check_names(given: Mapping[str, Any], known: frozenset[str], method: str) -> None:
    """The server skips names it does not know, so a slip of the pen would go unnoticed."""
    for name in given:
        if name not in known:
            raise TypeError(f"{method}() got an unexpected keyword argument {name!r}")
