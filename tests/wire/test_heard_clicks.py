"""Calls the application starts: the first party is rung, then the second; what each of them sees and hears."""

from __future__ import annotations

import numpy as np
import pytest

from maskline.lab import sound
from tests.support.heard_field import Evening, Voices, together

pytestmark = pytest.mark.wire
# ITU-T E.180: 425 Hz for a second, or half a second on and off. The one is 0.5 like the other at most.
RINGBACK = sound.tone((425,), 0.9)
BUSY = np.concatenate((sound.tone((425,), 0.5), sound.silence(0.5), sound.tone((425,), 0.5)))


@together
def test_both_parties_are_rung_hear_their_prompts_and_then_each_other(evening: Evening) -> None:
    first, second = evening.baresip(1), evening.baresip(2, answers=False)
    evening.session(
        first.number, second.number, initiate_call_to_first_party=True, first_party_play_url="PROMPT",
        second_party_play_url="SECOND_PROMPT",
    )  # fmt: skip
    assert evening.tenant.virtual in first.wait_for("CALL_ESTABLISHED")["peeruri"]
    first.wait_to_hear(Voices.PROMPT)
    assert evening.tenant.virtual in second.wait_for("CALL_INCOMING")["peeruri"]
    first.wait_to_hear(RINGBACK)
    second.answer()
    second.wait_to_hear(Voices.SECOND_PROMPT)
    second.wait_to_hear_talk(Voices.of(1))  # it has been talking since it answered
    first.wait_to_hear_talk(Voices.of(2))
    second.hang_up()
    first.wait_for("CALL_CLOSED")
    record = evening.record(first.number)
    assert (record.outcome, record.cause) == ("completed", "normal")
    assert [leg.inbound for leg in record.legs] == [False, False]


@together
def test_a_first_party_that_is_busy_is_all_there_is(evening: Evening) -> None:
    phone, script = evening.sipp_callee()
    second = evening.baresip(2)
    script.invited().refuse("486 Busy Here")
    phone.side.start()
    phone.side.wait_until_bound()
    evening.session(phone.line.number, second.number, initiate_call_to_first_party=True)
    phone.finish()
    record = evening.record(phone.line.number)
    assert (record.outcome, record.cause) == ("busy", "busy")
    assert f"{evening.tenant.virtual}@" in phone.side.got("INVITE").header("From")
    assert not second.was_called


@together
def test_a_second_party_that_is_busy_ends_the_call_of_the_first(evening: Evening) -> None:
    first = evening.baresip(1)
    phone, script = evening.sipp_callee()
    script.invited().progress().refuse("486 Busy Here")
    phone.side.start()
    phone.side.wait_until_bound()
    evening.session(first.number, phone.line.number, initiate_call_to_first_party=True)
    first.wait_for("CALL_ESTABLISHED")
    phone.finish()
    first.wait_to_hear(BUSY)
    first.wait_for("CALL_CLOSED")
    record = evening.record(first.number)
    assert (record.outcome, record.cause) == ("busy", "busy")
    assert f"{evening.tenant.virtual}@" in phone.side.got("INVITE").header("From")
