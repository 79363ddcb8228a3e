"""RTP and RTCP packets (RFC 3550): the fields a relay needs, read and written.

What it is: pure functions over bytes. `parse` refuses what is not RTP; `build` writes a bare header: no CSRC list
and no header extension exist here as output, because both can name the far party. RTCP: sender and receiver
reports, our CNAME and BYE are written; of foreign compounds only reports and BYE are read, never SDES (its CNAME is
an identity). What it is not: a session. Who uses it: the embedded relay, the rtpengine tests, the lab's phones.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

HEADER = struct.Struct(">BBHII")
"""First byte, marker and payload type, sequence, timestamp, SSRC."""
PLAIN = 0x80
"""First byte of a header without padding, extension and CSRC: nearly every packet."""

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE = 200, 201, 202, 203

_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""
_SENDER_INFO = struct.Struct(">IIIIII")
_BLOCK = struct.Struct(">IIIIII")
_RTCP_HEADER = struct.Struct(">BBH")


@dataclass(frozen=True, slots=True)
class RtpPacket:
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False


def parse(data: bytes | bytearray) -> RtpPacket | None:
    """The packet without CSRC list, header extension and padding; None when it is not RTP version 2."""
    if len(data) < 12:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first >> 6 != 2:
        return None
    start, end = 12 + 4 * (first & 0x0F), len(data)
    if first & 0x10:
        if start + 4 > end:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:
        padding = data[-1]
        if padding == 0:
            return None
        end -= padding
    if start > end:
        return None
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, bytes(data[start:end]), bool(second & 0x80))


def build(packet: RtpPacket) -> bytes:
    """The packet with a bare 12-byte header."""
    second = packet.payload_type | (0x80 if packet.marker else 0)
    return HEADER.pack(PLAIN, second, packet.sequence, packet.timestamp, packet.ssrc) + packet.payload


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What the sender of a report received from the stream `ssrc` (RFC 3550 §6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Since the report before, in 1/256."""
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    """In timestamp units."""
    last_sr: int = 0
    """Middle 32 bits of the NTP time of the last sender report; 0: none came."""
    delay_since_last_sr: int = 0
    """In 1/65536 s."""


@dataclass(frozen=True, slots=True)
class SenderInfo:
    ntp_seconds: int
    ntp_fraction: int
    rtp_timestamp: int
    packets: int
    octets: int

    @property
    def middle(self) -> int:
        """The 32 bits a report block quotes as `last_sr`."""
        return (self.ntp_seconds & 0xFFFF) << 16 | self.ntp_fraction >> 16


@dataclass(frozen=True, slots=True)
class Report:
    """One SR (with `sender`) or RR (without)."""

    ssrc: int
    sender: SenderInfo | None = None
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class Goodbye:
    ssrcs: tuple[int, ...]


def ntp_time(wall: float) -> tuple[int, int]:
    """Seconds and 2^-32 fractions since 1900 of `wall` (seconds since 1970); wraps in 2036 as RFC 3550 §4 says."""
    seconds = int(wall)
    return (seconds + _NTP_EPOCH) & 0xFFFFFFFF, int((wall - seconds) * 4294967296.0) & 0xFFFFFFFF


def parse_rtcp(data: bytes) -> tuple[Report | Goodbye, ...]:
    """Reports and BYEs of a compound packet, in order; other types are skipped, a broken rest is ignored."""
    return tuple(_read_compound(data))


def _read_compound(data: bytes) -> Iterator[Report | Goodbye]:
    offset = 0
    while offset + 4 <= len(data):
        first, kind, words = _RTCP_HEADER.unpack_from(data, offset)
        end = offset + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            return
        body = data[offset + 4 : end]
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            report = _read_report(body, first & 0x1F, with_sender=kind == SENDER_REPORT)
            if report is not None:
                yield report
        elif kind == GOODBYE and len(body) >= 4 * (first & 0x1F):
            yield Goodbye(struct.unpack_from(f">{first & 0x1F}I", body))
        offset = end


def _read_report(body: bytes, count: int, *, with_sender: bool) -> Report | None:
    blocks_at = 24 if with_sender else 4
    if len(body) < blocks_at + 24 * count:
        return None
    sender = None
    if with_sender:
        ssrc, seconds, fraction, timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
        sender = SenderInfo(seconds, fraction, timestamp, packets, octets)
    else:
        ssrc = int.from_bytes(body[:4], "big")
    return Report(ssrc, sender, tuple(_read_block(body, blocks_at + 24 * index) for index in range(count)))


def _read_block(body: bytes, offset: int) -> ReportBlock:
    ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, offset)
    cumulative = loss & 0xFFFFFF
    if cumulative & 0x800000:  # 24-bit signed: duplicates can make it negative
        cumulative -= 0x1000000
    return ReportBlock(ssrc, loss >> 24, cumulative, highest, jitter, last_sr, delay)


def build_report(report: Report, cname: bytes) -> bytes:
    """A compound packet: the report and an SDES with nothing but `cname` (RFC 3550 §6.1 demands one)."""
    count = len(report.blocks)
    if report.sender is None:
        head = _RTCP_HEADER.pack(0x80 | count, RECEIVER_REPORT, 1 + 6 * count) + report.ssrc.to_bytes(4, "big")
    else:
        info = report.sender
        head = _RTCP_HEADER.pack(0x80 | count, SENDER_REPORT, 6 + 6 * count) + _SENDER_INFO.pack(
            report.ssrc, info.ntp_seconds, info.ntp_fraction, info.rtp_timestamp, info.packets, info.octets
        )
    return head + b"".join(_write_block(block) for block in report.blocks) + _describe(report.ssrc, cname)


def _write_block(block: ReportBlock) -> bytes:
    lost = min(max(block.cumulative_lost, -0x800000), 0x7FFFFF) & 0xFFFFFF
    return _BLOCK.pack(
        block.ssrc,
        block.fraction_lost << 24 | lost,
        block.highest_sequence,
        block.jitter,
        block.last_sr,
        block.delay_since_last_sr,
    )


def _describe(ssrc: int, cname: bytes) -> bytes:
    item = ssrc.to_bytes(4, "big") + bytes((1, len(cname))) + cname
    item += bytes(4 - len(item) % 4)  # at least one zero ends the chunk
    return _RTCP_HEADER.pack(0x81, SOURCE_DESCRIPTION, len(item) // 4) + item


def build_goodbye(ssrc: int) -> bytes:
    """The BYE that follows our last report."""
    return _RTCP_HEADER.pack(0x81, GOODBYE, 1) + ssrc.to_bytes(4, "big")
