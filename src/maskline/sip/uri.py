"""SIP, SIPS and TEL URIs (RFC 3261 §19.1, RFC 3966); other schemes are kept opaque.

What it is: one immutable value with the parts a masked call needs. What it is not: resolution (RFC 3263) or
phone number rules (`masking/e164`). Who uses it: `headers`, `message`, `dialog`, the engine.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import unquote

from maskline.sip.grammar import ParseError, parse_parameters

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_FORBIDDEN = re.compile(r'[\x00-\x20<>"\x7f]')
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)"
_HOST_PART = re.compile(_HOST + r"(?::([0-9]{1,5}))?(;[^?]*)?(?:\?(.*))?", re.DOTALL)
_PLAIN = re.compile(
    r"(sips?):(?:([A-Za-z0-9+.\-_*#]++)@|)([A-Za-z0-9.\-]++)(?::([1-9][0-9]{0,3}+|[1-5][0-9]{4}+)|)(;[A-Za-z0-9.=;\-]*+|)"
)
# What nearly every peer writes, in one match; anything else takes the long way, with the same result.
_HOST_PORT = re.compile(_HOST + r"[ \t]*(?::[ \t]*([0-9]{1,5}))?")
_SUBSCRIBER = re.compile(r"[+0-9*#]")
_MAX_PLACE = 128
MAX_REMEMBERED = 1_024


class _Place:
    """What of a URI is behind its user."""

    __slots__ = ("host", "parameters", "port")

    def __init__(self, host: str, port: int | None, parameters: str) -> None:
        self.host = host
        self.port = port
        self.parameters = parameters


_places: dict[str, _Place] = {}
"""By their text, as `_PLAIN` has read them: peers have few."""


class Uri:
    """A parsed URI. Treat as immutable; it is shared between messages and dialogs."""

    __slots__ = ("_parameters", "_raw_parameters", "headers", "host", "port", "scheme", "text", "user")

    text: str
    """As it was written, without angle brackets."""
    scheme: str
    """Lower case: `sip`, `sips`, `tel`, or one we do not speak."""
    user: str
    """User part, unescaped, without password. A telephone subscriber (it starts with a digit, `+`, `*` or `#`)
    comes without its `;phone-context=` and other parameters. Empty when there is none."""
    host: str
    """Lower case; IPv6 without brackets; empty for `tel` and opaque schemes."""
    port: int | None
    headers: str
    """What follows `?`, unparsed."""

    def __init__(self, text: str) -> None:
        """Raises `ParseError` (400)."""
        at = _user_end(text)
        place = _places.get(text[at + 1 :]) if at else None
        self.text = text
        self.headers = ""
        self._parameters: dict[str, str] | None = None
        if place is not None:
            self.scheme, self.user = "sip", text[4:at]
        else:
            match = _PLAIN.fullmatch(text)
            if match is None:
                self._read_any(text)
                return
            self.scheme, user, host, port, parameters = match.groups()
            self.user = user or ""
            place = _Place(host.lower(), None if port is None else int(port), parameters)
            if at:
                _remember(text[at + 1 :], place)
        self.host, self.port, self._raw_parameters = place.host, place.port, place.parameters

    def _read_any(self, text: str) -> None:
        scheme, colon, rest = text.partition(":")
        if not colon or _SCHEME.fullmatch(scheme) is None or _FORBIDDEN.search(rest):
            raise ParseError(400, "Malformed URI")
        if "%" in rest and _BAD_ESCAPE.search(rest):
            raise ParseError(400, "Malformed escape in URI")
        self.scheme = scheme.lower()
        self.user = self.host = self._raw_parameters = ""
        self.port = None
        if self.scheme in ("sip", "sips"):
            self._parse_sip(rest)
        elif self.scheme == "tel":
            number, _, parameters = rest.partition(";")
            self.user = _unescape(number)
            self._raw_parameters = f";{parameters}" if parameters else ""

    def _parse_sip(self, rest: str) -> None:
        # '@' may stand in no parameter or header of a URI, so the last one ends the user part (§19.1.1).
        user_part, _, host_part = rest.rpartition("@")
        match = _HOST_PART.fullmatch(host_part)
        if match is None:
            raise ParseError(400, "Malformed host in URI")
        host, port, parameters, headers = match.groups()
        self.host = bare_host(host)
        self.port = parse_port(port)
        self._raw_parameters = parameters or ""
        self.headers = headers or ""
        if user_part:
            user = user_part.partition(":")[0]
            if ";" in user and _SUBSCRIBER.match(_unescape(user)):
                user = user.partition(";")[0]
            self.user = _unescape(user)

    @property
    def parameters(self) -> dict[str, str]:
        """URI parameters, names lower case; raises `ParseError` at first use when they are malformed."""
        if self._parameters is None:
            self._parameters = parse_parameters(self._raw_parameters) if self._raw_parameters else {}
        return self._parameters

    @property
    def context(self) -> str | None:
        """What `phone-context` says (RFC 3966 §5.1.5), in lower case: of which country or domain a number without a
        plus is. Read in the user part (RFC 3261 §19.1.6), and behind the host, where some peers put it; None: nothing
        is said."""
        text = self.text
        if ";" not in text or ("%" not in text and "context" not in text.lower()):
            return None
        user_part, _, host_part = text.rpartition("@") if self.host else ("", "", text)
        for part in (*user_part.split(";")[1:], *host_part.partition("?")[0].split(";")[1:]):
            name, _, value = _unescape(part).partition("=")
            if name.lower() == "phone-context":
                return value.lower()
        return None

    @property
    def is_loose_router(self) -> bool:
        return "lr" in self.parameters

    @property
    def transport(self) -> str:
        """The transport parameter in lower case (it is case-insensitive, §19.1.4), or empty."""
        return "" if not self._raw_parameters else self.parameters.get("transport", "").lower()

    def __repr__(self) -> str:
        # The user part is a real number; it must not reach a log through a traceback.
        return f"Uri({self.scheme}:•••@{self.host})"


def is_plain(text: str) -> bool:
    """Whether `text` is a SIP URI without headers that needs no closer look: what requests inside a dialog have,
    where nobody reads it."""
    at = _user_end(text)
    return (at > 0 and _places.get(text[at + 1 :]) is not None) or _PLAIN.fullmatch(text) is not None


def _user_end(text: str) -> int:
    """Where the user part of a SIP URI ends, if it is letters and digits, perhaps behind a plus; 0: it is not."""
    at = text.find("@")
    if at < 6 or not text.startswith("sip:"):
        return 0
    return at if text[5:at].isalnum() and (text[4:5].isalnum() or text[4] == "+") and text.isascii() else 0


def _remember(text: str, place: _Place) -> None:
    if len(text) > _MAX_PLACE:
        return
    if len(_places) >= MAX_REMEMBERED:
        _places.clear()
    _places[text] = place


def _unescape(text: str) -> str:
    return unquote(text, errors="surrogateescape") if "%" in text else text


def bare_host(host: str) -> str:
    """Lower case, without the brackets of an IPv6 reference, whose address has one spelling then (RFC 5954 §4.2)."""
    return _usual_spelling(host[1:-1]) if host[0] == "[" else host.lower()


@lru_cache(maxsize=1024)
def _usual_spelling(address: str) -> str:
    """As sockets write it. Remembered: peers are few."""
    try:
        return str(ipaddress.IPv6Address(address))
    except ValueError:
        return address.lower()


def bracketed(host: str) -> str:
    """The host as it stands in a URI or Via: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def is_name(host: str) -> bool:
    """Whether a host, without brackets, is a name and no IP address."""
    return ":" not in host and not host.rpartition(".")[2].isdigit()


def parse_port(digits: str | None) -> int | None:
    if digits is None:
        return None
    port = int(digits)
    if not 0 < port < 65_536:
        raise ParseError(400, "Port out of range")
    return port


def parse_host_port(text: str) -> tuple[str, int | None]:
    """`host[:port]` of a Via; white space around the colon is legal there. Raises `ParseError`."""
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise ParseError(400, "Malformed host")
    return bare_host(match[1]), parse_port(match[2])
