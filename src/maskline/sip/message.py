"""Requests and responses as they arrived: header text by key, typed values parsed at first use.

What it is: the two message values. Headers live in one dict, lower-case long name -> text; a header that came
several times holds its values joined by a line feed, which cannot occur in a header value, so most messages
need no list at all. Unknown headers are kept as text and never sent on. What it is not: parsing of bytes
(`parser`) or building (`build`). Who uses it: the agent, the engine, the lab.
"""

from __future__ import annotations

import re

from maskline.sip.grammar import ParseError, parse_number, split_list
from maskline.sip.headers import Address, Via, parse_q850_cause
from maskline.sip.uri import Uri

_OPTIONAL = re.compile(r";\s*handling\s*=\s*\"?optional\b", re.IGNORECASE)
HOPS = {str(hops): hops for hops in range(256)}
"""Max-Forwards as everybody writes it."""


class Message:
    """What requests and responses share. The parser sets every attribute; treat it as read-only."""

    __slots__ = (
        "_branch", "_contact", "_from", "_from_tag", "_sent_by", "_to", "_to_tag", "_via", "_via_host", "_whole_body",
        "body", "call_id", "cseq", "cseq_method", "headers",
    )  # fmt: skip

    headers: dict[str, str]
    body: bytes
    call_id: str
    cseq: int
    cseq_method: str

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self.headers = headers
        self.body = body
        self._whole_body: bytes | None = None
        self.call_id = self.cseq_method = ""
        self.cseq = 0
        self._from: Address | None = None
        self._to: Address | None = None
        self._via: Via | None = None
        self._contact: Address | None = None
        self._branch: str | None = None
        self._sent_by = self._via_host = ""
        self._from_tag: str | None = None
        self._to_tag: str | None = None

    def note_usual(self, branch: str, via_host: str, from_tag: str | None, to_tag: str | None) -> None:
        """What the parser read in one go; without it, or where it is None or empty, each is read from its header at
        first use. `via_host`: with its port, as it is written."""
        self._branch, self._via_host, self._from_tag, self._to_tag = branch, via_host, from_tag, to_tag

    @property
    def is_usual(self) -> bool:
        """The mandatory headers are as nearly every peer writes them; there may be more than one Via."""
        return self._branch is not None

    def take_part(self, kind: str, content: bytes) -> None:
        """Of a body of several parts this one is all that anybody reads; empty: of this body nothing is."""
        self._whole_body, self.body = self.body, content
        self.headers["content-type"] = kind

    @property
    def whole_body(self) -> bytes:
        """As it came, which is what a digest with `auth-int` is of."""
        return self.body if self._whole_body is None else self._whole_body

    def header(self, name: str) -> str | None:
        """First value of a header as text, or None. `name` in any case, long form."""
        value = self.headers.get(name) or self.headers.get(name.lower())
        return value.partition("\n")[0] if value is not None else None

    def values(self, name: str) -> list[str]:
        """All elements of a comma-separated header, over all its lines; empty elements left out."""
        value = self.headers.get(name) or self.headers.get(name.lower())
        if not value:
            return []
        if "," not in value and "\n" not in value:
            return [value]
        return [element for element in split_list(value) if element]

    @property
    def via(self) -> Via:
        """The topmost Via; raises `ParseError` (so do the properties below)."""
        if self._via is None:
            self._via = Via(self.split_top_via()[0])
        return self._via

    @property
    def branch(self) -> str:
        """Of the topmost Via; empty when it has none."""
        return self.via.branch if self._branch is None else self._branch

    @property
    def sent_by(self) -> str:
        """Host and port of the topmost Via, in one form whatever way they are written."""
        if not self._sent_by:
            if self._via_host:
                host, _, port = self._via_host.partition(":")
                self._sent_by = f"{host.lower()}|{port or None}"
            else:
                self._sent_by = f"{self.via.host}|{self.via.port}"
        return self._sent_by

    def split_top_via(self) -> tuple[str, str]:
        """Text of the topmost Via element and of all others (lines joined by a line feed, may be empty)."""
        line, _, rest = self.headers.get("via", "").partition("\n")
        if "," in line:
            top, *others = split_list(line)
            return top, "\n".join([", ".join(others), rest] if rest else [", ".join(others)])
        return line, rest

    @property
    def from_address(self) -> Address:
        if self._from is None:
            usual = self._from_tag if self._branch is not None else None
            self._from = Address(self.headers.get("from", ""), usual)
        return self._from

    @property
    def to_address(self) -> Address:
        if self._to is None:
            usual = self._to_tag if self._branch is not None else None
            self._to = Address(self.headers.get("to", ""), usual)
        return self._to

    @property
    def from_uri(self) -> Uri:
        return self.from_address.uri

    @property
    def to_uri(self) -> Uri:
        return self.to_address.uri

    @property
    def from_tag(self) -> str:
        if self._from_tag is None:
            self._from_tag = self.from_address.tag
        return self._from_tag

    @property
    def to_tag(self) -> str:
        if self._to_tag is None:
            self._to_tag = self.to_address.tag
        return self._to_tag

    @property
    def contact(self) -> Address | None:
        """The first Contact, or None."""
        if self._contact is None:
            values = self.values("contact")
            if not values:
                return None
            self._contact = Address(values[0])
        return self._contact

    @property
    def content_type(self) -> str:
        """`type/subtype` in lower case without parameters; empty when absent."""
        value = self.headers.get("content-type", "")
        return value if value == "application/sdp" else value.partition(";")[0].strip().lower()

    @property
    def sdp(self) -> bytes:
        """The body when it describes the session. What else may come (ISUP alone, as SIP-I gateways put it into a 180)
        is nobody's here."""
        return self.body if self.body and self.content_type in ("application/sdp", "") else b""

    @property
    def may_be_ignored(self) -> bool:
        """Whether the body says so of itself (RFC 3261 §20.11). Others are refused where not understood."""
        return _OPTIONAL.search(self.header("content-disposition") or "") is not None

    @property
    def q850_cause(self) -> int | None:
        """ISDN cause of the Reason header, where a carrier gives one (RFC 3326)."""
        value = self.headers.get("reason")
        return parse_q850_cause(value) if value else None


