"""JSON written value by value says what the encoder would."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from maskline.json_text import json_texts, quoted

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
TIMES = st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=9)


@given(TEXT)
def test_a_text_is_written_as_the_encoder_writes_it(text: str) -> None:
    assert quoted(text) == to_json(text).decode()


@pytest.mark.parametrize(
    "text", ["", 'a "b"', "a\\b", "a\nb", "\x7f", "\u2028", "ü", "\U0001f4de", "01a2-7fe1", "+1 800"]
)
def test_what_has_to_be_escaped_is(text: str) -> None:
    assert json.loads(quoted(text)) == text
    assert quoted(text) == to_json(text).decode()


@given(TIMES)
def test_each_number_has_a_text_of_its_own_that_reads_as_the_same_number(times: list[float | None]) -> None:
    texts = json_texts(times)
    assert [json.loads(text) for text in texts] == times
    assert texts == [to_json(at).decode() for at in times]
