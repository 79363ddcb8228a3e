"""SDP text -> the one audio stream we take part in (RFC 4566, RFC 3264, RFC 3551, RFC 3605).

What it is: a reader that keeps the first usable audio line and lists the others as refused. What it is not: a
validator of lines nobody uses (o=, s=, t=, b=, k=): they are skipped and have no field to survive in. Lines
may end in LF alone, as the RFC asks of readers (§5). Nothing but `SdpError` leaves this module. Who uses it:
the engine, the lab phones.
"""

from __future__ import annotations

import ipaddress
import re
import string
from dataclasses import dataclass, field
from functools import lru_cache

from maskline.sdp.errors import SdpError
from maskline.sdp.secure import PROTOCOLS, SecureLines, combine
from maskline.sdp.session import AudioDescription, Codec, RefusedStream

__all__ = ["SdpError", "parse"]

MAX_BODY = 16_384
MAX_LINES = 512
MAX_STREAMS = 16
_KINDS = frozenset([f"{letter}=" for letter in string.ascii_letters])
DIRECTIONS = frozenset(("sendrecv", "sendonly", "recvonly", "inactive"))

STATIC_CODECS: dict[int, Codec] = {
    payload_type: Codec(payload_type, name, clock_rate, channels)
    for payload_type, name, clock_rate, channels in (
        (0, "PCMU", 8000, 1), (3, "GSM", 8000, 1), (4, "G723", 8000, 1), (5, "DVI4", 8000, 1), (6, "DVI4", 16000, 1),
        (7, "LPC", 8000, 1), (8, "PCMA", 8000, 1), (9, "G722", 8000, 1), (10, "L16", 44100, 2), (11, "L16", 44100, 1),
        (12, "QCELP", 8000, 1), (13, "CN", 8000, 1), (14, "MPA", 90000, 1), (15, "G728", 8000, 1),
        (16, "DVI4", 11025, 1), (17, "DVI4", 22050, 1), (18, "G729", 8000, 1),
    )
}  # fmt: skip
"""RFC 3551 §6, audio; G722's clock rate of 8000 is the table's own historical error."""

_TOKEN = r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~]+"
_MEDIA = re.compile(rf"({_TOKEN}) ([0-9]{{1,5}})(?:/[0-9]{{1,5}})? ({_TOKEN}(?:/{_TOKEN})*)((?: {_TOKEN})+) *")
_RTPMAP = re.compile(r"([0-9]{1,3})[ \t]+([A-Za-z0-9_.\-]{1,32})/([0-9]{1,6})(?:/([0-9]{1,2}))?[ \t]*")
_FMTP = re.compile(r"([0-9]{1,3})[ \t]+([^\x00-\x1f]{1,512})")
_PORT = re.compile(r"([0-9]{1,5})(?: .*)?")


# An SDP as most carriers write it, up to the formats of its only stream; what follows is the same in every call of a
# carrier, so `_stream` remembers what it means. Anything else takes the long way, with the same result.
_USUAL = re.compile(
    rb"v=0\r\no=.*\r\ns=.*\r\nc=IN IP4 ([0-9.]{7,15})\r\nt=.*\r\n"
    rb"m=audio ([0-9]{1,5}) (RTP/AVP (?s:.*+))",
)
_USUAL_STREAM = re.compile(
    r"RTP/AVP(?: [0-9]{1,3})++(?:\r\na=(?:rtpmap:[0-9]{1,3} [A-Za-z0-9\-]{1,20}/[0-9]{1,6}(?:/[0-9])?"
    r"|fmtp:[0-9]{1,3} [A-Za-z0-9=;,\- ]{1,64}|(?:max)?ptime:[0-9]{1,3}|(?:send|recv)only|sendrecv|inactive))*+"
    r"(?:\r\n)?"
)
_MAX_USUAL = 1_024
MAX_REMEMBERED = 256
_Stream = tuple[tuple[Codec, ...], str, int | None]
_streams: dict[bytes, _Stream] = {}
_LONG_DIGITS = re.compile(r"[0-9]{7}")

_SECURE = frozenset(
    ("crypto", "fingerprint", "setup", "ice-ufrag", "ice-pwd", "ice-lite", "candidate", "rtcp-mux", "mid")
)


