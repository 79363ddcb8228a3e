"""The lowest words of RFC 3261 §25: limits, tokens, header names, quoted lists, parameters.

What it is: functions over text, linear in its length whatever an attacker sends (every pattern that opens a
quote also accepts the end of the text, so nothing is scanned twice). What it is not: messages or typed
headers. Who uses it: the other modules of `sip`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskline.sip.message import Request

MAX_MESSAGE = 65_536
"""Bytes of one message; UDP cannot carry more, a stream must not be able to ask for more."""
MAX_HEADERS = 256
"""Header lines of one message, after unfolding."""
MAX_LINE = 8_192
"""Characters of one header line, after unfolding."""
MAX_CSEQ = 2**31 - 1
"""RFC 3261 §8.1.1.5: the sequence number is less than 2**31."""

_FOLD = re.compile(r"\r\n[ \t]+")
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_PLAIN_PARAMETERS = re.compile(r"(?:;[A-Za-z0-9\-.!%*_+`'~]+(?:=[^\s;=\"]+)?)+")
_LIST_MARK = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?$)|<[^>]*+(?:>|$)|,', re.DOTALL)
_PARAMETER_MARK = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?$)|;', re.DOTALL)
_ESCAPED_PAIR = re.compile(r"\\(.)", re.DOTALL)

_COMPACT = {
    "i": "call-id", "m": "contact", "e": "content-encoding", "l": "content-length", "c": "content-type",
    "f": "from", "s": "subject", "k": "supported", "t": "to", "v": "via", "o": "event", "u": "allow-events",
    "a": "accept-contact", "j": "reject-contact", "d": "request-disposition", "x": "session-expires",
    "b": "referred-by", "r": "refer-to", "y": "identity",
}  # fmt: skip
_USUAL_NAMES = (
    "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Content-Length", "Content-Type", "Route",
    "Record-Route", "Allow", "Supported", "Require", "User-Agent", "Server", "Accept", "Date", "Expires", "Reason",
    "Privacy", "P-Asserted-Identity", "Remote-Party-ID", "Session-Expires", "Min-SE", "Allow-Events", "Retry-After",
    "Accept-Encoding", "Accept-Language", "Content-Disposition", "Diversion", "P-Charging-Vector", "Warning",
)  # fmt: skip
HEADER_KEYS: dict[str, str] = {name: name.lower() for name in _USUAL_NAMES} | _COMPACT
"""Header names as peers usually write them -> our lower-case key. Never grows: names come from the wire."""
_SINGLE = frozenset(("from", "to", "call-id", "cseq", "content-length", "max-forwards", "content-type"))


class ParseError(Exception):
    """What arrived breaks the protocol. `request` is set when the request can still be answered: its Via was
    there, so a response with `status` and `reason` reaches whoever sent it. Nothing else leaves the parser."""

    def __init__(self, status: int, reason: str, request: Request | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.request = request


def is_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


def header_key(name: str) -> str:
    """Lower-case long form of a header name as it stood on the wire; raises `ParseError`."""
    name = name.rstrip(" \t")
    if _TOKEN.fullmatch(name) is None:
        raise ParseError(400, "Malformed header name")
    name = name.lower()
    return _COMPACT.get(name, name)


def add_header(headers: dict[str, str], line: str) -> None:
    """A header line, whatever way it is written, to the headers by key. Raises `ParseError`."""
    name, colon, value = line.partition(":")
    key = header_key(name)
    if not colon:
        raise ParseError(400, "Header without colon")
    if len(line) > MAX_LINE:
        raise ParseError(400, "Header line too long")
    value = value.strip(" \t")
    if key not in headers:
        headers[key] = value
    elif key in _SINGLE:
        raise ParseError(400, f"Repeated {key} header")
    else:
        headers[key] += "\n" + value


def unfold(text: str) -> str:
    """Join continued header lines (RFC 3261 §7.3.1)."""
    if "\r\n " in text or "\r\n\t" in text:
        return _FOLD.sub(" ", text)
    return text


def split_list(text: str) -> list[str]:
    """The elements of a comma-separated header, deaf to commas inside quotes and angle brackets; values of
    repeated headers are joined by a line feed (see `message`). Empty elements are kept."""
    if "\n" in text:
        return [element for value in text.split("\n") for element in split_list(value)]
    if "," not in text:
        return [text]
    if '"' not in text and "<" not in text:
        return [element.strip() for element in text.split(",")]
    return _cut(text, _LIST_MARK, ",")


def _cut(text: str, marks: re.Pattern[str], separator: str) -> list[str]:
    parts = []
    start = 0
    for mark in marks.finditer(text):
        if mark.group() == separator:
            parts.append(text[start : mark.start()].strip())
            start = mark.end()
    parts.append(text[start:].strip())
    return parts


def parse_parameters(text: str) -> dict[str, str]:
    """`;name=value;flag` -> {"name": "value", "flag": ""}; names lower-case, quotes removed, the first of two
    equal names wins. Raises `ParseError` for empty parameters and for anything before the first `;`."""
    parameters: dict[str, str] = {}
    if _PLAIN_PARAMETERS.fullmatch(text):  # nearly all: no quotes, no white space
        for part in text[1:].split(";"):
            name, _, value = part.partition("=")
            parameters.setdefault(name.lower(), value)
        return parameters
    if not text or text.isspace():
        return parameters
    parts = _cut(text, _PARAMETER_MARK, ";") if '"' in text else text.split(";")
    if parts[0].strip():
        raise ParseError(400, "Text before parameters")
    for part in parts[1:]:
        name, equals, value = part.partition("=")
        name, value = name.strip(), value.strip()
        if _TOKEN.fullmatch(name) is None or (equals and not value):
            raise ParseError(400, "Malformed parameter")
        parameters.setdefault(name.lower(), unquote_string(value))
    return parameters


def unquote_string(text: str) -> str:
    """A quoted string without quotes and escapes; other text unchanged. Raises `ParseError` on a lone quote."""
    if '"' not in text:
        return text
    if _QUOTED.fullmatch(text) is None:
        raise ParseError(400, "Unbalanced quotes")
    return _ESCAPED_PAIR.sub(r"\1", text[1:-1])


def split_quoted(text: str) -> tuple[str, str]:
    """A leading quoted string (with its quotes removed) and the rest. Raises `ParseError` if it never ends."""
    match = _QUOTED.match(text)
    if match is None:
        raise ParseError(400, "Unbalanced quotes")
    return unquote_string(match.group()), text[match.end() :]


def parse_number(text: str, highest: int, what: str) -> int:
    """Decimal digits up to `highest`; raises `ParseError` naming `what`. Length is checked first, since int()
    of a long digit string costs quadratic time."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        raise ParseError(400, f"Malformed {what}")
    number = int(text)
    if number > highest:
        raise ParseError(400, f"{what} out of range")
    return number


def has_line_break(text: str) -> bool:
    return "\r" in text or "\n" in text
