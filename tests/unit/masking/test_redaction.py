"""What each way of redaction leaves of a number."""

from __future__ import annotations

import pytest

from maskline.masking.e164 import Number
from maskline.masking.redaction import IN_FULL, Redaction, Redactor, redacted

PARTY = Number("6591178965")
KEY = bytes(32)


@pytest.mark.parametrize(
    ("number", "how", "expected"),
    [
        (PARTY, Redaction.FULL, "+6591178965"),
        (PARTY, Redaction.LAST4, "******8965"),
        (Number("12345678"), Redaction.LAST4, "****5678"),
        (Number("1234567"), Redaction.LAST4, "*****67"),
        (Number("112"), Redaction.LAST4, "*12"),
        (PARTY, Redaction.OMIT, None),
    ],
)
@pytest.mark.row("8x8:14/redaction")
def test_each_way_leaves_what_it_promises(number, how, expected):
    assert redacted(number, how, KEY) == expected
    assert Redactor(how, KEY)(number) == expected


@pytest.mark.row("8x8:14/redaction")
def test_a_hash_is_stable_and_depends_on_number_and_key():
    text = redacted(PARTY, Redaction.HASH, KEY)
    assert text == redacted(Number("6591178965"), Redaction.HASH, KEY)
    assert len(text) == 32
    assert not set(text) - set("0123456789abcdef")
    assert text != redacted(Number("6591178966"), Redaction.HASH, KEY)
    assert text != redacted(PARTY, Redaction.HASH, b"\1" * 32)


@pytest.mark.row("8x8:14/redaction")
def test_full_is_the_default():
    assert IN_FULL(PARTY) == PARTY.e164
    assert Redactor().how is Redaction.FULL


def test_a_redactors_key_is_not_printed():
    assert "secret" not in repr(Redactor(Redaction.HASH, b"secret"))
