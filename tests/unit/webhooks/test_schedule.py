"""When a webhook is tried again: each schedule, each answer, each fragment."""

from __future__ import annotations

import pytest

from maskline.webhooks.schedule import (
    DEFAULT_PAUSES,
    CallbackRules,
    Done,
    Fault,
    GiveUp,
    RetryAt,
    TryResult,
    most_tries,
    next_try,
    read_retry_after,
    read_rules,
)

NOW = 1_711_346_490.0
DOWN = TryResult(fault=Fault.CONNECT)
MIDDLE = 0.5
"""The random number that leaves a pause as it is."""


def pauses(dialect, rules=None, result=DOWN, spread=MIDDLE):
    """Follow one row until it is given up."""
    found = []
    for attempt in range(1, 100):
        step = next_try(attempt, result, dialect, spread, NOW, rules or CallbackRules())
        if isinstance(step, GiveUp):
            return found, step.reason
        assert isinstance(step, RetryAt)
        found.append(round(step.at - NOW, 3))
    raise AssertionError("it never ends")


def test_the_default_is_ten_tries_over_about_three_days():
    found, reason = pauses("native")
    assert found == list(DEFAULT_PAUSES)
    assert len(found) + 1 == 10
    assert 3.0 <= sum(found) / 86_400 <= 3.5
    assert reason == "all tries used up"


@pytest.mark.parametrize(("spread", "factor"), [(0.0, 0.8), (0.5, 1.0), (0.999999, 1.2)])
def test_default_pauses_are_spread_by_a_fifth(spread, factor):
    found, _ = pauses("native", spread=spread)
    assert found == pytest.approx([pause * factor for pause in DEFAULT_PAUSES], rel=1e-5)


@pytest.mark.parametrize("dialect", ["eight", "wavecell"])
@pytest.mark.parametrize("spread", [0.0, 0.99])
def test_8x8_pauses_are_the_published_ones_exactly(dialect, spread):
    assert pauses(dialect, spread=spread)[0] == [1.0, 10.0, 30.0, 90.0]


def test_plivo_without_rules_retries_quickly_and_then_loses_nothing():
    assert pauses("plivo")[0] == [1.0, *DEFAULT_PAUSES]


VENDORS = {
    "Plivo": ("plivo", "", [1.0, *DEFAULT_PAUSES]),
    "Plivo with rc and rp": ("plivo", "#rc=3&rp=ct", [1.0, 1.0, 1.0]),
    "VTS": ("plivo", "", [1.0, *DEFAULT_PAUSES]),
    "VTS with rc": ("plivo", "#rc=0", []),
    "8x8": ("eight", "", [1.0, 10.0, 30.0, 90.0]),
    "Wavecell": ("wavecell", "", [1.0, 10.0, 30.0, 90.0]),
    "Maskline's own": ("native", "", list(DEFAULT_PAUSES)),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_schedule_of_each_vendor(vendor):
    """VTS callbacks are Plivo's (plivo-vts.md §7.4); 8x8 and Wavecell share a page (8x8-wavecell.md §11)."""
    dialect, fragment, wanted = VENDORS[vendor]
    rules = read_rules("https://hooks.example/cb" + fragment)
    assert pauses(dialect, rules)[0] == wanted
    assert most_tries(dialect, rules) == 1 + len(wanted)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_success(status):
    assert next_try(1, TryResult(status), "native", MIDDLE, NOW) == Done()


@pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 308, 400, 401, 404, 500, 503])
def test_anything_else_is_tried_again(status):
    assert next_try(1, TryResult(status), "native", MIDDLE, NOW) == RetryAt(NOW + 5)


@pytest.mark.parametrize("dialect", ["native", "plivo", "eight"])
def test_gone_stops_at_once(dialect):
    assert isinstance(next_try(1, TryResult(410), dialect, MIDDLE, NOW, CallbackRules(retries=5)), GiveUp)


def test_a_url_that_cannot_be_called_is_not_tried_again():
    given_up = next_try(1, TryResult(fault=Fault.INVALID), "plivo", MIDDLE, NOW)
    assert given_up == GiveUp("another try would end the same")


def test_a_forbidden_address_is_tried_again_because_names_and_settings_change():
    assert next_try(1, TryResult(fault=Fault.FORBIDDEN), "eight", MIDDLE, NOW) == RetryAt(NOW + 1)


@pytest.mark.parametrize("status", [429, 502, 504])
def test_an_overloaded_receiver_gets_twice_the_pause(status):
    assert next_try(2, TryResult(status), "native", MIDDLE, NOW) == RetryAt(NOW + 600)


@pytest.mark.parametrize(
    ("asked", "pause"), [(0.0, 5.0), (3.0, 5.0), (60.0, 60.0), (86_400.0, 86_400.0), (9e9, 86_400.0)]
)
def test_retry_after_is_obeyed_upwards_within_a_day(asked, pause):
    assert next_try(1, TryResult(503, retry_after=asked), "native", MIDDLE, NOW) == RetryAt(NOW + pause)


