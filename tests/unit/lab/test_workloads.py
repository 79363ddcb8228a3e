"""lab.workloads: the published workloads, through the shipped planner."""

from __future__ import annotations

from itertools import pairwise

import pytest

from maskline.lab.workloads import WORKLOADS
from maskline.masking.plan import Cooloff, count_numbers
from maskline.masking.session import PoolMode
from maskline.masking.traffic import PlannedSession
from maskline.masking.traffic_log import read_log, write_row

TRAFFIC = {"ride": 4_800, "food": 7_300, "marketplace": 6_100, "dense-60": 8_000, "dense-200": 18_000,
           "dense-40": 12_000}  # fmt: skip
COOLOFFS = (0, 3_600, 14_400)


def sessions_of(name: str, seed: int = 1) -> list[PlannedSession]:
    return read_log(map(write_row, WORKLOADS[name].rows(seed)), b"a key of this run")


@pytest.mark.timeout(600)  # seconds of nothing but CPU, which others may have
@pytest.mark.no_cover  # half of its time; tests/unit/masking/test_plan.py covers the planner
@pytest.mark.parametrize("name", TRAFFIC)
def test_published_traffic_needs_the_peak_or_two_more_when_shared_and_the_peak_when_split(name: str) -> None:
    """competitors-and-pool-maths.md §5, its table: the workload's D, first-fit at D or D + 2, split at D."""
    sessions = sessions_of(name)
    assert len(sessions) == TRAFFIC[name]
    for seconds, published in zip(COOLOFFS, WORKLOADS[name].peaks, strict=False):
        cooloff = Cooloff(seconds, seconds)
        shared = count_numbers(sessions, PoolMode.SHARED, cooloff)["SG"]
        split = count_numbers(sessions, PoolMode.SPLIT, cooloff)["SG"]
        assert shared.peak == pytest.approx(published, abs=2)
        assert shared.peak <= shared.numbers <= shared.peak + 2
        assert split.peak == split.numbers == shared.peak
        assert shared.plivo == 2 * shared.peak - 1


@pytest.mark.no_cover
def test_one_busy_side_needs_no_more_than_the_peak_even_when_shared() -> None:
    for name in ("ride", "food", "marketplace"):
        need = count_numbers(sessions_of(name, 2), PoolMode.SHARED, Cooloff(3_600, 3_600))["SG"]
        assert need.numbers == need.peak


@pytest.mark.parametrize(("name", "peak"), [("adversary-10", 10), ("adversary-20", 20)])
def test_the_adversary_takes_everything_plivo_buys_from_first_fit_and_the_peak_from_split(name: str, peak: int) -> None:
    sessions = sessions_of(name)
    assert len(sessions) == peak * peak
    shared = count_numbers(sessions, PoolMode.SHARED, Cooloff(0, 0))["SG"]
    assert (shared.peak, shared.numbers, shared.bound(PoolMode.SHARED)) == (peak, 2 * peak - 1, 2 * peak - 1)
    assert count_numbers(sessions, PoolMode.SPLIT, Cooloff(0, 0))["SG"].numbers == peak


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_same_seed_gives_the_same_sessions_by_order_of_start(name: str) -> None:
    rows = list(WORKLOADS[name].rows(3))
    assert rows == list(WORKLOADS[name].rows(3))
    assert all(before["start"] <= after["start"] for before, after in pairwise(rows))
    assert (rows == list(WORKLOADS[name].rows(4))) == name.startswith("adversary")


def test_nobodys_telephone_number_is_in_a_workload() -> None:
    for workload in WORKLOADS.values():
        for row in workload.rows(1):
            assert row["first_party"].startswith("+9990")
            assert row["second_party"].startswith("+9990")
