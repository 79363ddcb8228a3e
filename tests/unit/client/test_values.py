"""One value of either flavour becomes one typed value, or is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from maskline.client import values

NOON = datetime(2023, 8, 17, 21, 26, 44, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2023-08-17 21:26:44", NOON),
        ("2023-08-17 21:26:44 +0000 UTC", NOON),
        ("2023-08-17T21:26:44Z", NOON),
        ("2023-08-17 21:26:44.123456 +0000 UTC", NOON.replace(microsecond=123456)),
    ],
)
def test_times_of_every_generation_of_the_pages_are_read(raw, expected):
    assert values.time(raw) == expected


@pytest.mark.parametrize("raw", ["yesterday", "2023-13-17 21:26:44", "2023-08-17 21:26:44 +0200 CEST", 7, True])
def test_what_is_no_utc_time_is_refused(raw):
    with pytest.raises(ValueError):
        values.time(raw)


@pytest.mark.parametrize(("raw", "expected"), [(3600, 3600), ("3600", 3600), (60.0, 60), ("0", 0), ("-1", -1)])
def test_whole_numbers_come_as_numbers_or_as_text(raw, expected):
    value = values.whole(raw)
    assert (value, type(value)) == (expected, int)


@pytest.mark.parametrize("raw", [True, 1.5, "1.5", "many", "9" * 50, "1e30", "NaN", float("inf"), None, []])
def test_what_is_no_whole_number_is_refused(raw):
    with pytest.raises(ValueError):
        values.whole(raw)


@pytest.mark.parametrize(("raw", "expected"), [(True, True), ("true", True), ("False", False), (False, False)])
def test_flags_come_as_booleans_or_as_text(raw, expected):
    assert values.flag(raw) is expected


@pytest.mark.parametrize("raw", [1, "yes", None])
def test_what_is_no_flag_is_refused(raw):
    with pytest.raises(ValueError):
        values.flag(raw)


@pytest.mark.parametrize(("raw", "expected"), [(0, "0"), (0.1, "0.1"), ("0.05", "0.05"), (12, "12")])
def test_amounts_keep_their_decimals(raw, expected):
    assert values.amount(raw) == Decimal(expected)


@pytest.mark.parametrize("raw", ["free", True, None])
def test_what_is_no_amount_is_refused(raw):
    with pytest.raises(ValueError):
        values.amount(raw)


@pytest.mark.parametrize(("raw", "expected"), [("+6590000001", "+6590000001"), ("6590000001", "+6590000001"), ("", "")])
def test_numbers_get_their_plus(raw, expected):
    assert values.number(raw) == expected


@pytest.mark.parametrize("raw", ["sip:alice", "+65 9000", "+६५"])
def test_what_is_no_number_is_refused(raw):
    with pytest.raises(ValueError):
        values.number(raw)


def test_text_is_text_and_a_pin_sent_as_number_is_text_too():
    assert (values.text("a"), values.text(4711)) == ("a", "4711")
    for raw in (True, None, {}):
        with pytest.raises(ValueError):
            values.text(raw)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("+6590000001", "+6590000001"),
        (20, "20"),
        (True, "true"),
        (False, "false"),
        (NOON, "2023-08-17 21:26:44"),
        (NOON.replace(microsecond=5), "2023-08-17 21:26:44.000005"),
        (NOON.astimezone(timezone(timedelta(hours=8))), "2023-08-17 21:26:44"),
    ],
)
def test_a_filter_is_written_as_the_server_reads_it(value, expected):
    assert values.query_text(value) == expected


def test_a_time_without_zone_is_refused_rather_than_guessed():
    with pytest.raises(ValueError, match="time zone"):
        values.query_text(datetime(2023, 8, 17))
