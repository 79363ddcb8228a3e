"""What two people hear of a masked call, between baresips."""

from __future__ import annotations

import pytest

from maskline.lab.likeness import agreement
from tests.support.heard_field import OF_THAT_TALK, Evening, Voices, together
from tests.support.pcap import Track

pytestmark = pytest.mark.wire


@together
def test_two_foreign_telephones_hear_each_other_and_the_keys(evening: Evening) -> None:
    caller, callee = evening.baresip(1), evening.baresip(2)
    evening.session(caller.number, callee.number)
    evening.dial(caller)
    caller.wait_for("CALL_ESTABLISHED")
    callee.wait_to_hear_talk(Voices.of(1))
    caller.wait_to_hear_talk(Voices.of(2))
    caller.press("42#")
    callee.wait_to_hear_talk(Voices.of(1))
    caller.hang_up()
    callee.wait_for("CALL_CLOSED")
    assert callee.pressed_at_it == "42#"
    assert agreement(caller.heard, callee.said).likeness > OF_THAT_TALK


@together
def test_a_telephone_of_one_law_hears_one_of_the_other(evening: Evening) -> None:
    caller, callee = evening.baresip(5), evening.baresip(6, codecs="PCMA")
    evening.session(caller.number, callee.number)
    evening.dial(caller)
    caller.wait_to_hear_talk(Voices.of(6))
    callee.wait_to_hear_talk(Voices.of(5))
    callee.hang_up()
    caller.wait_for("CALL_CLOSED")
    assert agreement(callee.heard, caller.said).likeness > OF_THAT_TALK


@together
def test_keys_pressed_by_info_are_heard_as_telephone_events(evening: Evening) -> None:
    phone, caller = evening.sipp_caller()
    callee = evening.baresip(7)
    speech = phone.side.folder / "speech.pcap"
    Track().write(speech, say=Voices.of(8)[:64_000])
    caller.invite().expect(180, optional=True).answered().play(speech, 0.0).cue()
    for key in ("5", "#"):
        caller.request("INFO", body=f"Signal={key}\nDuration=160\n", kind="application/dtmf-relay")
        caller.expect(200).pause(0.8)
    caller.hang_up()
    evening.session(phone.line.number, callee.number)
    evening.dial(phone)
    phone.tap.wait_to_hear(Voices.of(7)[8_000:16_000])
    phone.side.cue()
    phone.finish()
    callee.wait_for("CALL_CLOSED")
    assert callee.pressed_at_it == "5#"
