"""From the query string of a list to a filter, a page and the URIs of its neighbours.

What it is: parameters, operators, windows and pagination of plivo-vts.md §4. Who uses it: `routes.py`,
`openapi.py` (names).

Times are shown in whole seconds and kept finer, so an operator on a whole second covers all of that second:
`created_time=S` finds what shows S, `created_time__gt=S` does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from maskline.api.plivo.schemas import as_integer
from maskline.errors import InvalidParameter
from maskline.masking.e164 import Number, parse_number
from maskline.storage.filters import SessionFilter

DEFAULT_LIMIT = MAX_LIMIT = 20
MAX_OFFSET = 10**9
DEFAULT_WINDOW = 7 * 86_400
"""Seconds back from now when a list gives no time bounds."""
MAX_WINDOW = 30 * 86_400
STATUSES = ("active", "in-progress", "expired", "all")
OPERATORS = ("gt", "gte", "lt", "lte")
NUMBERS = ("first_party", "second_party", "virtual_number")
RANGES = ("created_time", "expiry_time", "duration")

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(:\d\d(?:\.\d{1,6})?)?(?: ?Z| UTC| [+ ]?0000 UTC)?\Z", re.ASCII)
_DIGITS = re.compile(r"-?[0-9]+\Z")
Bounds = tuple[tuple[str, float], ...]


def _range_keys(name: str) -> dict[str, tuple[str, str]]:
    keys = {name: (name, "eq"), f"{name}s": (name, "eq")}  # NODE mangles the "equals" names into plurals
    for operator in OPERATORS:
        keys[f"{name}__{operator}"] = keys[f"{name}_{operator}"] = (name, operator)
    return keys


_RANGE_KEYS = {key: value for name in RANGES for key, value in _range_keys(name).items()}
_RANGE_KEYS |= {f"session_{key}": value for key, value in _range_keys("duration").items()}


@dataclass(frozen=True, slots=True)
class Page:
    limit: int
    offset: int
    given: tuple[tuple[str, str], ...]
    """The filters as sent, without limit and offset: for the neighbours' URIs."""

    def uri(self, path: str, offset: int) -> str:
        return f"{path}?{urlencode([('limit', self.limit), ('offset', offset), *self.given])}"


@dataclass(frozen=True, slots=True)
class ListQuery(Page):
    wanted: SessionFilter


def read_list(query_string: bytes, wall: float) -> ListQuery:
    """A list of sessions; raises as `read_query` and `read_page`."""
    query = read_query(query_string)
    page = read_page(query)
    return ListQuery(page.limit, page.offset, page.given, _filter(query, wall))


def read_query(query_string: bytes) -> dict[str, str]:
    """Names and values; empty ones are absent, the last of several counts. Raises `InvalidParameter`."""
    try:
        return dict(parse_qsl(query_string.decode("ascii", "replace"), max_num_fields=100))
    except ValueError:
        raise InvalidParameter("Invalid parameter. The query string has too many fields") from None


def read_page(query: Mapping[str, str]) -> Page:
    """Which page of a list is asked for; raises `InvalidParameter`."""
    limit = _page_number(query, "limit", 1, MAX_LIMIT) or DEFAULT_LIMIT
    offset = _page_number(query, "offset", 0, MAX_OFFSET)
    return Page(limit, offset, tuple((key, value) for key, value in query.items() if key not in ("limit", "offset")))


def _filter(query: Mapping[str, str], wall: float) -> SessionFilter:
    ranges: dict[str, Bounds] = dict.fromkeys(RANGES, ())
    for key, raw in query.items():
        if key in _RANGE_KEYS:
            name, operator = _RANGE_KEYS[key]
            ranges[name] += _duration_bound(raw, operator) if name == "duration" else time_bound(name, raw, operator)
    created, expires = (_check_window(name, ranges[name], wall) for name in ("created_time", "expiry_time"))
    if not created and not expires:
        created = (("gte", wall - DEFAULT_WINDOW),)
    numbers = {name: _number(query, name) for name in NUMBERS}
    subaccount = query.get("subaccount") or query.get("sub_account")
    return SessionFilter(
        **numbers, status=_status(query), subaccount_id=subaccount,
        created=created, expires=expires, duration=ranges["duration"],
    )  # fmt: skip


