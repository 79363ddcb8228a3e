"""Where datagrams come from, as one object for each.

What it is: a memory of the newest far ends. To make one takes longer than to find it, and what a call keeps of it is
then the same for all its parts. What it is not: a say in who is heard. Who uses it: `runner.py`.
"""

from __future__ import annotations

from maskline.sip.flow import Flow

MOST = 1024
"""Strangers are among them, and whoever forges addresses is many."""


class FarEnds:
    __slots__ = ("_flows",)

    def __init__(self) -> None:
        self._flows: dict[tuple[str, int], Flow] = {}

    def __len__(self) -> int:
        return len(self._flows)

    def of(self, host: str, port: int) -> Flow:
        key = (host, port)
        flow = self._flows.get(key)
        if flow is None:
            if len(self._flows) >= MOST:
                self._flows.clear()
            flow = self._flows[key] = Flow("udp", host, port)
        return flow