@dataclass(slots=True)
class _Media:
    """What was read of one m= section so far."""

    kind: str
    port: int
    protocol: str
    formats: str
    address: str | None = None
    direction: str | None = None
    rtcp_port: int | None = None
    ptime: int | None = None
    maps: dict[int, Codec] = field(default_factory=dict)
    fmtps: dict[int, str] = field(default_factory=dict)
    secure: SecureLines | None = None
    """Made at the first such line: most calls have none."""


def parse(body: bytes, content_type: str = "application/sdp") -> AudioDescription:
    """Read an offer or answer. Raises `SdpError`: 415 for any other `content_type` (multipart included), 400
    for text that is not SDP, 488 for SDP without an audio stream at an IP address that is RTP/AVP, or encrypted
    with what it takes to decrypt it. Where both are offered, RTP/AVP is read."""
    if content_type not in ("application/sdp", ""):
        raise SdpError(415, "Unsupported Media Type")
    match = _USUAL.fullmatch(body) if len(body) < _MAX_USUAL else None
    usual = None if match is None else _usual(match)
    return _any(body) if usual is None else usual


def _usual(match: re.Match[bytes]) -> AudioDescription | None:
    """None: it is not usual enough."""
    written, port_text, block = match.groups()
    address, port, rtcp_port = written.decode(), int(port_text), 0
    found = _streams.get(block)
    if found is None and block.find(b"\r\na=rtcp:") >= 0:  # its port is another in every call
        before, _, rest = block.partition(b"\r\na=rtcp:")
        rtcp_text, after, rest = rest.partition(b"\r\n")
        block = before + after + rest
        rtcp_port = int(rtcp_text) if rtcp_text.isdigit() and len(rtcp_text) < 6 else 0
        if not 0 < rtcp_port < 65_536:
            return None
    if port > 65_535:
        return None
    found = found or _streams.get(block) or _stream(block)
    if found is None:
        return None
    codecs, direction, ptime = found
    if port and _check_address(address) and direction == "sendrecv":
        direction = "sendonly"  # as in `_describe`
    return AudioDescription(address, port, rtcp_port or min(port + 1, 65_535), codecs, direction, ptime)


def _stream(block: bytes) -> _Stream | None:
    """Codecs, direction and packet time of one stream; None: not usual. Remembers what has no room for a number."""
    text = block.decode("latin-1")
    if _USUAL_STREAM.fullmatch(text) is None or _LONG_DIGITS.search(text):
        return None
    _, (media,) = _sections(f"m=audio 9 {text}".removesuffix("\r\n").split("\r\n"))
    stream = _codecs(media), media.direction or "sendrecv", media.ptime
    if len(_streams) >= MAX_REMEMBERED:
        _streams.clear()
    _streams[block] = stream
    return stream


def _any(body: bytes) -> AudioDescription:
    session, sections = _sections(_lines(body))
    index = _choose(sections)
    media = sections[index]
    refused = tuple(RefusedStream(m.kind, m.protocol, m.formats) for m in sections if m is not media)
    return _describe(media, session, refused, index)


def _choose(sections: list[_Media]) -> int:
    secure = None
    for index, media in enumerate(sections):
        if media.kind == "audio" and media.protocol == "RTP/AVP":
            return index
        if media.kind == "audio" and media.protocol in PROTOCOLS and secure is None:
            secure = index
    if secure is None:
        raise SdpError(488, "No RTP audio stream")
    return secure


def _lines(body: bytes) -> list[str]:
    if len(body) > MAX_BODY:
        raise SdpError(400, "SDP too large")
    text = body.decode("utf-8", "surrogateescape")
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > MAX_LINES:
        raise SdpError(400, "Too many SDP lines")
    if not lines or lines[0].rstrip() != "v=0":
        raise SdpError(400, "SDP does not start with v=0")
    return lines


def _sections(lines: list[str]) -> tuple[_Media, list[_Media]]:
    """The session level (as a section without a stream) and the m= sections in order."""
    session = current = _Media("", 0, "", "")
    sections: list[_Media] = []
    for line in lines:
        kind, value = line[:2], line[2:]
        if kind == "a=":
            _attribute(current, value)
        elif kind == "c=":
            current.address = _connection(value)
        elif kind == "m=":
            if len(sections) == MAX_STREAMS:
                raise SdpError(400, "Too many SDP streams")
            current = _media(value)
            sections.append(current)
        elif kind not in _KINDS:
            raise SdpError(400, "Malformed SDP line")
    return session, sections


