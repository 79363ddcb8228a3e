"""Which country a number is of, where countries share a code: North America, the United Kingdom, Russia and Kazakhstan.

What it is: `phonenumbers.region_code_for_number` and its tables, asked in another order. It tries every country of the
code in turn, the largest first, whose plan is the longest; here what sets the small ones apart is looked at first, and
most numbers have none of it. Each call of a webhook's receiver asks for one or two numbers that nobody has met before,
and the question took 290 µs for a British number, 54 here. What it is not: any other code, or a judgement on whether a
number can exist. Who uses it: `e164.py`.
"""

from __future__ import annotations

import re

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumber, is_valid_number_for_region

_NATIONAL_PREFIX = {"1": "1", "44": "0", "7": "8"}
"""What national numbers begin with: `phonenumbers` takes it off, so such a number is for it to read."""
_SHORTEST, _LONGEST = 7, 10
"""Digits of what follows the code. Shorter ones are for `phonenumbers` to judge. No number of these codes is longer,
and digits beyond its end lead nowhere else: +44 7797 123456 7 rings in Jersey, though `phonenumbers` sees no number."""


class SharedCode:
    """The countries of one code."""

    __slots__ = ("_any", "_code", "_leading", "_main", "_others", "_unmarked")

    def __init__(self, code: str) -> None:
        self._code = int(code)
        self._main, *self._others = COUNTRY_CODE_TO_REGION_CODE[self._code]
        leading = {region: _leading_digits(region) for region in self._others}
        self._leading = {region: re.compile(pattern) for region, pattern in leading.items() if pattern}
        """By country whose numbers are known by their first digits alone."""
        self._any = re.compile("|".join(f"(?:{pattern})" for pattern in leading.values() if pattern))
        self._unmarked = [region for region, pattern in leading.items() if not pattern]

    def region(self, national: str) -> str:
        """Of the digits behind the code."""
        number = PhoneNumber(country_code=self._code, national_number=int(national))
        if not self._any.match(national) and not any(is_valid_number_for_region(number, one) for one in self._unmarked):
            return self._main
        if is_valid_number_for_region(number, self._main):
            return self._main
        return next((one for one in self._others if self._is_of(one, national, number)), self._main)

    def _is_of(self, region: str, national: str, number: PhoneNumber) -> bool:
        leading = self._leading.get(region)
        if leading is not None:
            return leading.match(national) is not None
        return is_valid_number_for_region(number, region)


def _leading_digits(region: str) -> str | None:
    metadata = PhoneMetadata.metadata_for_region(region)
    return None if metadata is None else metadata.leading_digits


_CODES = {code: SharedCode(code) for code in _NATIONAL_PREFIX}


def shared_region(digits: str) -> str | None:
    """The country of a number of a shared code; None: `phonenumbers` has to read it."""
    code = digits[0] if digits[0] in _CODES else digits[:2]
    national = digits[len(code) :][:_LONGEST]
    if code not in _CODES or len(national) < _SHORTEST or national[0] in ("0", _NATIONAL_PREFIX[code]):
        return None
    return _CODES[code].region(national)
