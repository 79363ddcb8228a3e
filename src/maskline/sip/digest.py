"""Digest access authentication as SIP has it: challenges and answers as values, and the sums between them.

What it is: RFC 3261 §22 with the algorithms of RFC 8760 (RFC 7616): MD5, SHA-256 and SHA-512/256, each also as `-sess`;
`auth`, `auth-int`, and the form of RFC 2069 without qop. Everything here is text in, text out. What it is not: who may
ask or answer (`digest_client`, `digest_server`), or a place for passwords: a `Credentials` never prints its own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from maskline.sip.flow import Flow
from maskline.sip.grammar import has_line_break

_HASHES: dict[str, Callable[[bytes], Any]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False),
    "sha-256": hashlib.sha256,
    "sha-512-256": lambda data: hashlib.new("sha512_256", data),
}
SUPPORTED = frozenset((*_HASHES, *(f"{name}-sess" for name in _HASHES)))
"""Names of algorithms in lower case; they are compared without case (RFC 7616 §3.3 writes them in upper case)."""
_BY_STRENGTH = tuple(_HASHES)
_PARAMETER = re.compile(
    r"[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*+)\"|([^\s,\"]+))[ \t]*(?:,|$)", re.DOTALL
)
_ESCAPED_PAIR = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to one peer, or who it has to be to us."""

    username: str
    password: str = field(repr=False)
    realm: str = ""
    """The only realm these are for; empty: the one that the peer's first challenge names."""
    places: tuple[Flow, ...] = ()
    """Where they may be shown, and nowhere else."""
    md5_only: bool = False
    """Who has to prove these is asked with MD5 alone."""
    sha512: bool = False
    """Who has to prove these is asked with SHA-512-256 too, first."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate that we can answer."""

    realm: str
    nonce: str
    algorithm: str
    """As it was written, to be written back; empty when absent, which means MD5."""
    qop: str
    """`auth`, `auth-int`, or empty where the peer knows none (RFC 2069)."""
    opaque: str | None
    stale: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What an Authorization or Proxy-Authorization header says."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    qop: str
    nc: int
    cnonce: str


def strength_of(algorithm: str) -> int:
    """The place of one of `SUPPORTED`, in any case, or empty, among them: the higher the stronger, MD5 is 0."""
    return _BY_STRENGTH.index((algorithm or "md5").lower().removesuffix("-sess"))


def parse_parameters(text: str) -> dict[str, str] | None:
    """The parameters of one `Digest …` value, names in lower case; None for another scheme, a name given twice or
    anything that is no list of parameters."""
    scheme, _, rest = text.strip(" \t").partition(" ")
    if scheme.lower() != "digest":
        return None
    found: dict[str, str] = {}
    position = 0
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None:
            return None
        name, quoted, plain = match.groups()
        if name.lower() in found:
            return None  # two challenges in one line, which §7.3.1 forbids, or an attempt to be read in two ways
        found[name.lower()] = plain if quoted is None else _ESCAPED_PAIR.sub(r"\1", quoted)
        position = match.end()
    return found


def parse_challenges(header: str) -> list[Challenge]:
    """Those we can answer, in order, of a header's lines (joined by line feeds, see `message`)."""
    return [challenge for line in header.split("\n") if (challenge := _challenge(line)) is not None]


def _challenge(line: str) -> Challenge | None:
    given = parse_parameters(line)
    if given is None or "realm" not in given or "nonce" not in given:
        return None
    algorithm = given.get("algorithm", "")
    if (algorithm or "md5").lower() not in SUPPORTED:
        return None
    qop = ""
    if "qop" in given:
        offered = {option.strip().lower() for option in given["qop"].split(",")}
        # `auth` first: a proxy on the way that changes the SDP would break `auth-int`.
        qop = next((option for option in ("auth", "auth-int") if option in offered), "")
        if not qop:
            return None
    stale = given.get("stale", "").lower() == "true"
    return Challenge(given["realm"], given["nonce"], algorithm, qop, given.get("opaque"), stale)


