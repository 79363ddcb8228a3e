"""The RTCP socket of a leg: whose reports are read, and where ours go.

What it is: source check, reading and sending for one far side's RTCP, over the arithmetic of `reports.py`. RTCP
comes every few seconds, so this socket stays unconnected and checks sources itself. What it is not: a way through;
nothing read here is passed on. Who uses it: `far_side.py`.
"""

from __future__ import annotations

import secrets
import socket
import time

from maskline.media import rtp
from maskline.media.embedded.reports import Reports
from maskline.media.embedded.sockets import Address
from maskline.media.quality import ReceiverCounts


class ReportPort:
    __slots__ = ("_host", "_target", "foreign", "last_report", "refused", "reports", "socket", "unsent")

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self.reports = Reports(secrets.randbits(32))
        self._target: Address | None = None
        self._host: str | None = None
        """Behind NAT: where the audio comes from; RTCP of that host is the far side's, whatever its port."""
        self.last_report = 0.0
        """When RTCP last came, monotonic seconds: a party on hold sends nothing else, and is there."""
        self.foreign = 0
        self.refused = 0
        self.unsent = 0

    def aim(self, target: Address) -> None:
        self._target, self._host = target, None

    def look_for(self, host: str | None) -> None:
        """Take the first that reports from `host`; None: from nowhere yet."""
        self._target, self._host = None, host

    def on_rtcp(self) -> None:
        """Read one compound of the far side."""
        try:
            data, source = self.socket.recvfrom(2048)
        except OSError:
            return  # nothing there after all, or an ICMP error for what we sent
        if self._target is None and source[0] == self._host:
            self._target = source[:2]
        if source[:2] != self._target:
            self.foreign += 1
            return
        now = time.monotonic()
        if self.reports.take(data, now, time.time()):
            self.last_report = now
        else:
            self.refused += 1

    def send(
        self,
        counts: ReceiverCounts,
        now: float,
        wall: float,
        *,
        sent: int,
        octets: int,
        rtp_timestamp: int,
        goodbye: bool = False,
    ) -> None:
        """Our SR or RR, with BYE when the call ends; nothing while the far side's RTCP address is unknown."""
        if self._target is None or self._target[1] == 0:
            return
        data = self.reports.make(counts, now, wall, sent=sent, octets=octets, rtp_timestamp=rtp_timestamp)
        if goodbye:
            data += rtp.build_goodbye(self.reports.ssrc)
        try:
            self.socket.sendto(data, self._target)
        except OSError:
            self.unsent += 1