class Request(Message):
    """A request. `method` keeps its case: methods are case-sensitive (§7.1)."""

    __slots__ = ("_asserted", "_uri", "method", "uri_text")

    def __init__(self, method: str, uri_text: str, headers: dict[str, str], body: bytes) -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri_text = uri_text
        self._uri: Uri | None = None
        self._asserted: list[Address] | None = None

    @property
    def asserted(self) -> list[Address]:
        """Each P-Asserted-Identity."""
        if self._asserted is None:
            self._asserted = [Address(text) for text in self.values("p-asserted-identity")]
        return self._asserted

    @property
    def request_uri(self) -> Uri:
        if self._uri is None:
            self._uri = Uri(self.uri_text)
        return self._uri

    @property
    def max_forwards(self) -> int | None:
        value = self.headers.get("max-forwards")
        if value is None:
            return None
        hops = HOPS.get(value)
        return parse_number(value, 255, "Max-Forwards") if hops is None else hops

    @property
    def expires(self) -> int | None:
        """Seconds of Expires, or None when absent or malformed: nobody needs it to answer (RFC 3261 §8.2)."""
        value = self.headers.get("expires")
        return None if value is None else _seconds(value, "Expires")

    def __repr__(self) -> str:
        return f"Request({self.method})"


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: dict[str, str], body: bytes) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason

    @property
    def retry_after(self) -> int | None:
        """Seconds of Retry-After, or None when absent or malformed."""
        value = self.headers.get("retry-after")
        return None if value is None else _seconds(value.partition("(")[0].partition(";")[0].strip(), "Retry-After")

    def __repr__(self) -> str:
        return f"Response({self.status} {self.cseq_method})"


def _seconds(text: str, what: str) -> int | None:
    """Of a header that nobody needs to answer; None when malformed."""
    try:
        return parse_number(text, 2**32 - 1, what)
    except ParseError:
        return None
