"""Read the JSON object of a request, within limits.

What it is: size, time and syntax. What it is not: schemas. Who uses it: the dialects.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic_core import from_json

from maskline.api.dispatch import Request
from maskline.errors import BodyTooLarge, InvalidParameter, RequestTooSlow

MAX_BODY = 64 * 1024
"""Bytes. The largest create of any SDK is under 8 kB."""
BODY_TIMEOUT = 10.0
"""Seconds in which the whole body has to arrive; the SDKs give up after 5."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


async def read_object(request: Request, *, timeout: float = BODY_TIMEOUT) -> dict[str, Any]:
    """The body as JSON object; an empty body is an empty object. The content type is not looked at, because
    curl without a header calls everything a form.

    Raises `BodyTooLarge`, `RequestTooSlow`, and `InvalidParameter` for anything that is no JSON object.
    """
    return parse_object(await read_body(request, timeout=timeout))


async def read_body(request: Request, *, timeout: float = BODY_TIMEOUT) -> bytes:
    """The body as sent. Raises `BodyTooLarge`, `RequestTooSlow`, and `InvalidParameter` when it ends early."""
    try:
        async with asyncio.timeout(timeout):
            return await _read(request)
    except TimeoutError:
        raise RequestTooSlow from None


async def _read(request: Request) -> bytes:
    declared = request.header(b"content-length") or ""
    if declared.isdecimal() and int(declared) > MAX_BODY:
        raise BodyTooLarge
    body = b""
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise _invalid("ended early")
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise BodyTooLarge
        more = message.get("more_body", False)
    return body


def parse_object(body: bytes) -> dict[str, Any]:
    """Raises `InvalidParameter`; JSON is UTF-8 (RFC 8259 §8.1, a byte order mark is skipped) and knows no NaN (§6)."""
    text = body.removeprefix(BYTE_ORDER_MARK).strip()
    if not text:
        return {}
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError:  # syntax, encoding, number of thousands of digits, nesting
        raise _invalid("is not valid JSON") from None
    if not isinstance(value, dict):
        raise _invalid("is not a JSON object")
    return value


def _invalid(what: str) -> InvalidParameter:
    return InvalidParameter(f"Invalid request. The body {what}", parameter="body")
