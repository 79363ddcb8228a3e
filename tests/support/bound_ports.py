"""Whether a program listens by now, as the kernel tells it: to try the port oneself takes it from the program."""

from __future__ import annotations

from pathlib import Path

_LISTENS = {"udp": {"07"}, "tcp": {"0A"}}
"""States in /proc/net: a UDP socket without a peer, a TCP one that listens."""


def is_bound(port: int, transport: str = "udp") -> bool:
    """On whatever address of either family."""
    lines = [line.split() for name in (transport, f"{transport}6") for line in _table(name)]
    return any(line[1].endswith(f":{port:04X}") and line[3] in _LISTENS[transport] for line in lines)


def _table(name: str) -> list[str]:
    """Rows of sockets; none where the machine has not this family."""
    path = Path("/proc/net") / name
    return path.read_text().splitlines()[1:] if path.exists() else []
