"""Where messages come from and go to: the flow, and the datagram on it.

What it is: the two values every layer of `sip` shares. What it is not: a socket or a connection; transports
(`net/`) know those: a flow of a stream names one connection by its far end, which they find or open. Who uses it:
transactions, dialogs and the agent; the engine and the lab get it by `events`.
"""

from __future__ import annotations

from typing import NamedTuple


class Flow(NamedTuple):
    """The far end of a message: where a datagram came from, or goes to."""

    transport: str
    """`udp`, `tcp` or `tls`."""
    host: str
    """IP address."""
    port: int
    name: str = ""
    """TLS: the name that the far side's certificate proved, or must prove when we connect. Empty: it showed none, or
    it must prove its address."""


def way_of(flow: Flow) -> str:
    """Transport and address family, by which we have an address of our own: `udp`, or `udp6` over IPv6."""
    return flow.transport + "6" if ":" in flow.host else flow.transport


RELIABLE = frozenset(("tcp", "tls"))
"""Transports that repeat by themselves what gets lost (§17: no timers A, E and G; D, I, J and K are zero)."""
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""Where a URI or Via without port leads (§19.1.2)."""


Datagram = tuple[bytes, Flow]
"""One message to put on the wire, and where it goes."""
