"""Telephone numbers: reading them from what people and carriers write, and never showing them by accident.

What it is: `Number`, a wrapper that prints itself masked (`+65••••1234`), and the parser behind it
(`phonenumbers`, cached). What it is not: a plain string; a real number reaches bytes only through `.e164`
or `.digits`, which are easy to search for in a review. Who uses it: everything that holds a party's number.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

import phonenumbers

from maskline.errors import InvalidParameter
from maskline.masking.number_plan import shared_region
from maskline.values import leaf

_SEPARATORS = re.compile(r"[\s().\-/]")
_DIGITS = re.compile(r"\+?[1-9][0-9]{2,16}\Z")
"""No country code begins with 0 (E.164 §6.2.1): what does is a national number, of nobody knows which country."""
SHORT_CODE = 6
"""Digits that a short code (911, 112, 116117) has at most, and no subscriber's number with its country code."""
_SHORTEST = 2
"""Digits behind the country code below which `phonenumbers` sees no number."""
_ONE_REGION = {
    str(code): None if regions[0] == "001" else regions[0]
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
    if len(regions) == 1
}
"""Region by country code, None for codes of no country (800, 882)."""


class Line(StrEnum):
    """What kind of line a number plan gives to a number."""

    FIXED = "fixed"
    """Also VoIP ranges, and where a plan does not tell fixed from mobile, as North America's."""
    MOBILE = "mobile"
    TOLL_FREE = "toll_free"
    OTHER = "other"
    """Known and none of these: shared cost, premium rate, company-wide numbers."""
    UNKNOWN = "unknown"


_LINES = {
    phonenumbers.PhoneNumberType.FIXED_LINE: Line.FIXED,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: Line.FIXED,
    phonenumbers.PhoneNumberType.VOIP: Line.FIXED,
    phonenumbers.PhoneNumberType.MOBILE: Line.MOBILE,
    phonenumbers.PhoneNumberType.TOLL_FREE: Line.TOLL_FREE,
    phonenumbers.PhoneNumberType.UNKNOWN: Line.UNKNOWN,
}


@leaf
class Number:
    """A telephone number in E.164 form, or the 3 to 17 digits that a national plan needs.

    Masked in `str`, `repr` and `format`, so that a log line or an exception text cannot leak it.
    """

    __slots__ = ("digits",)

    def __init__(self, digits: str) -> None:
        self.digits = digits
        """The number without `+`; the form Plivo's session object uses."""

    @property
    def e164(self) -> str:
        """The number with `+`; the form stored, hashed and sent to 8x8 receivers."""
        return "+" + self.digits

    @property
    def is_short_code(self) -> bool:
        """Whether it means something inside one country only: with a `+` it is the beginning of another number."""
        return len(self.digits) <= SHORT_CODE

    @property
    def country(self) -> str | None:
        """ISO 3166-1 alpha-2 of the number, `None` when the plan is unknown (short codes, 15+ digits)."""
        return _country(self.digits)

    @property
    def line(self) -> Line:
        return _line(self.digits)

    @property
    def masked(self) -> str:
        """`+65••••1234`: country code and last four digits; short numbers keep the last two only."""
        if len(self.digits) < 8:
            return "••••" + self.digits[-2:]
        return f"+{self.digits[: _country_code_length(self.digits)]}••••{self.digits[-4:]}"

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"Number({self.masked})"

    def __format__(self, spec: str) -> str:
        return format(self.masked, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and other.digits == self.digits

    def __hash__(self) -> int:
        return hash(self.digits)


@lru_cache(maxsize=65_536)
def parse_number(text: str, *, parameter: str = "number") -> Number:
    """Read a number as people write it: `+` optional, blanks and punctuation allowed.

    Raises `InvalidParameter` ("Invalid parameter. <parameter> is not a valid phone number", the text of
    plivo-vts.md §1.2) when fewer than 3 or more than 17 digits, a leading 0 (national form) or anything else is left.
    Numbers that `phonenumbers` does not know are accepted: test plans, short codes and 15+ digit plans exist
    (competitors-and-pool-maths.md §3, China's 700 numbers). Where a call is to go, use `parse_telephone`.
    """
    compact = _SEPARATORS.sub("", text.strip())
    if compact.startswith("00"):
        compact = "+" + compact[2:]
    if not compact.isascii() or not _DIGITS.match(compact):
        raise _not_valid(parameter)
    return Number(compact.lstrip("+"))


def parse_telephone(text: str, *, parameter: str = "number") -> Number:
    """The same without short codes; raises `InvalidParameter` in the same words."""
    return check_telephone(parse_number(text, parameter=parameter), parameter=parameter)


def check_telephone(number: Number, *, parameter: str) -> Number:
    """A number that may be called with its `+`. Raises `InvalidParameter` for a short code."""
    if number.is_short_code:
        raise _not_valid(parameter)
    return number


def _not_valid(parameter: str) -> InvalidParameter:
    return InvalidParameter(f"Invalid parameter. {parameter} is not a valid phone number", parameter=parameter)


@lru_cache(maxsize=65_536)
def _country(digits: str) -> str | None:
    # Most codes belong to one region, whatever follows: 1 µs instead of the 25 that taking the number apart costs.
    for length in (1, 2, 3):
        if digits[:length] in _ONE_REGION and len(digits) >= length + _SHORTEST:
            return _ONE_REGION[digits[:length]]
    return shared_region(digits) or _country_of_plan(digits)


def _country_of_plan(digits: str) -> str | None:
    try:
        parsed = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return None
    region = phonenumbers.region_code_for_number(parsed)
    if region is None and phonenumbers.truncate_too_long_number(parsed):
        # A switch reads no further than the number goes, so it is of the country where that rings.
        region = phonenumbers.region_code_for_number(parsed)
    # Ranges that phonenumbers cannot place (555 numbers, new ranges) still have their code's main region.
    region = region or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return region if region and region not in ("ZZ", "001") else None


@lru_cache(maxsize=65_536)
def _line(digits: str) -> Line:
    try:
        kind = phonenumbers.number_type(phonenumbers.parse("+" + digits))
    except phonenumbers.NumberParseException:
        return Line.UNKNOWN
    return _LINES.get(kind, Line.OTHER)


@lru_cache(maxsize=65_536)
def _country_code_length(digits: str) -> int:
    try:
        parsed = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return 1
    return len(str(parsed.country_code))
