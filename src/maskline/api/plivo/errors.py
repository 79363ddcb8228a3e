"""Errors in Plivo's shape: `{"api_id": …, "error": …}`, with the statuses of plivo-vts.md §1.2.

A cause that Plivo's text does not tell goes into the extra field `detail`, which its SDKs skip. The vendor's texts have
no full stop at their end, so none of ours has one here either.
"""

from __future__ import annotations

from maskline.errors import MasklineError, NotAuthenticated, TooManyRequests

INTERNAL = "Internal server error"
NO_SUCH_RESOURCE = "The requested resource does not exist"
WRONG_METHOD = "This method is not allowed for the requested resource"


def error_body(api_id: str, sentence: str, detail: str = "") -> dict[str, str]:
    body = {"api_id": api_id, "error": sentence.removesuffix(".")}
    if detail:
        body["detail"] = detail
    return body


def error_headers(error: MasklineError) -> dict[str, str]:
    """Headers that belong to the status: the challenge of a 401, the waiting time of a 429."""
    if isinstance(error, NotAuthenticated):
        return {"WWW-Authenticate": 'Basic realm="Maskline", charset="UTF-8"'}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(max(1, round(error.retry_after + 0.5)))}
    return {}
