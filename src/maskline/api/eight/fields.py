"""Values of a JSON body, read one by one.

What it is: the checks that resources share, and the vendor's number for a value that is wrong. What it is not: call
flows, which have a reader of their own (`webhooks/formats/eight_flow.py`). Who uses it: `webhooks.py`,
`push_config.py`, `exports.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from maskline.api.eight.errors import Refused

INVALID = 1001
"""The vendor's number for a request with a wrong value."""
TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"


def required_text(body: Mapping[str, Any], name: str) -> str:
    """Raises `Refused`."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(INVALID, f"Invalid parameter. {name} should be a text and not empty")
    return value


def optional_text(body: Mapping[str, Any], name: str) -> str:
    """Empty when it is left out or null; raises `Refused`."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused(INVALID, f"Invalid parameter. {name} should be a text")
    return value


def read_time(body: Mapping[str, Any], name: str) -> float | None:
    """Wall seconds; None: not given. Raises `Refused`."""
    value = body.get(name)
    if value is None:
        return None
    try:
        if not isinstance(value, str) or not re.fullmatch(TIME, value):
            raise ValueError
        return datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=UTC).timestamp()
    except ValueError:  # no time at all, or the 30th of February
        raise Refused(INVALID, f"Invalid parameter. {name} should be a time such as 2026-11-22T10:00:00Z") from None
