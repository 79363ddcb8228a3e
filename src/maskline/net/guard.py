"""Which addresses that customers name may be reached: public ones, and those an operator names; and which ports.

What it is: the judgement on one address, pure (reliability.md §1 "Address guard"). What it is not: the place
where it is asked; that is `egress.py`, for the address actually dialled. Who uses it: egress, and the workflows that
keep URLs and hosts, for what can never work.

`ipaddress.is_global` is not enough: it says True for 224.0.0.1, 64:ff9b::/96 and 2002::/16 (measured on
3.11.7). IPv6 is judged the other way round: only 2000::/3 is handed out to networks at all, so everything
outside it is refused, and the special ranges inside it are listed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # "this network"; 0.0.0.0 reaches this machine
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # private (RFC 1918)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, with the clouds' metadata service
        "192.0.0.0/24",  # IETF assignments
        "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)  # fmt: skip
_GIVEN_OUT_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # IETF assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32", "3fff::/20",  # documentation
        "2002::/16",  # 6to4: any IPv4 address inside
    )
)  # fmt: skip


_WEB_PORTS = frozenset({80, 443})
BAD_PORT = "has a port below 1024 that is neither 80 nor 443"
"""What is said of a URL with a port that is none."""


def is_web_port(port: int) -> bool:
    """Whether a request may go to this port: those below 1024 other than the web's are mail, shells and databases,
    never a receiver."""
    return port in _WEB_PORTS or port >= 1024


class AddressGuard:
    """`allowed`: networks that may be reached although internal (`MASKLINE_EGRESS_ALLOW`)."""

    __slots__ = ("_allowed",)

    def __init__(self, allowed: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allowed)

    def allows(self, text: str) -> bool:
        """Whether the address `text` (as in a socket address, scope id tolerated) may be dialled."""
        try:
            address = _unmapped(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return False
        return is_public(address) or any(address in network for network in self._allowed)

    def refuses_literal(self, host: str) -> bool:
        """Whether `host` is an address (IPv6 with or without brackets) that may not be dialled, not a name: a name may
        lead elsewhere when it is asked."""
        text = host.removeprefix("[").removesuffix("]")
        try:
            ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        return not self.allows(text)


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet; mapped IPv4 addresses are to be unmapped before."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _GIVEN_OUT_V6 and not any(address in network for network in _REFUSED_V6)


def _unmapped(address: Address) -> Address:
    """::ffff:10.0.0.1 is 10.0.0.1 to the kernel, hence to us."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
