"""What an encrypted audio stream says beside codecs and ports: SDES keys, DTLS fingerprint, ICE (RFC 4568, 5763, 8839).

What it is: typed values of one leg, read from its SDP or written to it. What it is not: cryptography; only a driver
that encrypts understands them, and nothing of one leg's is ever given to the other. Values outside these grammars are
left out, so no other words of a party ride on them. Who uses it: `sdp.parse`, `sdp.write`, the media drivers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field

from maskline.values import dataclass

PROTOCOLS = frozenset(("RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"))
"""Of streams that are encrypted: by keys in the SDP, or by DTLS."""

MAX_LINES = 64
"""Keys and candidates of one stream; browsers send up to some thirty."""

_CRYPTO = re.compile(
    r"([0-9]{1,9}) ([A-Z0-9_]{1,40}) (inline:[A-Za-z0-9+/=]{1,128}(?:\|[0-9^|:]{1,40})?)(?: [A-Z0-9_=\- ]{0,80})?"
)
_FINGERPRINT = re.compile(r"([A-Za-z0-9-]{1,20}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){15,63})")
_ICE_CHARS = re.compile(r"[A-Za-z0-9+/]{4,256}")
_FLAG = re.compile("")
_WORDS = {
    "setup": re.compile("active|passive|actpass|holdconn"),
    "ice-ufrag": _ICE_CHARS,
    "ice-pwd": _ICE_CHARS,
    "mid": re.compile(r"[A-Za-z0-9_.+-]{1,32}"),
    "rtcp-mux": _FLAG,
    "ice-lite": _FLAG,
}
_CANDIDATE = re.compile(
    r"([A-Za-z0-9+/]{1,32}) ([12]) (UDP|udp) ([0-9]{1,10}) ([0-9A-Fa-f.:]{2,45}) ([0-9]{1,5})"
    r" typ (host|srflx|prflx|relay)(?: raddr ([0-9A-Fa-f.:]{2,45}) rport ([0-9]{1,5}))?(?: .*)?"
)


@dataclass(frozen=True, slots=True)
class Crypto:
    """a=crypto (RFC 4568): one suite that is offered or taken, with the key its sender encrypts with."""

    tag: int
    suite: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """a=candidate (RFC 8839 §5.1), over UDP, at an IP address."""

    foundation: str
    component: int
    priority: int
    address: str
    port: int
    kind: str
    related: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Ice:
    ufrag: str
    password: str = field(repr=False)
    candidates: tuple[Candidate, ...] = ()
    lite: bool = False


@dataclass(frozen=True, slots=True)
class Secure:
    """How one side of an encrypted stream is reached."""

    protocol: str
    """Of the m= line, one of `PROTOCOLS`."""
    cryptos: tuple[Crypto, ...] = ()
    fingerprint: tuple[str, str] | None = None
    """Hash and value of the DTLS certificate."""
    setup: str = ""
    ice: Ice | None = None
    rtcp_mux: bool = False
    mid: str = ""


@dataclass(slots=True)
class SecureLines:
    """The attributes of one level of an SDP, as they are met."""

    cryptos: list[Crypto] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    fingerprint: tuple[str, str] | None = None
    words: dict[str, str] = field(default_factory=dict)
    """setup, ice-ufrag, ice-pwd, mid, and the flags rtcp-mux and ice-lite."""

    def take(self, name: str, text: str) -> None:
        """One attribute; what is none of these, or not of their form, is passed over."""
        if name == "crypto" and len(self.cryptos) < MAX_LINES:
            if match := _CRYPTO.fullmatch(text):
                self.cryptos.append(Crypto(int(match[1]), match[2], match[3]))
        elif name == "candidate" and len(self.candidates) < MAX_LINES:
            if match := _CANDIDATE.fullmatch(text):
                related = (match[8], int(match[9])) if match[8] else None
                number, priority, port = int(match[2]), int(match[4]), int(match[6])
                self.candidates.append(Candidate(match[1], number, priority, match[5], port, match[7], related))
        elif name == "fingerprint":
            if match := _FINGERPRINT.fullmatch(text):
                self.fingerprint = match[1].lower(), match[2].upper()
        elif name in _WORDS and _WORDS[name].fullmatch(text):
            self.words[name] = text


def combine(protocol: str, session: SecureLines, stream: SecureLines) -> Secure | None:
    """Of both levels, the stream's before the session's. None: there is no key and no fingerprint to encrypt with."""
    words = {**session.words, **stream.words}
    fingerprint = stream.fingerprint or session.fingerprint
    if not stream.cryptos and fingerprint is None:
        return None
    ice = None
    if "ice-ufrag" in words and "ice-pwd" in words:
        ice = Ice(words["ice-ufrag"], words["ice-pwd"], tuple(stream.candidates), "ice-lite" in words)
    return Secure(
        protocol,
        tuple(stream.cryptos),
        fingerprint,
        words.get("setup", ""),
        ice,
        "rtcp-mux" in words,
        words.get("mid", ""),
    )


def lines(secure: Secure) -> str:
    """The attributes, for the stream's level."""
    return "".join([f"a={line}\r\n" for line in _attributes(secure)])


def _attributes(secure: Secure) -> Iterable[str]:
    for crypto in secure.cryptos:
        yield f"crypto:{crypto.tag} {crypto.suite} {crypto.key}"
    if secure.fingerprint is not None:
        yield f"fingerprint:{secure.fingerprint[0]} {secure.fingerprint[1]}"
    if secure.setup:
        yield f"setup:{secure.setup}"
    if secure.ice is not None:
        yield f"ice-ufrag:{secure.ice.ufrag}"
        yield f"ice-pwd:{secure.ice.password}"
        for one in secure.ice.candidates:
            related = f" raddr {one.related[0]} rport {one.related[1]}" if one.related else ""
            place = f"{one.priority} {one.address} {one.port} typ {one.kind}{related}"
            yield f"candidate:{one.foundation} {one.component} UDP {place}"
    if secure.rtcp_mux:
        yield "rtcp-mux"
    if secure.mid:
        yield f"mid:{secure.mid}"