def _media(value: str) -> _Media:
    match = _MEDIA.fullmatch(value)
    if match is None or int(match[2]) > 65_535:
        raise SdpError(400, "Malformed m= line")
    return _Media(match[1].lower(), int(match[2]), match[3].upper(), match[4].strip())


def _connection(value: str) -> str:
    parts = value.split()
    if len(parts) != 3 or parts[0] != "IN" or parts[1] not in ("IP4", "IP6"):
        raise SdpError(400, "Malformed c= line")
    return parts[2].partition("/")[0]


def _attribute(media: _Media, value: str) -> None:
    name, _, text = value.partition(":")
    if name in DIRECTIONS:
        media.direction = name
    elif name == "rtpmap":
        codec = _codec(text.strip())
        media.maps.setdefault(codec.payload_type, codec)
    elif name == "fmtp":
        match = _FMTP.fullmatch(text)
        if match is not None:
            media.fmtps.setdefault(int(match[1]), match[2].strip())
    elif name == "rtcp":
        match = _PORT.fullmatch(text.strip())
        if match is None or not 0 < int(match[1]) < 65_536:
            raise SdpError(400, "Malformed a=rtcp")
        media.rtcp_port = int(match[1])
    elif name in _SECURE:
        if media.secure is None:
            media.secure = SecureLines()
        media.secure.take(name, text.strip())
    elif name == "ptime" and text.strip().isascii() and text.strip().isdigit() and 0 < int(text.strip()[:6]) <= 1000:
        media.ptime = int(text.strip()[:6])


@lru_cache(maxsize=256)
def _codec(text: str) -> Codec:
    """The value of a=rtpmap. Remembered, because every call through a trunk says the same few again."""
    match = _RTPMAP.fullmatch(text)
    if match is None or int(match[1]) > 127:
        raise SdpError(400, "Malformed a=rtpmap")
    name = match[2].upper()
    name = "telephone-event" if name == "TELEPHONE-EVENT" else name
    return Codec(int(match[1]), name, int(match[3]), int(match[4] or 1))


@lru_cache(maxsize=256)
def _with_parameters(codec: Codec, fmtp: str) -> Codec:
    return Codec(codec.payload_type, codec.name, codec.clock_rate, codec.channels, fmtp)


def _describe(media: _Media, session: _Media, refused: tuple[RefusedStream, ...], index: int) -> AudioDescription:
    address = media.address or session.address
    if address is None:
        raise SdpError(400, "No c= line")
    secure = None
    if media.protocol != "RTP/AVP":
        secure = combine(media.protocol, session.secure or SecureLines(), media.secure or SecureLines())
        if secure is None:
            raise SdpError(488, "An encrypted stream without a key")
    direction = media.direction or session.direction or "sendrecv"
    if media.port:
        held = _check_address(address)
        if held and direction == "sendrecv":
            direction = "sendonly"  # RFC 3264 §8.4: 0.0.0.0 is how RFC 2543 peers put a call on hold
    return AudioDescription(
        address=address,
        port=media.port,
        rtcp_port=media.rtcp_port or min(media.port + 1, 65_535),
        codecs=_codecs(media),
        direction=direction,
        ptime=media.ptime or session.ptime,
        refused=refused,
        audio_index=index,
        secure=secure,
    )


@lru_cache(maxsize=1024)
def _check_address(address: str) -> bool:
    """Whether the address is the unspecified one; raises `SdpError` when nothing can be sent to it."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise SdpError(488, "Media address is not an IP address") from None
    if parsed.is_multicast or "%" in address:
        raise SdpError(488, "Media address is multicast or local to a link")
    return parsed.is_unspecified


def _codecs(media: _Media) -> tuple[Codec, ...]:
    """Codecs in the order of the m= line; formats without a known meaning are left out."""
    codecs: dict[int, Codec] = {}
    for text in media.formats.split():
        if not (text.isascii() and text.isdigit() and len(text) <= 3) or int(text) > 127:
            continue
        payload_type = int(text)
        codec = media.maps.get(payload_type) or STATIC_CODECS.get(payload_type)
        if codec is None or payload_type in codecs:
            continue
        fmtp = media.fmtps.get(payload_type)
        if fmtp:
            codec = _with_parameters(codec, fmtp)
        codecs[payload_type] = codec
    return tuple(codecs.values())
