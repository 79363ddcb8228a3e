"""A trunk: one carrier connection, and which trunk may carry a call to a destination.

What it is: the frozen value and the two pure choices (inbound match, outbound choice). What it is not:
digest, DNS, failover or limits, which build on it later. Who uses it: workflows/route_call, the engine's
runner (source check), the CLI.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from maskline.masking.e164 import Number


class TrunkMedia(StrEnum):
    """What those we dial through a trunk are offered. Who calls through it chooses by its own offer."""

    PLAIN = "plain"
    """RTP/AVP."""
    SRTP = "srtp"
    """RTP/SAVP with keys in the SDP (SDES, RFC 4568), and nothing less."""


@dataclass(frozen=True, slots=True)
class Trunk:
    id: str
    name: str
    account_id: str | None
    """None: shared by all accounts."""
    host: str
    """IP address (names come with RFC 3263)."""
    port: int
    transport: str = "udp"
    username: str = ""
    prefixes: tuple[str, ...] = ()
    """E.164 prefixes with `+` it may call; empty: any."""
    nat: bool = False
    """Far media may come from another address than its SDP says."""
    media: TrunkMedia = TrunkMedia.PLAIN


def match_inbound(trunks: Iterable[Trunk], host: str, port: int, transport: str) -> Trunk | None:
    """The trunk a datagram came from: exact host and port first, else host alone; None is a stranger."""
    by_host: Trunk | None = None
    for trunk in trunks:
        if trunk.host != host or trunk.transport != transport:
            continue
        if trunk.port == port:
            return trunk
        by_host = by_host or trunk
    return by_host


def choose_outbound(trunks: Iterable[Trunk], account_id: str, destination: Number) -> Trunk | None:
    """The trunk that may call `destination` for this account: longest prefix, own before shared, then order."""
    best: tuple[int, bool] | None = None
    chosen: Trunk | None = None
    for trunk in trunks:
        if trunk.account_id not in (None, account_id):
            continue
        length = _prefix_length(trunk, destination)
        if length is None:
            continue
        rank = (length, trunk.account_id is not None)
        if best is None or rank > best:
            best, chosen = rank, trunk
    return chosen


def _prefix_length(trunk: Trunk, destination: Number) -> int | None:
    if not trunk.prefixes:
        return 0
    matching = [len(p) for p in trunk.prefixes if destination.e164.startswith(p)]
    return max(matching, default=None)
