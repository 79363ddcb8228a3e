"""Prices: what a leg of a call costs.

What it is: the value of one row of the price table and the pure choice and arithmetic on it. Without any row all is
free. Amounts are whole millionths of the currency unit, so that sums are exact. What it is not: a currency, a tax
or an invoice. Who uses it: `workflows/record_call` when a leg ends, the CLI.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from maskline.errors import InvalidParameter
from maskline.values import dataclass

MILLIONTHS = 1_000_000
_AMOUNT = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?")


class Direction(StrEnum):
    INBOUND = "inbound"
    """Leg A: the caller came in through the trunk; the prefix is the virtual number's."""
    OUTBOUND = "outbound"
    """Leg B: we called through the trunk; the prefix is the callee's."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a leg costs through a trunk, in a direction, for numbers of a prefix."""

    id: str
    trunk_id: str | None
    """None: through any trunk."""
    direction: Direction
    prefix: str
    """E.164 prefix with `+`; `+` alone: every number."""
    per_minute: int
    """Millionths of the currency unit for each minute."""
    connection: int = 0
    """Millionths for an answered leg, however short."""
    increment: int = 1
    """Seconds that the billed duration is rounded up to: 1, 6, 60."""


class Charge(NamedTuple):
    billed_duration: int
    """Seconds."""
    amount: int
    """Millionths of the currency unit."""


def choose_price(prices: Iterable[Price], trunk_id: str, direction: Direction, number: str) -> Price | None:
    """The row that applies to `number` (E.164 with `+`): of its trunk before any trunk, then the longest prefix."""
    fitting = [
        price
        for price in prices
        if price.direction is direction and price.trunk_id in (None, trunk_id) and number.startswith(price.prefix)
    ]
    return max(fitting, key=lambda price: (price.trunk_id is not None, len(price.prefix)), default=None)


def charge(price: Price | None, seconds: float) -> Charge:
    """For a leg answered for `seconds`; nothing for one that never was. The amount is rounded up to a millionth."""
    if seconds <= 0:
        return Charge(0, 0)
    increment = 1 if price is None else price.increment
    # Times are floats of seconds since 1970, good to about 1 µs: 13 s must not become 14 by such dust. In whole
    # milliseconds, since to round a float to decimals takes 3,000 instructions.
    billed = -(-round(seconds * 1000) // (1000 * increment)) * increment
    if price is None:
        return Charge(billed, 0)
    return Charge(billed, price.connection + -(-price.per_minute * billed // 60))


def amount_text(millionths: int) -> str:
    """As decimal text: `0` when free, else with five decimals as the vendor's pages show it, six where needed."""
    if not millionths:
        return "0"
    whole, rest = divmod(millionths, MILLIONTHS)
    text = f"{whole}.{rest:06}"
    return text[:-1] if text.endswith("0") else text


def read_amount(text: str, *, parameter: str) -> int:
    """Millionths from decimal text such as `0.0125`; raises `InvalidParameter`."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise InvalidParameter(
            f"Invalid parameter. {parameter} is not an amount of at most six decimals", parameter=parameter
        )
    return int(found[1]) * MILLIONTHS + int((found[2] or "").ljust(6, "0"))
