"""DNS for carriers: NAPTR, SRV, A and AAAA, asked by dnspython without holding up the loop.

What it is: the questions of RFC 3263 §4 one after the other, and a bounded memory of the answers by their TTL, also of
"there is no such thing" (RFC 2308). What it is not: the order of trying (`sip/locate.py`), or when to ask
(`workflows/locate_trunks.py`). The hosts of webhooks are looked up elsewhere (`names.py`), by the system's own rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from maskline.clock import Clock
from maskline.sip.locate import AUTO, Naptr, Place, Srv, plain_transport, srv_questions

LIFETIME = 5.0
"""Seconds for one question, with all its tries."""
SHORTEST, LONGEST = 5.0, 3600.0
"""What a TTL counts as, at least and at most: 0 would ask all day, and a week would outlive a move."""
LONGEST_NOTHING = 300.0
"""How long nothing is believed in (RFC 2308 §5 allows three hours; a carrier that repairs its zone is wanted back)."""
RETRY_SECONDS = 15.0
"""After name servers did not answer."""
MOST_ANSWERS = 1_024
MOST_SERVERS, MOST_ADDRESSES = 16, 32
"""Of a service, and of each server. Calls come from all of them; name servers turn them round, so that of too many
others would be left out at each look."""
_RANKS = 65_536
"""Priorities of SRV within one transport."""


def reachable(hosts: Sequence[str]) -> tuple[str, ...]:
    """The kinds of addresses that can be sent to from these of ours; IPv6 first (RFC 6724 §2.1)."""
    return tuple(sorted(("AAAA" if ":" in host else "A" for host in hosts), reverse=True))


class ResolveError(Exception):
    """The name servers do not answer, or refuse to."""


class Located(NamedTuple):
    places: tuple[Place, ...]
    """Empty: the domain has no such server, decidedly."""
    seconds: float
    """How long that holds."""
    failed: str = ""
    """Why not all could be asked for; the places are those that are known all the same."""


class _Asked:
    """What one look brought beside its places."""

    __slots__ = ("failed", "until")

    def __init__(self) -> None:
        self.until: list[float] = []
        """Of each answer."""
        self.failed: list[ResolveError] = []


class _Answer(NamedTuple):
    until: float
    records: tuple[Any, ...]


class Resolver:
    def __init__(
        self, clock: Clock, *, servers: Sequence[tuple[str, int]] = (), kinds: Sequence[str] = ("A", "AAAA")
    ) -> None:
        """`servers`: address and port of name servers; none: the system's. `kinds`: which addresses can be reached."""
        self._clock = clock
        self._kinds = kinds
        self._known: dict[tuple[str, str], _Answer] = {}
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration:
            # Without /etc/resolv.conf only trunks with a name are in trouble, and each will say so.
            self._resolver = dns.asyncresolver.Resolver(configure=False)
        if servers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]

    async def locate(self, host: str, port: int, transport: str) -> Located:
        """The servers of a domain (RFC 3263 §4). A question that fails, as AAAA does with some name servers that know A
        well, leaves what the others found, and what it found before. Raises `ResolveError` when nothing is known."""
        asked = _Asked()
        if port:
            places = await self._plain(host, port, transport, asked)
        else:
            places = await self._by_srv(host, transport, asked)
        if asked.failed and not places:
            raise asked.failed[0]
        seconds = max(SHORTEST, min(asked.until) - self._clock.now())
        return Located(places, seconds, str(asked.failed[0]) if asked.failed else "")

    async def _by_srv(self, host: str, transport: str, asked: _Asked) -> tuple[Place, ...]:
        naptr = await self._records(host, "NAPTR", asked) if transport == AUTO else ()
        places, any_record = [], False
        for preferred, (chosen, name) in enumerate(srv_questions(host, transport, naptr)):
            for srv in sorted(await self._records(name, "SRV", asked))[:MOST_SERVERS]:
                any_record = True
                addresses = await self._addresses(srv.host, asked) if srv.host else ()
                if addresses:
                    rank = preferred * _RANKS + srv.priority
                    places.append(Place(chosen, rank, srv.weight, srv.port, addresses))
        if not any_record and not asked.failed:
            return await self._plain(host, 0, transport, asked)
        # Name servers turn their answers round: the same ones are to be the same places.
        return tuple(sorted(places))

    async def _plain(self, host: str, port: int, transport: str, asked: _Asked) -> tuple[Place, ...]:
        chosen, usual = plain_transport(transport)
        addresses = await self._addresses(host, asked)
        return (Place(chosen, 0, 0, port or usual, addresses),) if addresses else ()

    async def _addresses(self, host: str, asked: _Asked) -> tuple[str, ...]:
        found: list[str] = []
        for kind in self._kinds:
            found += await self._records(host, kind, asked)
        return tuple(found[:MOST_ADDRESSES])

    # -- one question -------------------------------------------------------------------------------------------

    async def _records(self, name: str, kind: str, asked: _Asked) -> tuple[Any, ...]:
        now = self._clock.now()
        known = self._known.get((name, kind))
        if known is None or known.until <= now:
            try:
                known = await self._ask(name, kind)
            except ResolveError as error:
                # What was there before is worth more than nothing, and is asked for again soon.
                asked.failed.append(error)
                asked.until.append(self._clock.now() + RETRY_SECONDS)
                return () if known is None else known.records
            if len(self._known) >= MOST_ANSWERS:
                self._known.clear()
            self._known[(name, kind)] = known
        asked.until.append(known.until)
        return known.records

    async def _ask(self, name: str, kind: str) -> _Answer:
        try:
            answer = await self._resolver.resolve(name, kind, lifetime=LIFETIME, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as nothing:
            return self._keep((), _nothing_ttl(nothing))
        except (dns.exception.DNSException, OSError) as error:
            raise ResolveError(type(error).__name__) from None
        ttl = answer.chaining_result.minimum_ttl
        records = tuple(_read(record, kind) for record in answer.rrset or ())
        return self._keep(records, ttl)

    def _keep(self, records: tuple[Any, ...], ttl: float) -> _Answer:
        longest = LONGEST if records else LONGEST_NOTHING
        return _Answer(self._clock.now() + min(max(ttl, SHORTEST), longest), records)


def _nothing_ttl(nothing: dns.resolver.NXDOMAIN) -> float:
    """From the SOA that comes with it."""
    ttls = [message.resolve_chaining().minimum_ttl for message in nothing.kwargs["responses"].values()]
    return float(min(ttls, default=SHORTEST))


def _read(record: Any, kind: str) -> Any:
    if kind == "NAPTR":
        service = record.service.decode("ascii", "replace")
        return Naptr(record.order, record.preference, service, _text(record.replacement))
    if kind == "SRV":
        return Srv(record.priority, record.weight, record.port, _text(record.target))
    return record.address


def _text(name: dns.name.Name) -> str:
    """Without the dot at its end; the root is empty."""
    return name.to_text(omit_final_dot=True).strip(".")
