"""The error tree: every failure a user of Maskline can meet, with its stable code and statuses.

What it is: the base class and the errors shared by more than one package. A class's docstring is the
public sentence used when none is given. What it is not: protocol-internal faults (`sip.parser.ParseError`
stays in `sip`). Who uses it: workflows raise; API dialects, the CLI and the engine translate.

No sentence may contain a real number: what is wrong is named by its parameter, never by its value.
"""

from __future__ import annotations


class MasklineError(Exception):
    """Something went wrong inside Maskline."""

    code: str = "internal_error"
    """Stable identifier, listed in docs/reference/errors.md."""
    http_status: int = 500
    """Status an HTTP dialect answers with; 500 is only for bugs."""
    sip_status: int = 500
    """Status the engine answers an INVITE with when this error ends it."""

    def __init__(self, sentence: str | None = None, *, detail: str = "") -> None:
        self.sentence = sentence or (type(self).__doc__ or "").strip()
        self.detail = detail
        """A second sentence on the cause, shown in a field of its own where a vendor fixes the first one."""
        super().__init__(self.sentence)


class InvalidParameter(MasklineError):
    """A parameter has a value that is not allowed."""

    code, http_status, sip_status = "invalid_parameter", 400, 400

    def __init__(self, sentence: str | None = None, *, parameter: str = "", detail: str = "") -> None:
        super().__init__(sentence, detail=detail)
        self.parameter = parameter


class MissingParameter(InvalidParameter):
    """A mandatory parameter is missing."""

    code = "missing_parameter"


class NotSupported(InvalidParameter):
    """This parameter is not supported yet."""

    code = "not_supported"


class NotAuthenticated(MasklineError):
    """The credentials are missing or wrong."""

    code, http_status, sip_status = "not_authenticated", 401, 403


class NotOffered(MasklineError):
    """This server does not offer that."""

    code, http_status, sip_status = "not_offered", 403, 403


class NotFound(MasklineError):
    """There is no such object in this account."""

    code, http_status, sip_status = "not_found", 404, 404


class LinkRefused(MasklineError):
    """This link was not made here, or was changed."""

    code, http_status, sip_status = "link_refused", 403, 403


class Gone(MasklineError):
    """What was here is not here any more."""

    code, http_status, sip_status = "gone", 410, 410


class Conflict(MasklineError):
    """The object exists already or is in a state that does not allow this."""

    code, http_status, sip_status = "conflict", 409, 491


class IdempotencyMismatch(MasklineError):
    """This Idempotency-Key was used with another request."""

    code, http_status, sip_status = "idempotency_mismatch", 422, 500


class SessionEnded(MasklineError):
    """Session already expired"""

    code, http_status, sip_status = "session_ended", 400, 404


class PoolExhausted(MasklineError):
    """Number pool exhausted or not available"""

    code, http_status, sip_status = "pool_exhausted", 400, 503


class UnreadableFact(MasklineError):
    """A fact of the log was written by another version of Maskline."""

    code = "unreadable_fact"


class MediaUnavailable(MasklineError):
    """The media driver does not answer."""

    code, http_status, sip_status = "media_unavailable", 503, 503


class StoreUnavailable(MasklineError):
    """The database does not answer."""

    code, http_status, sip_status = "store_unavailable", 503, 503


class BodyTooLarge(MasklineError):
    """The request body is larger than 64 kB."""

    code, http_status, sip_status = "body_too_large", 413, 513


class RequestTooSlow(MasklineError):
    """The request body did not arrive in time."""

    code, http_status, sip_status = "request_too_slow", 408, 408


class TooManyRequests(MasklineError):
    """Too many requests. Try again later"""

    code, http_status, sip_status = "too_many_requests", 429, 503

    def __init__(self, sentence: str | None = None, *, retry_after: float = 1.0) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        """Seconds until a request is taken again."""


class ConfigurationError(MasklineError):
    """A setting has a value Maskline cannot start with."""

    code = "configuration_error"
