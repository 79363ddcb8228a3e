"""Strict JSON: what other readers let pass is refused, and what is JSON is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.webhooks.formats.strict_json import NotJson, read_strict


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "it is empty"),
        (b" \r\n", "it is empty"),
        (b"\xff{}", "it is not UTF-8"),
        (b"\xef\xbb\xbf{}", "syntax error at line 1, column 1"),
        (b'{"a":1,}', "syntax error at line 1, column 8"),
        (b'{"a":1} // the first', "syntax error at line 1, column 9"),
        (b'/* flow */ {"a":1}', "syntax error at line 1, column 1"),
        (b'{"a":1}{"b":2}', "syntax error at line 1, column 8"),
        (b"{'a':1}", "syntax error at line 1, column 2"),
        (b'{"a":\n01}', "syntax error at line 2, column 2"),
        (b'{"a":"line\nend"}', "syntax error at line 1, column 11"),
        (b'{"a":NaN}', "NaN and Infinity are no JSON"),
        (b'{"a":-Infinity}', "NaN and Infinity are no JSON"),
        (b'{"a":1e999}', "a number is out of range"),
        (b'{"a":' + b"1" * 5000 + b"}", "a number is out of range"),
        (b'{"a":1,"a":2}', "an object has the same key twice"),
        (b'[{"b":{"a":1,"a":1}}]', "an object has the same key twice"),
        (b'{"a":"\\ud800"}', "half of a surrogate pair is no character"),
        (b'{"\\udc00":1}', "half of a surrogate pair is no character"),
        (b"[" * 100_000, "it is nested too deeply"),
    ],
)
@pytest.mark.row("8x8:4/strict-json")
def test_what_is_no_json_is_refused_and_never_repaired(body, says):
    with pytest.raises(NotJson, match="^" + says.replace("(", r"\(")):
        read_strict(body)


def test_numbers_escapes_and_pairs_of_surrogates_are_read():
    body = b' {"a":[1,-2.5e3,0],"b":"\\ud83d\\ude00 \\u00e9","c":{"a":null,"t":true}} '
    assert read_strict(body) == {"a": [1, -2500.0, 0], "b": "😀 é", "c": {"a": None, "t": True}}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=6,
)  # fmt: skip


@given(_VALUES)
def test_whatever_json_writes_is_read_again(value):
    assert read_strict(json.dumps(value).encode()) == value


@given(st.binary())
def test_nothing_but_not_json_is_raised(body):
    try:
        read_strict(body)
    except NotJson:
        return
