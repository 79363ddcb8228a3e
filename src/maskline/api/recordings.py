"""The file of a recording at `/recordings/ID.mp3?expires=…&signature=…`, for whoever has the link.

What it is: HTTP around `OpenRecording`: one byte range (RFC 9110 §14), HEAD, the file sent piece by piece as it is
opened. What it is not: a resource of the account API; no credentials are asked for and none are in the link. Who uses
it: `api/app.py`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from urllib.parse import parse_qs

from maskline.api.dispatch import RawHeaders, Request, Response
from maskline.errors import Gone, LinkRefused, MasklineError, NotFound
from maskline.media.recordings.vault import SealedFile
from maskline.workflows.open_recording import UNKNOWN, OpenRecording

_TYPES = {"mp3": b"audio/mpeg", "wav": b"audio/wav", "csv": b"text/csv; charset=utf-8"}
_NAME = re.compile(r"([0-9a-zA-Z-]{1,64})\.(mp3|wav)")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_COMMON: RawHeaders = (
    (b"cache-control", b"private, no-store"), (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)  # fmt: skip


class RecordingDownload:
    __slots__ = ("_open",)

    def __init__(self, opener: OpenRecording) -> None:
        self._open = opener

    async def __call__(self, request: Request) -> Response:
        try:
            match = _NAME.fullmatch(request.params["name"])
            if match is None:
                raise NotFound(UNKNOWN)
            file = await self._open.by_link(match[1], match[2], *read_proof(request.query))
        except MasklineError as error:
            return refusal(error)
        return file_answer(request, file, match[1], match[2])


def read_proof(query: bytes) -> tuple[int, str]:
    """Expiry and signature of a link; raises `LinkRefused`."""
    asked = parse_qs(query.decode("latin-1"))
    expires, signature = asked.get("expires", [""])[0], asked.get("signature", [""])[0]
    if not (expires.isascii() and expires.isdecimal() and len(expires) < 16 and signature):
        raise LinkRefused("This link is not complete.")
    return int(expires), signature


def refusal(error: MasklineError) -> Response:
    status = error.http_status if isinstance(error, (LinkRefused, NotFound, Gone)) else 503
    body = json.dumps({"error": error.sentence}).encode()
    return Response(status, body, ((b"content-type", b"application/json"), *_COMMON))


def file_answer(request: Request, file: SealedFile, recording_id: str, file_format: str) -> Response:
    """The file, or the part of it that was asked for; it is closed when it is sent."""
    tag = f'"{recording_id}"'.encode()
    headers: RawHeaders = (
        (b"content-type", _TYPES[file_format]), (b"accept-ranges", b"bytes"), (b"etag", tag),
        (b"content-disposition", f'inline; filename="{recording_id}.{file_format}"'.encode()), *_COMMON,
    )  # fmt: skip
    size = file.size
    part = _part(request, size, tag.decode())
    if part is None:
        return Response(200, b"", headers, _pieces(file, 0, size), size)
    start, stop = part
    if start >= stop:
        file.close()
        return Response(416, b"", ((b"content-range", b"bytes */%d" % size), *_COMMON))
    headers = (*headers, (b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size)))
    return Response(206, b"", headers, _pieces(file, start, stop), stop - start)


def _part(request: Request, size: int, tag: str) -> tuple[int, int] | None:
    """The range asked for, empty when it lies outside; None: the whole, also where several are asked for."""
    condition = request.header(b"if-range")
    match = _RANGE.fullmatch((request.header(b"range") or "").replace(" ", ""))
    if match is None or match[0] == "bytes=-" or condition not in (None, tag):
        return None
    if not match[1]:
        return max(size - int(match[2]), 0), size if int(match[2]) else 0
    first = int(match[1])
    last = int(match[2]) if match[2] else max(first, size - 1)
    return (first, min(last + 1, size)) if first <= last else None


async def _pieces(file: SealedFile, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    """Read and opened in a thread: a slow disk must not hold up calls."""
    try:
        pieces = file.read(start, stop)
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece
    finally:
        file.close()
