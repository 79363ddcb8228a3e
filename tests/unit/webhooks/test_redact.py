"""What is kept of a receiver's answer."""

from __future__ import annotations

import pytest

from maskline.webhooks.redact import MOST, redact_answer


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (b"", ""),
        (b"no such order 4711", "no such order 4711"),
        (b"+6591234567 is unknown", "••••67 is unknown"),
        (b'{"to":"6591234567","code":400}', '{"to":"••••67","code":400}'),
        (b"call (030) 12 34-567 or +65 9123 4567!", "call (••••67 or ••••67!"),
        ("+65\u00a09123\u00a04567".encode(), "••••67"),
        (b"at 12:30:59 of 2026", "at 12:30:59 of 2026"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_what_may_be_a_number_is_masked_however_it_is_written(said, kept):
    assert redact_answer(said) == kept


def test_only_the_beginning_is_kept():
    assert redact_answer(b"a" * MOST + b"b") == "a" * MOST
