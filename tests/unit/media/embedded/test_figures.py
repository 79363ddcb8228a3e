"""What two workers counted of one call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.masking.call_record import Quality
from maskline.media.embedded.figures import joined
from maskline.media.quality import mos

FIRST = Quality(4.3, 0.0, 1.0, 300, 0, 300)
SECOND = Quality(3.5, 0.1, 5.0, 90, 10, 80, far_mos=4.0, far_packet_loss=0.02, far_jitter_ms=2.0, round_trip_ms=40.0)


def test_counts_are_added_and_the_rest_follows_from_them() -> None:
    both = joined(FIRST, SECOND)
    assert both is not None
    assert (both.packets_received, both.packets_lost, both.packets_relayed) == (390, 10, 380)
    assert both.packet_loss == 10 / 400
    assert both.jitter_ms == pytest.approx((300 * 1.0 + 90 * 5.0) / 390, abs=1e-3)
    assert both.mos == round(mos(10 / 400, both.jitter_ms, 20.0), 2)
    assert (both.far_mos, both.far_packet_loss, both.far_jitter_ms, both.round_trip_ms) == (4.0, 0.02, 2.0, 40.0)


def test_what_both_far_sides_reported_is_weighted() -> None:
    both = joined(
        replace(SECOND, packets_received=30, far_mos=3.0, round_trip_ms=10.0), replace(SECOND, round_trip_ms=None)
    )
    assert both is not None
    assert both.far_mos == 3.75
    assert both.round_trip_ms == 10.0


def test_one_alone_is_as_it_is() -> None:
    assert joined(None, FIRST) is FIRST
    assert joined(FIRST, None) is FIRST
    assert joined(None, None) is None
