"""JSON as RFC 8259 has it, and nothing else: what a customer's program got wrong is said, never repaired.

What it is: bytes → values, refusing what `json` and most parsers let pass: a key twice, NaN and infinity, a number
beyond the range of a double, half of a surrogate pair. What it is not: a schema. Who uses it: readers of call
flows, and the 8x8 API for all its bodies.
"""

from __future__ import annotations

import json
import math
from typing import Any


class NotJson(ValueError):
    """Not JSON; `str()` is a few words that quote nothing."""


def read_strict(body: bytes) -> Any:
    """The one value in `body`. Raises `NotJson`."""
    if not body.strip():
        raise NotJson("it is empty")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NotJson("it is not UTF-8") from None
    try:
        value = _decode(text)
    except NotJson:
        raise
    except json.JSONDecodeError as error:
        raise NotJson(f"syntax error at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except ValueError:
        # Python reads no whole number of more than 4,300 digits.
        raise NotJson("a number is out of range") from None
    if "\\u" in text:
        _refuse_surrogates(value)
    return value


def _refuse_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NotJson("half of a surrogate pair is no character") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJson("an object has the same key twice")
    return found


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotJson("a number is out of range")
    return number


def _constant(_name: str) -> Any:
    raise NotJson("NaN and Infinity are no JSON")


_decode = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_number, parse_constant=_constant).decode
