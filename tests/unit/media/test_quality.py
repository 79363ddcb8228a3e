"""Counting received RTP and rating it."""

from __future__ import annotations

import random

import pytest

from maskline.media.quality import MAX_DROPOUT, MAX_MISORDER, FarReports, ReceiverCounts, mos


def feed(counts: ReceiverCounts, sequences: list[int], ssrc: int = 7, start: float = 100.0) -> list[bool]:
    """Packets that arrive exactly when their timestamps say."""
    return [
        counts.count(ssrc, sequence & 0xFFFF, (sequence * 160) & 0xFFFFFFFF, start + sequence * 0.02)
        for sequence in sequences
    ]


class TestMos:
    def test_a_perfect_call_is_rated_4_4(self) -> None:
        assert mos(0.0) == pytest.approx(4.40, abs=0.02)

    @pytest.mark.parametrize(("loss", "expected"), [(0.01, 4.31), (0.05, 3.86), (0.20, 2.51), (1.0, 1.14)])
    def test_loss_lowers_it_as_g_107_says(self, loss: float, expected: float) -> None:
        assert mos(loss) == pytest.approx(expected, abs=0.02)

    def test_it_never_leaves_the_scale(self) -> None:
        for loss in (-1.0, 0.0, 0.5, 1.0, 5.0):
            for jitter in (0.0, 50.0, 5000.0):
                assert 1.0 <= mos(loss, jitter, 300.0) <= 4.5

    def test_it_only_falls_when_anything_gets_worse(self) -> None:
        rng = random.Random(1)
        for _ in range(500):
            loss, jitter, delay = rng.random(), rng.random() * 100.0, rng.random() * 500.0
            now = mos(loss, jitter, delay)
            assert mos(loss + 0.01, jitter, delay) <= now
            assert mos(loss, jitter + 5.0, delay) <= now
            assert mos(loss, jitter, delay + 10.0) <= now

    def test_delay_over_177_ms_weighs_more(self) -> None:
        assert mos(0.0, 0.0, 100.0) - mos(0.0, 0.0, 150.0) < 0.05
        assert mos(0.0, 0.0, 250.0) - mos(0.0, 0.0, 300.0) > 0.1


class TestSequence:
    def test_packets_in_order_lose_nothing(self) -> None:
        counts = ReceiverCounts()
        assert all(feed(counts, list(range(500))))
        assert (counts.received, counts.lost, counts.duplicates, counts.expected) == (500, 0, 0, 500)
        assert counts.loss == 0.0

    def test_before_the_first_packet_there_is_no_quality(self) -> None:
        counts = ReceiverCounts()
        assert counts.quality() is None
        assert (counts.loss, counts.jitter_ms) == (0.0, 0.0)

    def test_the_sequence_wraps_without_loss(self) -> None:
        counts = ReceiverCounts()
        feed(counts, list(range(65_500, 65_600)))
        assert (counts.received, counts.lost) == (100, 0)
        assert counts.extended_max == 65_599

    def test_a_gap_counts_as_loss(self) -> None:
        counts = ReceiverCounts()
        feed(counts, [1, 2, 5, 6])
        assert (counts.received, counts.lost) == (4, 2)
        assert counts.loss == pytest.approx(2 / 6)

    def test_a_gap_over_the_wrap_counts_as_loss(self) -> None:
        counts = ReceiverCounts()
        feed(counts, [65_534, 65_538])
        assert (counts.received, counts.lost, counts.extended_max) == (2, 3, 65_538)

    def test_a_late_packet_fills_its_gap(self) -> None:
        counts = ReceiverCounts()
        assert all(feed(counts, [1, 2, 4, 3, 5]))
        assert (counts.received, counts.lost, counts.duplicates) == (5, 0, 0)

    def test_a_duplicate_is_not_received_twice(self) -> None:
        counts = ReceiverCounts()
        assert feed(counts, [1, 2, 2, 3, 1]) == [True, True, False, True, False]
        assert (counts.received, counts.lost, counts.duplicates) == (3, 0, 2)

    def test_a_packet_late_and_twice_counts_once(self) -> None:
        counts = ReceiverCounts()
        assert feed(counts, [1, 3, 2, 2]) == [True, True, True, False]
        assert (counts.received, counts.lost, counts.duplicates) == (3, 0, 1)

    def test_packets_overtaken_by_the_first_are_expected_too(self) -> None:
        counts = ReceiverCounts()
        assert all(feed(counts, [10, 7, 9]))
        assert (counts.received, counts.lost) == (3, 1)
        feed(counts, [8])
        assert (counts.received, counts.lost) == (4, 0)

    def test_a_new_ssrc_goes_on_counting_without_loss(self) -> None:
        counts = ReceiverCounts()
        feed(counts, [1, 2, 3], ssrc=7)
        feed(counts, [40_000, 40_001], ssrc=8)
        assert (counts.received, counts.lost, counts.ssrc) == (5, 0, 8)

    @pytest.mark.parametrize("jump", [MAX_DROPOUT + 1, 30_000, 65_536 - MAX_MISORDER - 1])
    def test_two_packets_from_far_away_prove_a_restarted_sender(self, jump: int) -> None:
        counts = ReceiverCounts()
        assert feed(counts, [1000, 1001, 1001 + jump, 1002 + jump, 1003 + jump]) == [True, True, False, True, True]
        assert (counts.received, counts.lost) == (4, 0)

    def test_one_packet_from_far_away_changes_nothing(self) -> None:
        counts = ReceiverCounts()
        assert feed(counts, [1000, 1001, 31_000, 1002]) == [True, True, False, True]
        assert (counts.received, counts.lost) == (3, 0)

    def test_memory_of_gaps_is_bounded(self) -> None:
        counts = ReceiverCounts()
        feed(counts, list(range(0, 60_000, 3)))
        assert counts.lost == 2 * 19_999
        assert len(counts._missing) <= 1100

    def test_counts_match_a_shuffled_truth(self) -> None:
        for seed in range(50):
            rng = random.Random(seed)
            kept = [sequence for sequence in range(65_000, 66_500) if rng.random() > 0.1]
            arrivals = sorted(kept, key=lambda sequence: sequence + rng.random() * 20.0)
            arrivals += rng.sample(kept[-30:], 3)
            counts = ReceiverCounts()
            feed(counts, arrivals)
            assert counts.received == len(kept)
            assert counts.lost == kept[-1] - kept[0] + 1 - len(kept)
            assert counts.duplicates == 3


