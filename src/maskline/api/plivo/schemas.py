"""From the JSON object of a create or update to domain values, by the table in `attributes.py`.

What it is: one reader per kind, coercions of plivo-vts.md §2.2 and §2.3, and the error texts of §1.2. What it
is not: pydantic models; a create is read in some microseconds this way. Who uses it: `routes.py`.

Unknown keys are ignored, null is absent. A value that is not allowed is named by its parameter and never
repeated, since it may be somebody's number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from maskline.api.plivo.attributes import ATTRIBUTES, BY_KEY, URL_LIMIT, Attribute, Kind
from maskline.errors import InvalidParameter, MissingParameter, NotSupported
from maskline.masking.e164 import parse_number
from maskline.masking.session import SessionOptions
from maskline.workflows.check_url import is_http_url
from maskline.workflows.create_session import SessionWish

_ABSENT: Final = object()
"""What a reader returns for a value that means "not given"."""

_OPTION_NAMES = frozenset(SessionOptions.__dataclass_fields__)
_REQUIRED = tuple(attribute.name for attribute in ATTRIBUTES if attribute.required)


def read_create(body: Mapping[str, Any], defaults: SessionOptions) -> SessionWish:
    """What a create asks for; raises `InvalidParameter` and its kin."""
    values = _read(body)
    for name in _REQUIRED:
        if name not in values:
            raise MissingParameter(f"Mandatory parameter missing. {name} must be present", parameter=name)
    options = {name: value for name, value in values.items() if name in _OPTION_NAMES and name != "geomatch"}
    return SessionWish(
        values["first_party"],
        values["second_party"],
        _with(defaults, *options.items()) if options else defaults,
        values.get("geomatch"),
        values.get("subaccount"),
    )


@lru_cache(maxsize=4096)
def _with(defaults: SessionOptions, *given: tuple[str, Any]) -> SessionOptions:
    # Cached, because an account's creates mostly ask for the same, and a frozen value of many fields takes 6 µs.
    return replace(defaults, **dict(given))


def read_update(body: Mapping[str, Any]) -> dict[str, Any]:
    """Canonical names and domain values of all that is given, fixed attributes included."""
    return _read(body)


def _read(body: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, raw in body.items():
        attribute = BY_KEY.get(key)
        if attribute is None or raw is None:
            continue
        # An alias beside the real name is a client's stray zero value (JAVA): the real name wins.
        if key != attribute.name and body.get(attribute.name) is not None:
            continue
        value = _READERS[attribute.kind](attribute, raw)
        if value is not _ABSENT:
            values[attribute.name] = value
    return values


def _invalid(attribute: Attribute, what: str) -> InvalidParameter:
    return InvalidParameter(f"Invalid parameter. {attribute.name} {what}", parameter=attribute.name)


def _read_number(attribute: Attribute, raw: Any) -> Any:
    if raw == "":
        return _ABSENT
    if not isinstance(raw, str) or len(raw) > 64:
        raise _invalid(attribute, "is not a valid phone number")
    return parse_number(raw, parameter=attribute.name)


def _read_integer(attribute: Attribute, raw: Any) -> Any:
    value = as_integer(raw)
    if value is None:
        raise _invalid(attribute, "should be an integer")
    if value == 0:
        return _ABSENT
    if not attribute.minimum <= value <= attribute.maximum:
        raise _invalid(attribute, "is outside the allowed range")
    return value


def as_integer(raw: Any) -> int | None:
    """`raw` as whole number (number, or digits in a string; "" counts as 0), else None."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, str):
        text = raw.strip()
        digits = text.removeprefix("-")
        # Longer than any range of ours; int() of thousands of digits is slow and may be refused.
        if text == "":
            return 0
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None
    if isinstance(raw, float):
        return int(raw) if raw.is_integer() else None
    return raw if isinstance(raw, int) else None


def as_boolean(raw: Any) -> bool | None:
    """`raw` as boolean (JSON's own, or "true"/"false" as VTS' own example sends it), else None."""
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        return {"true": True, "false": False}.get(raw.strip().lower())
    return None


def _read_boolean(attribute: Attribute, raw: Any) -> Any:
    if raw == "":
        return _ABSENT
    value = as_boolean(raw)
    if value is None:
        raise _invalid(attribute, "allowed values are true or false")
    return value


def _read_choice(attribute: Attribute, raw: Any) -> Any:
    if raw == "":
        return _ABSENT
    if isinstance(raw, str):
        for choice in attribute.choices:
            if raw.lower() == choice.lower():
                return choice
    raise _invalid(attribute, f"allowed values are {' or '.join(attribute.choices)}")


def _read_url(attribute: Attribute, raw: Any) -> Any:
    if raw == "":  # takes a URL away again
        return ""
    if not isinstance(raw, str):
        raise _invalid(attribute, "should be a valid URL")
    if len(raw) >= URL_LIMIT:
        raise _invalid(attribute, f"should be under {URL_LIMIT} characters")
    if not is_http_url(raw):
        raise _invalid(attribute, "should be a valid URL")
    return raw


def _read_subaccount(attribute: Attribute, raw: Any) -> Any:
    if raw == "":
        return _ABSENT
    if not isinstance(raw, str) or not raw.isascii() or not raw.isalnum() or len(raw) > 64:
        raise _invalid(attribute, "is not a subaccount of this account")
    return raw


def _read_switch(attribute: Attribute, raw: Any) -> Any:
    if raw in ("", 0, "0", False) or as_boolean(raw) is False:
        return _ABSENT
    if as_boolean(raw) is None:
        raise _invalid(attribute, "allowed values are true or false")
    raise NotSupported(f"Invalid parameter. {attribute.name} is not supported yet", parameter=attribute.name)


def _ignore(_attribute: Attribute, _raw: Any) -> Any:
    return _ABSENT


_READERS: dict[Kind, Callable[[Attribute, Any], Any]] = {
    Kind.NUMBER: _read_number,
    Kind.INTEGER: _read_integer,
    Kind.BOOLEAN: _read_boolean,
    Kind.CHOICE: _read_choice,
    Kind.URL: _read_url,
    Kind.SUBACCOUNT: _read_subaccount,
    Kind.SWITCH: _read_switch,
    Kind.DEPENDENT: _ignore,
}
