"""masking.call_record: durations and finding a leg."""

from __future__ import annotations

from dataclasses import replace

from maskline.masking.facts import LegName
from maskline.masking.session import Role
from tests.support.store_values import ALICE, BOB, T0, call_record


def test_a_leg_lasts_from_answer_to_end() -> None:
    leg = call_record().legs[0]
    assert leg.duration == 27.5
    assert replace(leg, answered_at=None).duration == 0.0


def test_a_clock_that_went_back_makes_no_negative_duration() -> None:
    assert replace(call_record().legs[0], ended_at=T0).duration == 0.0


def test_a_leg_is_found_by_its_name() -> None:
    record = call_record()
    assert record.leg(LegName.B) is record.legs[1]
    assert replace(record, legs=record.legs[:1]).leg(LegName.B) is None


def test_charges_and_legs_change_nothing_else() -> None:
    record = call_record()
    leg = record.legs[0]
    assert leg.charged(30, 4_500) == replace(leg, billed_duration=30, amount=4_500)
    assert record.with_legs((leg,)) == replace(record, legs=(leg,))


def test_the_real_number_on_either_side_is_told_by_role() -> None:
    record = call_record()
    assert (record.party(Role.FIRST), record.party(Role.SECOND)) == (ALICE, BOB)
    swapped = replace(record, caller=Role.SECOND)
    assert (swapped.party(Role.FIRST), swapped.party(Role.SECOND)) == (BOB, ALICE)
    assert replace(record, legs=record.legs[:1]).party(Role.SECOND) is None
    assert replace(record, caller=None).party(Role.FIRST) is None
