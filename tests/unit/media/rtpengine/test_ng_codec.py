"""The ng protocol's bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.media.rtpengine.ng_codec import NgFault, encode, pack, unpack

VALUES = st.recursive(
    st.text(max_size=20) | st.integers(-(2**60), 2**60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=5))
def test_what_is_packed_unpacks(message: dict[str, object]) -> None:
    assert unpack(pack("cookie", message)) == ("cookie", message)


def test_it_is_bencode() -> None:
    assert pack("1_a", {"command": "ping", "n": [1, b"\xff"]}) == b"1_a d7:command4:ping1:nli1e1:\xffee"
    assert encode(-3) == b"i-3e"


def test_keys_may_come_in_any_order() -> None:
    assert unpack(b"c d6:result4:pong1:ai0ee") == ("c", {"result": "pong", "a": 0})


def test_what_has_no_form_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError):
        encode(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"cookie",
        b"c ",
        b"c le",
        b"c i1e",
        b"c 3:abc",
        b"c de ",
        b"c d",
        b"c d1:a",
        b"c d1:ae",
        b"c di1e1:ae",
        b"c d1:al",
        b"c d1:ai1",
        b"c d1:aie",
        b"c d1:ai_1e",
        b"c d1:ai" + b"1" * 21 + b"ee",
        b"c d1:a5:abce",
        b"c d1:a99999999999999:e",
        b"c d1:a1xx",
        b"c d1:a1 :xe",
        b"c d1:a?e",
        b"c d1:a" + b"l" * 40,
    ],
)
def test_everything_else_is_not_a_message(datagram: bytes) -> None:
    with pytest.raises(NgFault):
        unpack(datagram)


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_else(rubbish: bytes) -> None:
    for datagram in (rubbish, b"c d" + rubbish):
        try:
            unpack(datagram)
        except NgFault:
            continue
