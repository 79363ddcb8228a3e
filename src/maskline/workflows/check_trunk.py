"""What may be said of a trunk, and the trunk that is made of it.

What it is: the operator's words as typed, their checks, and both ways between words and value. What it is not: a write.
Who uses it: `add_trunk.py`, `set_trunk.py`, the command line.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeVar

from maskline.errors import InvalidParameter, MissingParameter, NotSupported
from maskline.masking.trunk import (
    IdentityHeader,
    NumberFormat,
    Presentation,
    Reliable,
    Trunk,
    TrunkLimits,
    TrunkMedia,
    is_name,
)
from maskline.sip.flow import DEFAULT_PORTS
from maskline.sip.locate import AUTO

_T = TypeVar("_T")

TRANSPORTS = ("udp", "tcp", "tls", AUTO)
_PREFIX = re.compile(r"\+[0-9]{1,17}\Z")
_COUNTRY_CODE = re.compile(r"\+[1-9][0-9]{0,2}\Z")
_DIAL_PREFIX = re.compile(r"[0-9*#]{0,16}\Z")
_PLAN_PREFIX = re.compile(r"[0-9]{0,5}\Z")
_CODEC = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,31}\Z")
_LINE = re.compile(r"[\x20-\x7e]{0,128}\Z")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.?)+\Z")
_WIDEST = {4: 8, 6: 16}
"""Shortest prefix of a network of sources: a wider one is a slip of the pen that lets half the Internet call."""


@dataclass(frozen=True, slots=True)
class TrunkWish:
    """What the operator asks for, as typed. Names are those of `Trunk` and of the parts it holds."""

    name: str
    host: str
    port: int | None = None
    """None: what SRV says of a name, else the transport's own."""
    transport: str = "udp"
    username: str = ""
    password: str = field(default="", repr=False)
    prefixes: tuple[str, ...] = ()
    account_id: str | None = None
    nat: bool = False
    media: str = TrunkMedia.PLAIN
    encrypts: bool = False
    """Whether the media driver of this installation can encrypt."""
    realm: str = ""
    challenge: bool = False
    sources: tuple[str, ...] = ()
    tls_name: str = ""
    alias: bool = False
    priority: int = 0
    weight: int = 1
    headers: tuple[str, ...] = Presentation().headers
    number_format: str = NumberFormat.PLUS
    country_code: str = ""
    dial_prefix: str = ""
    privacy: bool = False
    calls_per_second: float = 0.0
    concurrent: int = 0
    codecs: tuple[str, ...] = ()
    redirects: bool = False
    reliable: str = Reliable.ON
    session_seconds: int = 1800
    options_seconds: int = 0
    challenge_md5: bool = False
    challenge_sha512: bool = False
    national_prefix: str | None = None
    international_prefix: str | None = None
    """Of both None: what people of `country_code` dial."""
    from_domain: str = ""
    """Behind the @ of the caller id; empty: our address."""


def trunk_of(wish: TrunkWish, trunk_id: str) -> Trunk:
    """The trunk that is asked for. Raises `InvalidParameter`, `MissingParameter` and `NotSupported`, which name the
    parameter."""
    check_trunk(wish)
    return Trunk(
        trunk_id, wish.name.strip(), wish.account_id, _host(wish.host), _port(wish),
        wish.transport, wish.username, _distinct(wish.prefixes), wish.nat, TrunkMedia(wish.media), wish.password,
        wish.realm, wish.challenge, _distinct(str(_network(source)) for source in wish.sources),
        wish.tls_name.lower(), wish.alias, wish.priority, wish.weight,
        Presentation(
            _distinct(map(IdentityHeader, wish.headers)), NumberFormat(wish.number_format), wish.country_code,
            wish.dial_prefix, wish.privacy, wish.national_prefix, wish.international_prefix, wish.from_domain.lower(),
        ),
        TrunkLimits(wish.calls_per_second, wish.concurrent), _distinct(codec.upper() for codec in wish.codecs),
        wish.redirects, Reliable(wish.reliable), wish.session_seconds, wish.options_seconds,
        wish.challenge_md5, wish.challenge_sha512,
    )  # fmt: skip


def _port(wish: TrunkWish) -> int:
    """0 of a name says that SRV tells (RFC 3263 §4.2)."""
    if wish.port is not None:
        return wish.port
    return 0 if is_name(_host(wish.host)) else DEFAULT_PORTS[wish.transport]


def wish_of(trunk: Trunk) -> TrunkWish:
    """What was asked for when this trunk was made."""
    values: dict[str, Any] = {}
    for part in (trunk, trunk.presentation, trunk.limits):
        values |= {one.name: getattr(part, one.name) for one in fields(part)}
    values["port"] = trunk.port or None
    return TrunkWish(**{one.name: values[one.name] for one in fields(TrunkWish) if one.name in values})


def _distinct(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))


# -- checks ----------------------------------------------------------------------------------------------------------


def check_trunk(wish: TrunkWish) -> None:
    if not wish.name.strip():
        raise MissingParameter("Mandatory parameter missing. name must be present", parameter="name")
    for check in (_check_address, _check_media, _check_numbers, _check_secrets, _check_presentation, _check_ranges):
        check(wish)


