"""A look at a datagram before it is parsed: is it a new call, and if there is no room for it, its refusal.

What it is: enough of RFC 3261 to tell an INVITE that opens a dialog from everything that belongs to calls in progress,
in a third of a microsecond, to read just the five headers that a stateless 503 repeats, and to find by what names a
message calls something that we have. What it is not: a parser; whatever is not plain goes the long way (`parser`). Who
uses it: `agent`, the engine's intake.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from maskline.sip.flow import Flow
from maskline.sip.message import Request
from maskline.sip.uri import bare_host

_TAGGED_TO = re.compile(rb"\r\n(?:to|t)[ \t]*:[^\r\n]*;[ \t]*tag[ \t]*=", re.IGNORECASE)
_OURS = re.compile(rb"([A-Z]+) [^\r\n]+ SIP/2\.0\r\nVia: SIP/2\.0/UDP [^\r\n;]+;branch=(z9hG4bK[0-9a-f]+);")
"""The beginning of a request of ours, as `Builder.request` writes it."""
_ECHOED = {
    b"Via": "via", b"v": "via", b"From": "from", b"f": "from", b"To": "to", b"t": "to", b"Call-ID": "call-id",
    b"i": "call-id", b"CSeq": "cseq",
}  # fmt: skip


_LINE = re.compile(rb"\r\n(Via|From|To|Call-ID|CSeq): ([^\r\n]+)(?=\r\n)")
_TOP_VIA = re.compile(
    rb"SIP/2\.0/UDP ([a-z0-9.\-]+)(?::([0-9]{4,5}))?(;rport)?;branch=(z9hG4bK[A-Za-z0-9\-.!%*_+`'~]+)(;rport)?"
)
_VIA = re.compile(
    rb"\r\n(?:Via|v)[ \t]*:[ \t]*SIP/2\.0/[A-Z]+[ \t]+(\[[0-9A-F:.]+\]|[A-Z0-9.\-]+)(?::([0-9]{1,5}))?;",
    re.IGNORECASE,
)
_BRANCH = re.compile(rb"z9hG4bK[^;,\s]{1,256}+")
_TO = re.compile(rb"\r\n(?:to|t)[ \t]*:", re.IGNORECASE)
_TAG = re.compile(rb"[0-9a-f]{1,64}+")
_CSEQ_METHOD = re.compile(rb"\r\nCSeq[ \t]*:[ \t]*[0-9]{1,10}+[ \t]+([A-Z]++)", re.IGNORECASE)
_FRONT = 4096
"""Bytes of a message in which its Via, To and CSeq are looked for: anybody may send us as many as 64 kB."""


class Plain(NamedTuple):
    """What the refusal of a usual INVITE over UDP needs, as bytes."""

    key: str
    """As `transaction_server.server_key` has it."""
    vias: bytes
    """All Via lines, the topmost with `received` and `rport`."""
    seed: bytes
    """What its tag is made of (`Builder.stateless_tag`)."""
    from_value: bytes
    to_value: bytes
    call_id: bytes
    cseq: bytes
    flow: Flow
    """Where the answer goes."""


def is_new_call(data: bytes) -> bool:
    """Whether this is an INVITE without To tag. One whose To line is folded counts as new, which costs it its turn and
    nothing else."""
    if not data.startswith(b"INVITE "):
        return False
    at = data.find(b"\r\nTo: ")
    if at > 0:
        end = data.find(b"\r\n", at + 6)
        semicolon = data.find(b";", at, end)
        if semicolon < 0:
            return True
        # Names of parameters know no case, and blanks may stand around them.
        return data.find(b";tag=", semicolon, end) < 0 and _TAGGED_TO.search(data) is None
    return _TAGGED_TO.search(data) is None


def tag_in(data: bytes) -> str:
    """The To tag of a request, if it can be one of ours, which are hexadecimal; else empty. These look-ups are made for
    whoever sends us anything, so none goes over the same bytes twice."""
    at = data.find(b"\r\nTo: ", 0, _FRONT)
    if at > 0 and data.find(b"=", at, data.find(b"\r\n", at + 6, _FRONT)) < 0:
        return ""
    to = _TO.search(data, 0, _FRONT)
    start = -1 if to is None else data.find(b";tag=", to.end(), _end_of_line(data, to.end()))
    tag = None if start < 0 else _TAG.match(data, start + 5)
    return "" if tag is None else tag[0].decode()


def transaction_in(data: bytes) -> str:
    """The name of the transaction that a message belongs to, as those of its kind are kept: what a request of theirs
    repeats, or a response of theirs answers. Empty where its topmost Via or its CSeq is written in an unusual way."""
    via = _VIA.search(data, 0, _FRONT)
    start = -1 if via is None else data.find(b";branch=", via.end() - 1, _end_of_line(data, via.end()))
    found = None if start < 0 else _BRANCH.match(data, start + 8)
    if via is None or found is None:
        return ""
    branch = found[0].decode("latin-1")
    if data.startswith(b"SIP/2.0 "):
        method = _CSEQ_METHOD.search(data, 0, _FRONT)
        return "" if method is None else branch + method[1].decode()
    name = data[: data.find(b" ", 0, _FRONT)].decode("latin-1")
    return f"{branch}|{bare_host(via[1].decode())}|{int(via[2]) if via[2] else None}|{name}"


def sent_in(data: bytes) -> str:
    """The name of the transaction of a request of ours, of which this is the beginning; empty: it is none, or too
    little of it."""
    found = _OURS.match(data)
    return "" if found is None else (found[2] + found[1]).decode()


def _end_of_line(data: bytes, start: int) -> int:
    end = data.find(b"\r\n", start, _FRONT)
    return _FRONT if end < 0 else end


def skim(data: bytes) -> Request | None:
    """An INVITE with the headers alone that its refusal repeats; None: it has to be parsed."""
    head = data.partition(b"\r\n\r\n")[0]
    if b"\r\n " in head or b"\r\n\t" in head:
        return None
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        key = _ECHOED.get(name)
        if key is None:
            continue
        text = value.strip(b" \t").decode("utf-8", "surrogateescape")
        headers[key] = f"{headers[key]}\n{text}" if key in headers else text
    if len(headers) < 5 or "\r" in "".join(headers.values()):
        return None
    return Request("INVITE", "", headers, b"")


def skim_plain(data: bytes, flow: Flow) -> Plain | None:
    """The same of an INVITE as nearly every peer writes it, in a quarter of the time; None: take `skim`."""
    head = data[: data.find(b"\r\n\r\n") + 2]
    if flow.transport != "udp" or b"\r\n " in head or b"\r\n\t" in head:
        return None
    values: dict[bytes, bytes] = {}
    others: list[bytes] = []
    found: list[tuple[bytes, bytes]] = _LINE.findall(head)
    for name, value in found:
        if name not in values:
            values[name] = value
        elif name == b"Via":
            others.append(value)
        else:
            return None
    if len(values) != 5 or b"tag" in values[b"To"].lower():
        return None
    match = _TOP_VIA.fullmatch(values[b"Via"])
    return None if match is None else _plain(values, match, others, flow)


def _plain(values: dict[bytes, bytes], match: re.Match[bytes], others: list[bytes], flow: Flow) -> Plain | None:
    via, call_id, cseq = values[b"Via"], values[b"Call-ID"], values[b"CSeq"]
    name, digits, before, branch, behind = match.groups()
    host, port = name.decode(), int(digits) if digits else None
    if port is not None and port > 65_535:
        return None
    top = via
    if before or behind:
        top = b"%b;received=%b" % (via.replace(b";rport", b";rport=%d" % flow.port, 1), flow.host.encode())
    elif host != flow.host:
        return None
    elif (port or 5060) != flow.port:
        flow = flow._replace(port=port or 5060)
    vias = b"".join([b"Via: %b\r\n" % one for one in (top, *others)])
    seed = b"%b|%b|%b" % (b"\n".join((via, *others)), call_id, cseq)
    key = f"{branch.decode()}|{host}|{port}|INVITE"
    return Plain(key, vias, seed, values[b"From"], values[b"To"], call_id, cseq, flow)
