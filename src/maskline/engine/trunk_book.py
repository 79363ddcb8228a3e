"""The trunks whose datagrams are read, by the address they come from.

What it is: an index that is made anew when the trunks change. What it is not: where they are kept, or the rule which of
several on one address is meant (`masking/trunk.py`). Who uses it: `core.py`, at every datagram.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.masking.trunk import Trunk, match_inbound
from maskline.sip.events import Flow


class TrunkBook:
    __slots__ = ("_by_host", "_read", "_trunks")

    def __init__(self, read: Callable[[], tuple[Trunk, ...]]) -> None:
        """`read` is asked at every datagram and must be cheap; it returns the same tuple until one changes."""
        self._read = read
        self._trunks: tuple[Trunk, ...] = ()
        self._by_host: dict[str, tuple[Trunk, ...]] = {}

    def knows(self, host: str) -> bool:
        trunks = self._read()
        if trunks is not self._trunks:
            self._trunks, self._by_host = trunks, _by_host(trunks)
        return host in self._by_host

    def match(self, flow: Flow) -> Trunk | None:
        """The trunk a call comes from; `flow.host` is one that is known."""
        return match_inbound(self._by_host[flow.host], flow.host, flow.port, flow.transport)


def _by_host(trunks: tuple[Trunk, ...]) -> dict[str, tuple[Trunk, ...]]:
    by_host: dict[str, list[Trunk]] = {}
    for trunk in trunks:
        by_host.setdefault(trunk.host, []).append(trunk)
    return {host: tuple(found) for host, found in by_host.items()}
