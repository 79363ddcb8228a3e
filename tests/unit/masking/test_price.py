"""masking.price: which row applies, and what a leg costs."""

from __future__ import annotations

from typing import Any

import pytest

from maskline.masking.price import Charge, Direction, Price, charge, choose_price

OUT, IN = Direction.OUTBOUND, Direction.INBOUND


def price(prefix: str = "+", **changes: Any) -> Price:
    values: dict[str, Any] = {"trunk_id": None, "direction": OUT, "per_minute": 10_000} | changes
    return Price(f"price {prefix} {values['trunk_id']}", prefix=prefix, **values)


def test_the_longest_prefix_applies() -> None:
    rows = [price("+"), price("+65"), price("+6590"), price("+44")]
    assert choose_price(rows, "trunk-1", OUT, "+6590001111") == rows[2]


def test_a_row_of_the_trunk_comes_before_a_longer_prefix_of_any_trunk() -> None:
    rows = [price("+6590"), price("+65", trunk_id="trunk-1"), price("+65900", trunk_id="trunk-2")]
    assert choose_price(rows, "trunk-1", OUT, "+6590001111") == rows[1]


def test_rows_of_the_other_direction_do_not_apply() -> None:
    assert choose_price([price("+65", direction=IN)], "trunk-1", OUT, "+6590001111") is None


def test_without_a_row_a_leg_is_free_and_billed_by_the_second() -> None:
    assert choose_price([], "trunk-1", OUT, "+6590001111") is None
    assert charge(None, 12.2) == Charge(13, 0)


@pytest.mark.parametrize(
    ("seconds", "increment", "billed"),
    [(0.001, 1, 1), (13.0000001, 1, 13), (60, 60, 60), (60.5, 60, 120), (61, 6, 66), (1, 60, 60)],
)
def test_the_duration_is_rounded_up_to_the_increment(seconds: float, increment: int, billed: int) -> None:
    assert charge(price(increment=increment), seconds).billed_duration == billed


def test_an_amount_is_the_connection_and_the_minutes_rounded_up_to_a_millionth() -> None:
    assert charge(price(connection=500), 60) == Charge(60, 10_500)
    assert charge(price(per_minute=1), 1) == Charge(1, 1)


def test_a_leg_that_was_never_answered_costs_nothing() -> None:
    assert charge(price(connection=500), 0.0) == Charge(0, 0)
