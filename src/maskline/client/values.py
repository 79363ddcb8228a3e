"""From one JSON value to one typed value, whichever flavour it is written in.

Plivo's flavour has JSON's own types; VTS' says everything as text, and "null" for nothing. Each reader takes a value
that is there (never null) and raises `ValueError` for one it cannot take. Who uses it: `reading.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?:Z| UTC|\+00:00| \+0000 UTC)?\Z", re.ASCII)


def is_nothing(raw: object) -> bool:
    return raw is None or raw == "null"


def text(raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise ValueError
    return str(raw)


def whole(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError
    number = _decimal(raw)
    if number != number.to_integral_value():
        raise ValueError
    return int(number)


def flag(raw: object) -> bool:
    if isinstance(raw, str):
        raw = {"true": True, "false": False}.get(raw.lower())
    if not isinstance(raw, bool):
        raise ValueError
    return raw


def amount(raw: object) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError
    return _decimal(raw)


def _decimal(raw: str | int | float) -> Decimal:
    # Of more digits nothing here is made, and int() of thousands is slow.
    try:
        number = Decimal(str(raw)) if len(str(raw)) <= 40 else Decimal("NaN")
    except InvalidOperation:
        raise ValueError from None
    if not number.is_finite() or number.adjusted() > 18:
        raise ValueError
    return number


def number(raw: object) -> str:
    """E.164 with `+`; inside Plivo's session object numbers stand without it."""
    digits = text(raw).removeprefix("+")
    if digits and not (digits.isascii() and digits.isdigit()):
        raise ValueError
    return "+" + digits if digits else ""


def time(raw: object) -> datetime:
    """`YYYY-MM-DD HH:MM:SS[.ffffff][ +0000 UTC]`, always UTC."""
    match = _TIME.match(text(raw))
    if match is None:
        raise ValueError
    return datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=UTC)


BY_TYPE: Mapping[str, Callable[[object], Any]] = {
    "str": text,
    "int": whole,
    "bool": flag,
    "Decimal": amount,
    "E164": number,
    "datetime": time,
}
"""Reader by the type as it is written at a field of `results.py`."""


def query_text(value: object) -> str:
    """A value as it stands in a query string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("A time needs a time zone: use datetime.now(UTC), or text in UTC.")
        moment = value.astimezone(UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S") + (f".{moment.microsecond:06}" if moment.microsecond else "")
    return str(value)
