"""A call as its account's limits see it.

What it is: the value that routing makes of a call which is allowed, and the engine hands to `usage_book.py` when the
call enters. It holds prefixes and a country, no party's number. What it is not: a decision.
"""

from __future__ import annotations

from maskline.masking.facts import LegName
from maskline.masking.limits import MINUTE
from maskline.masking.price import Price
from maskline.values import dataclass

_ROUNDED = 0.001
"""Seconds that `price.charge` may round up by."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """One leg that we dial."""

    leg: LegName
    prefixes: tuple[str, ...] = ()
    """Those with a limit that its number begins with."""
    price: Price | None = None
    country: str | None = None

    @property
    def a_second(self) -> float:
        """Millionths."""
        return 0.0 if self.price is None else self.price.per_minute / MINUTE

    @property
    def ahead(self) -> float:
        """Millionths: the connection, and what rounding up a duration and an amount may add; 0: it is free."""
        price = self.price
        if price is None or not (price.connection or price.per_minute):
            return 0.0
        return price.connection + self.a_second * (price.increment + _ROUNDED) + 1


@dataclass(frozen=True, slots=True)
class Permit:
    """A call as its limits see it; made in routing, taken when it enters."""

    account_id: str
    number: str
    """The virtual number: E.164."""
    session_id: str
    """Empty: none."""
    dialled: tuple[Dialled, ...]
