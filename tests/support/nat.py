"""A network behind a real NAT: two namespaces, and the kernel's masquerading between them.

What it is: `outside` on this machine, a router that gives every connection another port, and an `inside` with a private
address that nobody outside can reach. What it is not: for machines without root, `ip` or `iptables`: `is_possible`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_NAMES = Path("/run/netns")


class Nat:
    """`with Nat() as nat`, then sockets opened within `nat.inside()` are behind it, for as long as they live."""

    def __init__(self) -> None:
        number = os.getpid() % 60_000
        self._router, self._home = f"nat-r{number}", f"nat-h{number}"
        # RFC 6598: what carriers use behind their own NAT, and nobody routes to us.
        block = f"100.{64 + number // 1024 % 64}.{number // 4 % 256}.{number % 4 * 64}"
        base, _, last = block.rpartition(".")
        self.outside, self.router = f"{base}.{int(last) + 1}", f"{base}.{int(last) + 2}"
        self.private, self._gate = "10.213.77.2", "10.213.77.1"
        self._wires = f"nr{number}", f"ni{number}"

    def __enter__(self) -> Nat:
        outer, inner = self._wires
        try:
            for name in (self._router, self._home):
                _run("ip", "netns", "add", name)
                _run("ip", "-n", name, "link", "set", "lo", "up")
            _run("ip", "link", "add", outer, "type", "veth", "peer", "name", "wan", "netns", self._router)
            _run("ip", "addr", "add", f"{self.outside}/30", "dev", outer)
            _run("ip", "link", "set", outer, "up")
            _run("ip", "-n", self._router, "addr", "add", f"{self.router}/30", "dev", "wan")
            _run("ip", "-n", self._router, "link", "set", "wan", "up")
            _run("ip", "-n", self._router, "link", "add", "lan", "type", "veth", "peer", "name", inner)
            _run("ip", "-n", self._router, "link", "set", inner, "netns", self._home)
            _run("ip", "-n", self._router, "addr", "add", f"{self._gate}/24", "dev", "lan")
            _run("ip", "-n", self._router, "link", "set", "lan", "up")
            _run("ip", "-n", self._home, "addr", "add", f"{self.private}/24", "dev", inner)
            _run("ip", "-n", self._home, "link", "set", inner, "up")
            _run("ip", "-n", self._home, "route", "add", "default", "via", self._gate)
            route = ("ip", "netns", "exec", self._router)
            _run(*route, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            _run(
                *route, "iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "wan", "-j", "MASQUERADE", "--random-fully"
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in (self._home, self._router):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self._wires[0]], check=False, capture_output=True)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread is in the inner network; whatever else it does meanwhile, too."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(_NAMES / self._home, os.O_RDONLY)
        try:
            _enter(there)
            try:
                yield
            finally:
                _enter(here)
        finally:
            os.close(here)
            os.close(there)


def is_possible() -> bool:
    """Whether this process may make networks, and the kernel translates."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "iptables", "sysctl"))):
        return False
    try:
        with Nat():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
