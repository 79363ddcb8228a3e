"""masking.price_table: the same choice as price.choose_price, by look-ups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.masking.price import Direction, Price, amount_text, choose_price
from maskline.masking.price_table import PriceTable

_ROWS = st.builds(
    lambda trunk, direction, prefix: Price(f"{trunk}{direction}{prefix}", trunk, direction, prefix, 100),
    st.sampled_from([None, "t1", "t2"]), st.sampled_from(Direction), st.sampled_from(["+", "+6", "+65", "+651", "+44"]),
)  # fmt: skip


@given(
    st.lists(_ROWS, unique_by=lambda row: row.id),
    st.sampled_from(["t1", "t2", "t3"]),
    st.sampled_from(Direction),
    st.sampled_from(["+6512345678", "+66123", "+4420", "+1234"]),
)
def test_it_finds_what_a_walk_through_all_rows_finds(
    rows: list[Price], trunk: str, direction: Direction, number: str
) -> None:
    assert PriceTable(rows).find(trunk, direction, number) == choose_price(rows, trunk, direction, number)


def test_without_a_row_a_leg_is_free() -> None:
    assert PriceTable().find("t1", Direction.INBOUND, "+6512345678") is None


@pytest.mark.parametrize(
    ("millionths", "text"),
    [
        (0, "0"),
        (4_500, "0.00450"),
        (4_501, "0.004501"),
        (1, "0.000001"),
        (1_000_000, "1.00000"),
        (12_345_678, "12.345678"),
    ],
)
def test_an_amount_is_decimal_text(millionths: int, text: str) -> None:
    assert amount_text(millionths) == text
