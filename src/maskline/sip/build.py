"""Every byte the agent sends is written here.

What it is: one format string per kind of message, with the blocks that never change prepared once. Requests
are made of our own values only; responses echo what §8.2.6 makes a response echo, to the party that sent it.
What it is not: a copier of headers. Who uses it: both halves of the agent.
"""

from __future__ import annotations

import hashlib
import re

from maskline.sip.first_look import Plain
from maskline.sip.flow import Flow
from maskline.sip.grammar import ParseError, has_line_break
from maskline.sip.message import Request
from maskline.sip.uri import bracketed
from maskline.values import dataclass, leaf

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
    202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    408: "Request Timeout", 410: "Gone", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme",
    420: "Bad Extension", 422: "Session Interval Too Small", 423: "Interval Too Brief",
    433: "Anonymity Disallowed", 469: "Bad Info Package",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
    483: "Too Many Hops", 484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error", 501: "Not Implemented",
    503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip

_RPORT = re.compile(r";[ \t]*rport[ \t]*(?=;|$)", re.IGNORECASE)
_RECEIVED = re.compile(r";[ \t]*received[ \t]*=[^;]*", re.IGNORECASE)

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One endpoint: the address peers reach it at, and its protocol constants (seconds)."""

    host: str
    port: int
    """Of UDP and TCP."""
    tls_port: int = 5061
    user_agent: str = "Maskline"
    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    allow: tuple[str, ...] = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK")
    supported: tuple[str, ...] = ("100rel", "timer")
    other_host: str = ""
    """Of the other address family, at the same ports; empty: all peers reach us at `host`."""
    name: str = ""
    """Stands in our Contact before the address, where several endpoints share that."""
    fronted: bool = False
    """A proxy is between us and everybody, and the way to it is UDP, whatever way it takes from there."""

    def host_for(self, flow: Flow) -> str:
        """Our address as a peer on this flow reaches it."""
        return self.other_host if self.other_host and (":" in flow.host) != (":" in self.host) else self.host


@leaf
@dataclass(slots=True)
class Envelope:
    """Where a request goes and whose it is: all that its ACK and CANCEL need to be written later."""

    uri: str
    routes: str
    """Route header lines, each with its line break."""
    from_value: str
    to_value: str
    call_id: str
    cseq: int
    branch: str
    way: str
    """Of the flow it takes (`way_of`)."""


class Builder:
    """Writes messages for one endpoint."""

    __slots__ = ("_key", "_server", "accept", "allow", "contacts", "stateless_mark", "supported", "user_agent", "vias")

    def __init__(self, config: AgentConfig, stateless_key: str) -> None:
        self.vias: dict[str, str] = {}
        self.contacts: dict[str, str] = {}
        """By the way of the flow they go out on. `transport=tls` instead of `sips`: what carriers write, and no promise
        for the whole way, which a B2BUA could not keep. `contact` has the other one."""
        for family, peer in (("", "192.0.2.0"), ("6", "2001:db8::")):
            host = bracketed(config.host_for(Flow("", peer, 0)))
            here = f"{config.name}@{host}" if config.name else host
            for transport, port in (("udp", config.port), ("tcp", config.port), ("tls", config.tls_port)):
                named = "" if transport == "udp" else f";transport={transport}"
                self.vias[transport + family] = f"SIP/2.0/{transport.upper()} {host}:{port};branch="
                self.contacts[transport + family] = f"Contact: <sip:{here}:{port}{named}>\r\n"
        self.allow = f"Allow: {', '.join(config.allow)}\r\n"
        self.supported = f"Supported: {', '.join(config.supported)}\r\n" if config.supported else ""
        self.accept = "Accept: application/sdp\r\n"
        self.user_agent = f"User-Agent: {config.user_agent}\r\n"
        self._server = f"Server: {config.user_agent}\r\n"
        self._key = stateless_key.encode()
        self.stateless_mark = f"n{stateless_key[:8]}."
        """How tags of responses without state begin. Those of dialogs are hexadecimal, so none begins with an n."""

    def contact(self, way: str, uri: str) -> str:
        """The Contact line of a message in a dialog whose requests say `uri`: to `sips` only `sips` is an answer
        (§8.1.1.8, §12.1.1)."""
        line = self.contacts[way]
        if not uri.startswith("sips:") or not way.startswith("tls"):
            return line
        return line.replace("<sip:", "<sips:", 1).replace(";transport=tls", "", 1)

    def request(
        self, method: str, envelope: Envelope, extra: str = "", body: bytes = b"", content_type: str = "",
        max_forwards: int = 70,
    ) -> bytes:  # fmt: skip
        """`extra` are complete header lines."""
        via = self.vias[envelope.way]
        return (
            f"{method} {envelope.uri} SIP/2.0\r\nVia: {via}{envelope.branch};rport\r\n{envelope.routes}"
            f"Max-Forwards: {max_forwards}\r\nFrom: {envelope.from_value}\r\nTo: {envelope.to_value}\r\n"
            f"Call-ID: {envelope.call_id}\r\nCSeq: {envelope.cseq} {method}\r\n{extra}{self.user_agent}"
            f"{_content(body, content_type)}"
        ).encode("utf-8", "surrogateescape") + body

    def response(
        self, status: int, echo: str, extra: str = "", body: bytes = b"", content_type: str = "", reason: str = ""
    ) -> bytes:
        """`echo` is what `echo` made of the request."""
        return (
            f"SIP/2.0 {status} {reason or REASONS.get(status, 'Unknown')}\r\n{echo}{extra}{self._server}"
            f"{_content(body, content_type)}"
        ).encode("utf-8", "surrogateescape") + body

    def echo(self, request: Request, flow: Flow, to_tag: str) -> str:
        """Via, From, To, Call-ID and CSeq lines of every response to `request` (§8.2.6.2), with `received` and
        `rport` (RFC 3581). Of a malformed request it echoes what is there."""
        headers = request.headers
        top, others = _mark_source(request, flow)
        if request.is_usual and not others:
            tag = f";tag={to_tag}" if to_tag and not request.to_tag else ""
            return (
                f"Via: {top}\r\nFrom: {headers['from']}\r\nTo: {headers['to']}{tag}\r\n"
                f"Call-ID: {headers['call-id']}\r\nCSeq: {headers['cseq']}\r\n"
            )
        lines = [f"Via: {top}\r\n"]
        if others:
            lines += [f"Via: {other}\r\n" for other in others.split("\n") if other]
        for name, key in (("From", "from"), ("To", "to"), ("Call-ID", "call-id"), ("CSeq", "cseq")):
            value = headers.get(key)
            if value is not None:
                tag = f";tag={to_tag}" if key == "to" and to_tag and not _has_tag(request) else ""
                lines.append(f"{name}: {value.partition(chr(10))[0]}{tag}\r\n")
        return "".join(lines)

    def stateless_tag(self, request: Request) -> str:
        """The tag of a response sent without keeping state: the same for each copy of the request (§8.2.7),
        not to be guessed from outside."""
        seed = f"{request.headers.get('via')}|{request.headers.get('call-id')}|{request.headers.get('cseq')}"
        return self._tag_of(seed.encode("utf-8", "surrogateescape"))

    def _tag_of(self, seed: bytes) -> str:
        return self.stateless_mark + hashlib.blake2b(seed, digest_size=8, key=self._key).hexdigest()

    def refusal(self, status: int, plain: Plain, headers: str) -> bytes:
        """The response without state to an INVITE of which nothing but this was read."""
        tag = self._tag_of(plain.seed).encode()
        return (
            b"SIP/2.0 %d %b\r\n%bFrom: %b\r\nTo: %b;tag=%b\r\nCall-ID: %b\r\nCSeq: %b\r\n%bContent-Length: 0\r\n\r\n"
        ) % (
            status, REASONS[status].encode(), plain.vias, plain.from_value, plain.to_value, tag, plain.call_id,
            plain.cseq, (headers + self._server).encode(),
        )  # fmt: skip


def record_routes(request: Request) -> str:
    """Record-Route lines a response that creates a dialog must repeat (§12.1.1)."""
    value = request.headers.get("record-route")
    return "".join([f"Record-Route: {line}\r\n" for line in value.split("\n")]) if value else ""


def header_lines(headers: Headers) -> str:
    """Our user's own headers as lines. A line break inside would let a value become another header: that is a
    bug of ours, hence `ValueError`."""
    for name, value in headers:
        if has_line_break(name) or has_line_break(value):
            raise ValueError(f"line break in header {name!r}")
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


def _content(body: bytes, content_type: str) -> str:
    if not body:
        return "Content-Length: 0\r\n\r\n"
    return f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"


def _has_tag(request: Request) -> bool:
    try:
        return bool(request.to_tag)
    except ParseError:
        return True  # malformed anyway: echoed as it is


def _mark_source(request: Request, flow: Flow) -> tuple[str, str]:
    top, others = request.split_top_via()
    try:
        if "rport" not in top.lower() and request.sent_by.startswith(f"{flow.host}|"):
            return top, others
        via = request.via
    except ParseError:
        return top, others
    wants_port = "rport" in top.lower() and "rport" in via.parameters
    if not wants_port and via.host == flow.host:
        return top, others
    if "received" in via.parameters:
        top = _RECEIVED.sub("", top)
    if wants_port:
        top = _RPORT.sub(f";rport={flow.port}", top, count=1)
    return f"{top};received={flow.host}", others
