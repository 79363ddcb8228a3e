"""What two people hear of a masked call, between baresips."""

from __future__ import annotations

import pytest

from maskline.lab.likeness import agreement
from tests.support.heard_field import Evening, Voices, together

pytestmark = pytest.mark.wire


@together
def test_two_foreign_telephones_hear_each_other_and_the_keys(evening: Evening) -> None:
    caller, callee = evening.baresip(1), evening.baresip(2)
    evening.session(caller.number, callee.number)
    evening.dial(caller)
    caller.wait_for("CALL_ESTABLISHED")
    callee.wait_to_hear(Voices.of(1)[8_000:16_000])
    caller.wait_to_hear(Voices.of(2)[8_000:16_000])
    caller.press("42#")
    callee.wait_to_hear(Voices.of(1)[24_000:32_000])
    caller.hang_up()
    callee.wait_for("CALL_CLOSED")
    assert callee.pressed_at_it == "42#"
    assert agreement(caller.heard, callee.said).likeness > 0.95


@together
def test_a_telephone_of_one_law_hears_one_of_the_other(evening: Evening) -> None:
    caller, callee = evening.baresip(5), evening.baresip(6, codecs="PCMA")
    evening.session(caller.number, callee.number)
    evening.dial(caller)
    caller.wait_to_hear(Voices.of(6)[8_000:16_000])
    callee.wait_to_hear(Voices.of(5)[24_000:32_000])
    callee.hang_up()
    caller.wait_for("CALL_CLOSED")
    assert agreement(callee.heard, caller.said).likeness > 0.95
