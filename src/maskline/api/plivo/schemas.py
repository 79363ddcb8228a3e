"""From the JSON object of a create or update to domain values, by the table in `attributes.py`.

What it is: one reader per kind, coercions of plivo-vts.md §2.2 and §2.3, and the error texts of §1.2. What it
is not: pydantic models; a create is read in some microseconds this way. Who uses it: `sessions.py`.

Unknown keys are ignored, null is absent. A value that is not allowed is named by its parameter and never
repeated, since it may be somebody's number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from maskline.api.plivo.attributes import ATTRIBUTES, BY_KEY, PIN_DIGITS, URL_LIMIT, Attribute, Kind
from maskline.errors import InvalidParameter, MissingParameter
from maskline.masking.e164 import parse_number
from maskline.masking.session import SessionOptions
from maskline.workflows.check_url import url_fault
from maskline.workflows.create_session import SessionWish

_ABSENT: Final = object()
"""What a reader returns for a value that means "not given"."""

_PIN_DETAILS = tuple(attribute.name for attribute in ATTRIBUTES if attribute.pin_detail)
_OPTION_NAMES = frozenset(SessionOptions.__dataclass_fields__) - {"geomatch"}
"""Attributes that are options; what `geomatch` asks for is kept beside them."""

_SHARED_OPTIONS = 1_024

Values = dict[str, Any]
"""Attribute name → domain value, of what was given."""


def read_attributes(body: Mapping[str, Any]) -> Values:
    """Canonical names and domain values of all that is given, whatever it is given for; raises `InvalidParameter`."""
    values: Values = {}
    for key, raw in body.items():
        attribute = BY_KEY.get(key)
        # "null" is how the VTS pages write what is not there; it is no value of anything else.
        if attribute is None or raw is None or raw == "null":
            continue
        # An alias beside the real name is a client's stray zero value (JAVA): the real name wins.
        if key != attribute.name and body.get(attribute.name) is not None:
            continue
        value = _READERS[attribute.kind](attribute, raw)
        if value is not _ABSENT:
            values[attribute.name] = value
    return values


def read_create(body: Mapping[str, Any]) -> Values:
    """What a create says, without what has no meaning in it; raises `InvalidParameter` and its kin."""
    values = read_attributes(body)
    if values.get("is_pin_authentication_required"):
        _check_pins(values)
        values.pop("unknown_caller_play", None)  # an unknown caller is asked for the PIN instead
        return values
    # Everything else about PINs may be ignored here; who asks for this one believes that callers are being checked.
    if values.get("force_pin_authentication"):
        raise InvalidParameter(
            "Invalid parameter. force_pin_authentication needs is_pin_authentication_required",
            parameter="force_pin_authentication",
        )
    for name in _PIN_DETAILS:
        values.pop(name, None)
    return values


def _check_pins(values: Values) -> None:
    """PIN authentication has what it needs; that two PINs differ is a rule of allocation."""
    generated = values.get("generate_pin", False)
    if not generated:
        values.pop("generate_pin_length", None)
    for name in ("pin_prompt_play", *(() if generated else ("first_party_pin", "second_party_pin"))):
        if not values.get(name):
            raise MissingParameter(f"Mandatory parameter missing. {name} must be present", parameter=name)


class WishMaker:
    """Makes what the workflow takes of what `read_create` returned. Options that were chosen before are shared: making
    them anew was a third of a create's reading (measured: 16 of 45 µs), and customers choose few different ones."""

    __slots__ = ("_options",)

    def __init__(self, defaults: SessionOptions) -> None:
        self._options = lru_cache(maxsize=_SHARED_OPTIONS)(lambda chosen: replace(defaults, **dict(chosen)))

    def __call__(self, values: Values) -> SessionWish:
        chosen = tuple([item for item in values.items() if item[0] in _OPTION_NAMES])
        return SessionWish(
            values.get("first_party"),
            values.get("second_party"),
            self._options(chosen),
            values.get("geomatch"),
            values.get("subaccount"),
            values.get("first_party_pin", ""),
            values.get("second_party_pin", ""),
        )


def read_update(body: Mapping[str, Any]) -> Values:
    """What an update says, fixed attributes included: the workflow judges whether they would really change."""
    values = read_attributes(body)
    # JAVA sends false in every update, also of a session that has a single party: its zero value, not a wish.
    if values.get("create_session_with_single_party") is False:
        del values["create_session_with_single_party"]
    return values


def _invalid(attribute: Attribute, what: str, detail: str = "") -> InvalidParameter:
    return InvalidParameter(f"Invalid parameter. {attribute.name} {what}", parameter=attribute.name, detail=detail)


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
    if value == 0 and (attribute.kind is Kind.INTEGER or raw == ""):
        return _ABSENT
    if not attribute.minimum <= value <= attribute.maximum:
        allowed = f"Allowed are {attribute.minimum} to {attribute.maximum}"
        raise _invalid(attribute, "is outside the allowed range", allowed)
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
    if fault := url_fault(raw):
        raise _invalid(attribute, fault)
    return raw


def _read_subaccount(attribute: Attribute, raw: Any) -> Any:
    if raw == "":
        return _ABSENT
    if not isinstance(raw, str) or not raw.isascii() or not raw.isalnum() or len(raw) > 64:
        raise _invalid(attribute, "is not a subaccount of this account")
    return raw


def _read_pin(attribute: Attribute, raw: Any) -> Any:
    if raw == "":
        return _ABSENT
    # A number has no leading zeros to lose: who sends 123 for 0123 is told by the count of digits.
    text = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal():
        raise _invalid(attribute, "should be digits only")
    if not PIN_DIGITS[0] <= len(text) <= PIN_DIGITS[1]:
        raise _invalid(attribute, f"should have {PIN_DIGITS[0]} to {PIN_DIGITS[1]} digits")
    return text


_READERS: dict[Kind, Callable[[Attribute, Any], Any]] = {
    Kind.NUMBER: _read_number,
    Kind.INTEGER: _read_integer,
    Kind.BOOLEAN: _read_boolean,
    Kind.CHOICE: _read_choice,
    Kind.URL: _read_url,
    Kind.SUBACCOUNT: _read_subaccount,
    Kind.COUNT: _read_integer,
    Kind.PIN: _read_pin,
}
