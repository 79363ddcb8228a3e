"""masking.number_kind: which numbers cost more than others."""

from __future__ import annotations

import re
from copy import copy

import phonenumbers
import pytest
from phonenumbers import PhoneNumberType

from maskline.masking import number_kind
from maskline.masking.e164 import Number, parse_number
from maskline.masking.number_kind import Kind, kind_of

SAME = {
    PhoneNumberType.PREMIUM_RATE: Kind.PREMIUM,
    PhoneNumberType.SHARED_COST: Kind.SHARED_COST,
    PhoneNumberType.PERSONAL_NUMBER: Kind.PERSONAL,
}
TYPES = [value for value in PhoneNumberType.values() if value != PhoneNumberType.FIXED_LINE_OR_MOBILE]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+6581234567", Kind.ORDINARY),
        ("+19002345678", Kind.PREMIUM),
        ("+449098790000", Kind.PREMIUM),
        ("+4409098790000", Kind.PREMIUM),
        ("+447012345678", Kind.PERSONAL),
        ("+39840123456", Kind.SHARED_COST),
        ("+8008001234", Kind.ORDINARY),
        ("+18002345678", Kind.ORDINARY),
        ("+870773111632", Kind.SATELLITE),
        ("+881612345678", Kind.SATELLITE),
        ("+88216123456", Kind.SATELLITE),
        ("+883510012345", Kind.SATELLITE),
        ("+878101234567890", Kind.PERSONAL),
        ("+80812345678", Kind.SHARED_COST),
        ("+979123456789", Kind.PREMIUM),
        ("+99912345678", Kind.ORDINARY),
        ("+4401", Kind.ORDINARY),
    ],
)
def test_the_kind_of_a_number_is_known(number: str, kind: Kind) -> None:
    assert kind_of(parse_number(number)) is kind


REAL = {
    Kind.PREMIUM: (
        "+449098790000 +449110012345 +499001234567 +491371234567 +33899123456 +33891123456 +39899123456 +34803123456 "
        "+34807123456 +34905123456 +19002345678 +19005551234 +611900123456 +319061234 +31900123456 +6519001234567 "
        "+41900123456 +41906123456 +43900123456 +43930123456 +3290212345 +46939123456 +48701234567 +81990123456 "
        "+559001234567 +64900123456 +4590123456 +358600123456 +358700123456 +3531520123456 +351760123456 +27862345678 "
        "+78091234567 +8616812345 +85290012345678 +979123456789 +979912345678"
    ),
    Kind.SHARED_COST: (
        "+491803123456 +33810123456 +33820123456 +39840123456 +39848123456 +34901123456 +34902123456 +611300123456 "
        "+41840123456 +43810123456 +43820123456 +48801234567 +553001234567 +9118601234567 +3531850123456 +351808123456 "
        "+351707123456 +27860123456 +27861123456 +80812345678"
    ),
    Kind.PERSONAL: "+447012345678 +4970012345678 +41878123456 +878101234567890",
    Kind.SATELLITE: (
        "+870773111632 +881612345678 +881835212345 +882161234567 +88213123456 +882345678901 +883510012345 "
        "+883140123456 +888123456789 +991123456789"
    ),
    Kind.ORDINARY: (
        "+442079460000 +447700900123 +4930123456 +4915112345678 +33142345678 +393123456789 +34912345678 +12125550123 "
        "+61491570156 +31201234567 +6591234567 +41446681800 +4312345678 +46701740605 +48221234567 +81312345678 "
        "+5511912345678 +919876543210 +8801712345678 +886912345678"
    ),
}  # fmt: skip
"""From the numbering plans of two dozen countries."""


@pytest.mark.parametrize("kind", REAL)
def test_real_ranges_of_many_countries_are_judged_by_their_plans(kind: Kind) -> None:
    judged = {number: kind_of(parse_number(number)) for number in REAL[kind].split()}
    assert judged == dict.fromkeys(judged, kind)


@pytest.mark.parametrize("kind", [Kind.PREMIUM, Kind.SHARED_COST, Kind.PERSONAL, Kind.SATELLITE])
@pytest.mark.parametrize("more", ["1", "00", "98765"])
def test_digits_behind_the_end_of_a_dear_number_do_not_hide_it(kind: Kind, more: str) -> None:
    """A switch that has the whole number reads no further."""
    longer = [(number + more)[:18] for number in REAL[kind].split()]
    assert [number for number in longer if kind_of(parse_number(number)) is not kind] == []


def test_digits_behind_the_end_of_any_other_number_change_nothing() -> None:
    longer = [number + "1" for number in REAL[Kind.ORDINARY].split()]
    assert {kind_of(parse_number(number)) for number in longer} == {Kind.ORDINARY}


@pytest.mark.parametrize("number", ["+44090987900001", "+4409098790000"])
def test_a_national_prefix_hides_nothing_either(number: str) -> None:
    assert kind_of(parse_number(number)) is Kind.PREMIUM


def test_a_whole_number_of_another_kind_is_that_though_a_dear_one_begins_so() -> None:
    plan = number_kind._plan("DE")
    assert plan is not None
    plan = copy(plan)
    assert plan.kind("4990012345678", "90012345678") is Kind.PREMIUM
    plan._others = [re.compile("90012345678")]
    assert plan.kind("4990012345678", "90012345678") is Kind.ORDINARY


def test_what_is_too_short_for_a_number_is_ordinary() -> None:
    plan = number_kind._plan("GB")
    assert plan is not None and plan.kind("440", "0") is Kind.ORDINARY


def test_every_country_s_example_of_every_kind_is_judged_as_phonenumbers_judges_it() -> None:
    compared = 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for type_ in TYPES:
            example = phonenumbers.example_number_for_type(region, type_)
            if example is None:
                continue
            number = Number(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[1:])
            if number.digits.startswith(tuple(number_kind._BESIDES)):
                continue  # known better here
            expected = SAME.get(phonenumbers.number_type(example), Kind.ORDINARY)
            assert kind_of(number) is expected, (region, type_)
            compared += 1
    assert compared > 1_000
