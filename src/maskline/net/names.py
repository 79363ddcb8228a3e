"""Names to addresses, by the system's resolver in threads of our own.

What it is: what aiohttp asks before it connects. What it is not: a judgement on the addresses (`egress.py` wraps it).
Who uses it: egress, one of these for each purpose.

The loop's own look-up runs in libuv's four threads under uvloop, of which name servers may take two. A customer's two
dead names would hold up the webhooks of all others for as long as a name server takes to be given up, 10 s and more.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS = 16


class ThreadedNames(AbstractResolver):
    """Close it when done; look-ups still going on are left to end by themselves."""

    def __init__(self, threads: int = _THREADS) -> None:
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises `OSError` for a name that has no address."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port, family)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host, host=str(address[0]), port=int(address[1]), family=kind, proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in found
    ]  # fmt: skip
