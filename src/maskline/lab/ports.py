"""Port numbers for programs that are started later: nobody else takes them before they are bound.

What it is: numbers from blocks below those that the kernel gives to whoever asks for any (port 0, outgoing
connections). A block is one process's as long as that lives: it holds a UDP port bound that stands for the block, a
lock which ends with the process and is known exactly where ports are, also between users and containers. What it is
not: an open socket; a program of no concern to us may listen there with a fixed port, so a number is looked at before
it is given. Who uses it: the demo, tests and benchmarks.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import random
import socket
import threading
from collections import deque
from pathlib import Path

BLOCK = 50
"""Ports; a test process needs some hundred, a demo two."""
_LEAST = 2_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def zone(low: int, high: int) -> range:
    """Where blocks and their locks lie on a machine that gives ports `low` to `high` to whoever asks for any."""
    choice = (range(10_000, low), range(high + 1, 65_536), range(1_024, low))
    return next((ports for ports in choice if len(ports) >= _LEAST), range(10_000, 32_768))


class Ports:
    """The blocks of one process. Threads may share it."""

    def __init__(self, ports: range) -> None:
        blocks = len(ports) // (BLOCK + 1)
        self._locks, self._ports = ports[:blocks], ports[blocks:]
        self._held: dict[int, socket.socket] = {}
        self._runs: deque[range] = deque()
        """Not given yet, or given back."""
        self._given: deque[int] = deque()
        self._lent: dict[int, range] = {}
        self._mutex = threading.Lock()

    def close(self) -> None:
        """Give the blocks to others."""
        for held in self._held.values():
            held.close()
        self._held.clear()
        self._runs.clear()
        self._given.clear()

    def one(self) -> int:
        """A number that is free for UDP and TCP on every address. None is given twice before all blocks are."""
        with self._mutex:
            while self._runs or self._extend(1):
                run = self._runs.popleft()
                self._keep(run[1:], first=True)
                if self._give(run[0]):
                    return run[0]
            for _ in range(len(self._given)):
                if self._give(port := self._given.popleft()):
                    return port
        raise OSError("all ports that the lab may use are taken")

    def several(self, count: int) -> tuple[int, int]:
        """First, which is even, and last of so many in a row. They are not given again before `give_back`."""
        with self._mutex:
            passed: list[range] = []
            try:
                while (row := self._cut(count)) or self._extend(count // BLOCK + 1):
                    if row and all(map(_is_free, row)):
                        self._lent[row[0]] = row
                        return row[0], row[-1]
                    passed.append(row or range(0))
            finally:
                for row in passed:  # whoever has a port of it now may let it go
                    self._keep(row)
        raise OSError(f"no {count} ports in a row that the lab may use are free")

    def give_back(self, first: int) -> None:
        """What was had from `several`; may be told twice."""
        with self._mutex:
            self._keep(self._lent.pop(first, range(0)))

    def _cut(self, count: int) -> range | None:
        """So many of a run, from an even one on; the rest stays."""
        for run in self._runs:
            row = range(run.start + run.start % 2, run.start + run.start % 2 + count)
            if row.stop <= run.stop:
                self._runs.remove(run)
                self._keep(range(row.stop, run.stop), first=True)
                self._keep(range(run.start, row.start), first=True)
                return row
        return None

    def _keep(self, run: range, *, first: bool = False) -> None:
        if run:
            (self._runs.appendleft if first else self._runs.append)(run)

    def _extend(self, blocks: int) -> bool:
        """Take so many blocks in a row, in the lower half by chance: late packets are on their way to those that others
        just gave back. The upper half stays whole as long as it can."""
        starts = range(len(self._locks) - blocks + 1)
        half = len(starts) // 2
        for start in (*random.sample(starts[:half], half), *starts[half:]):
            taken = list(itertools.takewhile(self._lock, range(start, start + blocks)))
            if len(taken) == blocks:
                self._runs.append(self._ports[start * BLOCK : (start + blocks) * BLOCK])
                return True
            for block in taken:
                self._held.pop(block).close()
        return False

    def _give(self, port: int) -> bool:
        self._given.append(port)
        return _is_free(port)

    def _lock(self, block: int) -> bool:
        if block in self._held:
            return False
        lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            lock.bind(("127.0.0.1", self._locks[block]))
        except OSError:
            lock.close()
            return False
        self._held[block] = lock
        return True


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


def _ephemeral() -> tuple[int, int]:
    """First and last of the ports that this machine gives to whoever asks for any."""
    with contextlib.suppress(OSError, ValueError):
        low, high = map(int, _EPHEMERAL.read_text().split())
        return low, high
    return 32_768, 65_535


_PORTS = Ports(zone(*_ephemeral()))
atexit.register(_PORTS.close)


def free_port() -> int:
    """A number that nobody else takes while this process lives, for UDP and TCP, on every address."""
    return _PORTS.one()


def free_ports(count: int) -> tuple[int, int]:
    """First, which is even, and last of so many in a row that nobody else takes while this process lives."""
    return _PORTS.several(count)


def give_back(first: int) -> None:
    """The end of what `free_ports` gave from here on, for who asks for many again and again. May be told twice."""
    _PORTS.give_back(first)
