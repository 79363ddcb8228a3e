"""What goes wrong between a program and the server.

    RestError
      RequestRefused        4xx: the same request will be refused again
        BadRequest          400
        AuthenticationFailed 401
        Forbidden           403
        NotFound            404
        Conflict            409
        TooManyRequests     429, after the tries were used up
      ServerFailed          5xx
        Unavailable         502, 503, 504, after the tries were used up
      NoAnswer              no whole answer arrived
        ConnectFailed       the request never left
        TimedOut            nothing came for the time-out
        ConnectionLost      the connection ended before the answer
      UnreadableAnswer      an answer, but not this API's

A text holds what the server said, or the machine's own reason; never an address with its query, which may name people.
"""

from __future__ import annotations


class RestError(Exception):
    """Everything the client raises about a request."""

    def __init__(
        self, error: str, *, status: int = 0, detail: str = "", api_id: str = "", parameter: str = "",
        retry_after: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(f"{error} ({detail})" if detail else error)
        self.error = error
        """The server's sentence."""
        self.status = status
        """HTTP status; 0 when there was no answer."""
        self.detail = detail
        """The server's second sentence on the cause; mostly empty."""
        self.api_id = api_id
        """The server's name for this request."""
        self.parameter = parameter
        """The parameter that was wrong, if it is about one."""
        self.retry_after = retry_after
        """Seconds the server asked to wait; None when it did not."""


class RequestRefused(RestError):
    """The server refused the request (4xx)."""


class BadRequest(RequestRefused):
    """A parameter is missing or wrong, no number is free, or the session has expired (400)."""


class AuthenticationFailed(RequestRefused):
    """Auth ID or token is wrong, or the account may not act here (401)."""


class Forbidden(RequestRefused):
    """Not allowed to this account (403)."""


class NotFound(RequestRefused):
    """There is no such session in this account (404)."""


class Conflict(RequestRefused):
    """The state of things does not allow this (409)."""


class TooManyRequests(RequestRefused):
    """The account sent more requests than it may (429)."""


class ServerFailed(RestError):
    """The server failed (5xx)."""


class Unavailable(ServerFailed):
    """The server, or a proxy before it, cannot answer at present (502, 503, 504)."""


class NoAnswer(RestError):
    """No whole answer arrived."""

    may_have_acted = True
    """Whether the server may have done what was asked."""


class ConnectFailed(NoAnswer):
    """There was no connection, so the server knows of nothing."""

    may_have_acted = False

    def __init__(self, error: str, *, lasting: bool = False) -> None:
        super().__init__(error)
        self.lasting = lasting
        """Whether a further try cannot help: the server's certificate is not to be trusted."""


class TimedOut(NoAnswer):
    """Nothing came from the server for the whole time-out."""


class ConnectionLost(NoAnswer):
    """The connection ended before the whole answer was there."""


class UnreadableAnswer(RestError):
    """What answered does not speak this API."""


_BY_STATUS: dict[int, type[RestError]] = {
    400: BadRequest,
    401: AuthenticationFailed,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def class_of(status: int) -> type[RestError]:
    """The class for an HTTP status that is no success."""
    if status >= 500:
        return _BY_STATUS.get(status, ServerFailed)
    if status >= 400:
        return _BY_STATUS.get(status, RequestRefused)
    return UnreadableAnswer