class TestJitter:
    def test_an_even_stream_has_none(self) -> None:
        counts = ReceiverCounts()
        feed(counts, list(range(100)))
        assert counts.jitter_ms == pytest.approx(0.0, abs=1e-6)
        assert counts.jitter_ticks == pytest.approx(0.0, abs=1e-6)

    def test_packets_late_by_turns_show_their_lateness(self) -> None:
        counts = ReceiverCounts()
        for index in range(400):
            counts.count(7, index, index * 160, 5.0 + index * 0.02 + 0.01 * (index % 2))
        assert counts.jitter_ms == pytest.approx(10.0, rel=0.01)
        assert counts.jitter_ticks == pytest.approx(80.0, rel=0.01)  # RFC 3550 estimate, in ticks of 1/8000 s

    def test_the_timestamp_wrap_is_not_jitter(self) -> None:
        counts = ReceiverCounts()
        start = 2**32 - 50 * 160
        for index in range(100):
            counts.count(7, index, (start + index * 160) & 0xFFFFFFFF, 5.0 + index * 0.02)
        assert counts.jitter_ms == pytest.approx(0.0, abs=1e-3)

    def test_packets_of_one_telephone_event_say_nothing_of_jitter(self) -> None:
        counts = ReceiverCounts()
        timestamps = [0, 160, 320, *[480] * 6, 480 + 6 * 160, 480 + 7 * 160]
        for index, timestamp in enumerate(timestamps):
            counts.count(7, index, timestamp, 5.0 + index * 0.02)
        assert counts.jitter_ms == pytest.approx(0.0, abs=1e-6)

    def test_the_clock_rate_of_the_codec_counts(self) -> None:
        counts = ReceiverCounts(48_000)
        for index in range(100):
            counts.count(7, index, index * 960, 5.0 + index * 0.02)
        assert counts.jitter_ms == pytest.approx(0.0, abs=1e-6)


def test_quality_carries_all_figures() -> None:
    counts = ReceiverCounts()
    feed(counts, [1, 2, 4, 5])
    far = FarReports()
    far.round_trip_ms = 20.0
    quality = counts.quality(relayed=4, far=far)
    assert quality is not None
    assert (quality.packets_received, quality.packets_lost, quality.packets_relayed) == (4, 1, 4)
    assert quality.packet_loss == pytest.approx(0.2)
    assert quality.mos == round(mos(0.2, 0.0, 10.0), 2)
    assert (quality.round_trip_ms, quality.far_mos, quality.far_packet_loss) == (20.0, None, None), "nobody reported"


class TestFarReports:
    def test_without_a_report_nothing_is_claimed(self) -> None:
        far = FarReports()
        assert (far.blocks, far.loss, far.jitter_ms) == (0, 0.0, 0.0)
        counts = ReceiverCounts()
        feed(counts, [1, 2])
        quality = counts.quality(far=far)
        assert quality is not None
        assert (quality.far_mos, quality.far_jitter_ms, quality.round_trip_ms) == (None, None, None)

    def test_losses_are_weighed_by_the_packets_they_speak_of(self) -> None:
        far = FarReports()
        far.count(0.0, 1000, 80)
        far.count(0.5, 1250, 160)
        far.count(0.1, 1750, 240)
        assert far.loss == pytest.approx((0.5 * 250 + 0.1 * 500) / 1000)
        assert far.jitter_ms == pytest.approx(20.0)

    def test_a_far_side_that_begins_anew_does_not_outweigh_the_rest(self) -> None:
        far = FarReports()
        far.count(0.0, 60_000, 0)
        far.count(0.2, 5, 0)
        assert far.loss == pytest.approx(0.1)

    def test_both_directions_are_in_the_record(self) -> None:
        counts, far = ReceiverCounts(), FarReports()
        feed(counts, list(range(100)))
        far.count(0.05, 500, 40)
        far.round_trip_ms = 30.0
        quality = counts.quality(far=far)
        assert quality is not None
        assert (quality.packet_loss, quality.far_packet_loss) == (0.0, pytest.approx(0.05))
        assert (quality.far_jitter_ms, quality.round_trip_ms) == (5.0, 30.0)
        assert quality.far_mos == round(mos(0.05, 5.0, 15.0), 2) and quality.far_mos < quality.mos
