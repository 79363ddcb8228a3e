"""A trunk: one carrier connection.

What it is: the frozen value, how it wants to be spoken to, and whose a message is. What it is not: the choice for a
call that goes out (`trunk_choice.py`), or digest, DNS, failover and the counting of limits, which read these values.
Who uses it: workflows/route_call, the engine's runner (source check), the CLI.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from maskline.masking.e164 import Number
from maskline.sip import option_tags
from maskline.sip.flow import Flow
from maskline.sip.locate import AUTO
from maskline.values import dataclass


class TrunkMedia(StrEnum):
    """What those we dial through a trunk are offered. Who calls through it chooses by its own offer."""

    PLAIN = "plain"
    """RTP/AVP."""
    SRTP = "srtp"
    """RTP/SAVP with keys in the SDP (SDES, RFC 4568), and nothing less."""


class IdentityHeader(StrEnum):
    """Headers that can carry the virtual number to a carrier."""

    FROM = "from"
    ASSERTED = "pai"
    """P-Asserted-Identity (RFC 3325)."""
    REMOTE_PARTY = "rpid"
    """Remote-Party-ID (draft-ietf-sip-privacy), for carriers that know nothing newer."""
    DIVERSION = "diversion"
    """Diversion (RFC 5806): carriers that let a number be shown only to the one who forwards."""


class NumberFormat(StrEnum):
    PLUS = "+e164"
    E164 = "e164"
    """Without the plus."""
    NATIONAL = "national"
    """Numbers of the trunk's `country_code` as they are dialled inside that country; others as from there."""


class Reliable(StrEnum):
    """Reliable provisional responses (100rel, RFC 3262) on this trunk."""

    OFF = option_tags.OFF
    ON = option_tags.SUPPORTED
    REQUIRED = option_tags.REQUIRED


@dataclass(frozen=True, slots=True)
class Presentation:
    """How numbers are written to this trunk."""

    headers: tuple[IdentityHeader, ...] = (IdentityHeader.FROM, IdentityHeader.ASSERTED)
    """Which carry the virtual number. Without `FROM` the From header says anonymous (RFC 3323 §4.1.1.3)."""
    number_format: NumberFormat = NumberFormat.PLUS
    country_code: str = ""
    """With `+`; for `NATIONAL`, out and in."""
    dial_prefix: str = ""
    """Digits before the dialled number, which some carriers route by; between them and the number stands no plus."""
    privacy: bool = False
    """Adds `Privacy: id` (RFC 3323, RFC 3325)."""
    national_prefix: str | None = None
    """Digits in the place of `country_code`, such as 0; empty: nothing; None: what that country dials."""
    international_prefix: str | None = None
    """Digits before the numbers of other countries, such as 00 or 011; None: what that country dials."""
    from_domain: str = ""
    """Behind the @ of From and of what else carries the virtual number, for carriers that know their customers by it;
    empty: our address."""


USUAL_PRESENTATION = Presentation()
"""In every trunk that is read from the store, so that what most trunks want costs a look at which object it is."""


@dataclass(frozen=True, slots=True)
class TrunkLimits:
    """What may be sent to a trunk; 0 means no limit."""

    calls_per_second: float = 0.0
    concurrent: int = 0
    """Calls at a time, of both directions."""


