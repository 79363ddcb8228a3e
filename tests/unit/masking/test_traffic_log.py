"""masking.traffic_log: two formats, one sentence for each bad line, and no number in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.errors import InvalidParameter
from maskline.masking.traffic import PlannedSession
from maskline.masking.traffic_log import COLUMNS, read_log, write_row

KEY = b"a key of this run"
ROW = {"start": 100, "end": 200.5, "first_party": "+6581234510", "second_party": "+447700900123"}
HEAD = "start,end,first_party,second_party"


def read(*lines: str) -> list[PlannedSession]:
    return read_log([line + "\n" for line in lines], KEY)


def json_line(**changes: Any) -> str:
    return json.dumps({**ROW, **changes})


def refusal(*lines: str) -> str:
    with pytest.raises(InvalidParameter) as caught:
        read(*lines)
    return caught.value.sentence


# -- reading -------------------------------------------------------------------------------------------------------
def test_a_json_line_is_a_session_with_countries_of_its_numbers() -> None:
    assert read(json_line()) == [PlannedSession(100.0, 200.5, 0, 1, "SG", "GB")]


def test_a_csv_line_is_a_session_whatever_the_order_of_columns() -> None:
    lines = ("second_party,start, End ,first_party,note", '"+447700900123",100,200.5,+65 8123-4510,"a, b"')
    assert read(*lines) == read(json_line())


def test_a_byte_order_mark_and_blank_lines_do_no_harm() -> None:
    assert len(read("\ufeff" + HEAD, "", "1,2,a,b", "  ", "3,4,a,b")) == 2
    assert len(read("", "\ufeff" + json_line(), "")) == 1


def test_an_empty_log_is_no_session() -> None:
    assert read() == read("", " ") == read(HEAD) == []


@pytest.mark.parametrize(
    "text",
    ["2023-11-14T22:13:20Z", "2023-11-14T22:13:20", "2023-11-14 22:13:20.000", "2023-11-15T06:13:20+08:00",
     " 1700000000 ", "1.7e9", 1_700_000_000, 1_700_000_000.0],
)  # fmt: skip
def test_times_are_seconds_or_iso_8601(text: str | float) -> None:
    assert read(json_line(start=text, end=1_700_000_001))[0].start == 1_700_000_000.0


def test_the_same_number_in_another_writing_is_the_same_party() -> None:
    first, second = read(json_line(), json_line(first_party=6581234510, second_party="0044 7700 900123"))
    assert (first.first, first.second) == (second.first, second.second)


def test_a_party_may_be_any_text_that_stands_for_a_number() -> None:
    session = read(json_line(first_party="courier 17", second_party="f00f"))[0]
    assert (session.first_country, session.second_country) == (None, None)
    assert session.first != session.second


def test_a_given_country_beats_the_numbers_own() -> None:
    session = read(json_line(first_country=" de ", second_country=None))[0]
    assert (session.first_country, session.second_country) == ("DE", "GB")


@pytest.mark.parametrize("missing", ["", None, " "])
def test_no_second_party_is_a_single_party_session(missing: str | None) -> None:
    assert read(json_line(second_party=missing)) == [PlannedSession(100.0, 200.5, 0, None, "SG", None)]


# -- refusing ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "this is not a JSON object"),
        ("[1]", "this is not a JSON object"),
        (json.dumps({**ROW, "start": "soon"}), "start is neither seconds since 1970 nor an ISO 8601 time"),
        (json_line(end=None), "end is neither seconds since 1970 nor an ISO 8601 time"),
        (json_line(end=True), "end is neither seconds since 1970 nor an ISO 8601 time"),
        (json_line(end="inf"), "end is neither seconds since 1970 nor an ISO 8601 time"),
        (json_line(end=10**400), "end is neither seconds since 1970 nor an ISO 8601 time"),
        (json_line(end=100), "end must be after start"),
        (json_line(first_party=""), "first_party is empty"),
        (json_line(first_party=["+6581234510"]), "first_party is not a text"),
        (json_line(second_party=True), "second_party is not a text"),
        (json_line(second_party="6581234510"), "first_party and second_party are the same"),
        (json_line(first_country="Singapore"), "first_country is not a country code of two letters"),
        (json_line(second_country="4é"), "second_country is not a country code of two letters"),
        ('{"start": 1, "end": 2, "first_party": "x"}', "second_party is missing"),
    ],
)
def test_a_bad_line_is_one_sentence_with_its_number(line: str, sentence: str) -> None:
    told = refusal(json_line(), "", line)
    assert told == f"Line 3 of the log: {sentence}."


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("start,end,first_party",), "Line 1 of the log: the head line has no column second_party."),
        ((HEAD, "1,2,3"), "Line 2 of the log: 3 columns where the head line has 4."),
        ((HEAD, '1,2,"3"x,4'), "Line 2 of the log: this is not CSV."),
        ((HEAD, "1,2,a,b", "1,0,a,b"), "Line 3 of the log: end must be after start."),
    ],
)
def test_bad_csv_is_one_sentence_with_its_line(lines: tuple[str, ...], told: str) -> None:
    assert refusal(*lines) == told


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just([1])


@given(st.fixed_dictionaries(dict.fromkeys(COLUMNS, VALUES)))
def test_any_json_row_is_a_session_or_a_sentence_without_its_content(row: dict[str, Any]) -> None:
    secret = "+6581239999"
    try:
        read(json.dumps({**row, "first_party": secret, "second_party": row["first_party"]}))
    except InvalidParameter as refused:
        assert refused.sentence.startswith("Line 1 of the log: ")
        assert secret[1:] not in refused.sentence


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_is_a_log_or_a_sentence(lines: list[str]) -> None:
    try:
        read_log(lines, KEY)
    except InvalidParameter as refused:
        assert refused.sentence.startswith("Line ")


# -- writing -------------------------------------------------------------------------------------------------------
def test_what_is_written_can_be_read() -> None:
    row = {**ROW, "first_country": "SG", "ignored": 1}
    assert write_row(row) == (
        '{"start":100,"end":200.5,"first_party":"+6581234510","second_party":"+447700900123","first_country":"SG"}'
    )
    assert read(write_row(row)) == read(json_line())
