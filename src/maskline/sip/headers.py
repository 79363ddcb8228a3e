"""Typed values of the headers the stack itself reads: Via, addresses, CSeq, Reason.

What it is: small slotted values, each built from one header element. What it is not: messages; `message` calls
these when a value is first asked for. Raising `ParseError` is their only failure.
"""

from __future__ import annotations

import re

from maskline.sip.grammar import (
    MAX_CSEQ,
    ParseError,
    parse_number,
    parse_parameters,
    split_list,
    split_quoted,
)  # fmt: skip
from maskline.sip.uri import Uri, parse_host_port, parse_port

MAGIC_COOKIE = "z9hG4bK"
"""RFC 3261 §8.1.1.7: a branch that starts with it is unique."""
_VIA = re.compile(
    r"SIP\s*/\s*([0-9]+\.[0-9]+)\s*/\s*([A-Za-z0-9\-.!%*_+`'~]+)\s+([^;]+)(;.*)?", re.DOTALL | re.IGNORECASE
)


_CSEQ = re.compile(r"([0-9]{1,20})[ \t]+([A-Za-z0-9\-.!%*_+`'~]+)")
# What nearly every peer writes, in one match; anything else takes the long way, with the same result.
_PLAIN_VIA = re.compile(
    r"SIP/2\.0/([A-Z]+) ([A-Za-z0-9.\-]++)(?::([0-9]{1,5}+)|)(?:;rport|);branch=([A-Za-z0-9\-.!%*_+`'~]++)(?:;rport|)"
)
_PLAIN_ADDRESS = re.compile(
    r"(?:\"([^\"\\]*+)\"[ \t]*+|([^\"<]*+))<([!-=?-~][^>]*+(?<=[!-~]))>(?:;tag=([A-Za-z0-9\-.!%*_+`'~]++)|)"
)


class Via:
    """One Via element."""

    __slots__ = ("_parameters", "branch", "host", "port", "text", "transport")

    text: str
    branch: str
    """Empty when absent: an RFC 2543 peer."""
    host: str
    port: int | None

    def __init__(self, text: str) -> None:
        self.text = text
        self._parameters: dict[str, str] | None = None
        match = _PLAIN_VIA.fullmatch(text)
        if match is not None:
            transport, host, port, self.branch = match.groups()
            self.transport, self.host, self.port = transport.lower(), host.lower(), parse_port(port)
        else:
            self._read_any()
        if self.branch == MAGIC_COOKIE:
            # RFC 4475 §3.2.1 badbranch: the cookie promises a unique branch and none follows.
            raise ParseError(400, "Empty branch")

    def _read_any(self) -> None:
        match = _VIA.fullmatch(self.text)
        if match is None:
            raise ParseError(400, "Malformed Via")
        self.transport = match[2].lower()
        self.host, self.port = parse_host_port(match[3].rstrip())
        self._parameters = parse_parameters(match[4]) if match[4] else {}
        self.branch = self._parameters.get("branch", "")

    @property
    def parameters(self) -> dict[str, str]:
        if self._parameters is None:
            self._parameters = parse_parameters(self.text[self.text.index(";") :])
        return self._parameters

    @property
    def has_cookie(self) -> bool:
        return self.branch.startswith(MAGIC_COOKIE)


class Address:
    """name-addr or addr-spec with header parameters: From, To, Contact, Route, P-Asserted-Identity."""

    __slots__ = ("_parameters", "_uri", "display", "tag", "uri_text")

    display: str
    """Display name without quotes; may name a person, so it never crosses to the other leg."""
    uri_text: str
    tag: str

    def __init__(self, text: str, tag: str | None = None) -> None:
        """`tag`: its own or empty, if it is known to be as nearly every peer writes it."""
        self._uri: Uri | None = None
        self._parameters: dict[str, str] | None = None
        if tag is not None:
            self._cut(text, tag)
            return
        self.uri_text = _bare(text)
        if self.uri_text:
            self.display = self.tag = ""
            return
        match = _PLAIN_ADDRESS.fullmatch(text)
        if match is not None:
            quoted, display, self.uri_text, tag = match.groups()
            self.display = quoted or (display.strip() if display else "")
            self.tag = tag or ""
        else:
            self._read_any(text)

    def _cut(self, text: str, tag: str) -> None:
        """What `_PLAIN_ADDRESS` would find."""
        quote = text.find('"', 1) if text.startswith('"') else -1
        begin = text.find("<", quote + 1)
        self.uri_text = text[begin + 1 : text.find(">", begin)]
        self.display = text[1:quote] if quote > 0 else text[:begin].strip()
        self.tag = tag

    def _read_any(self, text: str) -> None:
        quoted, rest = split_quoted(text) if text.startswith('"') else ("", text)
        before, angle, after = rest.partition("<")
        if angle:
            # Unquoted display names with commas are common from carriers; no other reading is possible in a
            # header with a single value, so they are taken as they are (RFC 4475 §3.1.2.15 allows it).
            uri_text, closed, parameters = after.partition(">")
            if not closed or '"' in before or (quoted and before.strip()):
                raise ParseError(400, "Malformed address")
            self.display = quoted or before.strip()
        else:
            # Without angle brackets every parameter belongs to the header (§20.10).
            uri_text, semicolon, tail = rest.strip().partition(";")
            uri_text, parameters = uri_text.rstrip(), semicolon + tail
            self.display = ""
            if quoted or "?" in uri_text:
                raise ParseError(400, "Malformed address")
        if not uri_text or uri_text[0].isspace() or uri_text[-1].isspace():
            raise ParseError(400, "Malformed address")
        self.uri_text = uri_text
        self._parameters = parse_parameters(parameters) if parameters else {}
        self.tag = self._parameters.get("tag", "")

    @property
    def parameters(self) -> dict[str, str]:
        if self._parameters is None:
            self._parameters = {"tag": self.tag} if self.tag else {}
        return self._parameters

    @property
    def uri(self) -> Uri:
        """Parsed at first use; raises `ParseError`."""
        if self._uri is None:
            self._uri = Uri(self.uri_text)
        return self._uri

    def __repr__(self) -> str:
        return "Address(•••)"


def _bare(text: str) -> str:
    """The URI of an address that says nothing else, as most Contacts do; empty: there is more to it."""
    if not text.startswith("<") or text.find(">") != len(text) - 1:
        return ""
    uri_text = text[1:-1]
    return uri_text if uri_text == uri_text.strip() else ""


def parse_cseq(text: str) -> tuple[int, str]:
    match = _CSEQ.fullmatch(text)
    if match is None:
        raise ParseError(400, "Malformed CSeq")
    number = int(match[1])
    if number > MAX_CSEQ:
        raise ParseError(400, "CSeq out of range")
    return number, match[2]


def parse_q850_cause(text: str) -> int | None:
    """The Q.850 cause of a Reason header (RFC 3326), or None; malformed elements are passed over, because a
    call must not stay up for a bad explanation of its end."""
    for element in split_list(text):
        protocol, semicolon, parameters = element.partition(";")
        if protocol.strip().upper() != "Q.850":
            continue
        try:
            return parse_number(parse_parameters(semicolon + parameters).get("cause", ""), 127, "cause")
        except ParseError:
            continue
    return None
