"""masking.e164: reading numbers, and never showing them by accident."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.errors import InvalidParameter
from maskline.masking import e164
from maskline.masking.e164 import Line, Number, parse_number, parse_telephone


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("+6581234567", "6581234567"),
        ("6581234567", "6581234567"),
        (" +65 8123-4567 ", "6581234567"),
        ("0065.8123.4567", "6581234567"),
        ("(415) 555/0100", "4155550100"),
        ("110", "110"),
        ("12345678901234567", "12345678901234567"),
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, digits: str) -> None:
    assert parse_number(text).digits == digits


@pytest.mark.parametrize(
    "text",
    [
        "07911123456",
        "+07911123456",
        "+0065123456",
        "000441234",
        "0",
        "+00",
        "",
        "+",
        "12",
        "123456789012345678",
        "+65x1234",
        "++65123",
        "65+123",
        "٣٣٣٣٣",
        "sip:1",
        "123\n4x",
    ],
)
def test_anything_else_is_refused_by_parameter_and_not_by_value(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_number(text, parameter="first_party")
    assert caught.value.sentence == "Invalid parameter. first_party is not a valid phone number"
    assert caught.value.parameter == "first_party"


@pytest.mark.parametrize("text", ["911", "+112", "116117", "00110"])
def test_a_short_code_is_a_number_and_no_telephone(text: str) -> None:
    assert parse_number(text).is_short_code
    with pytest.raises(InvalidParameter) as caught:
        parse_telephone(text, parameter="first_party")
    assert caught.value.sentence == "Invalid parameter. first_party is not a valid phone number"


def test_the_shortest_telephones_and_the_long_plans_are_read() -> None:
    for digits in ("2901234", "86700123456789012"):
        assert parse_telephone("+" + digits).digits == digits


def test_a_number_has_its_wire_forms() -> None:
    number = Number("6581234567")
    assert (number.e164, number.digits) == ("+6581234567", "6581234567")


@pytest.mark.parametrize(
    ("digits", "country"),
    [
        ("6581234567", "SG"),
        ("12015550123", "US"),
        ("14165550123", "CA"),
        ("15555550100", "US"),
        ("442079460000", "GB"),
        ("4477971234567", "JE"),
        ("44077971234567", "JE"),
        ("141655512340", "CA"),
        ("999", None),
        ("99999999999999999", None),
        ("80012345678", None),
    ],
)
def test_the_country_of_a_number_is_known_where_its_plan_is(digits: str, country: str | None) -> None:
    assert Number(digits).country == country


def test_the_country_is_what_taking_the_whole_number_apart_tells() -> None:
    following = random.Random(7)
    for code in [*phonenumbers.COUNTRY_CODE_TO_REGION_CODE, *range(0, 1000, 37), "0065", "044", "00"]:
        for length in range(3, 18):
            digits = (str(code) + "".join(following.choices("0123456789", k=17)))[:length]
            assert Number(digits).country == e164._country_of_plan(digits), digits


@pytest.mark.parametrize(
    ("digits", "line"),
    [
        ("6563334444", Line.FIXED),
        ("6531580001", Line.FIXED),
        ("12015550123", Line.FIXED),
        ("6591234567", Line.MOBILE),
        ("18005550123", Line.TOLL_FREE),
        ("448457123456", Line.OTHER),
        ("99999999999999999", Line.UNKNOWN),
        ("6500", Line.UNKNOWN),
    ],
)
def test_the_line_of_a_number_is_what_its_plan_says(digits: str, line: Line) -> None:
    assert Number(digits).line is line


@pytest.mark.parametrize(
    ("digits", "masked"),
    [
        ("6581234567", "+65••••4567"),
        ("12015550123", "+1••••0123"),
        ("110", "••••10"),
        ("1234567", "••••67"),
        ("99999999999999999", "+9••••9999"),
    ],
)
def test_a_number_shows_itself_masked(digits: str, masked: str) -> None:
    number = Number(digits)
    assert number.masked == str(number) == f"{number}" == masked
    assert repr(number) == f"Number({masked})"


@given(st.from_regex(r"\A[1-9][0-9]{7,16}\Z"))
def test_no_text_form_of_a_number_contains_it(digits: str) -> None:
    number = Number(digits)
    assert all(digits not in text for text in (str(number), repr(number), f"{number:>30}", str([number])))


def test_numbers_are_equal_by_their_digits() -> None:
    assert Number("6581") == parse_number("+65 81") != Number("6582")
    assert len({Number("6581"), Number("6581")}) == 1
    assert Number("6581") != "6581"
