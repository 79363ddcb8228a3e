"""Limits of an account as JSON text, and back.

What it is: the form of the column `accounts.limits`. What it is not: their meaning (`masking/limits.py`) or a check of
what an operator types. Who uses it: `rows.py`. A field that a row does not name has its default, so that a limit that
is new needs no step of migration.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from maskline.masking.destinations import Destinations
from maskline.masking.limits import Alarm, Limits, PrefixLimit, Watch
from maskline.masking.number_kind import Kind


def limits_to_text(limits: Limits | None) -> str | None:
    return None if limits is None else json.dumps(asdict(limits), separators=(",", ":"))


def limits_from_text(text: str | None) -> Limits | None:
    if text is None:
        return None
    values: dict[str, Any] = json.loads(text)
    destinations = values.pop("destinations", None)
    prefixes = tuple(PrefixLimit(**one) for one in values.pop("prefixes", ()))
    watch = values.pop("watch", {})
    watch["stop_on"] = tuple(map(Alarm, watch.get("stop_on", ())))
    return Limits(**values, prefixes=prefixes, destinations=_destinations(destinations), watch=Watch(**watch))


def _destinations(values: dict[str, Any] | None) -> Destinations | None:
    if values is None:
        return None
    refused = tuple(map(Kind, values.pop("refused")))
    return Destinations(**{name: _tupled(value) for name, value in values.items()}, refused=refused)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
