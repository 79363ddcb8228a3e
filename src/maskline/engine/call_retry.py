"""Another try for somebody who could not be reached at all: the next place, or the one that a 3xx names.

A 503, no response at all, or a transport that fails says nothing of the person who is called (RFC 3263 §4.3), nor does
a trunk that is full; before anything rang the next place gets an INVITE of its own. The other party hears nothing of
it, and the ring time-out counts over all tries.

A 3xx is followed only where it leads to the same number at another address of the same trunk: a Contact may name
anybody, and nobody is ever connected with a stranger (docs/decisions say why).

What it is: the action of the table `CALL` for an INVITE of ours that failed before it rang. What it is not: the choice
of places, which the router has made. Who uses it: `call.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_end import fail
from maskline.engine.call_states import LegSignal
from maskline.engine.presentation import means
from maskline.masking.e164 import Number
from maskline.masking.facts import LegName
from maskline.masking.trunk import Trunk, Way, own_target
from maskline.sip.flow import DEFAULT_PORTS, Flow

if TYPE_CHECKING:
    from maskline.engine.call import Call

MOST_REDIRECTS = 2
_FOLLOWED = frozenset({300, 301, 302})
"""305 names a proxy and 380 another service."""
_CLEAR = frozenset({"udp", "tcp"})
"""A Contact may ask for the other one of these (RFC 3263 §4.1). From TLS to one of them a call would go on in clear,
and the other way to an address that no certificate is held to."""


@dataclass(slots=True)
class Tries:
    """Of one leg."""

    leg: LegName
    now_at: Way
    left: list[Way]
    addresses: frozenset[tuple[str, str]]
    """Trunk and host of each place that was chosen."""
    redirects: int = 0
    tried: set[Flow] = field(default_factory=set)


def try_next(call: Call, inp: i.Failed, now: float, out: list[e.Effect]) -> None:
    """An INVITE failed before anything rang."""
    tries = call.tries
    if tries is None or tries.leg is not inp.leg:
        tries = call.tries = _first_tries(call, inp.leg)
    tries.tried.add(tries.now_at.target)
    way = None if call.record.has_rung(inp.leg) else _next(call, tries, inp)
    if way is None:
        return fail(call, inp, now, out)
    tries.now_at = way
    call.media.leg(inp.leg).dial_by(way.trunk, (way,))
    invite = _invite(call, inp.leg, way, has_next=_has_next(tries), moved=inp.status in _FOLLOWED)
    call.leg(inp.leg).step(LegSignal.REDIAL, out, invite)
    call.record.redialled(inp.leg, now, way.trunk.id, inp.status, out)
    return None


def has_next(call: Call, name: LegName) -> bool:
    """Whether a leg that is dialled for the first time could be dialled at another place."""
    return _has_next(_first_tries(call, name))


def _has_next(tries: Tries) -> bool:
    return any(way.target != tries.now_at.target and way.target not in tries.tried for way in tries.left)


def _first_tries(call: Call, name: LegName) -> Tries:
    if name is LegName.B:
        trunk, ways = call.way.trunk, call.way.ways
    else:
        assert call.first is not None, "leg A was dialled"
        trunk, ways = call.first.trunk, call.first.ways
    first, *left = ways = ways or (Way(trunk, own_target(trunk)),)
    addresses = frozenset([(way.trunk.id, way.target.host) for way in ways])
    return Tries(name, first, [way for way in left if _fits(call, way, first)], addresses)


def _fits(call: Call, way: Way, first: Way) -> bool:
    """Ports and keys are those of the first place."""
    if way.trunk.media is not first.trunk.media:
        return False
    return not call.media.relay or _family(way.target.host) == _family(first.target.host)


def _family(host: str) -> bool:
    return ":" in host


def _next(call: Call, tries: Tries, inp: i.Failed) -> Way | None:
    if inp.status in _FOLLOWED:
        return _redirect(call, tries, inp)
    if inp.status != 503 and not inp.silent:
        return None
    full = tries.now_at.trunk.id if inp.full else None
    tries.left = [way for way in tries.left if way.target not in tries.tried and way.trunk.id != full]
    return tries.left.pop(0) if tries.left else None


def _redirect(call: Call, tries: Tries, inp: i.Failed) -> Way | None:
    trunk = tries.now_at.trunk
    if not trunk.redirects or tries.redirects == MOST_REDIRECTS:
        return None
    there = tries.now_at
    at = there.target
    for contact in inp.contacts:
        transport = contact.transport or at.transport
        if transport != at.transport and not {transport, at.transport} <= _CLEAR:
            continue
        target = Flow(transport, contact.host, contact.port or DEFAULT_PORTS[transport])
        if not _is_of(tries, trunk, target.host) or target in tries.tried or not _fits(call, Way(trunk, target), there):
            continue
        if means(contact.user, _called(call, inp.leg), trunk.presentation):
            tries.redirects += 1
            return Way(trunk, target)
    return None


def _is_of(tries: Tries, trunk: Trunk, host: str) -> bool:
    """Whether this address is one of the trunk's: its own, one that its name has, or within its networks. A name is
    none: whoever looks it up is told what its owner likes."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if host == trunk.host or (trunk.id, host) in tries.addresses:
        return True
    return any(address in ip_network(source, strict=False) for source in trunk.sources)


def _called(call: Call, name: LegName) -> Number:
    if name is LegName.B:
        return call.way.callee
    assert call.first is not None, "leg A was dialled"
    return call.first.party


def _invite(call: Call, name: LegName, way: Way, *, has_next: bool, moved: bool) -> e.SendInvite:
    if name is LegName.B:
        to, body = call.way, call.media.offer_to_callee()
        return e.SendInvite(name, to.callee, to.shown, way.trunk, call.hops, body, way.target, has_next, moved)
    assert call.first is not None, "leg A was dialled"
    first, body = call.first, call.media.offer_to_first()
    return e.SendInvite(name, first.party, first.shown, way.trunk, call.hops, body, way.target, has_next, moved)
