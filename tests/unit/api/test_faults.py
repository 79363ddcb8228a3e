"""api.faults: where a bug is, without its text."""

from __future__ import annotations

import pytest

from maskline.api.faults import place_of
from maskline.errors import InvalidParameter
from maskline.masking.e164 import parse_number


def test_the_innermost_line_of_our_own_code_is_told_and_no_text() -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse_number("not a number 6591110042")
    place = place_of(refused.value)
    path, _, line = place.partition(":")
    assert path == "masking/e164.py"
    assert line.isdecimal()
    assert "6591110042" not in place


def test_an_exception_that_nobody_raised_has_no_place() -> None:
    assert place_of(ValueError("+6591110042")) == "?"
