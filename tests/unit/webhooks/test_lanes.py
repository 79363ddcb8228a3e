"""Fairness between receivers, as bookkeeping."""

from __future__ import annotations

import pytest

from maskline.webhooks.lanes import RETRIES, SLOW, Lanes, lane_key, lane_of
from tests.support.store_values import outbox_row

NOW = 1000.0


def fill(lanes, name, count, start=0):
    return [lanes.place(name, outbox_row(f"{name}-{i}"), NOW) for i in range(start, start + count)]


def start_all(lanes, name):
    started = []
    while (row := lanes.starts(name)) is not None:
        started.append(row.id)
    return started


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://H.example/cb?x=1#rc=2", "https://h.example"),
        ("http://user:word@h.example:8080/", "http://h.example:8080"),
        ("nonsense", "://"),
        ("http://[broken", "invalid"),
    ],
)
def test_a_lane_is_scheme_host_and_port(url, name):
    assert lane_of(url) == name


def test_a_lane_tries_as_many_as_it_has_slots_and_queues_the_next():
    lanes = Lanes(slots=2, queue=2)
    assert fill(lanes, "a", 4) == [None] * 4
    assert start_all(lanes, "a") == ["a-0", "a-1"]
    assert (lanes.tries, lanes.queued) == (2, 2)


def test_an_ended_try_makes_room_for_the_next_in_order():
    lanes = Lanes(slots=1, queue=2)
    fill(lanes, "a", 3)
    assert start_all(lanes, "a") == ["a-0"]
    lanes.ends("a", 0.1)
    assert start_all(lanes, "a") == ["a-1"]


def test_a_full_lane_gives_rows_back_and_leaves_other_lanes_free():
    lanes = Lanes(slots=1, queue=1)
    fill(lanes, "dead", 2)
    assert lanes.place("dead", outbox_row("more"), NOW) is not None
    assert lanes.place("alive", outbox_row("other"), NOW) is None
    assert start_all(lanes, "alive") == ["other"]


def test_rows_given_back_come_again_at_the_pace_of_the_lane():
    lanes = Lanes(slots=2, queue=0)
    fill(lanes, "a", 2)
    for _ in range(100):
        start_all(lanes, "a")
        lanes.ends("a", 10.0)
        fill(lanes, "a", 1)
    first, second, third = fill(lanes, "a", 3)
    assert NOW + 9 < first < second < third
    assert second - first == pytest.approx(5.0, rel=0.01)


def test_what_is_given_back_beyond_a_minute_comes_back_two_hundred_a_second_at_most():
    lanes = Lanes(slots=1, queue=0)
    fill(lanes, "a", 1)
    times = fill(lanes, "a", 4000)
    assert min(times) >= NOW + 0.1 and times == sorted(times)
    beyond = [at for at in times if at > NOW + 60]
    assert len(times) - len(beyond) == pytest.approx(60 / 0.02, rel=0.01)
    assert max(times) == pytest.approx(NOW + 60 + len(beyond) * 0.005)


def test_a_backlog_comes_back_within_half_an_hour_and_as_quickly_as_its_receiver_is():
    lanes = Lanes(slots=1, queue=0)
    fill(lanes, "slow", 1)
    start_all(lanes, "slow")
    assert fill(lanes, "slow", 400_000)[-1] == NOW + 1800
    for _ in range(50):
        fill(lanes, "quick", 1)
        start_all(lanes, "quick")
        lanes.ends("quick", 0.001)
    fill(lanes, "quick", 1025)
    assert fill(lanes, "quick", 100_000)[-1] < NOW + 130


def test_an_account_s_receivers_that_are_not_known_to_be_quick_share_a_part_of_all_tries():
    lanes = Lanes(slots=4, queue=8, few=2, trial=6)
    for _ in range(2):  # known to be quick
        fill(lanes, "A https://quick", 1)
        start_all(lanes, "A https://quick")
        lanes.ends("A https://quick", 0.05)
    for name in ("A https://one", "A https://two"):
        fill(lanes, name, 4)
    assert [len(start_all(lanes, name)) for name in ("A https://one", "A https://two")] == [4, 2]
    first, second = fill(lanes, "A https://three", 2)
    assert NOW + 0.1 < first < second < NOW + 0.2
    assert "A https://three" not in lanes._lanes
    for name in ("A https://quick", "B https://other"):
        fill(lanes, name, 4)
        assert len(start_all(lanes, name)) == 4
    for _ in range(4):
        lanes.ends("A https://one", 15.0)
    assert fill(lanes, "A https://three", 1) == [None]
    assert len(start_all(lanes, "A https://three")) == 1


