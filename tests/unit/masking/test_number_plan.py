"""Countries that share a code: the same answers as `phonenumbers` gives, for any number."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.masking.number_plan import shared_region

CODES = ("1", "44", "7")
REGIONS = [region for code in CODES for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]]


def expected(digits: str) -> str | None:
    number = phonenumbers.parse("+" + digits)
    if phonenumbers.region_code_for_number(number) is None:
        phonenumbers.truncate_too_long_number(number)
    return phonenumbers.region_code_for_number(number) or phonenumbers.region_code_for_country_code(number.country_code)


@pytest.mark.parametrize("region", REGIONS)
def test_the_sample_number_of_each_country_is_of_that_country(region: str) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    digits = f"{number.country_code}{number.national_number}"
    assert shared_region(digits) == expected(digits) == region


@given(code=st.sampled_from(CODES), national=st.from_regex(r"\A[2-79][0-9]{6,11}\Z"))
def test_any_number_is_of_the_country_that_the_library_says(code: str, national: str) -> None:
    assert shared_region(code + national) == expected(code + national)


@given(region=st.sampled_from(REGIONS), end=st.from_regex(r"\A[0-9]{1,5}\Z"))
def test_numbers_near_a_country_are_told_apart_as_by_the_library(region: str, end: str) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    digits = f"{number.country_code}{number.national_number}"[: -len(end)] + end
    assert shared_region(digits) == expected(digits)


@pytest.mark.parametrize(
    ("digits", "region"),
    [
        ("447797123456", "JE"),
        ("447781123456", "GG"),
        ("447624123456", "IM"),
        ("14165551234", "CA"),
        ("18765551234", "JM"),
        ("77011234567", "KZ"),
        ("12125550123", "US"),
        ("442079460000", "GB"),
    ],
)
def test_digits_behind_the_end_of_a_number_do_not_move_it_to_the_largest_country(digits: str, region: str) -> None:
    assert {shared_region(digits + more) for more in ("", "1", "22", "1234")} == {region}


@pytest.mark.parametrize("digits", ["6531591234", "44", "4407700900123", "113055551234", "78001234567", "4477"])
def test_what_is_of_another_code_or_form_is_for_the_library_to_read(digits: str) -> None:
    assert shared_region(digits) is None