def _check_address(wish: TrunkWish) -> None:
    host = _host(wish.host)
    if wish.port is not None and not 0 < wish.port < 65_536:
        raise _outside("port", "from 1 to 65535")
    if wish.transport not in TRANSPORTS:
        raise InvalidParameter(
            "Invalid parameter. transport allowed values are udp, tcp, tls or auto", parameter="transport"
        )
    if wish.transport == AUTO and not is_name(host):
        raise InvalidParameter("Invalid parameter. transport auto needs a host that is a name", parameter="transport")
    if wish.alias and wish.transport == "udp":
        raise InvalidParameter("Invalid parameter. alias needs transport tcp, tls or auto", parameter="alias")
    if wish.tls_name and not _HOST_NAME.match(wish.tls_name):
        raise InvalidParameter("Invalid parameter. tls_name is not a domain name", parameter="tls_name")
    if wish.from_domain and not _HOST_NAME.match(wish.from_domain):
        raise InvalidParameter("Invalid parameter. from_domain is not a domain name", parameter="from_domain")
    for source in wish.sources:
        _network(source)


def _host(text: str) -> str:
    """In its usual form."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        name = text.lower().rstrip(".")
    if not _HOST_NAME.match(name) or not is_name(name):
        raise InvalidParameter("Invalid parameter. host is not an IP address or domain name", parameter="host")
    return name


def _network(source: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(source, strict=False)
    except ValueError:
        raise InvalidParameter("Invalid parameter. source is not an address or network", parameter="source") from None
    if network.prefixlen < _WIDEST[network.version]:
        raise InvalidParameter(
            f"Invalid parameter. source is wider than /{_WIDEST[network.version]}", parameter="source"
        )
    return network


def _check_media(wish: TrunkWish) -> None:
    _one_of("media", wish.media, TrunkMedia)
    if wish.media != TrunkMedia.PLAIN and not wish.encrypts:
        raise NotSupported(
            f"Invalid parameter. media {wish.media} needs MASKLINE_MEDIA=rtpengine, the only driver that encrypts",
            parameter="media",
        )
    if not all(map(_CODEC.match, wish.codecs)):
        raise InvalidParameter("Invalid parameter. codec is not the name of one", parameter="codec")


def _check_numbers(wish: TrunkWish) -> None:
    if not all(map(_PREFIX.match, wish.prefixes)):
        raise InvalidParameter("Invalid parameter. prefix is not + and digits", parameter="prefix")
    if wish.country_code and not _COUNTRY_CODE.match(wish.country_code):
        raise InvalidParameter(
            "Invalid parameter. country_code is not + and one to three digits", parameter="country_code"
        )
    if not _DIAL_PREFIX.match(wish.dial_prefix):
        raise InvalidParameter("Invalid parameter. dial_prefix is not digits", parameter="dial_prefix")
    for name in ("national_prefix", "international_prefix"):
        if not _PLAN_PREFIX.match(getattr(wish, name) or ""):
            raise InvalidParameter(f"Invalid parameter. {name} is not up to five digits", parameter=name)
    if wish.international_prefix == "":
        # Without it nobody could tell a number of another country from one of this.
        raise InvalidParameter(
            "Invalid parameter. international_prefix must not be empty", parameter="international_prefix"
        )


def _check_secrets(wish: TrunkWish) -> None:
    if wish.password and not wish.username:
        raise MissingParameter("Mandatory parameter missing. username must be present", parameter="username")
    if wish.challenge and not wish.password:
        raise MissingParameter("Mandatory parameter missing. password must be present", parameter="password")
    for name in ("username", "realm"):
        if not _LINE.match(getattr(wish, name)):
            # They become quoted strings of a header.
            raise InvalidParameter(f"Invalid parameter. {name} is not one line of plain characters", parameter=name)


def _check_presentation(wish: TrunkWish) -> None:
    for header in wish.headers:
        _one_of("header", header, IdentityHeader)
    _one_of("number_format", wish.number_format, NumberFormat)
    if wish.number_format == NumberFormat.NATIONAL and not wish.country_code:
        raise MissingParameter("Mandatory parameter missing. country_code must be present", parameter="country_code")
    _one_of("reliable", wish.reliable, Reliable)


def _one_of(name: str, value: str, allowed: type[StrEnum]) -> None:
    words = [str(one) for one in allowed]
    if value not in words:
        listed = f"{', '.join(words[:-1])} or {words[-1]}"
        raise InvalidParameter(f"Invalid parameter. {name} allowed values are {listed}", parameter=name)


_RANGES: dict[str, tuple[int, int]] = {
    "priority": (0, 65_535),
    "weight": (1, 65_535),
    "calls_per_second": (0, 100_000),
    "concurrent": (0, 1_000_000),
    # RFC 4028 §4: no timer is shorter than 90 s.
    "session_seconds": (90, 86_400),
    "options_seconds": (5, 86_400),
}
"""Least and most; those of seconds may be 0, too."""


def _check_ranges(wish: TrunkWish) -> None:
    for name, (least, most) in _RANGES.items():
        value, or_none = getattr(wish, name), name.endswith("_seconds")
        if not least <= value <= most and not (or_none and value == 0):
            raise _outside(name, f"{'0, or ' if or_none else ''}from {least} to {most}")


def _outside(name: str, words: str) -> InvalidParameter:
    return InvalidParameter(f"Invalid parameter. {name} must be {words}", parameter=name)
