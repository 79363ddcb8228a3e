"""RTP and RTCP bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.media.rtp import (
    Goodbye,
    Report,
    ReportBlock,
    RtpPacket,
    SenderInfo,
    build,
    build_goodbye,
    build_report,
    ntp_time,
    parse,
    parse_rtcp,
)

PACKET = RtpPacket(8, 65_535, 0xFFFFFFFF, 0xDEADBEEF, b"payload", marker=True)


def header(first: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBHII", first, 0x08, 1, 2, 3) + body


class TestRtp:
    @given(
        st.integers(0, 127), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.binary(max_size=300), st.booleans()
    )
    def test_what_is_built_parses_back(self, pt: int, sequence: int, number: int, payload: bytes, marker: bool) -> None:
        packet = RtpPacket(pt, sequence, number, number ^ 0xFFFF, payload, marker)
        assert parse(build(packet)) == packet

    def test_csrc_list_extension_and_padding_are_left_off(self) -> None:
        csrc = b"CSRC" * 2
        extension = struct.pack(">HH", 0xBEDE, 1) + b"WHO!"
        data = header(0x80 | 0x20 | 0x10 | 2, csrc + extension + b"audio" + b"\0\0\x03")
        packet = parse(data)
        assert packet is not None
        assert packet.payload == b"audio"
        assert b"WHO!" not in build(packet)
        assert b"CSRC" not in build(packet)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x80" * 11,
            header(0x40),
            header(0x8F),  # 15 CSRCs that are not there
            header(0x90, b"\xbe\xde"),
            header(0x90, b"\xbe\xde\x00\x09abcd"),
            header(0xA0, b"\x00"),
            header(0xA0, b"\x63"),
        ],
    )
    def test_what_is_not_rtp_is_refused(self, data: bytes) -> None:
        assert parse(data) is None

    @given(st.binary(max_size=100))
    def test_no_bytes_raise(self, data: bytes) -> None:
        parse(data)
        parse(b"\x80" + data)
        parse_rtcp(data)
        parse_rtcp(b"\x81\xc8" + data)

    def test_a_bytearray_will_do(self) -> None:
        assert parse(bytearray(build(PACKET))) == PACKET


class TestRtcp:
    BLOCK = ReportBlock(0x01020304, 12, 345, 70_000, 80, 0xAABBCCDD, 65_536)

    def test_a_sender_report_parses_back(self) -> None:
        report = Report(0xCAFE, SenderInfo(1, 2, 3, 4, 5), (self.BLOCK, ReportBlock(9, 0, -3, 1, 2)))
        data = build_report(report, b"cname")
        assert parse_rtcp(data) == (report,)
        assert len(data) % 4 == 0

    def test_a_receiver_report_parses_back(self) -> None:
        for report in (Report(0xCAFE, None, (self.BLOCK,)), Report(0xCAFE)):
            assert parse_rtcp(build_report(report, b"cname")) == (report,)

    @pytest.mark.parametrize("cname", [b"", b"a", b"ab", b"abc", b"abcd", b"0123456789ab"])
    def test_the_description_is_whole_words_and_ends_with_a_zero(self, cname: bytes) -> None:
        data = build_report(Report(1), cname)
        assert data[:4] == b"\x80\xc9\x00\x01"
        sdes = data[8:]
        assert sdes[:2] == b"\x81\xca"
        assert len(sdes) == 4 + 4 * int.from_bytes(sdes[2:4], "big")
        assert sdes[8:10] == bytes((1, len(cname)))
        assert sdes[10:].startswith(cname + b"\0")

    def test_losses_beyond_24_bits_stay_in_the_field(self) -> None:
        for lost, kept in ((2**30, 2**23 - 1), (-(2**30), -(2**23))):
            data = build_report(Report(1, None, (ReportBlock(9, 0, lost, 1, 2),)), b"")
            (report,) = parse_rtcp(data)
            assert isinstance(report, Report)
            assert report.blocks[0].cumulative_lost == kept

    def test_a_goodbye_after_a_report_is_read(self) -> None:
        data = build_report(Report(1), b"x") + build_goodbye(1)
        assert parse_rtcp(data) == (Report(1), Goodbye((1,)))

    def test_other_types_are_skipped_and_a_broken_rest_ignored(self) -> None:
        app = struct.pack(">BBHI4s", 0x80, 204, 2, 1, b"name")
        good = build_report(Report(5), b"x")
        assert parse_rtcp(app + good) == (Report(5),)
        assert parse_rtcp(good + b"\x80\xc8\xff\xff") == (Report(5),)
        assert parse_rtcp(good + b"\x00\xc8\x00\x00") == (Report(5),)
        assert parse_rtcp(b"\x81\xc8\x00\x01aaaa" + good) == (Report(5),)
        assert parse_rtcp(b"\x9f\xcb\x00\x00" + good) == (Report(5),)

    def test_ntp_time_counts_from_1900(self) -> None:
        assert ntp_time(0.0) == (2_208_988_800, 0)
        assert ntp_time(0.5) == (2_208_988_800, 1 << 31)
        assert SenderInfo(0x12345678, 0x9ABCDEF0, 0, 0, 0).middle == 0x56789ABC
