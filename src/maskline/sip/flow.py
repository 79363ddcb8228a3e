"""Where messages come from and go to: the flow, and the datagram on it.

What it is: the two values every layer of `sip` shares. What it is not: a socket or a connection; transports
(`net/`) know those. Who uses it: transactions, dialogs and the agent; the engine and the lab get it by `events`.
"""

from __future__ import annotations

from typing import NamedTuple


class Flow(NamedTuple):
    """The far end of a message: where a datagram came from, or goes to."""

    transport: str
    """`udp`; `tcp` and `tls` join with their transports."""
    host: str
    """IP address."""
    port: int


class Datagram(NamedTuple):
    """One message to put on the wire."""

    data: bytes
    flow: Flow