def test_retry_after_replaces_the_doubled_pause():
    assert next_try(1, TryResult(429, retry_after=7.0), "native", MIDDLE, NOW) == RetryAt(NOW + 7)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Mon, 25 Mar 2024 06:02:30 GMT", 60.0),
        ("Mon, 25 Mar 2024 06:01:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert read_retry_after(text, NOW) == seconds


class TestFragment:
    def test_without_one_our_own_rules_apply(self):
        assert read_rules("https://h/cb") == CallbackRules(connect=3.0, total=15.0, retries=None)
        assert read_rules("https://h/cb#chapter") == CallbackRules()

    @pytest.mark.row("7.4/ct")
    @pytest.mark.parametrize(("sent", "taken"), [("100", 0.1), ("10000", 10.0), ("99", 3.0), ("10001", 3.0), ("", 3.0)])
    def test_the_connect_time_out_is_100_to_10000_ms_else_ours(self, sent, taken):
        assert read_rules(f"https://h/cb#ct={sent}").connect == taken

    @pytest.mark.row("7.4/rt")
    @pytest.mark.parametrize(("sent", "taken"), [("40000", 40.0), ("3500", 3.5), ("40001", 15.0), ("99", 15.0)])
    def test_the_read_time_out_is_up_to_40000_ms_else_ours(self, sent, taken):
        assert read_rules(f"https://h/cb#rt={sent}").total == taken
        assert read_rules(f"https://h/cb#rt={sent}&ct=100").retries is None

    @pytest.mark.row("7.4/tt")
    @pytest.mark.parametrize(("sent", "taken"), [("100", 0.1), ("55000", 40.0), ("55001", 40.0), ("99", 40.0)])
    def test_the_total_time_out_is_100_to_55000_ms_and_bounds_the_read(self, sent, taken):
        assert read_rules(f"https://h/cb#ct=100&rt=40000&tt={sent}").total == taken

    @pytest.mark.row("7.4/rc")
    @pytest.mark.parametrize("count", range(6))
    def test_a_count_of_0_to_5_retries_is_kept_to(self, count):
        assert len(pauses("plivo", read_rules(f"https://h/cb#rc={count}"))[0]) == count

    @pytest.mark.row("7.4/er")
    def test_an_edge_region_has_no_effect_and_spoils_nothing(self):
        assert read_rules("https://h/cb#er=ap-southeast-1") == CallbackRules()
        assert read_rules("https://h/cb#er=ap-southeast-1&ct=500&rc=2") == CallbackRules(connect=0.5, retries=2)

    def test_time_outs_are_milliseconds_and_leave_retrying_to_us(self):
        assert read_rules("https://h/cb#ct=500&rt=2000") == CallbackRules(connect=0.5, total=2.0)
        assert read_rules("https://h/cb#rt=40000&tt=20000").total == 20.0

    def test_the_whole_try_is_never_shorter_than_its_connect(self):
        assert read_rules("https://h/cb#ct=4000&tt=100") == CallbackRules(connect=4.0, total=4.0)

    @pytest.mark.parametrize("fragment", ["ct=50", "ct=99999", "ct=abc", "ct=", "rc=6", "rc=-1", "rp=9xx", "er=x"])
    def test_values_out_of_range_are_ignored(self, fragment):
        assert read_rules(f"https://h/cb#{fragment}") == CallbackRules()

    @pytest.mark.row("7.4/rp", "7.4/rc")
    def test_a_policy_alone_means_the_vendors_one_retry(self):
        assert read_rules("https://h/cb#rp=5xx,ct") == CallbackRules(retries=1, policy=frozenset({"5xx", "ct"}))

    @pytest.mark.row("7.4/rp")
    def test_a_count_alone_means_the_vendors_policy(self):
        rules = read_rules("https://h/cb#rc=2")
        assert rules == CallbackRules(retries=2)
        assert pauses("plivo", rules) == ([1.0, 1.0], "all tries that the callback URL allows used up")

    def test_no_retries_means_none(self):
        assert pauses("plivo", read_rules("https://h/cb#rc=0"))[0] == []

    @pytest.mark.row("7.4/rp")
    @pytest.mark.parametrize(
        ("policy", "result", "retried"),
        [
            ("4xx", TryResult(404), True),
            ("4xx", TryResult(500), False),
            ("5xx", TryResult(500), True),
            ("ct", TryResult(fault=Fault.CONNECT), True),
            ("ct", TryResult(fault=Fault.FORBIDDEN), True),
            ("ct", TryResult(fault=Fault.READ), False),
            ("rt", TryResult(fault=Fault.READ), True),
            ("4xx,5xx,ct,rt", TryResult(302), False),
            ("all", TryResult(302), True),
        ],
    )
    def test_only_what_the_policy_names_is_retried(self, policy, result, retried):
        step = next_try(1, result, "plivo", MIDDLE, NOW, read_rules(f"https://h/cb#rc=3&rp={policy}"))
        assert isinstance(step, RetryAt) is retried


@pytest.mark.parametrize(
    ("dialect", "fragment", "tries"),
    [("eight", "", 5), ("plivo", "", 11), ("another", "", 10), ("plivo", "#rc=0", 1), ("plivo", "#rc=3", 4)],
)
def test_a_row_has_as_many_tries_as_its_schedule_has_pauses_and_one(dialect, fragment, tries):
    rules = read_rules("https://h.example/" + fragment)
    assert most_tries(dialect, rules) == tries
    assert isinstance(next_try(tries, DOWN, dialect, MIDDLE, NOW, rules), GiveUp)
    assert tries == 1 or isinstance(next_try(tries - 1, DOWN, dialect, MIDDLE, NOW, rules), RetryAt)
