"""Where a message can say a telephone number, and how it can be spelled.

What it is: spellings of a number; places in a message of one side (header lines, parts of the lines every message has,
SDP lines, whole bodies), each a rewrite of that message; and a search for the number in what the other side got. What
it is not: the call (`sim_identity.py`). Who uses it: tests/sim/test_identity_hidden.py.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from functools import cache
from urllib.parse import unquote_to_bytes

from maskline.masking.e164 import Number

TEXTS: dict[str, Callable[[str], str]] = {
    "digits": lambda n: n,
    "plus": lambda n: f"+{n}",
    "00": lambda n: f"00{n}",
    "national": lambda n: f"0{n[2:]}",
    "spaced": lambda n: f"+{n[:2]} {n[2:6]} {n[6:]}",
    "separated": lambda n: f"+{n[:2]}-({n[2:6]})-{n[6:]}",
    "dotted": lambda n: ".".join(n),
    "base64": lambda n: base64.b64encode(n.encode()).decode(),
    "hex": lambda n: n.encode().hex(),
    "reversed": lambda n: n[::-1],
}
"""For where any text may stand."""
URIS: dict[str, Callable[[str], str]] = {
    "digits": lambda n: f"sip:{n}@h.example",
    "plus": lambda n: f"sip:+{n}@h.example;user=phone",
    "00": lambda n: f"sips:00{n}@h.example",
    "national": lambda n: f"sip:0{n[2:]};phone-context=+{n[:2]}@h.example",
    "spaced": lambda n: f"tel:+{n}",
    "separated": lambda n: f"tel:+{n[:2]}-{n[2:6]}-{n[6:]}",
    "dotted": lambda n: f"sip:u:{n}@h.example",
    "base64": lambda n: f"sip:%2B{n}@h.example",
    "hex": lambda n: f"sip:{''.join(f'%{ord(c):02X}' for c in n)}@h.example",
    "reversed": lambda n: f"sip:u@{n}.example;p={n}?H={n}",
}
"""For where a URI must stand, under the same names."""

_LINES = """
Accept-Contact: *;x="{t}"
Accept-Language: {d}
Alert-Info: <{u}>;info="{t}"
Allow: INVITE, ACK, BYE, CANCEL, {d}
Allow-Events: {d}
Authentication-Info: nextnonce="{t}"
Authorization: Digest username="{t}", realm="{t}", nonce="{d}", uri="{u}", response="{d}", opaque="{t}"
Call-Info: <{u}>;purpose=info, <http://h.example/{d}>;purpose=icon
Content-Disposition: session;handling=optional;x="{t}"
Content-Language: {d}
Date: {t}
Error-Info: <{u}>;x="{t}"
Event: {d};id={d}
Expires: {d}
Feature-Caps: *;+g.3gpp="{t}"
Geolocation: <{u}>
History-Info: <{u}>;index=1;np={d}, "{t}" <{u}?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1
History-Info: {w}
Identity: {t}.{d}.{w};info=<https://h.example/{d}>;alg=ES256;ppt=shaken
Identity-Info: <https://h.example/{d}>;alg=rsa-sha1
In-Reply-To: {d}@h.example
Info: {t}
MIME-Version: {d}
Min-Expires: {d}
Min-SE: {d}
Organization: {t}
P-Answer-State: {t}
P-Access-Network-Info: 3GPP-UTRAN-TDD;utran-cell-id-3gpp={d};x="{t}"
P-Asserted-Service: urn:urn-7:{d}
P-Associated-URI: <{u}>;x="{t}"
P-Called-Party-ID: "{t}" <{u}>
P-Charge-Info: <{u}>;npi=ISUP;noa={d}
P-Charging-Function-Addresses: ccf={d}.example;ecf="{t}"
P-Charging-Vector: icid-value="{t}";icid-generated-at={d}.example;orig-ioi={d};term-ioi={d}
P-DCS-Billing-Info: {d}/{t}@h.example;charge="{t}"
P-DCS-LAES: h.example:1;content={d}
P-DCS-Redirect: {t};count={d}
P-DCS-Trace-Party-ID: <{u}>
P-Early-Media: {t}
P-Media-Authorization: {d}
P-Preferred-Identity: "{t}" <{u}>
P-Preferred-Service: urn:urn-7:{d}
P-Profile-Key: <{u}>
P-Refused-URI-List: <{u}>;members=<cid:{d}@h.example>
P-Served-User: <{u}>;sescase=orig
P-User-Database: <aaa://{d}.example;x={d}>
P-Visited-Network-ID: "{t}", {d}
Path: <{u}>
Permission-Missing: {u}
Priority: {d}
Privacy: {d}
Private-Network-Indication: {d}.example
Proxy-Authenticate: Digest realm="{t}", nonce="{d}", domain="{u}"
Proxy-Authorization: Digest username="{t}", realm="{t}", nonce="{d}", uri="{u}", response="{d}"
RAck: {d} 1 INVITE
RSeq: {d}
Reason: Q.850;cause=16;text="{t}", SIP;cause=487;text="{t}"
Recv-Info: {d}
Refer-To: "{t}" <{u}?Replaces={d}>
Referred-By: "{t}" <{u}>;cid="{d}@h.example"
Relayed-Charge: {t}
Remote-Party-ID: "{t}" <{u}>;party=calling;id-type=subscriber;x="{t}"
Reply-To: "{t}" <{u}>;x="{t}"
Request-Disposition: {d}
Resource-Priority: q735.{d}
Response-Key: {t}
Retry-After: {d} ({t});duration={d}
Security-Client: digest;d-alg={d}
Service-Route: <{u}>
Session-Expires: 1800;refresher=uac;x="{t}"
Session-ID: {d};remote={d}
SIP-ETag: {d}
SIP-If-Match: {d}
Subject: {t}
Subscription-State: active;reason={d};x="{t}"
Supported: {d}
Suppress-If-Match: {d}
Target-Dialog: {d};local-tag={d};remote-tag={d}
Timestamp: {d}.{d}
Trigger-Consent: {u}
Unsupported: {d}
User-to-User: {h};encoding=hex;purpose={d}
User-Agent: {t}
Server: {t} ({d})
Diversion: "{t}" <{u}>;reason=unconditional;counter=1;diversion-inhibited="{t}"
Warning: 399 {d}.example "{t}", 307 h.example "{w}"
WWW-Authenticate: Digest realm="{t}", nonce="{d}", opaque="{t}"
X-Original-Caller: {t}
X-{d}: {t}
b: "{t}" <{u}>
d: {d}
j: *;x="{t}"
n: <https://h.example/{d}>;alg=rsa-sha1
o: {d}
r: "{t}" <{u}>
s: {t}
u: {d}
y: {t}.{d};info=<https://h.example/{d}>
"""
_MANY_ARE_REFUSED = """
Accept: text/{d}
Accept-Encoding: {d}
Content-Encoding: {d}
Join: {d};from-tag={d};to-tag={d}
P-Asserted-Identity: "{t}" <{u}>
P-Asserted-Identity: {t}
Proxy-Require: {d}
Record-Route: <{u};lr>
Replaces: {d};to-tag={d};from-tag={d}
Require: {d}
Route: <{u};lr>
"""
HEADERS = tuple(_LINES.split("\n")[1:-1])
"""Header lines of RFC 3261, 3262, 3313, 3323, 3325, 3326, 4028, 4244, 5006, 5009, 5360, 5502, 5503, 5806, 7044, 7315,
7316, 8224 and others, some in the short form; {t} any spelling, {u} a URI, {d} digits alone, {h} in hex, {w} all
spellings."""
LOUD_HEADERS = tuple(_MANY_ARE_REFUSED.split("\n")[1:-1])
"""Lines for which many a message is refused, or sent elsewhere."""

_SDP = """
i={t}
u=http://h.example/{d}
e={d}@h.example ({t})
p=+{t}
b=X-{d}:{d}
z={d} 1h
r={d} 1h 0
k=clear:{d}
a=tool:{t}
a=cat:{t}
a=keywds:{t}
a=charset:{d}
a=sdplang:{d}
a=x-number:{t}
a=group:BUNDLE {d}
a=msid-semantic: WMS {d}
a=identity:{w}
a=fingerprint:sha-256 {h}
a=ice-ufrag:{d}
a=ice-pwd:{d}{d}{d}
a=candidate:{d} 1 UDP 2130706431 192.0.2.99 4999 typ host generation {d}
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{d}
a=ssrc:{d} cname:{t}
a=ssrc-group:FID {d}
a=msid:{d} {d}
a=mid:{d}
a=label:{d}
a=content:{d}
a=maxptime:{d}
a=ptime:{d}
a=framerate:{d}
a=quality:{d}
a=rtcp:4999 IN IP4 h{d}.example
a=rtcp-fb:* {d}
a=extmap:1 urn:{d} {d}
a=fmtp:0 {d};n={t}
a=fmtp:101 0-15,{d};{t}
a=rtpmap:120 {d}/8000
a=rtpmap:121 X{d}/48000/2
a=setup:{d}
a=sendrecv {d}
a={d}
m=video 4998 RTP/AVP 120
i={t}
a=rtpmap:120 H264/90000
a=fmtp:120 profile-level-id={d};sprop-parameter-sets={t}
m=message 4997 TCP/MSRP {d}
a=path:msrp://h.example:1/{d};tcp
m=x{d} 4996 x{d} {d}
"""
SDP_LINES = tuple(_SDP.split("\n")[1:-1])

_BODY = b"""--{d}\r\nContent-Type: text/plain\r\nContent-ID: <{d}@h.example>\r\n\r\n{t} {w}\r\n--{d}\r
Content-Type: application/isup;version={d}\r\n\r\n{d}\r\n--{d}--\r\n"""

Place = Callable[[bytes, str, str], bytes]
"""(message, number's digits, name of the spelling) -> the message that says it."""


@cache
def fill(template: str, digits: str, spelling: str) -> str:
    everything = " ".join([spell(digits) for spell in TEXTS.values()])
    return template.format(
        t=TEXTS[spelling](digits), u=URIS[spelling](digits), d=digits, h=digits.encode().hex(), w=everything
    )


def _part(pattern: str, template: str) -> Place:
    """Replace what `pattern` finds; `\\1` and so on are its groups."""
    found = re.compile(pattern.encode(), re.M)

    def hide(data: bytes, digits: str, spelling: str) -> bytes:
        return found.sub(fill(template, digits, spelling).encode(), data, count=1)

    return hide


def _body(data: bytes, digits: str, spelling: str) -> bytes:
    """Multipart where there was nothing."""
    head, _, body = data.partition(b"\r\n\r\n")
    if body:
        return data
    kind = f"\r\nContent-Type: multipart/mixed;boundary={digits}\r\n\r\n"
    return head + fill(kind + _BODY.decode(), digits, spelling).encode()


def _optional(data: bytes, digits: str, spelling: str) -> bytes:
    """The same of parts that nobody has to understand, which makes a message that says no more than before."""
    if data.partition(b"\r\n\r\n")[2]:
        return data
    part = rb"(?m)^(Content-Type: (?:text|application)/[^\r]*\r\n)"
    return re.sub(part, rb"\1Content-Disposition: x; handling=optional\r\n", _body(data, digits, spelling))


def _wrapped(data: bytes, digits: str, spelling: str) -> bytes:
    """SDP behind the last part of a multipart body; an INVITE with it is refused."""
    head, _, body = data.partition(b"\r\n\r\n")
    if not body.startswith(b"v=0"):
        return data
    head = re.sub(rb"(?m)^Content-Type: .*$", b"Content-Type: multipart/mixed;boundary=%s" % digits.encode(), head)
    return head + b"\r\n\r\n" + fill(_BODY.decode(), digits, spelling).encode() + body


def _beside(data: bytes, digits: str, spelling: str) -> bytes:
    """SDP between other parts of a body, as SIP-I has it."""
    head, _, body = data.partition(b"\r\n\r\n")
    if not body.startswith(b"v=0"):
        return data
    head = re.sub(rb"(?m)^Content-Type: [^\r]*", b"Content-Type: multipart/mixed;boundary=%s" % digits.encode(), head)
    around = fill(_BODY.decode(), digits, spelling)
    own = f"Content-Type: application/sdp;x={digits}\r\nContent-ID: <{digits}@h.example>\r\n\r\n"
    before = f"{around.removesuffix(f'--{digits}--' + chr(13) + chr(10))}--{digits}\r\n{own}"
    return head + b"\r\n\r\n" + before.encode() + body + f"\r\n{around}{digits}".encode()


_ADDRESS = r"^({name}): (?:\"[^\"]*\" )?<sip:(?:[^@>\r]*@)?([^;>\r]+)[^>\r]*>"

PARTS: dict[str, Place] = {
    "display of From": _part(r"^From: (?:\"[^\"]*\" )?<", 'From: "{t}" <'),
    "display of To": _part(r"^To: <", 'To: "{t}" <'),
    "token before From": _part(r"^From: (?:\"[^\"]*\" )?<", "From: {t} <"),
    "user of From": _part(_ADDRESS.format(name="From"), r"\1: <sip:{d}:{d}@\2;p={d};x-{d}?H={d}>;q={d}"),
    "user of To": _part(_ADDRESS.format(name="To"), r"\1: <sip:{d}:{d}@\2;p={d}?H={d}>;q={d}"),
    "URI of From": _part(r"^From: [^<]*<[^>]*>", "From: <{u}>"),
    "URI of To": _part(r"^To: [^<]*<[^>]*>", "To: <{u}>"),
    "Record-Route": _part(r"^(Contact: <sip:)([^@;:>\r]+)", r"Record-Route: <sip:{d}@\2;lr;x={d}>\r\n\1\2"),
    "Contact": _part(_ADDRESS.format(name="Contact"), r'\1: "{t}" <sip:{d}@\2;user=phone;x={d}>;expires={d};x="{t}"'),
    "Contact with headers": _part(_ADDRESS.format(name="Contact"), r"\1: <sip:{d}@\2?H={d}>, <{u}>"),
    "Contact elsewhere": _part(r"^Contact: .*$", 'Contact: "{t}" <{u}>\r'),
    "Via": _part(r"(;branch=[^;\r]+)", r'\1;x={d};y="{t}";received=h{d};maddr=m{d};ttl={d}'),
    "Via below": _part(r"^(Max-Forwards: )", r"Via: SIP/2.0/UDP {d}.example:5060;branch=z9hG4bK{d};x={d}\r\n\1"),
    "Request-URI": _part(r"^([A-Z]+ sip:[^ ;\r]+)[^ \r]* SIP/2.0", r"\1;x={d};user=phone SIP/2.0"),
    "reason phrase": _part(r"^SIP/2.0 (\d+) .*$", "SIP/2.0 \\1 {t}\r"),
    "Max-Forwards": _part(r"^Max-Forwards: .*$", "Max-Forwards: 65\r"),
    "origin": _part(r"^o=.*$", "o={d} {d} {d} IN IP4 h{d}.example\r"),
    "origin's user": _part(r"^o=\S+", "o={d}"),
    "subject of SDP": _part(r"^s=.*$", "s={t}\r"),
    "time": _part(r"^t=0 0", "t={d} {d}"),
    "direction": _part(r"^a=sendrecv", "a=inactive"),
    "type of the body": _part(r"^(Content-Type: application/sdp)", r'\1;charset={d};x="{t}"'),
    "body": _body,
    "optional parts": _optional,
    "wrapped body": _wrapped,
    "parts beside the body": _beside,
}


def _as_payload_types(data: bytes, digits: str, spelling: str) -> bytes:
    """The number as a row of payload types, each a codec that may pass."""
    types: list[str] = []
    rest = digits
    while rest:
        for size in (3, 2, 1):
            piece = rest[:size]
            if len(piece) == size and int(piece) < 128 and piece not in types and (size == 1 or piece[0] != "0"):
                types.append(piece)
                rest = rest[size:]
                break
        else:
            rest = rest[1:]
    rates = (8000, 16000, 24000, 32000, 48000)
    maps = "".join(f"a=rtpmap:{one} OPUS/{rates[k % 5]}/{1 + k // 5}\r\n" for k, one in enumerate(types))
    data = re.sub(rb"(?m)^(m=audio \d+ RTP/AVP) [^\r]*", rb"\1 " + f"{' '.join(types)} 0 101".encode(), data, count=1)
    return data + maps.encode() if b"\r\n\r\nv=0" in data else data


def _as_modes(data: bytes, digits: str, spelling: str) -> bytes:
    """The number as the modes of a codec that may pass."""
    if b"\r\n\r\nv=0" not in data:
        return data
    data = re.sub(rb"(?m)^(m=audio \d+ RTP/AVP)", rb"\1 118 119 117", data, count=1)
    halves = ",".join(digits[:9]), ",".join(digits[-9:])
    pairs = "".join(f";max-red={digits[k : k + 2]}" for k in range(0, len(digits), 2))
    lines = "".join(f"a=rtpmap:{118 + k} AMR/8000\r\na=fmtp:{118 + k} mode-set={half}{pairs}\r\n"
                    for k, half in enumerate(halves))  # fmt: skip
    opus = (
        f"a=rtpmap:117 opus/48000/2\r\na=fmtp:117 maxaveragebitrate={digits}{pairs.replace('max-red', 'minptime')}\r\n"
    )
    return data + (lines + opus).encode()


PARTS |= {"payload types": _as_payload_types, "modes of a codec": _as_modes}

LINES: dict[str, str] = {f"{line.partition(':')[0]} ({k})": line for k, line in enumerate((*HEADERS, *LOUD_HEADERS))}
"""Header lines by name."""
SDP: dict[str, str] = {f"{line} ({k})": line for k, line in enumerate(SDP_LINES)}
PLACES = (*PARTS, *LINES, *SDP)
"""Names."""
HARMLESS = tuple(
    name for name in PLACES
    if name not in ("URI of From", "URI of To", "Contact with headers", "Contact elsewhere", "token before From",
                    "optional parts", "wrapped body", "parts beside the body", "direction", "payload types",
                    "user of From", "user of To")
    and LINES.get(name) not in LOUD_HEADERS
)  # fmt: skip
"""Places that leave a call in one piece all together."""


def hide(places: Iterable[str], number: Number, spelling: str) -> Callable[[bytes], bytes]:
    """A rewrite that fills these places of every message."""
    chosen = set(places)
    parts = [place for name, place in PARTS.items() if name in chosen]
    headers, sdp = _block(LINES, chosen, number, spelling), _block(SDP, chosen, number, spelling)

    def rewrite(data: bytes) -> bytes:
        for place in parts:
            data = place(data, number.digits, spelling)
        head, _, body = data.partition(b"\r\n\r\n")
        return head + b"\r\n" + headers + b"\r\n" + body + (sdp if body.startswith(b"v=0") else b"")

    return rewrite


def _block(templates: dict[str, str], chosen: set[str], number: Number, spelling: str) -> bytes:
    lines = [fill(line, number.digits, spelling) for name, line in templates.items() if name in chosen]
    return "".join([f"{line}\r\n" for line in lines]).encode()


_SEPARATORS = re.compile(rb"(?<=[0-9])[ \t\-.,;:()/]+(?=[0-9])")


def traces(received: Iterable[bytes], number: Number) -> list[str]:
    """Spellings of `number` that stand in any message, however its digits are set apart."""
    digits = number.digits
    national = digits[2:]
    wanted = {
        name: word.encode() for name, word in (
            ("digits", national), ("reversed", digits[::-1]), ("base64", TEXTS["base64"](digits)[:12]),
            ("hex", national.encode().hex()),
        )
    }  # fmt: skip
    found = []
    for data in received:
        plain = unquote_to_bytes(data)
        views = (data, plain, _SEPARATORS.sub(b"", plain))
        found += [name for name, word in wanted.items() if any(word in view for view in views)]
        if digits.encode() in re.sub(rb"[^0-9]", b"", data):
            found.append("digits apart")
    return found
