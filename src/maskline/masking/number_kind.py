"""What calling a number costs beyond the ordinary: premium rate, shared cost, personal and satellite numbers.

What it is: the patterns of `phonenumbers` for these kinds, asked directly, and the codes of no country that satellites
and worldwide services have. What it is not: the kind of line that exports name (`e164.Line`), or a price. Who uses it:
`destinations.py`, once for each number that an account with rules calls.

`phonenumbers.number_type` takes a number apart first, 60 µs and more for each new one; the patterns alone take 3. And
it knows no kind of a number that is too long, while a switch reads no further than the number goes: one digit more
behind a premium number still rings it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberDesc

from maskline.masking.e164 import Number


class Kind(StrEnum):
    """A word for an operator; `ordinary` is never refused."""

    ORDINARY = "ordinary"
    PREMIUM = "premium"
    SHARED_COST = "shared-cost"
    PERSONAL = "personal"
    """Follow-me numbers such as +44 70: dear, and known from fraud."""
    SATELLITE = "satellite"
    """Also the codes +882 and +883 of networks of no country, satellites' among them."""


_CODES = {
    "870": Kind.SATELLITE,  # Inmarsat
    "881": Kind.SATELLITE,  # Iridium, Globalstar
    "882": Kind.SATELLITE,
    "883": Kind.SATELLITE,
    "878": Kind.PERSONAL,
    "808": Kind.SHARED_COST,
    "979": Kind.PREMIUM,
    "888": Kind.SATELLITE,  # was for disaster relief; what still answers there is nobody's ordinary number
    "991": Kind.SATELLITE,  # trials
}
"""ITU-T E.164 Annex D: codes of no country."""
_BESIDES = {
    "34905": Kind.PREMIUM,  # televoting
    "49137": Kind.PREMIUM,  # the same
    "351707": Kind.SHARED_COST, "351708": Kind.SHARED_COST,
    "27861": Kind.SHARED_COST,
}  # fmt: skip
"""Prefixes of numbers that `phonenumbers` has under "universal access", whatever a call costs."""


class _Plan:
    """The patterns of one country."""

    __slots__ = ("_dear", "_kinds", "_national_prefix", "_others", "_possible")

    def __init__(self, metadata: PhoneMetadata) -> None:
        prefix = metadata.national_prefix_for_parsing
        self._national_prefix = None if prefix is None else re.compile(prefix)
        self._possible = _compiled(metadata.general_desc)
        # In the order of `number_type`: what is toll free is none of those behind it.
        self._kinds = [
            (pattern, kind)
            for pattern, kind in (
                (_compiled(metadata.premium_rate), Kind.PREMIUM),
                (_compiled(metadata.toll_free), Kind.ORDINARY),
                (_compiled(metadata.shared_cost), Kind.SHARED_COST),
                (_compiled(metadata.voip), Kind.ORDINARY),
                (_compiled(metadata.personal_number), Kind.PERSONAL),
            )
            if pattern is not None
        ]
        self._dear = [(pattern, kind) for pattern, kind in self._kinds if kind is not Kind.ORDINARY]
        ordinary = (
            metadata.fixed_line,
            metadata.mobile,
            metadata.toll_free,
            metadata.voip,
            metadata.uan,
            metadata.pager,
        )
        self._others = [pattern for pattern in map(_compiled, ordinary) if pattern is not None]

    def kind(self, digits: str, national: str) -> Kind:
        written = national
        if self._national_prefix is not None and self._national_prefix.match(national):
            # Carriers that are lenient with +44 (0)9 … are why such a number is read as `phonenumbers` reads it.
            national = _without_prefix(digits)
        for pattern, kind in self._kinds:
            if pattern.fullmatch(national):
                possible = self._possible
                return kind if possible is not None and possible.fullmatch(national) else Kind.ORDINARY
        found = self._kind_of_beginning(written)
        return found if national == written or found is not Kind.ORDINARY else self._kind_of_beginning(national)

    def _kind_of_beginning(self, national: str) -> Kind:
        """Of a number with digits behind its end."""
        for pattern, kind in self._dear:
            if pattern.match(national):
                return Kind.ORDINARY if any(one.fullmatch(national) for one in self._others) else kind
        return Kind.ORDINARY


def kind_of(number: Number) -> Kind:
    return kind_of_digits(number.digits, number.country)


@lru_cache(maxsize=65_536)
def kind_of_digits(digits: str, country: str | None) -> Kind:
    """`digits` without `+`; `country`: the number's own."""
    code = _CODES.get(digits[:3])
    if code is not None:
        return code
    for length in (5, 6):
        if (kind := _BESIDES.get(digits[:length])) is not None:
            return kind
    plan = None if country is None else _plan(country)
    return Kind.ORDINARY if plan is None else plan.kind(digits, digits[_code_length(digits) :])


@lru_cache(maxsize=512)
def _plan(country: str) -> _Plan | None:
    metadata = PhoneMetadata.metadata_for_region(country)
    return None if metadata is None else _Plan(metadata)


def _code_length(digits: str) -> int:
    return next((length for length in (1, 2) if int(digits[:length]) in COUNTRY_CODE_TO_REGION_CODE), 3)


def _compiled(desc: PhoneNumberDesc | None) -> re.Pattern[str] | None:
    pattern = None if desc is None else desc.national_number_pattern
    return None if pattern is None else re.compile(pattern)


def _without_prefix(digits: str) -> str:
    """What `phonenumbers` has behind the country code; empty: it sees no number."""
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse("+" + digits))
    except phonenumbers.NumberParseException:
        return ""
