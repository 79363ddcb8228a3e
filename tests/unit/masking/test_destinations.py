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


def test_an_account_whose_own_numbers_no_plan_knows_may_call_such_numbers() -> None:
    assert Destinations().judge(parse_number("+99912345678"), frozenset({None})) is None


def test_countries_and_prefixes_are_read_once_each() -> None:
    assert read_countries((" sg", "GB", "SG")) == ("SG", "GB")
    assert read_prefixes((" +44", "+1", "+44"), parameter="deny") == ("+44", "+1")


@pytest.mark.parametrize("word", ["", "S", "SGP", "S1", "ßß"])
def test_what_is_no_country_is_refused(word: str) -> None:
    with pytest.raises(InvalidParameter, match="country is not two letters"):
        read_countries((word,))


@pytest.mark.parametrize("word", ["", "+", "44", "+44x", "+1234567890123456", "+४४"])
def test_what_is_no_prefix_is_refused(word: str) -> None:
    with pytest.raises(InvalidParameter, match="deny is not"):
        read_prefixes((word,), parameter="deny")
