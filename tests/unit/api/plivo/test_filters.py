"""List parameters become a filter, a page and its neighbours' URIs."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from maskline.api.plivo.filters import MAX_WINDOW, page_meta, read_list
from maskline.errors import InvalidParameter
from maskline.masking.e164 import Number

DAY = 86_400
NOW = 1_706_702_700.5  # 2024-01-31 12:05:00.5 UTC


def read(**query):
    return read_list(urlencode(query).encode(), NOW)


def refusal(**query):
    with pytest.raises(InvalidParameter) as caught:
        read(**query)
    return caught.value.sentence


@pytest.mark.row("4/limit", "4/offset", "4/status", "4/order and windows")
def test_nothing_asked_is_the_last_seven_days_twenty_at_a_time():
    query = read()
    assert (query.limit, query.offset) == (20, 0)
    assert query.wanted.created == (("gte", NOW - 7 * DAY),)
    assert query.wanted.expires == query.wanted.duration == ()
    assert query.wanted.status == "all"


@pytest.mark.row("4/parties and number")
@pytest.mark.parametrize("sent", ["+6590000001", "6590000001"])
@pytest.mark.parametrize("name", ["first_party", "second_party", "virtual_number"])
def test_numbers_are_compared_without_plus(name, sent):
    assert getattr(read(**{name: sent}).wanted, name) == Number("6590000001")


def test_an_unescaped_plus_is_read_as_one():
    assert read_list(b"first_party=+6590000001", NOW).wanted.first_party == Number("6590000001")


@pytest.mark.parametrize("value", ["abc", "9" * 70])
def test_a_filter_that_is_no_number_is_refused(value):
    assert refusal(virtual_number=value) == "Invalid parameter. virtual_number is not a valid phone number"


@pytest.mark.row("4/status")
@pytest.mark.parametrize("status", ["active", "in-progress", "expired", "all", "ACTIVE"])
def test_statuses(status):
    assert read(status=status).wanted.status == status.lower()


def test_an_unknown_status_is_refused_with_the_allowed_ones():
    sentence = "Invalid parameter. status allowed values are active, in-progress, expired or all"
    assert refusal(status="done") == sentence


def test_empty_and_unknown_parameters_are_ignored():
    assert read(status="", first_party="", limit="", created_time="", nonsense="1").wanted == read().wanted


@pytest.mark.row("4/subaccount")
@pytest.mark.parametrize("key", ["subaccount", "sub_account"])
def test_a_subaccount_filters(key):
    assert read(**{key: "SA1"}).wanted.subaccount_id == "SA1"


@pytest.mark.row("4/limit")
@pytest.mark.parametrize(("limit", "taken"), [("1", 1), ("20", 20), ("0", 20), ("", 20)])
def test_page_sizes(limit, taken):
    assert read(limit=limit).limit == taken


@pytest.mark.row("4/limit", "4/offset")
@pytest.mark.parametrize(
    "query",
    [
        {"limit": "21"}, {"limit": "-1"}, {"offset": "-1"}, {"offset": "1000000001"}, {"offset": "9" * 30},
        {"limit": "-" + "9" * 30}, {"duration": "-1"}, {"duration": "9" * 20},
    ],
)  # fmt: skip
def test_pages_outside_the_range_are_refused(query):
    (name,) = query
    assert refusal(**query) == f"Invalid parameter. {name} is outside the allowed range"


@pytest.mark.parametrize("value", ["x", "1.5", "9" * 30 + "x"])
def test_a_page_that_is_no_whole_number_is_refused(value):
    assert refusal(offset=value) == "Invalid parameter. offset should be an integer"


def test_too_many_fields_are_refused():
    query = "&".join(f"a{i}=1" for i in range(200)).encode()
    with pytest.raises(InvalidParameter, match="too many fields"):
        read_list(query, NOW)


def test_bytes_outside_ascii_do_no_harm():
    assert read_list(b"nonsense=\xff\xfe", NOW).wanted == read().wanted


S = 1_706_702_400.0  # 2024-01-31 12:00:00 UTC
LOW = S - MAX_WINDOW


@pytest.mark.row("4/times")
class TestAWholeSecondIsAllOfThatSecond:
    @pytest.mark.parametrize(
        ("operator", "bounds"),
        [
            ("", (("gte", S), ("lt", S + 1))),
            ("__gt", (("gte", S + 1),)),
            ("__gte", (("gte", S),)),
            ("__lt", (("lt", S), ("gte", S - MAX_WINDOW))),
            ("__lte", (("lt", S + 1), ("gte", S + 1 - MAX_WINDOW))),
        ],
    )
    def test_in_created_and_expiry_time(self, operator, bounds):
        assert read(**{"created_time" + operator: "2024-01-31 12:00:00"}).wanted.created == bounds
        query = read(**{"expiry_time" + operator: "2024-01-31 12:00:00"})
        assert query.wanted.expires == bounds
        assert query.wanted.created == ()

    def test_but_a_fraction_is_exact(self):
        assert read(created_time__gt="2024-01-31 12:00:00.25").wanted.created == (("gt", S + 0.25),)


@pytest.mark.row("4/times")
@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31 12:00", "2024-01-31 12:00:00", "2024-01-31T12:00:00Z", "2024-01-31 12:00:00 +0000 UTC",
        "2024-01-31 12:00:00.000000", "2024-01-31 12:00:00 UTC",
    ],
)  # fmt: skip
def test_times_as_documented_and_as_we_show_them(text):
    assert read(created_time__gte=text).wanted.created == (("gte", S),)


@pytest.mark.parametrize(
    "text", ["yesterday", "2024-02-30 12:00", "2024-01-31", "2024-01-31 25:00", "0000-01-01 00:00"]
)
def test_a_time_that_is_none_is_refused(text):
    assert (
        refusal(expiry_time__lt=text) == "Invalid parameter. expiry_time should be a UTC time like 2024-01-31 13:05:00"
    )


@pytest.mark.row("4/duration", "2.3/session_duration", "2.3/one underscore")
@pytest.mark.parametrize(
    ("key", "bound"),
    [
        ("duration", "eq"), ("durations", "eq"), ("session_duration", "eq"),
        ("duration__gt", "gt"), ("duration_lte", "lte"), ("session_duration__lt", "lt"),
    ],
)  # fmt: skip
def test_duration_under_every_name_clients_use(key, bound):
    assert read(**{key: "600"}).wanted.duration == ((bound, 600.0),)


@pytest.mark.parametrize("value", ["x", "1e3", "--1"])
def test_a_duration_that_is_none_is_refused(value):
    assert refusal(duration__gt=value) == "Invalid parameter. duration should be an integer"


@pytest.mark.row("2.3/one underscore")
@pytest.mark.parametrize("key", ["created_time_gte", "created_time__gte"])
def test_one_underscore_will_do(key):
    assert read(**{key: "2024-01-31 12:00"}).wanted.created == (("gte", S),)


@pytest.mark.row("2.3/plural filters")
def test_the_plural_of_node_is_the_equals_filter():
    assert read(created_times="2024-01-31 12:00").wanted.created == (("gte", S), ("lt", S + 1))
    assert read(expiry_times="2024-01-31 12:00").wanted.expires == (("gte", S), ("lt", S + 1))
    assert read(durations="600").wanted.duration == (("eq", 600.0),)


@pytest.mark.row("4/order and windows")
class TestTheWindow:
    def test_over_thirty_days_is_refused(self):
        query = {"created_time__gte": "2024-01-01 00:00", "created_time__lt": "2024-02-01 00:00"}
        assert refusal(**query) == "Invalid parameter. created_time range should not be over 30 days"

    def test_of_thirty_days_is_taken(self):
        query = {"created_time__gte": "2024-01-01 00:00", "created_time__lt": "2024-01-31 00:00"}
        assert len(read(**query).wanted.created) == 2

    def test_open_to_the_right_ends_now(self):
        assert refusal(created_time__gte="2023-12-01 00:00").endswith("range should not be over 30 days")

    @pytest.mark.parametrize("name", ["created_time", "expiry_time"])
    def test_with_an_end_far_ahead_is_counted_back_from_now(self, name):
        wanted = read(**{name + "__lt": "9999-12-31 23:59:59"}).wanted
        bounds = dict(wanted.created or wanted.expires)
        assert bounds["gte"] == NOW - MAX_WINDOW
        assert bounds["lt"] > NOW

    def test_with_an_end_far_ahead_is_as_long_as_it_is_until_now(self):
        query = {"created_time__lt": "9999-12-31 23:59:59"}
        assert len(read(**query, created_time__gte="2024-01-02 00:00").wanted.created) == 2
        assert refusal(**query, created_time__gte="2023-12-31 00:00").endswith("range should not be over 30 days")

    def test_may_lie_in_the_future(self):
        assert read(expiry_time__gte="2030-01-01 00:00").wanted.expires


@pytest.mark.row("4/meta")
class TestMeta:
    PATH = "/v1/Account/MA1/Masking/Session/"

    def test_of_a_page_in_the_middle_leads_both_ways_with_the_same_filters(self):
        query = read(limit="10", offset="10", status="active", first_party="+6590000001")
        meta = page_meta(query, self.PATH, 35)
        assert (meta["limit"], meta["offset"], meta["total_count"]) == (10, 10, 35)
        after, before = urlsplit(meta["next"]), urlsplit(meta["previous"])
        assert after.path == before.path == self.PATH
        common = {"limit": ["10"], "status": ["active"], "first_party": ["+6590000001"]}
        assert parse_qs(after.query) == common | {"offset": ["20"]}
        assert parse_qs(before.query) == common | {"offset": ["0"]}

    def test_of_a_single_page_leads_nowhere(self):
        meta = page_meta(read(), self.PATH, 20)
        assert meta == {"limit": 20, "next": None, "offset": 0, "previous": None, "total_count": 20}

    def test_never_leads_below_zero(self):
        assert "offset=0" in page_meta(read(limit="20", offset="5"), self.PATH, 6)["previous"]