def _number(query: Mapping[str, str], name: str) -> Number | None:
    # An unescaped "+" of a query string arrives as a blank; parse_number takes either away.
    raw = query.get(name, "")
    if len(raw) > 64:
        raise _invalid(name, "is not a valid phone number")
    return parse_number(raw, parameter=name) if raw else None


def _status(query: Mapping[str, str]) -> str:
    status = query.get("status", "all").strip().lower()
    if status not in STATUSES:
        raise _invalid("status", f"allowed values are {', '.join(STATUSES[:-1])} or {STATUSES[-1]}")
    return status


def _page_number(query: Mapping[str, str], name: str, minimum: int, maximum: int) -> int:
    value = _whole_number(name, query.get(name, ""))
    if value != 0 and not minimum <= value <= maximum:
        raise _invalid(name, "is outside the allowed range")
    return value


def _duration_bound(raw: str, operator: str) -> Bounds:
    value = _whole_number("duration", raw)
    if value < 0:
        raise _invalid("duration", "is outside the allowed range")
    return ((operator, float(value)),)


def _whole_number(name: str, raw: str) -> int:
    value = as_integer(raw)
    if value is not None:
        return value
    # No range of ours has that many digits; `as_integer` does not read them, because int() would take its time.
    too_long = _DIGITS.match(raw.strip()) is not None
    raise _invalid(name, "is outside the allowed range" if too_long else "should be an integer")


def time_bound(name: str, raw: str, operator: str) -> Bounds:
    """Wall seconds that a time with an operator stands for. Raises `InvalidParameter`."""
    value = _seconds(name, raw)
    if not value.is_integer():
        return ((operator, value),)
    match operator:
        case "eq":
            return (("gte", value), ("lt", value + 1))
        case "gt":
            return (("gte", value + 1),)
        case "lte":
            return (("lt", value + 1),)
    return ((operator, value),)


def _seconds(name: str, raw: str) -> float:
    match = _TIME.match(raw.strip())
    try:
        if match is None:
            raise ValueError
        date, minute, second = match.groups()
        return datetime.fromisoformat(f"{date}T{minute}{second or ':00'}").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _invalid(name, "should be a UTC time like 2024-01-31 13:05:00") from None


def _check_window(name: str, bounds: Bounds, wall: float) -> Bounds:
    """Refuse a window over 30 days; an open side is closed by now, or by 30 days before the other side. An end that
    lies further ahead counts as now: nothing was created later, and "until the year 9999" asks for the latest."""
    if not bounds:
        return bounds
    lows = [value for operator, value in bounds if operator in ("gt", "gte", "eq")]
    highs = [value for operator, value in bounds if operator in ("lt", "lte", "eq")]
    high = min([*highs, max([wall, *lows])])
    if not lows:
        return (*bounds, ("gte", high - MAX_WINDOW))
    if high - max(lows) > MAX_WINDOW:
        raise _invalid(name, "range should not be over 30 days")
    return bounds


def _invalid(name: str, what: str) -> InvalidParameter:
    return InvalidParameter(f"Invalid parameter. {name} {what}", parameter=name)


def page_meta(query: Page, path: str, total: int) -> dict[str, Any]:
    """`meta` of a list; `next` and `previous` are path and query, or None at the ends."""
    after, before = query.offset + query.limit, max(0, query.offset - query.limit)
    return {
        "limit": query.limit,
        "next": query.uri(path, after) if after < total else None,
        "offset": query.offset,
        "previous": query.uri(path, before) if query.offset > 0 else None,
        "total_count": total,
    }
