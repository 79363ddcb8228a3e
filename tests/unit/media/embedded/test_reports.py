"""RTCP of one leg."""

from __future__ import annotations

import pytest

from maskline.media.embedded.reports import Reports
from maskline.media.quality import ReceiverCounts
from maskline.media.rtp import Report, ReportBlock, SenderInfo, build_goodbye, build_report, ntp_time, parse_rtcp

WALL = 1_700_000_000.0


def make(reports: Reports, counts: ReceiverCounts, now: float = 10.0, sent: int = 0) -> tuple[Report, bytes]:
    data = reports.make(counts, now, WALL, sent=sent, octets=sent * 160, rtp_timestamp=77)
    (report,) = parse_rtcp(data)
    assert isinstance(report, Report)
    return report, data


def test_a_silent_leg_gets_a_receiver_report_without_blocks() -> None:
    report, _ = make(Reports(5), ReceiverCounts())
    assert report == Report(5)


def test_a_leg_we_send_to_gets_a_sender_report() -> None:
    report, _ = make(Reports(5), ReceiverCounts(), sent=3)
    assert report.sender == SenderInfo(*ntp_time(WALL), 77, 3, 480)


def test_the_fraction_is_of_the_packets_since_the_last_report() -> None:
    reports, counts = Reports(5), ReceiverCounts()
    for sequence in (1, 2, 4, 5):
        counts.count(9, sequence, sequence * 160, sequence * 0.02)
    first, _ = make(reports, counts)
    assert first.blocks == (ReportBlock(9, 256 // 5, 1, 5, 0),)
    counts.count(9, 6, 960, 0.12)
    second, _ = make(reports, counts)
    assert (second.blocks[0].fraction_lost, second.blocks[0].cumulative_lost) == (0, 1)
    third, _ = make(reports, counts)
    assert third.blocks[0].fraction_lost == 0


def test_the_sender_report_of_the_far_side_is_quoted_with_its_age() -> None:
    reports, counts = Reports(5), ReceiverCounts()
    counts.count(9, 1, 160, 0.02)
    info = SenderInfo(0x11112222, 0x33334444, 0, 0, 0)
    assert reports.take(build_report(Report(9, info), b"alice@home"), 8.0, WALL)
    report, data = make(reports, counts, now=10.0)
    assert (report.blocks[0].last_sr, report.blocks[0].delay_since_last_sr) == (0x22223333, 2 * 65_536)
    assert b"alice" not in data


def test_the_round_trip_comes_from_the_quoted_report() -> None:
    reports = Reports(5)
    seconds, fraction = ntp_time(WALL - 1.0)
    quoted = (seconds & 0xFFFF) << 16 | fraction >> 16
    block = ReportBlock(5, 64, 3, 10, 0, quoted, int(0.9 * 65_536))
    assert reports.take(build_report(Report(9, None, (block,)), b""), 8.0, WALL)
    assert reports.far.round_trip_ms == pytest.approx(100.0, abs=1.0)
    assert reports.far.loss == 0.25


def test_impossible_round_trips_and_blocks_about_others_are_left_alone() -> None:
    reports = Reports(5)
    blocks = (ReportBlock(5, 0, 0, 0, 0, 1, 0), ReportBlock(6, 255, 0, 0, 0, 2, 0), ReportBlock(5, 0, 0, 0, 0))
    assert reports.take(build_report(Report(9, None, blocks), b""), 8.0, WALL)
    assert (reports.far.round_trip_ms, reports.far.loss) == (0.0, 0.0)


def test_a_goodbye_is_rtcp_and_rubbish_is_not() -> None:
    reports = Reports(5)
    assert reports.take(build_goodbye(9), 8.0, WALL)
    assert not reports.take(b"rubbish", 8.0, WALL)


def test_every_leg_has_a_cname_of_its_own() -> None:
    assert make(Reports(5), ReceiverCounts())[1] != make(Reports(5), ReceiverCounts())[1]
