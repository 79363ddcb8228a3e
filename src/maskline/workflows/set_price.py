"""Say what calls through a trunk cost. Called by the CLI.

What it is: the checks on a row of the price table, and naming trunks. What it is not: the choice of a row or the
arithmetic (`masking/price.py`). A running server takes changes up with the next calls that end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from maskline.errors import InvalidParameter, NotFound
from maskline.ids import Ids
from maskline.masking.price import Direction, Price, read_amount
from maskline.storage.store import Store

_PREFIX = re.compile(r"\+[0-9]{0,17}")
LONGEST_INCREMENT = 3_600
"""Seconds."""


@dataclass(frozen=True, slots=True)
class PriceWish:
    """As typed by the operator."""

    direction: Direction
    trunk: str | None = None
    """Its name; None: any trunk."""
    prefix: str = "+"
    per_minute: str = "0"
    connection: str = "0"
    increment: int = 1


async def set_price(store: Store, ids: Ids, wish: PriceWish) -> Price:
    """Keep and return the row; it replaces the one of the same trunk, direction and prefix. Raises `NotFound` for an
    unknown trunk and `InvalidParameter`."""
    if not 1 <= wish.increment <= LONGEST_INCREMENT:
        raise InvalidParameter("Invalid parameter. increment is outside the allowed range", parameter="increment")
    price = Price(
        ids.uuid(), await _trunk_id(store, wish.trunk), wish.direction, _prefix(wish.prefix),
        read_amount(wish.per_minute, parameter="per_minute"), read_amount(wish.connection, parameter="connection"),
        wish.increment,
    )  # fmt: skip
    await store.set_price(price)
    return price


async def remove_price(store: Store, direction: Direction, trunk: str | None = None, prefix: str = "+") -> None:
    """Raises `NotFound` (no such trunk, no such row)."""
    key = (await _trunk_id(store, trunk), direction, _prefix(prefix))
    for price in await store.prices():
        if (price.trunk_id, price.direction, price.prefix) == key:
            return await store.remove_price(price.id)
    raise NotFound("There is no such price.")


async def list_prices(store: Store) -> list[tuple[Price, str | None]]:
    """All rows with the name of their trunk; None: any trunk. A trunk that was removed is shown by its id."""
    names = {trunk.id: trunk.name for trunk in await store.trunks()}
    return [
        (price, None if price.trunk_id is None else names.get(price.trunk_id, price.trunk_id))
        for price in await store.prices()
    ]


async def _trunk_id(store: Store, name: str | None) -> str | None:
    if name is None:
        return None
    for trunk in await store.trunks():
        if trunk.name == name:
            return trunk.id
    raise NotFound("There is no such trunk.")


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise InvalidParameter("Invalid parameter. prefix is not + and digits", parameter="prefix")
    return text
