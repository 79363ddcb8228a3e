"""Which requests count as one and the same."""

from __future__ import annotations

import pytest

from maskline.api.once import KEPT, read_once
from maskline.errors import InvalidParameter
from maskline.masking.e164 import Number

VALUES = {"first_party": Number("6590000001"), "session_expiry": 600, "record": True, "callback_url": ""}
ACCOUNT, OTHER = "MA0123456789ABCDEFGH", "SA0123456789ABCDEFGH"


def once(key="k", account=ACCOUNT, operation="POST /Masking/Session", values=VALUES, wall=1000.0, window=0.0):
    return read_once(key, account, operation, values, wall, window)


def test_a_key_is_kept_for_a_day_also_beyond_the_end_of_what_was_made():
    made = once()
    assert (made.account_id, made.key, made.until, made.live_only) == (ACCOUNT, "k", 1000.0 + KEPT, False)
    assert KEPT == 24 * 3600


def test_the_same_request_has_the_same_fingerprint_whatever_the_order_and_the_key():
    backwards = dict(reversed(VALUES.items()))
    assert once().fingerprint == once("other", values=backwards, wall=2000.0).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        {"account": OTHER}, {"operation": "POST /Masking/Session/x"}, {"values": VALUES | {"record": False}},
        {"values": VALUES | {"first_party": Number("6590000002")}}, {"values": {}},
        {"values": VALUES | {"session_expiry": "600"}},
    ],
)  # fmt: skip
def test_another_request_has_another_fingerprint(other):
    assert once(**other).fingerprint != once().fingerprint


def test_a_fingerprint_shows_no_number():
    assert "90000001" not in str(once())


def test_without_key_and_window_nothing_is_remembered():
    assert once(None) is None


def test_without_a_key_the_request_itself_is_the_key_for_a_while_and_for_live_sessions():
    made = once(None, window=15.0)
    assert (made.until, made.live_only) == (1015.0, True)
    assert made.key == once(None, window=15.0, wall=1001.0).key
    assert made.key != once(None, window=15.0, account=OTHER).key


def test_no_client_can_send_such_a_key():
    with pytest.raises(InvalidParameter):
        once(once(None, window=15.0).key)


@pytest.mark.parametrize("key", ["!", "~" * 255, "5b1a7f2e-0000-4000-8000-000000000001", '"quoted"'])
def test_visible_characters_make_a_key(key):
    assert once(key).key == key


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "a\tb", "é", "a\x7f", " "])
def test_anything_else_is_refused_without_repeating_it(key):
    with pytest.raises(InvalidParameter) as caught:
        once(key)
    assert caught.value.sentence == "Invalid request. Idempotency-Key should be 1 to 255 visible ASCII characters"


def test_a_value_without_a_canonical_form_is_a_bug():
    with pytest.raises(TypeError):
        once(values={"x": object()})
