"""The session description inside a body of several parts (RFC 5621): SIP-I puts ISUP beside it, others a place.

What it is: bytes of a multipart body -> its SDP part, within limits. What it is not: a MIME reader; other parts are
passed over unread, so that nothing in them can cross to anybody, and no part is looked for inside another. Who uses it:
`parser`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from maskline.sip.grammar import ParseError, header_key, parse_parameters

MAX_PARTS = 16
_MAX_HEAD = 2_048
"""Bytes of one part's headers."""
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
"""RFC 2046 §5.1.1."""
_AS_IT_IS = frozenset(("", "binary", "8bit", "7bit"))


class _Part(NamedTuple):
    kind: str
    disposition: str
    handling: str
    """`required`: who does not understand it must refuse the whole; `optional`: need not (RFC 5621 §8.2)."""
    content: bytes


def sdp_of_parts(body: bytes, content_type: str) -> bytes | None:
    """The first part that describes the session; empty: there is none, and each part says that nobody has to understand
    it. None: somebody has to, or this is no multipart body. `content_type`: the header's value.

    Beside SDP only a part that says `handling=required` insists: ISUP without a word of it comes from gateways that do
    not expect anybody to read it. Without SDP the standard holds, by which a part without a word is required (RFC 3261
    §20.11): it may have been an offer, in a form that is not read here."""
    try:
        boundary = parse_parameters("".join(content_type.partition(";")[1:])).get("boundary", "")
        parts = _parts(body, boundary) if _BOUNDARY.fullmatch(boundary) else []
    except ParseError:
        return None
    found: bytes | None = None
    others = []
    for part in parts:
        if part.kind == "application/sdp" and part.disposition in ("", "session"):
            found = part.content if found is None else found
        else:
            others.append(part.handling)
    if found is not None:
        return found.removesuffix(b"\r\n") + b"\r\n" if found and "required" not in others else None
    return b"" if others and all(handling == "optional" for handling in others) else None


def _parts(body: bytes, boundary: str) -> list[_Part]:
    """Raises `ParseError` for what does not end, has too many parts, or is cut in another way."""
    _, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), MAX_PARTS + 2)
    parts: list[_Part] = []
    for piece in pieces:
        if piece.startswith(b"--"):
            return parts
        # White space may follow the boundary; anything else is another boundary that begins as this one does.
        padding, line_break, rest = piece.partition(b"\r\n")
        if padding.strip(b" \t") or not line_break or len(parts) == MAX_PARTS:
            break
        parts.append(_part(rest))
    raise ParseError(400, "Malformed multipart body")


def _part(text: bytes) -> _Part:
    head, blank_line, content = (b"\r\n" + text).partition(b"\r\n\r\n")
    if not blank_line or len(head) > _MAX_HEAD:
        raise ParseError(400, "Malformed body part")
    headers = {}
    for line in head.decode("latin-1").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers[header_key(name)] = value.strip(" \t")
    kind = headers.get("content-type", "text/plain").partition(";")[0].strip(" \t").lower()
    if headers.get("content-transfer-encoding", "").lower() not in _AS_IT_IS or "content-encoding" in headers:
        kind = ""
    disposition, semicolon, parameters = headers.get("content-disposition", "").partition(";")
    handling = parse_parameters(semicolon + parameters).get("handling", "")
    return _Part(kind, disposition.strip(" \t").lower(), handling.lower(), content)