@dataclass(frozen=True, slots=True)
class Trunk:
    id: str
    name: str
    account_id: str | None
    """None: shared by all accounts."""
    host: str
    """IP address or domain name (RFC 3263)."""
    port: int
    """0: what SRV says, else the transport's own (RFC 3263 §4.2)."""
    transport: str = "udp"
    """`udp`, `tcp` or `tls`; `auto`: what the domain offers (RFC 3263 §4.1), for a `host` that is a name."""
    username: str = ""
    prefixes: tuple[str, ...] = ()
    """E.164 prefixes with `+` it may call; empty: any."""
    nat: bool = False
    """It is behind one: far media may come from another address than its SDP says, and requests inside a dialog go
    where its own come from when its Contact is a private address."""
    media: TrunkMedia = TrunkMedia.PLAIN
    password: str = field(default="", repr=False)
    realm: str = ""
    """Challenges of other realms are not answered; empty: the first realm this trunk asks with is taken."""
    challenge: bool = False
    """What comes from it must prove `username` and `password` by digest."""
    sources: tuple[str, ...] = ()
    """Networks (CIDR) that its calls come from beside `host`."""
    tls_name: str = ""
    """Name its certificate must have; empty: `host`. For inbound calls it counts when a certificate is asked for."""
    alias: bool = False
    """It asks that its own connection is used for requests to it (RFC 5923)."""
    priority: int = 0
    """Among trunks of the same prefix length the lower one goes first."""
    weight: int = 1
    """Share among those of the same priority."""
    presentation: Presentation = USUAL_PRESENTATION
    limits: TrunkLimits = TrunkLimits()
    codecs: tuple[str, ...] = ()
    """Names of the audio codecs we offer, best first; empty: what the caller has."""
    redirects: bool = False
    """A 3xx of it is followed, to its own addresses."""
    reliable: Reliable = Reliable.ON
    session_seconds: int = 1800
    """Session timer asked for (RFC 4028, at least 90); 0: none of ours."""
    options_seconds: int = 0
    """Seconds between health checks by OPTIONS; 0: none."""
    challenge_md5: bool = False
    """`challenge` names MD5 alone: some peers give up when they read of an algorithm they do not know."""
    challenge_sha512: bool = False
    """`challenge` names SHA-512-256 before the others, for the same reason not everywhere."""

    @property
    def named(self) -> bool:
        """Whether `host` is to be looked up."""
        return is_name(self.host)


def is_name(host: str) -> bool:
    """Whether this host, one that was checked, is no IP address: those have a colon, or digits and dots alone."""
    return ":" not in host and not host.replace(".", "").isdigit()


class Way(NamedTuple):
    """One place that a call can be sent to: a trunk, and an address of it."""

    trunk: Trunk
    target: Flow


class Reading(NamedTuple):
    """The numbers of a call as one of the trunks writes them that it may have come by."""

    trunk: Trunk
    caller: Number | None
    """None: withheld, or not a number."""
    called: Number


def own_target(trunk: Trunk) -> Flow:
    """The address that a trunk says itself; only one whose host is no name can be sent to it."""
    name = (trunk.tls_name or trunk.host) if trunk.transport == "tls" else ""
    return Flow(trunk.transport, trunk.host, trunk.port, name)


def is_at(trunk: Trunk, host: str) -> bool:
    """Whether this IP address is the trunk's, or within its networks."""
    address = ip_address(host)
    return host == trunk.host or any(address in ip_network(source, strict=False) for source in trunk.sources)


def match_inbound(trunks: Iterable[Trunk], flow: Flow) -> tuple[Trunk, ...]:
    """Which of those that know the address of `flow`, or the name its certificate proved, may be meant: those of its
    transport, and of these the ones of its exact port where there are any. Where TCP is nobody's, those of UDP: what is
    too large for UDP comes by TCP (RFC 3261 §18.1.1), and an `Identity` is enough for that. A trunk that goes by
    another name than the proved one is not meant. Several are told apart by digest, then by whose number is dialled
    (`of_account`)."""
    found: list[Trunk] = []
    exact: list[Trunk] = []
    too_large: list[Trunk] = []
    for trunk in trunks:
        if trunk.transport != flow.transport and trunk.transport != AUTO:
            if (trunk.transport, flow.transport) == ("udp", "tcp"):
                too_large.append(trunk)
            continue
        if flow.name and trunk.tls_name and flow.name != trunk.tls_name:
            continue
        (exact if trunk.port == flow.port else found).append(trunk)
    meant = exact or found or too_large
    # To hash a trunk is to hash all that it says.
    return tuple(meant) if len(meant) < 2 else tuple(dict.fromkeys(meant))


def of_account(trunks: tuple[Trunk, ...], account_id: str) -> Trunk | None:
    """By which of `trunks` a call to a number of this account came: one of its own, else a shared one; None: all are
    others', whose carriers must not be able to ring this account's numbers."""
    shared: Trunk | None = None
    for trunk in trunks:
        if trunk.account_id == account_id:
            return trunk
        if trunk.account_id is None and shared is None:
            shared = trunk
    return shared


def certificate_name(trunk: Trunk) -> str:
    """The name its certificate proves; empty: it is known by address only."""
    if trunk.transport not in ("tls", AUTO):
        return ""
    return trunk.tls_name or (trunk.host if trunk.named else "")
