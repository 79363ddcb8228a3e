"""Bytes of one message -> `Request` or `Response`, within limits.

What it is: one pass over the header block. Two strictness levels: a framing fault (no start line, bare CR or
LF, too large) leaves nothing to answer and the message is dropped; a field fault in a request that has a Via
is answered with the status in the `ParseError`. Faulty responses are always dropped (§8.1.3, §18.1.2 know no
error for them). What it is not: policy (methods, schemes, extensions: `agent_checks`), nor stream framing:
TCP and TLS will cut messages at Content-Length in a `Framer` of their own and hand each one to `parse`.
Nothing but `ParseError` leaves this module. Who uses it: `agent`, tests.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from maskline.sip.grammar import (
    HEADER_KEYS,
    MAX_HEADERS,
    MAX_LINE,
    MAX_MESSAGE,
    ParseError,
    add_header,
    is_token,
    parse_number,
    unfold,
)  # fmt: skip
from maskline.sip.headers import parse_cseq
from maskline.sip.message import Message, Request, Response
from maskline.sip.multipart import sdp_of_parts
from maskline.sip.uri import is_plain

if TYPE_CHECKING:
    from maskline.sip.recall import Memory

__all__ = ["ParseError", "parse"]

_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]"
_PORT = "[1-9][0-9]{0,3}+|[1-5][0-9]{4}+"
_ADDRESS = rf"(?:\"[^\"\\]*+\"[ \t]*+|[^\"<]*+)<[!-=?-~][^>]*+(?<=[!-~])>(?:;tag=({_TOKEN}++)|)"
# Via, From, To, Call-ID and CSeq as nearly every peer writes them, in one match; anything else takes the long way, with
# the same result. All but one character (`[^>]`) is to `re` half the work of a set of them. None of the five has a line
# break in it and the pattern has four, so nothing matches beyond its own. `(?:…|)` and not `(?:…)?`: a choice is a
# jump, a repetition of several characters takes memory each time.
_USUAL = re.compile(
    rf"SIP/2\.0/[A-Z]+ ([A-Za-z0-9.\-]++(?::(?:{_PORT})|))(?:;rport|);branch=(z9hG4bK{_TOKEN}++)(?:;rport|)\n"
    rf"{_ADDRESS}\n{_ADDRESS}\n[^ ]+\n([0-9]{{1,9}}+) (INVITE|BYE|ACK|{_TOKEN}++)"
)
_USUAL_METHODS = frozenset(("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "PRACK", "UPDATE", "INFO"))
_STATUSES = {str(status): status for status in range(100, 700)}
_VERSION = re.compile(r"SIP/([0-9]+\.[0-9]+)", re.IGNORECASE)
_FOLDS = (" ", "\t")
_is_plain_target = lru_cache(maxsize=64)(is_plain)
"""Remembered, since inside a dialog it is one of our own Contacts."""
_MANDATORY = ("call-id", "cseq", "via", "from", "to")


def parse(data: bytes, memory: Memory | None = None) -> Request | Response:
    """Parse one datagram, except for what `memory` knows. Bytes after Content-Length are ignored (§18.3). Raises
    `ParseError`."""
    if len(data) > MAX_MESSAGE:
        raise ParseError(513, "Message Too Large")
    if data[:1] in (b"\r", b"\n"):
        data = data.lstrip(b"\r\n")  # §7.5: line breaks before the start line are ignored
    start, blank_line, body = data.partition(b"\r\n\r\n")
    head = start.decode("utf-8", "surrogateescape")
    if memory is not None and blank_line and len(start) <= MAX_LINE:
        message = memory.recall(head, body)
        if message is not None:
            return message
    lines = _lines(head)
    headers, fault = _headers(lines, HEADER_KEYS if len(start) <= MAX_LINE else {})
    if not blank_line and fault is None:
        fault = ParseError(400, "Message ends inside its headers")
    if lines[0][:4].upper() == "SIP/":
        return _response(lines[0], headers, body, fault)
    return _request(lines[0], headers, body, fault)


def _lines(head: str) -> list[str]:
    lines = head.split("\r\n")
    rest = "".join(lines)  # to look for a character is a search of words; to count it in the whole is one by one
    if "\n" in rest or "\r" in rest:
        # A lone CR or LF is how one header is smuggled into another; nothing of this is worth an answer.
        raise ParseError(400, "Bare CR or LF")
    return lines


def _headers(lines: list[str], keys: dict[str, str]) -> tuple[dict[str, str], ParseError | None]:
    """Header text by key, and the first fault; parsing goes on behind it so that there is a Via to answer to. Names
    outside `keys` are looked at closely. `lines` lose their folds."""
    if len(lines) > MAX_HEADERS + 1:
        return _too_many(lines, keys)
    fault: ParseError | None = None
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        key, known = keys.get(name), len(headers)
        if key is not None and value:
            headers.setdefault(key, value.strip(" \t"))
        if len(headers) > known:
            continue
        if line[:1] in _FOLDS:
            _unfold(lines)
            return _headers(lines, keys)
        try:
            add_header(headers, line)
        except ParseError as error:
            fault = fault or error
    return headers, fault


def _too_many(lines: list[str], keys: dict[str, str]) -> tuple[dict[str, str], ParseError | None]:
    _unfold(lines)
    if len(lines) <= MAX_HEADERS + 1:
        return _headers(lines, keys)
    del lines[MAX_HEADERS + 1 :]
    return _headers(lines, keys)[0], ParseError(400, "Too many headers")


def _unfold(lines: list[str]) -> None:
    lines[:] = unfold("\r\n".join(lines)).split("\r\n")


def _request(start: str, headers: dict[str, str], body: bytes, fault: ParseError | None) -> Request:
    parts = start.split(" ")
    if len(start) > MAX_LINE or not (parts[0] in _USUAL_METHODS or is_token(parts[0])):
        raise ParseError(400, "Malformed start line")
    request = Request(parts[0], parts[1] if len(parts) > 1 else "", headers, body)
    try:
        if fault is not None:
            raise fault
        _check_request_line(parts)
        _check_fields(request)
        if request.cseq_method != request.method:
            raise ParseError(400, "CSeq method mismatch")
        # Inside a dialog nobody reads it.
        if not (request.to_tag and _is_plain_target(parts[1])) and request.request_uri.headers:
            raise ParseError(400, "Headers in Request-URI")  # §19.1.5, RFC 4475 §3.1.2.11 escruri
        _ = request.max_forwards
    except ParseError as error:
        answerable = request if "via" in headers and request.method != "ACK" else None
        raise ParseError(error.status, error.reason, answerable) from None
    return request


def _check_request_line(parts: list[str]) -> None:
    if len(parts) != 3 or not parts[1]:
        raise ParseError(400, "Malformed Request-Line")
    if parts[2] != "SIP/2.0" and parts[2].upper() != "SIP/2.0":
        if _VERSION.fullmatch(parts[2]):
            raise ParseError(505, "Version Not Supported")
        raise ParseError(400, "Malformed Request-Line")


def _response(start: str, headers: dict[str, str], body: bytes, fault: ParseError | None) -> Response:
    if start.startswith("SIP/2.0 ") and start[11:12] == " " and len(start) <= MAX_LINE and fault is None:
        code = _STATUSES.get(start[8:11])
        if code is not None:
            response = Response(code, start[12:], headers, body)
            _check_fields(response)
            return response
    version, _, rest = start.partition(" ")
    status, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0" or len(start) > MAX_LINE:
        raise ParseError(400, "Malformed Status-Line")
    if not (len(status) == 3 and status.isascii() and status.isdigit() and "100" <= status <= "699"):
        raise ParseError(400, "Malformed Status-Line")
    if fault is not None:
        raise fault
    response = Response(int(status), reason, headers, body)
    _check_fields(response)
    return response


def _check_fields(message: Message) -> None:
    """What every layer above relies on: Via, From, To, Call-ID, CSeq are there once and sound."""
    headers = message.headers
    try:
        via = headers["via"]
        if "\n" in via:
            via = via[: via.index("\n")]
        fields = f"{via}\n{headers['from']}\n{headers['to']}\n{headers['call-id']}\n{headers['cseq']}"
    except KeyError:
        fields = ""
    usual = _USUAL.fullmatch(fields)
    if usual is None or "\t" in headers["call-id"]:
        _check_each(message)
    else:
        via_host, branch, from_tag, to_tag, cseq, message.cseq_method = usual.groups()
        message.cseq, message.call_id = int(cseq), headers["call-id"]
        message.note_usual(branch, via_host, from_tag or "", to_tag or "")
    length = headers.get("content-length")
    # §18.3: without it, over UDP, the datagram's end is the body's end.
    if length is not None and length != str(len(message.body)):
        _cut_body(message, length)
    kind = headers.get("content-type")
    if kind is not None and kind != "application/sdp" and kind[:10].lower() == "multipart/":
        sdp = sdp_of_parts(message.body, kind)
        if sdp is not None:
            message.take_part("application/sdp" if sdp else "", sdp)


def _check_each(message: Message) -> None:
    headers = message.headers
    get = headers.get
    if not (get("call-id") and get("cseq") and get("via") and get("from") and get("to")):
        missing = next(name for name in _MANDATORY if not get(name))
        raise ParseError(400, f"Missing {missing} header")
    message.call_id = headers["call-id"]
    message.cseq, message.cseq_method = parse_cseq(headers["cseq"])
    if " " in message.call_id or "\t" in message.call_id:
        raise ParseError(400, "Malformed Call-ID")
    _ = message.via, message.from_address, message.to_address


def _cut_body(message: Message, length_text: str) -> None:
    length = parse_number(length_text, MAX_MESSAGE, "Content-Length")
    if length > len(message.body):
        raise ParseError(400, "Body shorter than Content-Length")
    message.body = message.body[:length]
