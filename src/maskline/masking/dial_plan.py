"""What people of a country dial before a number of their own country, and before one of another.

What it is: two prefixes by country code, from the metadata of `phonenumbers`, and whether digits are a number of a
country. What it is not: what one carrier wants, which a trunk may say otherwise. Who uses it: `engine/presentation.py`,
and `destinations.py` for numbers that would leave their country.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import phonenumbers

_FIXED = phonenumbers.PhoneNumberType.FIXED_LINE


class DialPlan(NamedTuple):
    national: str
    """Empty where nothing is dialled before a number of one's own country (+1, +34, +39, +65)."""
    international: str


USUAL = DialPlan("0", "00")
"""ITU-T E.123 and E.164 recommend both."""


@lru_cache(maxsize=512)
def dial_plan(country_code: str) -> DialPlan:
    """Of `+` and digits. The first plan costs some milliseconds, every further look nothing."""
    code = int(country_code)
    region = phonenumbers.region_code_for_country_code(code)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    if metadata is None:
        return USUAL
    abroad = (metadata.preferred_international_prefix or metadata.international_prefix or "").replace("~", "")
    # Several carriers to choose from are written as a pattern.
    return DialPlan(_national(region), abroad if abroad.isdigit() else USUAL.international)


def _national(region: str) -> str:
    """Metadata name a prefix also where nobody writes it (+1: 1), so an example is written as its people write it."""
    example = phonenumbers.example_number_for_type(region, _FIXED)
    assert example is not None, "every region has one"
    number = phonenumbers.national_significant_number(example)
    written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
    digits = "".join(filter(str.isdigit, written))
    return digits.removesuffix(number)


@lru_cache(maxsize=65_536)
def is_of(country_code: str, digits: str) -> bool:
    """Whether digits without any prefix are rather a number of that country than one with its country code: known
    ranges decide, then how many digits a number there has."""
    national = _parsed(country_code + digits)
    # A prefix that nobody writes is taken off in silence: +1 1650….
    if national is None or phonenumbers.national_significant_number(national) != digits:
        return False
    if phonenumbers.is_valid_number(national):
        return True
    with_code = _parsed("+" + digits)
    if with_code is not None and phonenumbers.is_valid_number(with_code):
        return False
    return phonenumbers.is_possible_number(national)


@lru_cache(maxsize=65_536)
def leaves_country(digits: str) -> bool:
    """Whether what follows the country code is dialled there to call abroad, and is no number of that country: of
    +1 011 44 … and +44 0 44 … (which is dialled 00 44 …) a trunk that dials like its country's people makes a call to
    anywhere."""
    length = next((n for n in (1, 2, 3) if int(digits[:n]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), 0)
    if not length:
        return False
    plan, rest = dial_plan(digits[:length]), digits[length:]
    if not (rest.startswith(plan.international) or (plan.national + rest).startswith(plan.international)):
        return False
    parsed = _parsed("+" + digits)
    return parsed is None or not phonenumbers.is_valid_number(parsed)


def _parsed(text: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
