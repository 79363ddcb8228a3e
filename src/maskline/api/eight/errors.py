"""The four shapes in which 8x8's APIs tell errors (8x8-wavecell.md §8.1), and which request gets which.

What it is: from an error to a body and headers. What it is not: what is wrong; operations and workflows raise that.
Who uses it: `routes.py`; each resource names its shape.

A resource tells all its errors in one shape, also those for which the vendor's pages show none. An error without a
number of the vendor's has its HTTP status in that place, as the vendor's own 401, 404 and 500 have.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from maskline.errors import MasklineError, NotAuthenticated, TooManyRequests
from maskline.webhooks.formats.eight_parts import iso_milliseconds

UNKNOWN = "An unknown error has occurred"
UNKNOWN_NUMBER = -9999
"""Of a call flow that could not be kept though nothing was wrong with it."""
NO_SUCH_RESOURCE = "The requested resource does not exist"
WRONG_METHOD = "This method is not allowed for the requested resource"


class ErrorShape(Enum):
    FLOW = "FlowError"
    """`callflows`. Values are the names of schemas in the OpenAPI document."""
    SERVICE = "ServiceError"
    """Webhooks and recordings: the number is a text."""
    NUMBER = "NumberError"
    PLATFORM = "PlatformError"
    """Exports, speech profiles, and what belongs to no resource."""


class Refused(MasklineError):
    """A request cannot be carried out, for a reason that has a number in the vendor's API."""

    code, http_status = "eight_refused", 422

    def __init__(self, number: int = 1001, sentence: str | None = None, status: int = 422) -> None:
        super().__init__(sentence)
        self.number = number
        """Such as 1001 (webhooks and recordings) or 4018 (exports)."""
        self.http_status = status


def error_body(shape: ErrorShape, error: MasklineError, request_id: str, wall: float) -> dict[str, Any]:
    """`request_id`: UUID of this request, at wall second `wall`."""
    number, sentence = getattr(error, "number", error.http_status), error.sentence.removesuffix(".")
    if shape is ErrorShape.FLOW and error.http_status > 500:
        # A store that is away: of the vendor's numbers this one alone says that the request was good.
        number, sentence = UNKNOWN_NUMBER, UNKNOWN
    return _BODIES[shape](number, sentence, request_id, wall)


def plain_body(shape: ErrorShape, status: int, sentence: str, request_id: str, wall: float) -> dict[str, Any]:
    """Of an error that is none of ours by class: no route, or a bug."""
    return _BODIES[shape](status, sentence, request_id, wall)


def _flow(number: int, sentence: str, request_id: str, wall: float) -> dict[str, Any]:
    return {
        "sessionStatus": "NOT_CREATED", "callFlowRequestId": request_id, "statusCode": number,
        "statusMessage": sentence,
    }  # fmt: skip


def _service(number: int, sentence: str, request_id: str, wall: float) -> dict[str, Any]:
    return {
        "errorId": request_id, "statusCode": str(number), "statusMessage": sentence,
        "timestamp": iso_milliseconds(wall),
    }  # fmt: skip


def _number(number: int, sentence: str, request_id: str, wall: float) -> dict[str, Any]:
    return {"statusCode": number, "statusMessage": sentence, "timestamp": iso_milliseconds(wall)}


def _platform(number: int, sentence: str, request_id: str, wall: float) -> dict[str, Any]:
    return {"code": number, "message": sentence, "errorId": request_id, "timestamp": iso_milliseconds(wall)}


_BODIES: dict[ErrorShape, Callable[[int, str, str, float], dict[str, Any]]] = {
    ErrorShape.FLOW: _flow, ErrorShape.SERVICE: _service, ErrorShape.NUMBER: _number, ErrorShape.PLATFORM: _platform,
}  # fmt: skip


def error_headers(error: MasklineError) -> dict[str, str]:
    """Headers that belong to the status: the challenge of a 401 (RFC 6750 §3), the waiting time of a 429."""
    if isinstance(error, NotAuthenticated):
        return {"WWW-Authenticate": 'Bearer realm="Maskline"'}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(max(1, round(error.retry_after + 0.5)))}
    return {}