def test_a_lane_that_was_quick_goes_on_though_its_account_s_part_is_used_up():
    lanes = Lanes(slots=1, queue=8, trial=1)
    fill(lanes, "A https://was quick", 1)
    start_all(lanes, "A https://was quick")
    lanes.ends("A https://was quick", 0.05)
    fill(lanes, "A https://was quick", 3)
    assert len(start_all(lanes, "A https://was quick")) == 1
    fill(lanes, "A https://new", 1)
    start_all(lanes, "A https://new")
    lanes.ends("A https://was quick", 15.0)
    assert len(start_all(lanes, "A https://was quick")) == 1
    for name in ("A https://was quick", "A https://new"):
        lanes.ends(name, 0.01)
    assert not lanes._trials


def test_a_lane_that_is_idle_is_forgotten():
    lanes = Lanes()
    fill(lanes, "a", 1)
    start_all(lanes, "a")
    lanes.ends("a", 1.0)
    assert lanes.starts("a") is None
    assert not lanes._lanes


def test_draining_takes_back_what_waits_and_keeps_what_runs():
    lanes = Lanes(slots=1, queue=5)
    fill(lanes, "a", 3)
    fill(lanes, "b", 1)
    start_all(lanes, "a")
    assert [row.id for row in lanes.drain()] == ["a-1", "a-2", "b-0"]
    assert (lanes.tries, lanes.queued) == (1, 0)
    lanes.ends("a", 1.0)
    assert not lanes._lanes


def test_retries_have_a_lane_of_their_own_and_accounts_do_not_share_one():
    first = outbox_row("1", url="https://h.example/a", leases=3)
    keys = {
        lane_key(first),
        lane_key(outbox_row("2", url="https://h.example/a", attempts=1)),
        lane_key(outbox_row("3", url="https://h.example/a", account_id="MA2")),
    }
    assert len(keys) == 3
    assert lane_key(outbox_row("4", url="https://h.example/b?c=1")) == lane_key(first)


def test_retries_take_no_slot_of_first_tries():
    lanes = Lanes(slots=4, queue=8, few=1)
    fill(lanes, "a" + RETRIES, 5)
    fill(lanes, "a", 5)
    assert len(start_all(lanes, "a" + RETRIES)) == 1
    assert len(start_all(lanes, "a")) == 4


def test_a_slow_receiver_has_few_slots_until_it_is_fast_again_also_after_an_idle_while():
    lanes = Lanes(slots=4, queue=100, few=1)
    for _ in range(4):
        fill(lanes, "a", 1)
        start_all(lanes, "a")
        lanes.ends("a", 15.0)
    fill(lanes, "a", 50)
    assert len(start_all(lanes, "a")) == 1
    while len(start_all(lanes, "a")) < 2:
        lanes.ends("a", 0.1)
    assert lanes._lanes["a"].seconds < SLOW


def test_what_is_remembered_of_idle_receivers_is_bounded(monkeypatch):
    monkeypatch.setattr("maskline.webhooks.lanes._MOST_REMEMBERED", 3)
    lanes = Lanes(slots=1, queue=0)
    for name in "abcde":
        fill(lanes, name, 1)
        start_all(lanes, name)
        lanes.ends(name, 15.0)
    assert list(lanes._paces) == ["c", "d", "e"]


def test_a_receiver_that_is_known_to_be_fast_may_have_a_long_queue():
    lanes = Lanes(slots=8, queue=32)
    for _ in range(40):
        fill(lanes, "a", 2)
        lanes.starts("a")
        lanes.ends("a", 0.01)
    assert fill(lanes, "a", 1000).count(None) == 1024 + 8 - 40


def test_a_receiver_that_is_known_to_be_fast_is_so_after_an_idle_while():
    lanes = Lanes(slots=8, queue=32)
    for _ in range(16):
        fill(lanes, "a", 1)
        start_all(lanes, "a")
        lanes.ends("a", 0.01)
    assert not lanes._lanes
    assert fill(lanes, "a", 200) == [None] * 200


def test_rows_given_back_wait_for_what_is_queued():
    lanes = Lanes(slots=2, queue=50)
    fill(lanes, "a", 52)
    (later,) = fill(lanes, "a", 1)
    assert later == pytest.approx(NOW + 0.02 + 0.01 * (52 + 1))


@pytest.mark.parametrize(("passed", "pace"), [(0.05, 0.01), (0.5, 0.05), (2.0, 0.01)])
def test_rows_given_back_come_at_the_pace_at_which_tries_were_seen_to_end(passed, pace):
    lanes = Lanes(slots=2, queue=100)
    fill(lanes, "a", 103)
    for _ in range(10):
        lanes.starts("a")
        lanes.ends("a", 0.02)
    fill(lanes, "a", 10)
    later = [lanes.place("a", outbox_row("more"), NOW + passed) for _ in range(2)]
    assert later[1] - later[0] == pytest.approx(pace)
