"""What a setting's value may be: the words to choose from, and the checked texts with what is read from them.

What it is: enums, types of text that pydantic checks (`Annotated`), and the functions that read such a text. A
text that is wrong raises `ValueError` with the words a user sees. What it is not: a setting; those stand in
`settings.py`, which uses this, as do the parts that tell the choices apart.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import AfterValidator

SPOKEN = re.compile(r"say(?:@(?P<voice>[A-Za-z0-9_-]+))?:(?P<text>.+)", re.DOTALL)
"""`say:TEXT`, or `say@VOICE:TEXT` with a voice such as en-us-f."""
# RFC 1123 §2.1, and the underscore of names that container networks give.
_HOST_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class MediaChoice(StrEnum):
    EMBEDDED = "embedded"
    RTPENGINE = "rtpengine"
    NONE = "none"


class PromptMoment(StrEnum):
    EARLY = "early"
    ANSWERED = "answered"


class WithheldPolicy(StrEnum):
    REJECT = "reject"
    PIN = "pin"
    PROMPT = "prompt"


class DtmfPolicy(StrEnum):
    PASS = "pass"
    BLOCK = "block"


class SpeechChoice(StrEnum):
    ESPEAK = "espeak"
    PIPER = "piper"
    NONE = "none"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class SessionDefaults(StrEnum):
    DOCUMENTED = "documented"
    PLIVO_ACTUAL = "plivo-actual"
    CUSTOM = "custom"


class PlivoEvents(StrEnum):
    FIRST = "2023"
    SECOND = "2024"
    THIRD = "2025"
    CURRENT = "current"
    ALL = "all"


# --- reading texts


def read_list(text: str) -> Iterable[str]:
    """The parts of a comma-separated text that are not blank."""
    return (part.strip() for part in text.split(",") if part.strip())


def read_destination(text: str) -> SplitResult | None:
    """The parts of a URL that recordings can be pushed to; None for any other text."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    plain = not (parts.query or parts.fragment or parts.password) and bool(parts.hostname)
    if parts.scheme == "s3" and plain and parts.username is None and port is None:
        return parts
    return parts if parts.scheme == "sftp" and plain and parts.username else None


def read_range(text: str) -> tuple[int, int]:
    """First and last port, both usable."""
    first, dash, last = text.partition("-")
    if not dash or not first.strip().isdecimal() or not last.strip().isdecimal():
        raise ValueError("it must look like 20000-29999")
    low, high = int(first), int(last)
    if not 1 <= low < high <= 65535:
        raise ValueError("ports lie between 1 and 65535, the smaller first")
    return low, high


def read_addresses(text: str) -> tuple[tuple[str, int], ...]:
    """(host, port) of each, one at least."""
    found = []
    for part in read_list(text):
        host, colon, port = part.rpartition(":")
        if not colon or not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise ValueError("it must look like 127.0.0.1:2223,127.0.0.1:2224")
        found.append((host.strip("[]"), int(port)))
    if not found:
        raise ValueError("it must name at least one address")
    return tuple(found)


def read_name_servers(text: str) -> tuple[tuple[str, int], ...]:
    """(address, port) of each; none: the system's."""
    found = []
    for part in read_list(text):
        host, port = (part, "53") if _is_ip(part) else (part.rpartition(":")[0].strip("[]"), part.rpartition(":")[2])
        if not _is_ip(host) or not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise ValueError("it must look like 192.0.2.53,[2001:db8::53]:53")
        found.append((host, int(port)))
    return tuple(found)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _name_servers(value: str) -> str:
    read_name_servers(value)
    return value


def read_networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part) for part in read_list(text))
    except ValueError:
        raise ValueError("it must look like 10.0.0.0/8,192.168.7.0/24") from None


# --- checking them


def _database_url(value: str) -> str:
    if value.startswith("sqlite:///") and len(value) > len("sqlite:///"):
        return value
    if value.startswith(("postgresql://", "postgres://")) and _names_a_database(value):
        return value
    raise ValueError("it must look like sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE")


def database_place(url: str) -> str:
    """Where a PostgreSQL database is, for a sentence: its URL without user and password."""
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    port = f":{parts.port}" if parts.port else ""
    return f"{host}{port}{parts.path}"


