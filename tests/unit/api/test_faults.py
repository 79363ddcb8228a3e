"""api.faults: where a bug is, without its text."""

from __future__ import annotations

from maskline.api.faults import place_of
from maskline.masking.e164 import parse_number


def raised_by(number: str) -> Exception:
    try:
        parse_number(number)
    except Exception as error:
        return error
    raise AssertionError("it was to be refused")


def test_the_innermost_line_of_our_own_code_is_told_and_no_text() -> None:
    place = place_of(raised_by("not a number 6591110042"))
    path, _, line = place.partition(":")
    assert path == "masking/e164.py"
    assert line.isdecimal()
    assert "6591110042" not in place


def test_an_exception_that_nobody_raised_has_no_place() -> None:
    assert place_of(ValueError("+6591110042")) == "?"
