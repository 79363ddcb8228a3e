"""Encrypted legs between baresips: with rtpengine they are heard, and the embedded relay refuses them."""

from __future__ import annotations

import pytest

from maskline.lab.likeness import agreement
from tests.support.heard_field import OF_THAT_TALK, Evening, Voices, together

pytestmark = pytest.mark.wire


def _is_heard(evening: Evening, security: str) -> None:
    caller, callee = evening.baresip(11, security=security), evening.baresip(12)
    evening.session(caller.number, callee.number, first_party_play_url="PROMPT")
    evening.dial(caller)
    if evening.driver == "embedded":
        closed = caller.wait_for("CALL_CLOSED")
        assert "488" in closed["param"]
        assert not callee.was_called
        return
    caller.wait_to_hear(Voices.PROMPT[3_200:7_200])  # its middle: it begins while DTLS is still agreeing on keys
    caller.wait_for("CALL_ESTABLISHED")
    callee.wait_to_hear_talk(Voices.of(11))  # it began to talk while the prompt was played
    caller.wait_to_hear_talk(Voices.of(12))
    caller.press("7")
    callee.wait_to_hear_talk(Voices.of(11))
    caller.hang_up()
    callee.wait_for("CALL_CLOSED")
    assert callee.pressed_at_it == "7"
    assert agreement(caller.heard, callee.said).likeness > OF_THAT_TALK


@together
def test_a_caller_that_sends_keys_in_its_sdp_is_heard(evening: Evening) -> None:
    _is_heard(evening, "sdes")


@together
def test_a_caller_with_dtls_and_ice_is_heard(evening: Evening) -> None:
    _is_heard(evening, "dtls")


@together
def test_a_callee_of_an_encrypted_trunk_is_offered_keys_of_its_own(evening: Evening) -> None:
    caller = evening.baresip(13, security="sdes" if evening.driver == "rtpengine" else "")
    callee = evening.baresip(14, evening.encrypted_lines[0], security="sdes")
    evening.session(caller.number, callee.number)
    evening.dial(caller)
    if evening.driver == "embedded":
        assert "503" in caller.wait_for("CALL_CLOSED")["param"]
        assert not callee.was_called
        return
    callee.wait_to_hear_talk(Voices.of(13))
    caller.wait_to_hear_talk(Voices.of(14))
    callee.press("3")
    caller.wait_to_hear_talk(Voices.of(14))
    caller.hang_up()
    callee.wait_for("CALL_CLOSED")
    assert caller.pressed_at_it == "3"
    assert len(caller.keys_seen) >= 2
    assert len(callee.keys_seen) == 2
    assert not caller.keys_seen & callee.keys_seen


@together
def test_a_first_party_that_we_ring_by_an_encrypted_trunk_hears_and_is_heard(evening: Evening) -> None:
    first = evening.baresip(15, evening.encrypted_lines[1], security="sdes")
    second = evening.baresip(16)
    evening.session(first.number, second.number, initiate_call_to_first_party=True, first_party_play_url="PROMPT")
    if evening.driver == "embedded":
        assert evening.record(first.number).cause == "media_unavailable"
        assert not first.was_called
        return
    first.wait_to_hear(Voices.PROMPT)
    first.wait_to_hear_talk(Voices.of(16))
    second.wait_to_hear_talk(Voices.of(15))
    first.hang_up()
    second.wait_for("CALL_CLOSED")
