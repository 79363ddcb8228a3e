"""Where a domain's SIP servers are: the order of RFC 3263 and RFC 2782, without a resolver.

What it is: which names are asked for, and in which order the answers are tried. What it is not: DNS (`net/resolve.py`),
or whether a server lives (`masking/trunk_state.py`). Who uses it: the resolver asks by it; the choice of a trunk's
address, for every call that has several.

Nothing here is a number of a person: names and addresses of carriers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from maskline.sip.flow import DEFAULT_PORTS, Flow

_T = TypeVar("_T")

Chance = Callable[[], float]
"""The next random number, 0 ≤ x < 1, from a seeded source."""

AUTO = "auto"
"""Transport of a trunk that takes what the domain offers (§4.1)."""
_SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_SRV_PREFIX = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
_OFFERED = ("tls", "tcp", "udp")
"""What is asked for where a domain says nothing of its preference, the safest first."""


class Naptr(NamedTuple):
    order: int
    preference: int
    service: str
    """`SIP+D2U`, `SIP+D2T`, `SIPS+D2T`; others are not ours."""
    replacement: str
    """The name to ask SRV for."""


class Srv(NamedTuple):
    priority: int
    weight: int
    port: int
    host: str
    """Empty: the service is decidedly not there (RFC 2782)."""


class Place(NamedTuple):
    """One server, resolved."""

    transport: str
    rank: int
    """Lower is tried first: transports as the domain prefers them, then priorities of SRV."""
    weight: int
    port: int
    addresses: tuple[str, ...]


def srv_questions(domain: str, transport: str, naptr: Iterable[Naptr]) -> list[tuple[str, str]]:
    """(transport, name) to ask SRV for, best first (§4.1). `naptr` counts only where the transport is open."""
    if transport != AUTO:
        return [(transport, _SRV_PREFIX[transport] + domain)]
    known = sorted(one for one in naptr if one.service.upper() in _SERVICES)
    if not known:
        return [(one, _SRV_PREFIX[one] + domain) for one in _OFFERED]
    return [(_SERVICES[one.service.upper()], one.replacement) for one in known]


def plain_transport(transport: str) -> tuple[str, int]:
    """What is spoken to a name of which only addresses are known, and its usual port (§4.1, §4.2)."""
    chosen = "udp" if transport == AUTO else transport
    return chosen, DEFAULT_PORTS[chosen]


def in_order(places: Sequence[Place], name: str, chance: Chance) -> tuple[Flow, ...]:
    """Every address of every place, in the order to be tried; `name` is what a certificate must prove (RFC 5922)."""
    if len(places) == 1:
        return _flows(places[0], name)
    flows: list[Flow] = []
    for rank in sorted({place.rank for place in places}):
        equal = [place for place in places if place.rank == rank]
        for place in by_weight(equal, [one.weight for one in equal], chance):
            flows += _flows(place, name)
    return tuple(flows)


def _flows(place: Place, name: str) -> tuple[Flow, ...]:
    proved = name if place.transport == "tls" else ""
    return tuple([Flow(place.transport, address, place.port, proved) for address in place.addresses])


def by_weight(items: Sequence[_T], weights: Sequence[int], chance: Chance) -> list[_T]:
    """All of them, each place drawn by the weights of those left (RFC 2782). Weight 0 has a very small chance beside
    others."""
    left = list(zip(items, weights, strict=True))
    drawn = []
    while len(left) > 1:
        at = _draw([weight for _, weight in left], chance())
        drawn.append(left.pop(at)[0])
    return drawn + [item for item, _ in left]


def _draw(weights: list[int], chance: float) -> int:
    # A thousandth instead of 0: RFC 2782 wants "a very small chance" for these.
    shares = [weight or 0.001 for weight in weights]
    point = chance * sum(shares)
    for at, share in enumerate(shares):
        point -= share
        if point < 0:
            return at
    return len(shares) - 1
