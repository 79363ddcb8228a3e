"""What a country dials, by metadata that is not ours."""

from __future__ import annotations

import pytest

from maskline.masking.dial_plan import USUAL, DialPlan, dial_plan, is_of, leaves_country


@pytest.mark.parametrize(
    ("country_code", "plan"),
    [
        ("+1", DialPlan("", "011")),
        ("+7", DialPlan("8", "810")),
        ("+34", DialPlan("", "00")),
        ("+36", DialPlan("06", "00")),
        ("+39", DialPlan("", "00")),
        ("+44", DialPlan("0", "00")),
        ("+61", DialPlan("0", "0011")),
    ],
)
def test_a_country_dials_what_its_people_dial(country_code: str, plan: DialPlan) -> None:
    assert dial_plan(country_code) == plan


@pytest.mark.parametrize("country_code", ["+800", "+882", "+999", "+21"])
def test_what_is_no_country_dials_as_is_recommended(country_code: str) -> None:
    assert dial_plan(country_code) == USUAL


@pytest.mark.parametrize(
    ("country_code", "digits", "is_its"),
    [
        ("+1", "6502530000", True),
        ("+1", "16502530000", False),
        ("+34", "612345678", True),
        ("+34", "34612345678", False),
        ("+39", "3312345678", True),
        ("+39", "393312345678", False),
        ("+65", "442079460000", False),
        # Of no known range, but as long as a number of Singapore.
        ("+65", "23334444", True),
        ("+999", "12345678", False),
        ("+65", "1", False),
    ],
)
def test_digits_are_of_the_country_whose_numbers_they_can_be(country_code: str, digits: str, is_its: bool) -> None:
    assert is_of(country_code, digits) is is_its


@pytest.mark.parametrize(
    ("digits", "leaves"),
    [
        ("1011449098790000", True),
        ("440449098790000", True),
        ("4407911123456", False),
        ("390612345678", False),
        ("999001", False),
    ],
)
def test_a_number_may_be_one_that_calls_abroad_where_it_is_dialled(digits: str, leaves: bool) -> None:
    assert leaves_country(digits) is leaves
