"""Callers from a second telephone: asked for a PIN, and led to the other party by it. SIPp presses the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.baresip import Baresip
from tests.support.heard_field import Evening, SippPhone, Voices, together
from tests.support.pcap import Track
from tests.support.sipp_script import Caller, sdp

pytestmark = pytest.mark.wire
CAPTURES = Path("/usr/share/sip-tester")
"""Keys as a telephone pressed them once, out of Debian's sip-tester: lengths from 0, ends that share a number."""
DRIVER_SPEAKS = Voices.of(2)[8_000:16_000]


class PinCall:
    """A session with PINs, and a stranger's SIPp that was answered and hears the prompt."""

    def __init__(self, evening: Evening, pins: tuple[str, str], **options: Any) -> None:
        self.evening = evening
        self.callee: Baresip = evening.baresip(2)
        self.first = evening.line()
        tenant = evening.own_tenant()
        prompts = {"pin_prompt_play": "PIN_PROMPT", "incorrect_pin_play": "WRONG_PIN"}
        self.session = evening.session(
            self.first.number, self.callee.number, tenant, is_pin_authentication_required=True, first_party_pin=pins[0],
            second_party_pin=pins[1], **(prompts | options),
        )  # fmt: skip
        self.phone: SippPhone
        self.script: Caller
        self.phone, self.script = evening.sipp_caller(tenant)

    def talk(self) -> None:
        """Both hear each other's side, then the caller hangs up."""
        self.phone.tap.wait_to_hear(DRIVER_SPEAKS)
        self.phone.side.cue()
        self.phone.finish()
        self.callee.wait_for("CALL_CLOSED")

    def ended_as(self) -> tuple[str, str]:
        record = self.evening.record(self.phone.line.number)
        return record.outcome.value, record.cause.value

    def statuses(self) -> list[tuple[str, str]]:
        """What the application was told of it."""
        events = [item.values for item in self.evening.events(self.session)]
        return [
            (values["PinAuthenticationStatus"], values["PinRetryCounter"])
            for values in events if values["EventName"] == "SessionPinAuthenticationStatus"
        ]  # fmt: skip

    def checked(self) -> list[tuple[bool, bool, int]]:
        """Whether each try was accepted, whether anything was entered, how many were wrong by then."""
        facts = self.evening.facts(self.evening.record(self.phone.line.number), "PinChecked")
        return [(fact["accepted"], fact["given"], fact["failures"]) for fact in facts]


@together
def test_the_right_pin_pressed_on_a_real_telephone_leads_to_the_other_party(evening: Evening) -> None:
    call = PinCall(evening, ("1357", "2468"))
    call.script.invite().answered().cue()
    for digit in "1357":
        call.script.play(CAPTURES / f"dtmf_2833_{digit}.pcap", 0.3)
    call.script.cue().hang_up()
    evening.dial(call.phone)
    call.phone.tap.wait_to_hear(Voices.PIN_PROMPT)
    assert not call.callee.was_called
    call.phone.side.cue()
    call.talk()
    assert call.ended_as() == ("completed", "normal")
    assert call.checked() == [(True, True, 0)]
    evening.wait_for_event(call.session, "SessionSecondPartyHangup")
    assert call.statuses() == [("success", "0")]


@together
def test_two_wrong_pins_and_then_the_right_one(evening: Evening) -> None:
    call = PinCall(evening, ("4711", "4712"), pin_retry=2, pin_retry_wait=5)
    track = Track()
    call.script.invite().answered()
    for pin in ("9999#", "8888#", "4711#"):
        capture = evening.folder / f"wrong-then-right-{pin[:4]}.pcap"
        call.script.cue().play(capture, track.write(capture, press=pin))
    call.script.cue().hang_up()
    evening.dial(call.phone)
    heard = 0.0
    for attempt in range(3):
        heard = call.phone.tap.wait_to_hear_next(Voices.PIN_PROMPT, heard, 30.0)
        call.phone.side.cue()
        if attempt < 2:
            heard = call.phone.tap.wait_to_hear_next(Voices.WRONG_PIN, heard)
    call.talk()
    assert call.ended_as() == ("completed", "normal")
    assert call.checked() == [(False, True, 1), (False, True, 2), (True, True, 2)]
    evening.wait_for_event(call.session, "SessionSecondPartyHangup")
    assert call.statuses() == [("success", "2")]


@together
def test_a_caller_who_enters_nothing_is_hung_up_and_nobody_is_rung(evening: Evening) -> None:
    call = PinCall(evening, ("5811", "5812"), pin_retry=0)
    call.script.invite().answered().expect("BYE", within=80.0).reply("200 OK")
    evening.dial(call.phone)
    call.phone.tap.wait_to_hear(Voices.PIN_PROMPT)
    call.phone.finish(80.0)
    assert call.ended_as()[1] == "pin_required"
    assert not call.callee.was_called
    assert call.checked() == [(False, False, 1)]


@together
def test_keys_during_the_prompt_stop_it(evening: Evening) -> None:
    """SIPp's own events, of payload type 96: the caller does not wait for the end of a prompt of a quarter minute."""
    call = PinCall(evening, ("6923", "6924"), pin_prompt_play="LONG_PROMPT")
    call.script.offer = sdp(codecs=(0, 96), owner=call.script.number)
    call.script.invite().answered().cue().play_digits("6923#", 4.0).cue().hang_up()
    evening.dial(call.phone)
    begun = call.phone.tap.wait_to_hear(Voices.LONG_PROMPT[:8_000])
    call.phone.side.cue()
    call.talk()
    assert call.phone.tap.ear.find(Voices.LONG_PROMPT[begun.start : begun.start + 8_000]).heard
    assert not call.phone.tap.ear.find(Voices.LONG_PROMPT[64_000:72_000]).heard
    assert call.ended_as() == ("completed", "normal")
