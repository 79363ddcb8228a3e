"""Calls that a customer's application steers, between telephones nobody here wrote, through both media drivers."""

from __future__ import annotations

import pytest

from maskline.lab import sound
from tests.support.call_action_field import HANGUP, make_call
from tests.support.heard_field import Evening, Voices, together

pytestmark = pytest.mark.wire


@pytest.mark.row("8x8:6/callQuality")
@together
def test_the_application_connects_two_people_and_is_told_how_well_they_heard_each_other(evening: Evening) -> None:
    tenant = evening.own_tenant()
    application = evening.application(tenant)
    caller, callee, stranger = evening.baresip(5), evening.baresip(6), evening.baresip(7)
    hears = sound.wav(Voices.SECOND_PROMPT)
    # Twice: at the end of the call a telephone throws away what it has not played yet.
    play = {"action": "playFile", "params": {"fileUrl": application.offer("/sorry.wav", hears), "repetition": 2}}
    application.script(stranger.number, {"flow": {"callflow": [play, HANGUP]}, "after": None})
    application.book(caller.number, tenant.virtual, callee.number)
    evening.dial(caller, tenant)
    evening.dial(stranger, tenant)
    stranger.wait_to_hear(Voices.SECOND_PROMPT)
    callee.wait_to_hear_talk(Voices.of(5))
    caller.wait_to_hear_talk(Voices.of(6))
    caller.hang_up()
    callee.wait_for("CALL_CLOSED")
    stranger.wait_for("CALL_CLOSED")
    told = application.summary(caller.number)
    assert (told["sessionStatus"], told["callCount"]) == ("COMPLETED", 2)
    for leg in told["details"].values():
        quality = leg["callQuality"]
        assert 3.8 <= quality["mos"] <= 5.0
        assert 0 <= quality["packetLossRate"] <= 0.05
        assert type(quality["jitter"]) is int
    refused = application.summary(stranger.number)
    assert (refused["sessionStatus"], refused["callCount"], refused["lastAction"]) == ("COMPLETED", 1, "HANGUP")
    assert application.faults == []


@together
def test_keys_of_a_real_telephone_are_captured_and_lead_on(evening: Evening) -> None:
    tenant = evening.own_tenant()
    application = evening.application(tenant)
    caller, callee = evening.baresip(8), evening.baresip(9)
    url = application.offer("/ask.wav", sound.wav(Voices.PROMPT))
    ask = {"action": "sayAndCapture", "params": {"promptMessage": "Code?", "voiceProfile": "en-us-f", "maxDigits": 3}}
    play = {"action": "playFile", "params": {"fileUrl": url}}
    application.script(
        caller.number,
        {"flow": {"callflow": [play, ask], "clientActionId": "code"}, "after": None},
        {"flow": {"callflow": [make_call(callee.number, tenant.virtual), HANGUP]}, "after": "code"},
    )
    evening.dial(caller, tenant)
    caller.wait_to_hear(Voices.PROMPT)
    caller.press("360")
    callee.wait_to_hear_talk(Voices.of(8))
    callee.hang_up()
    caller.wait_for("CALL_CLOSED")
    _, second = application.actions(caller.number)
    assert second["eventData"] == {"dtmf": "360"}
    assert application.summary(caller.number)["sessionStatus"] == "COMPLETED"
    assert application.faults == []
