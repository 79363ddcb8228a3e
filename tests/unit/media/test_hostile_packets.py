"""Bytes that nobody meant, to everything that reads packets or files of packets: it answers or refuses, and never
raises what a caller does not expect."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.media.dtmf import DIGITS, EventReader
from maskline.media.quality import ReceiverCounts
from maskline.media.rtp import (
    Goodbye,
    Report,
    ReportBlock,
    RtpPacket,
    SenderInfo,
    build,
    build_goodbye,
    build_report,
    parse,
    parse_rtcp,
)
from maskline.media.spool import SpooledPacket, SpoolError, SpoolWriter, read_pcap, read_spool
from maskline.sdp.session import Codec

FEW = settings(max_examples=100, deadline=None)
WORD = st.integers(0, 0xFFFFFFFF)
SHORT = st.integers(0, 0xFFFF)
VOICE = (Codec(0, "PCMU"), Codec(101, "telephone-event"))

packets = st.builds(RtpPacket, st.integers(0, 127), SHORT, WORD, WORD, st.binary(max_size=200), st.booleans())
blocks = st.builds(ReportBlock, WORD, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), WORD, WORD, WORD, WORD)
reports = st.builds(
    Report,
    WORD,
    st.none() | st.builds(SenderInfo, WORD, WORD, WORD, WORD, WORD),
    st.lists(blocks, max_size=31).map(tuple),
)


@st.composite
def spoiled(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Something well-formed with bytes changed, cut off or put in: what gets past the first check of a reader."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from("xci"))
        if kind == "x" and data:
            data[place] = draw(st.integers(0, 255))
        elif kind == "c":
            del data[place:]
        else:
            data[place:place] = draw(st.binary(min_size=1, max_size=8))
    return bytes(data)


@FEW
@given(packets)
def test_what_is_written_as_rtp_is_read_as_the_same(packet: RtpPacket) -> None:
    assert parse(build(packet)) == packet


@FEW
@given(st.binary(max_size=300) | spoiled(packets.map(build)))
def test_no_datagram_makes_the_rtp_reader_raise(data: bytes) -> None:
    packet = parse(data)
    if packet is not None:
        assert data[0] >> 6 == 2
        assert len(packet.payload) <= len(data) - 12
        assert parse(build(packet)) == packet


@FEW
@given(reports, st.binary(max_size=30))
def test_what_is_written_as_a_report_is_read_as_the_same(report: Report, cname: bytes) -> None:
    assert parse_rtcp(build_report(report, cname) + build_goodbye(report.ssrc)) == (report, Goodbye((report.ssrc,)))


@FEW
@given(st.binary(max_size=300) | spoiled(reports.map(lambda report: build_report(report, b"a@b"))))
def test_no_datagram_makes_the_rtcp_reader_raise(data: bytes) -> None:
    for item in parse_rtcp(data):
        assert isinstance(item, Report | Goodbye)


@FEW
@given(st.lists(st.tuples(st.integers(0, 2), WORD, st.binary(max_size=8), st.floats(0.0, 2.0)), max_size=40))
def test_whatever_events_come_only_keys_are_told_and_not_more_than_packets(
    events: list[tuple[int, int, bytes, float]],
) -> None:
    reader, now, told = EventReader(), 0.0, ""
    for ssrc, timestamp, payload, later in events:
        now += later
        told += reader.take(ssrc, timestamp, payload, now) + reader.expire(now)
    told += reader.expire(now + 10.0)
    assert set(told) <= set(DIGITS)
    assert len(told) <= len(events)


@FEW
@given(st.lists(st.tuples(st.integers(0, 3), SHORT, WORD, st.floats(0.0, 1.0)), max_size=60))
def test_whatever_packets_are_counted_the_figures_stay_on_their_scales(
    stream: list[tuple[int, int, int, float]],
) -> None:
    counts, now, taken = ReceiverCounts(), 0.0, 0
    for ssrc, sequence, timestamp, later in stream:
        now += later
        taken += counts.count(ssrc, sequence, timestamp, now)
    quality = counts.quality()
    assert counts.received == taken
    assert (quality is None) == (taken == 0)
    if quality is not None:
        assert 0.0 <= quality.packet_loss <= 1.0
        assert 1.0 <= quality.mos <= 4.5
        assert quality.jitter_ms >= 0.0


def _spool(folder: Path) -> bytes:
    writer = SpoolWriter(folder / "whole.spool", "rec", [VOICE, VOICE], clock=1.0, wall=1_700_000_000.0)
    for index in range(4):
        writer.append(index % 2, 1.0 + index / 50, build(RtpPacket(0, index, 160 * index, 7, b"\xff" * 20)))
    writer.change_codecs(1, 1.1, VOICE)
    writer.close(1.2)
    return (folder / "whole.spool").read_bytes()


def _pcap() -> bytes:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
    frames = b""
    for index in range(4):
        rtp = build(RtpPacket(0, index, 160 * index, 7, b"\xff" * 20))
        udp = struct.pack("!HHHH", 4000, 5000 + index % 2, 8 + len(rtp), 0) + rtp
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1") + udp
        frame = bytes(12) + b"\x08\x00" + ip
        frames += struct.pack("<IIII", 1_700_000_000, 20_000 * index, len(frame), len(frame)) + frame
    return head + frames


with tempfile.TemporaryDirectory() as _folder:
    SPOOL = _spool(Path(_folder))
PCAP = _pcap()


def _read(name: str, data: bytes) -> list[object] | None:
    """All records; None if the reader refuses the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            return list(read_pcap(path, {5000: 0, 5001: 1}) if name.endswith("pcap") else read_spool(path))
        except SpoolError:
            return None


def test_the_whole_files_have_all_four_packets() -> None:
    for name, data in (("a.spool", SPOOL), ("a.pcap", PCAP)):
        records = _read(name, data)
        assert records is not None
        assert sum(isinstance(record, SpooledPacket) for record in records) == 4


@FEW
@given(spoiled(st.just(SPOOL)))
def test_a_damaged_spool_is_read_as_far_as_it_makes_sense_or_refused(data: bytes) -> None:
    _read("a.spool", data)


@FEW
@given(spoiled(st.just(PCAP)))
def test_a_damaged_pcap_is_read_as_far_as_it_makes_sense_or_refused(data: bytes) -> None:
    _read("a.pcap", data)
