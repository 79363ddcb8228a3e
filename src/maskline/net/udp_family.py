"""UDP sockets of both address families on one port, spoken to as one.

What it is: for a server with an address of each family the choice of the socket by the peer's address, and sums of
their figures; with one address it is that one's socket and nothing more; and TCP's listeners on the same port. What it
is not: a socket (`udp.py`). Who uses
it: `engine/runner.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from maskline.net.streams import Streams
from maskline.net.udp import BATCH, Address, UdpSocket


class UdpFamilies:
    """Callbacks as those of `UdpSocket`."""

    def __init__(
        self,
        on_datagram: Callable[[bytes, str, int], None],
        on_batch: Callable[[], None],
        on_unreachable: Callable[[str, int, bytes], None],
        wall: Callable[[], float],
        batch: int = BATCH,
    ) -> None:
        self._on_datagram, self._on_batch, self._on_unreachable = on_datagram, on_batch, on_unreachable
        self._wall, self._batch = wall, batch
        self._sockets: list[UdpSocket] = []
        self._v4: UdpSocket | None = None
        self._v6: UdpSocket | None = None
        self._heard: UdpSocket | None = None
        """Whose datagram is being handed over."""
        self._refused = 0

    def bind(self, hosts: Sequence[str], port: int) -> Address:
        """One socket for each of `hosts`, one a family, on the same port; returns the address of the first. Raises
        `OSError`, and then none is open."""
        bound: Address = (hosts[0], port)
        try:
            for at, host in enumerate(hosts):
                sock = self._add(host, alone=len(hosts) == 1)
                taken = sock.bind(host, bound[1])
                bound = bound if at else taken
        except OSError:
            self.close()
            raise
        return bound

    def _add(self, host: str, *, alone: bool) -> UdpSocket:
        take = self._on_datagram if alone else partial(self._take, len(self._sockets))
        sock = UdpSocket(take, self._on_batch, self._on_unreachable, self._wall, self._batch)
        self._sockets.append(sock)
        self._heard = sock
        if ":" in host:
            self._v6 = sock
        else:
            self._v4 = sock
        return sock

    def _take(self, index: int, data: bytes, host: str, port: int) -> None:
        self._heard = self._sockets[index]
        self._on_datagram(data, host, port)

    def send(self, data: bytes, host: str, port: int) -> None:
        """As `UdpSocket.send`; to a family that we have no address of nothing is sent, and `on_unreachable` is told."""
        sock = self._v6 if ":" in host else self._v4
        if sock is not None:
            sock.send(data, host, port)
        elif self._sockets:
            self._refused += 1
            # Not at once: whoever sends is in the middle of something.
            asyncio.get_running_loop().call_soon(self._on_unreachable, host, port, data)

    def read(self) -> None:
        for sock in self._sockets:
            sock.read()

    def close(self) -> None:
        sockets, self._sockets = self._sockets, []
        self._v4 = self._v6 = self._heard = None
        for sock in sockets:
            sock.close()

    @property
    def age(self) -> float:
        """Of the datagram that is being handed over."""
        return 0.0 if self._heard is None else self._heard.age

    @property
    def behind(self) -> float:
        longest = 0.0  # asked in each wake-up, and compiled `max` of a generator is ten times as much
        for sock in self._sockets:
            if sock.behind > longest:
                longest = sock.behind
        return longest

    @property
    def dropped_sends(self) -> int:
        return self._refused + sum(sock.dropped_sends for sock in self._sockets)

    def kernel_drops(self) -> int:
        return sum(sock.kernel_drops() for sock in self._sockets)

    def shut_drops(self) -> int:
        return sum(sock.shut_drops() for sock in self._sockets)

    def shut_out(self, hosts: Sequence[str]) -> bool:
        """As `UdpSocket.shut_out`."""
        done = [sock.shut_out(hosts) for sock in self._sockets]
        return all(done)


def bind_both(udp: UdpFamilies, streams: Streams, hosts: Sequence[str], port: int) -> tuple[str, int]:
    """UDP and TCP on one port, as a URI without transport leaves the choice, at each of our addresses; any that all
    have free when it is 0. Raises `OSError`."""
    for tries in range(20, -1, -1):
        try:
            bound = udp.bind(hosts, port)
            for host in hosts:
                streams.bind(host, bound[1], "tcp")
        except OSError:
            udp.close()
            streams.unbind()
            if port or not tries:
                raise
        else:
            break
    return bound
