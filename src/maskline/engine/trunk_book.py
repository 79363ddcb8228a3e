"""The trunks whose messages are read, by the address they come from.

What it is: an index that is made anew when the trunks change. What it is not: where they are kept, or the rule which of
several on one address is meant (`masking/trunk.py`). Who uses it: `core.py`, at every message.

A host that a trunk names costs one look-up. Only one that none names is looked for among networks, if there are any,
and what was found is remembered within bounds, since anyone can make up addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from maskline.engine.counters import EngineCounters
from maskline.masking.trunk import Trunk, certificate_name, match_inbound
from maskline.sip.digest import Credentials
from maskline.sip.events import ProofRefused
from maskline.sip.flow import Flow

REMEMBERED = 16_384
"""Hosts of which it is remembered that they are in a network, and as many that are in none."""

_Network = IPv4Network | IPv6Network


class TrunkBook:
    __slots__ = (
        "_asks", "_by_host", "_by_name", "_counters", "_in_networks", "_nats", "_networks", "_read", "_strangers",
        "_trunks", "front", "last_wrong",
    )  # fmt: skip

    def __init__(self, read: Callable[[], tuple[Trunk, ...]], counters: EngineCounters) -> None:
        """`read` is asked at every message and must be cheap; it returns the same tuple until one changes."""
        self._read = read
        self._trunks: tuple[Trunk, ...] = ()
        self._counters = counters
        self.last_wrong = ""
        """The address of the newest of what `counters.wrong_passwords` counts."""
        self.front: Flow | None = None
        """The proxy that all messages come by, where there is one: what it says of itself is read, too."""
        self._index(())

    def knows(self, flow: Flow) -> bool:
        trunks = self._read()
        if trunks is not self._trunks:
            self._index(trunks)
        return flow.host in self._by_host or flow == self.front or self._may_know(flow)

    @property
    def has_names(self) -> bool:
        """Whether the name that a certificate proves can be a trunk's."""
        return bool(self._by_name)

    def all(self) -> tuple[Trunk, ...]:
        return self._read()

    def match(self, flow: Flow, proved: tuple[Credentials, ...] = ()) -> tuple[Trunk, ...]:
        """The trunks a call may come from, the likeliest first; `flow` is one that is known, `proved` what the request
        has proved. A proved name says more than an address. One that has to prove itself and has not is left out."""
        found = self._at(flow)
        if not self._asks:
            return found
        return tuple([one for one in found if (_asked(one) in proved if one.challenge else not proved)])

    def who_must_prove(self, flow: Flow) -> tuple[Credentials | None, ...]:
        """Whose name and password a request from `flow` may need; None among them: one that needs none."""
        if not self._asks:
            return ()
        return tuple([_asked(one) if one.challenge else None for one in self._at(flow)])

    def is_behind_nat(self, flow: Flow) -> bool:
        return self._nats and any(trunk.nat for trunk in self._at(flow))

    def _at(self, flow: Flow) -> tuple[Trunk, ...]:
        named = self._by_name.get(flow.name, ()) if flow.name else ()
        return match_inbound((*named, *self._by_host.get(flow.host, ())), flow)

    def note_wrong(self, event: ProofRefused, now: float) -> None:
        self._counters.wrong_passwords += 1
        self.last_wrong = event.flow.host

    def _index(self, trunks: tuple[Trunk, ...]) -> None:
        by_host: dict[str, list[Trunk]] = {}
        by_name: dict[str, list[Trunk]] = {}
        networks: dict[_Network, list[Trunk]] = {}
        for trunk in trunks:
            by_host.setdefault(trunk.host, []).append(trunk)
            if name := certificate_name(trunk):
                by_name.setdefault(name, []).append(trunk)
            for network in map(ip_network, trunk.sources):
                if network.num_addresses > 1:
                    networks.setdefault(network, []).append(trunk)
                elif (host := str(network.network_address)) != trunk.host:
                    by_host.setdefault(host, []).append(trunk)
        for host, found in by_host.items():
            found += [trunk for trunk in _within(networks, host) if trunk not in found]
        self._trunks = trunks
        self._by_host = {host: tuple(found) for host, found in by_host.items()}
        self._by_name = {name: tuple(found) for name, found in by_name.items()}
        self._networks = networks
        self._asks = any(trunk.challenge for trunk in trunks)
        self._nats = any(trunk.nat for trunk in trunks)
        self._strangers: set[str] = set()
        self._in_networks = 0

    def _may_know(self, flow: Flow) -> bool:
        if flow.name and flow.name in self._by_name:
            return True
        host = flow.host
        if not self._networks or host in self._strangers:
            return False
        found = _within(self._networks, host)
        if not found:
            if len(self._strangers) >= REMEMBERED:
                self._strangers.clear()
            self._strangers.add(host)
            return False
        if self._in_networks >= REMEMBERED:
            self._index(self._trunks)
        self._in_networks += 1
        self._by_host[host] = tuple(found)
        return True


def _asked(trunk: Trunk) -> Credentials:
    """Who has to be there."""
    return Credentials(
        trunk.username, trunk.password, trunk.realm, md5_only=trunk.challenge_md5, sha512=trunk.challenge_sha512
    )


def _within(networks: dict[_Network, list[Trunk]], host: str) -> list[Trunk]:
    """Trunks one of whose networks has this host, the narrowest network first."""
    try:
        address = ip_address(host)
    except ValueError:
        # A trunk's own host may be a name.
        return []
    around = sorted((network for network in networks if address in network), key=lambda one: -one.prefixlen)
    return list(dict.fromkeys(trunk for network in around for trunk in networks[network]))
