"""RTCP of one leg: our reports to its far side, and what its reports tell us.

What it is: state and arithmetic (RFC 3550 §6.4, A.3, A.8). RTCP ends here: nothing of the far side's RTCP is
passed on, because its SDES carries a CNAME (user@host) and its reports its own SSRC; each far side gets reports
made by us, with a random CNAME. What it is not: a socket or a timer. Who uses it: `report_port.py`.
"""

from __future__ import annotations

import secrets

from maskline.media.quality import FarReports, ReceiverCounts
from maskline.media.rtp import Goodbye, Report, ReportBlock, SenderInfo, build_report, ntp_time, parse_rtcp

INTERVAL = 5.0
"""Seconds between reports, spread by RFC 3550 §6.3.1 over half to one and a half of it."""


class Reports:
    __slots__ = (
        "_cname",
        "_expected_before",
        "_last_sr",
        "_last_sr_at",
        "_received_before",
        "far",
        "ssrc",
    )

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        """Ours, on everything sent to this leg's far side."""
        # Hex only, 96 random bits as RFC 7022 §4.2 asks: short-lived and about nobody.
        self._cname = secrets.token_hex(12).encode()
        self.far = FarReports()
        self._last_sr = 0
        self._last_sr_at = 0.0
        self._expected_before = 0
        self._received_before = 0

    def take(self, datagram: bytes, now: float, wall: float) -> bool:
        """Read the far side's compound; False when nothing in it is a report or a BYE."""
        items = parse_rtcp(datagram)
        for item in items:
            if isinstance(item, Goodbye):
                continue
            if item.sender is not None:
                self._last_sr, self._last_sr_at = item.sender.middle, now
            for block in item.blocks:
                if block.ssrc == self.ssrc:
                    self._read_block(block, wall)
        return bool(items)

    def _read_block(self, block: ReportBlock, wall: float) -> None:
        self.far.count(block.fraction_lost / 256.0, block.highest_sequence, block.jitter)
        if block.last_sr:
            seconds, fraction = ntp_time(wall)
            middle = (seconds & 0xFFFF) << 16 | fraction >> 16
            units = (middle - block.last_sr - block.delay_since_last_sr) & 0xFFFFFFFF
            if units < 60 << 16:  # more than a minute is a far side that answers with another's times
                self.far.round_trip_ms = units * 1000.0 / 65536.0

    def make(
        self, counts: ReceiverCounts, now: float, wall: float, *, sent: int, octets: int, rtp_timestamp: int
    ) -> bytes:
        """Our report: SR when we have sent anything to this far side, else RR."""
        sender = SenderInfo(*ntp_time(wall), rtp_timestamp, sent, octets & 0xFFFFFFFF) if sent else None
        blocks = () if counts.ssrc < 0 else (self._block(counts, now),)
        return build_report(Report(self.ssrc, sender, blocks), self._cname)

    def _block(self, counts: ReceiverCounts, now: float) -> ReportBlock:
        expected = counts.expected - self._expected_before
        missed = expected - (counts.received - self._received_before)
        self._expected_before, self._received_before = counts.expected, counts.received
        delay = int((now - self._last_sr_at) * 65536.0) if self._last_sr else 0
        return ReportBlock(
            counts.ssrc,
            min(255, missed * 256 // expected) if expected > 0 and missed > 0 else 0,
            counts.lost,
            counts.extended_max & 0xFFFFFFFF,
            int(counts.jitter_ticks),
            self._last_sr,
            min(delay, 0xFFFFFFFF),
        )