def parse_answer(line: str) -> Answer | None:
    """None when a parameter is missing that the sum needs, or its form is wrong."""
    given = parse_parameters(line)
    if given is None:
        return None
    qop, count = given.get("qop", "").lower(), given.get("nc", "")
    if qop and not (len(count) == 8 and re.fullmatch(r"[0-9A-Fa-f]{8}", count) and given.get("cnonce")):
        return None
    try:
        return Answer(
            given["username"], given["realm"], given["nonce"], given["uri"], given["response"].lower(),
            given.get("algorithm", ""), qop, int(count, 16) if qop else 0, given.get("cnonce", ""),
        )  # fmt: skip
    except KeyError:
        return None


def response_of(
    username: str, realm: str, password: str, *, algorithm: str, nonce: str, method: str, uri: str, qop: str = "",
    nc: int = 0, cnonce: str = "", body: bytes = b"",
) -> str:  # fmt: skip
    """The `response` parameter (RFC 7616 §3.4.1). `algorithm` is one of `SUPPORTED`, in any case, or empty."""
    name = (algorithm or "md5").lower()
    hash_of = _HASHES[name.removesuffix("-sess")]

    def sum_of(text: str) -> str:
        digest: str = hash_of(text.encode("utf-8", "surrogateescape")).hexdigest()
        return digest

    secret = sum_of(f"{username}:{realm}:{password}")
    if name.endswith("-sess"):
        secret = sum_of(f"{secret}:{nonce}:{cnonce}")
    request = f"{method}:{uri}"
    if qop == "auth-int":
        request += f":{hash_of(body).hexdigest()}"
    if not qop:
        return sum_of(f"{secret}:{nonce}:{sum_of(request)}")
    return sum_of(f"{secret}:{nonce}:{nc:08x}:{cnonce}:{qop}:{sum_of(request)}")


def authorization(
    credentials: Credentials, challenge: Challenge, *, method: str, uri: str, nc: int, cnonce: str, body: bytes = b""
) -> str:
    """The value of the header that answers `challenge`. Raises `ValueError` for a line break (our own user's)."""
    response = response_of(
        credentials.username, challenge.realm, credentials.password, algorithm=challenge.algorithm,
        nonce=challenge.nonce, method=method, uri=uri, qop=challenge.qop, nc=nc, cnonce=cnonce, body=body,
    )  # fmt: skip
    parts = [
        f"Digest username={quote(credentials.username)}, realm={quote(challenge.realm)}",
        f"nonce={quote(challenge.nonce)}, uri={quote(uri)}, response=\"{response}\"",
    ]  # fmt: skip
    if challenge.algorithm:
        parts.append(f"algorithm={challenge.algorithm}")
    if challenge.opaque is not None:
        parts.append(f"opaque={quote(challenge.opaque)}")
    if challenge.qop:
        parts.append(f'qop={challenge.qop}, cnonce="{cnonce}", nc={nc:08x}')
    elif challenge.algorithm.lower().endswith("-sess"):
        parts.append(f'cnonce="{cnonce}"')
    return ", ".join(parts)


def is_right(answer: Answer, credentials: Credentials, method: str, body: bytes) -> bool:
    """Whether `answer` was made with these credentials. Its algorithm is one of `SUPPORTED`, its qop one we offered."""
    wanted = response_of(
        credentials.username, answer.realm, credentials.password, algorithm=answer.algorithm, nonce=answer.nonce,
        method=method, uri=answer.uri, qop=answer.qop, nc=answer.nc, cnonce=answer.cnonce, body=body,
    )  # fmt: skip
    same_name = hmac.compare_digest(_bytes(answer.username), _bytes(credentials.username))
    is_same = hmac.compare_digest(_bytes(answer.response), _bytes(wanted))
    return is_same and same_name and credentials.password != ""  # nothing is proved by knowing no password


def quote(text: str) -> str:
    """A quoted string (RFC 3261 §25.1). Raises `ValueError` for a line break: it would begin another header."""
    if has_line_break(text):
        raise ValueError("line break in a quoted string")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