def _names_a_database(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.path.strip("/") != "" and parts.port != 0
    except ValueError:  # its port is none, or a bracket is missing
        return False


def _destination(value: str) -> str:
    if value != "local" and not read_destination(value):
        raise ValueError("it must be local, s3://BUCKET/PREFIX or sftp://USER@HOST:PORT/PATH")
    return value


def _host_names(value: str) -> str:
    if not all(_HOST_NAME.fullmatch(part) for part in read_list(value)):
        raise ValueError("it must look like api.example.com,masking.example.org, without scheme and port")
    return value.lower()


def _http_url(value: str) -> str:
    if value and not _is_url(value):
        raise ValueError("it must look like https://host[:port][/path]")
    return value.rstrip("/")


def _ip_address(value: str) -> str:
    if value == "":
        return value
    try:
        return str(ipaddress.ip_address("127.0.0.1" if value == "localhost" else value))
    except ValueError:
        raise ValueError("it must be an IP address") from None


def _ip_addresses(value: str) -> str:
    hosts = [_ip_address(part) for part in read_list(value)]
    if len({":" in host for host in hosts}) < len(hosts):
        raise ValueError("it must be an IP address, or one of IPv4 and one of IPv6 with a comma between them")
    return ",".join(hosts)


def check_hosts(media: tuple[str, ...], named: Iterable[str], advertised: tuple[str, ...]) -> None:
    """Of those we are reached at; `named`: in MASKLINE_SIP_ADVERTISED_HOST. Raises `ValueError`."""
    if any(ipaddress.ip_address(host).is_unspecified for host in media):
        raise ValueError("MASKLINE_MEDIA_HOST must be an address that carriers can send audio to")
    if not advertised or not media:
        raise ValueError("MASKLINE_SIP_HOST and MASKLINE_MEDIA_HOST must name an address")
    if not set(named) <= set(advertised):
        raise ValueError("MASKLINE_SIP_ADVERTISED_HOST has an address of a family that MASKLINE_SIP_HOST has not")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _addresses(value: str) -> str:
    read_addresses(value)
    return value


def _front_address(value: str) -> str:
    if value:
        try:
            ((host, _),) = read_addresses(value)
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("it must be an IP address and a port, as 10.0.0.5:5070") from None
    return value


def _networks(value: str) -> str:
    read_networks(value)
    return value


def _engine_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]{0,32}", text) is None:
        raise ValueError("it must be up to 32 letters, digits, - and _")
    return text


def _name_prefix(value: str) -> str:
    # It becomes part of a form's key, which validators sort and sign byte by byte.
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,31}", value):
        raise ValueError("it must be 1 to 32 letters and digits, a letter first")
    return value


def _operator_key(value: str) -> str:
    if value and not re.fullmatch(r"[!-~]{24,512}", value):
        raise ValueError("it must be 24 to 512 letters, digits and signs, such as: openssl rand -hex 32")
    return value


def _port_range(value: str) -> str:
    first, last = read_range(value)
    if last - first < 3:
        raise ValueError("a call needs four ports, so the range must hold at least four")
    return value


def _prompt_source(value: str) -> str:
    if value and not _is_url(value) and (not (spoken := SPOKEN.fullmatch(value)) or not spoken["text"].strip()):
        raise ValueError("it must look like https://host/path, say:TEXT or say@VOICE:TEXT")
    return value


FrontAddress = Annotated[str, AfterValidator(_front_address)]
"""Or empty."""
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Destination = Annotated[str, AfterValidator(_destination)]
EngineName = Annotated[str, AfterValidator(_engine_name)]
HostNames = Annotated[str, AfterValidator(_host_names)]
"""In lower case."""
NameServers = Annotated[str, AfterValidator(_name_servers)]
HostPorts = Annotated[str, AfterValidator(_addresses)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
"""Or empty; without a slash at its end."""
IpAddress = Annotated[str, AfterValidator(_ip_address)]
"""Or empty; `localhost` is 127.0.0.1."""
IpAddresses = Annotated[str, AfterValidator(_ip_addresses)]
"""One, or one of each family; or empty."""
NamePrefix = Annotated[str, AfterValidator(_name_prefix)]
OperatorKey = Annotated[str, AfterValidator(_operator_key)]
Networks = Annotated[str, AfterValidator(_networks)]
PortRange = Annotated[str, AfterValidator(_port_range)]
PromptSource = Annotated[str, AfterValidator(_prompt_source)]
"""Or empty."""
