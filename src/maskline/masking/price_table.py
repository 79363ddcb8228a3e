"""The price table in the form that every call's end asks: by trunk and direction, then the longest prefix.

What it is: the same choice as `price.choose_price`, by look-ups instead of a walk through all rows, since an operator's
table has thousands of prefixes. What it is not: arithmetic (`price.charge`). Who uses it: `workflows/record_call`.
"""

from __future__ import annotations

from collections.abc import Iterable

from maskline.masking.price import Direction, Price


class PriceTable:
    __slots__ = ("_rows",)

    def __init__(self, prices: Iterable[Price] = ()) -> None:
        self._rows: dict[tuple[str | None, Direction], dict[str, Price]] = {}
        for price in prices:
            self._rows.setdefault((price.trunk_id, price.direction), {})[price.prefix] = price

    def find(self, trunk_id: str, direction: Direction, number: str) -> Price | None:
        """The row that applies to `number` (E.164 with `+`); None: it is free."""
        if not self._rows:
            return None
        for trunk in (trunk_id, None):
            rows = self._rows.get((trunk, direction))
            if rows is not None:
                for length in range(len(number), 0, -1):
                    price = rows.get(number[:length])
                    if price is not None:
                        return price
        return None
