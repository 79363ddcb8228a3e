"""Where an account may call: countries, prefixes, and kinds of numbers that are refused.

What it is: the rules as a value, and the judgement on one number. What it is not: who may be called in a session; that
are its parties alone. Who uses it: `limits.py`, and through `workflows/check_limits` every call and every new session
of an account that has rules. Only the real number of who is called is judged, never the virtual one that was dialled.
"""

from __future__ import annotations

from phonenumbers import SUPPORTED_REGIONS

from maskline.errors import InvalidParameter
from maskline.masking.dial_plan import leaves_country
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.number_kind import Kind, kind_of_digits
from maskline.values import dataclass

Countries = frozenset[str | None]
"""ISO 3166-1 alpha-2; None among them: numbers whose country no plan tells."""
REFUSED_KINDS = (Kind.PREMIUM, Kind.SHARED_COST, Kind.PERSONAL, Kind.SATELLITE)


@dataclass(frozen=True, slots=True)
class Destinations:
    """Without any value: the countries of the account's own virtual numbers, and no number of a dear kind."""

    countries: tuple[str, ...] = ()
    """Beside those of its own numbers."""
    everywhere: bool = False
    """True: every country."""
    allow: tuple[str, ...] = ()
    """E.164 prefixes with `+` that may be called whatever their country and kind."""
    deny: tuple[str, ...] = ()
    """Prefixes that may not. The longest prefix of both lists decides."""
    refused: tuple[Kind, ...] = REFUSED_KINDS
    """Kinds of numbers that may not be called."""

    def judge(self, number: Number, own: Countries) -> Cause | None:
        """`COUNTRY_BARRED`, `DESTINATION_BARRED`, or None: it may be called. `own`: countries of its numbers."""
        if leaves_country(number.digits):
            return Cause.DESTINATION_BARRED
        if self.allow or self.deny:
            allowed, denied = longest(self.allow, number.e164), longest(self.deny, number.e164)
            if allowed or denied:
                return None if len(allowed) > len(denied) else Cause.DESTINATION_BARRED
        country = number.country
        if self.refused and kind_of_digits(number.digits, country) in self.refused:
            return Cause.DESTINATION_BARRED
        if self.everywhere or country in own or country in self.countries:
            return None
        return Cause.COUNTRY_BARRED


def longest(prefixes: tuple[str, ...], e164: str) -> str:
    """The longest of them that the number begins with; empty: none."""
    return max((prefix for prefix in prefixes if e164.startswith(prefix)), key=len, default="")


def read_countries(words: tuple[str, ...]) -> tuple[str, ...]:
    """`SG`, `gb` …, each once; raises `InvalidParameter`."""
    codes = tuple(dict.fromkeys(word.strip().upper() for word in words))
    if not all(code in SUPPORTED_REGIONS for code in codes):
        raise InvalidParameter(
            "Invalid parameter. country is not two letters of ISO 3166, such as SG", parameter="country"
        )
    return codes


def read_prefixes(words: tuple[str, ...], *, parameter: str) -> tuple[str, ...]:
    """`+882` …, each once; raises `InvalidParameter`."""
    prefixes = tuple(dict.fromkeys(word.strip() for word in words))
    for prefix in prefixes:
        if not is_prefix(prefix):
            raise InvalidParameter(f"Invalid parameter. {parameter} is not + and digits", parameter=parameter)
    return prefixes


def is_prefix(text: str) -> bool:
    digits = text[1:]
    return text[:1] == "+" and 1 <= len(digits) <= 15 and digits.isascii() and digits.isdigit()
