"""masking.destinations: where an account may call."""

from __future__ import annotations

import pytest

from maskline.errors import InvalidParameter
from maskline.masking.destinations import Destinations, read_countries, read_prefixes
from maskline.masking.e164 import parse_number
from maskline.masking.facts import Cause
from maskline.masking.number_kind import Kind

SINGAPORE, LONDON, PREMIUM, SATELLITE = "+6581234567", "+442079460000", "+449098790000", "+881612345678"
OWN = frozenset({"SG"})
COUNTRY, NUMBER = Cause.COUNTRY_BARRED, Cause.DESTINATION_BARRED


@pytest.mark.parametrize(
    ("rules", "number", "found"),
    [
        (Destinations(), SINGAPORE, None),
        (Destinations(), LONDON, COUNTRY),
        (Destinations(("GB",)), LONDON, None),
        (Destinations(everywhere=True), LONDON, None),
        (Destinations(("GB",)), PREMIUM, NUMBER),
        (Destinations(everywhere=True), SATELLITE, NUMBER),
        (Destinations(everywhere=True, refused=(Kind.PREMIUM,)), SATELLITE, None),
        (Destinations(("GB",), refused=()), PREMIUM, None),
        (Destinations(allow=("+4420",)), LONDON, None),
        (Destinations(allow=("+44909",)), PREMIUM, None),
        (Destinations(everywhere=True, deny=("+4420",)), LONDON, NUMBER),
        (Destinations(deny=("+44",), allow=("+4420",)), LONDON, None),
        (Destinations(deny=("+44", "+4420"), allow=("+442",)), LONDON, NUMBER),
        (Destinations(deny=("+44",), allow=("+44",)), LONDON, NUMBER),
        (Destinations(deny=("+49",), allow=("+33",)), LONDON, COUNTRY),
        (Destinations(), "+99912345678", COUNTRY),
        (Destinations(everywhere=True), "+99912345678", None),
    ],
)
def test_a_number_is_judged_by_prefix_then_kind_then_country(
    rules: Destinations, number: str, found: Cause | None
) -> None:
    assert rules.judge(parse_number(number), OWN) is found


@pytest.mark.parametrize(
    ("number", "own"),
    [
        ("+1011449098790000", "US"),
        ("+65001449098790000", "SG"),
        ("+440449098790000", "GB"),
        ("+44004490987900", "GB"),
        ("+8110449098790000", "JP"),
        ("+61011449098790", "AU"),
        ("+710449098790000", "RU"),
    ],
)
def test_a_number_that_leaves_its_country_when_it_is_dialled_there_is_none_of_it(number: str, own: str) -> None:
    """A trunk that writes national numbers would make a call abroad of it."""
    for rules in (Destinations(), Destinations(everywhere=True), Destinations(allow=(number[:3],))):
        assert rules.judge(parse_number(number), frozenset({own})) is NUMBER


@pytest.mark.parametrize("number", ["+4407911123456", "+390612345678", "+12015550123", "+81312345678", "+99900123456"])
def test_a_number_that_stays_is_judged_as_ever(number: str) -> None:
    assert Destinations(everywhere=True).judge(parse_number(number), OWN) is None


@pytest.mark.parametrize("number", ["+4490987900001", "+44090987900001", "+881612345678999"])
def test_more_digits_than_a_number_has_open_nothing(number: str) -> None:
    assert Destinations(everywhere=True).judge(parse_number(number), OWN) is NUMBER
    assert Destinations().judge(parse_number("+4477971234567"), frozenset({"GB"})) is COUNTRY
    assert Destinations().judge(parse_number("+141655512341"), frozenset({"US"})) is COUNTRY


def test_an_account_whose_own_numbers_no_plan_knows_may_call_such_numbers() -> None:
    assert Destinations().judge(parse_number("+99912345678"), frozenset({None})) is None


def test_countries_and_prefixes_are_read_once_each() -> None:
    assert read_countries((" sg", "GB", "SG")) == ("SG", "GB")
    assert read_prefixes((" +44", "+1", "+44"), parameter="deny") == ("+44", "+1")


@pytest.mark.parametrize("word", ["", "S", "SGP", "S1", "ßß", "XX", "UK"])
def test_what_is_no_country_is_refused(word: str) -> None:
    with pytest.raises(InvalidParameter, match="country is not two letters"):
        read_countries((word,))


@pytest.mark.parametrize("word", ["", "+", "44", "+44x", "+1234567890123456", "+४४"])
def test_what_is_no_prefix_is_refused(word: str) -> None:
    with pytest.raises(InvalidParameter, match="deny is not"):
        read_prefixes((word,), parameter="deny")
