"""A caller whose INVITE has no SDP (RFC 3261 §13.2.1): we make the offer, and both hear each other, by either driver.

In the 200 with the answer in the ACK, or to a caller that demands 100rel in the first 18x with the answer in its PRACK
(RFC 3262 §5); that one hears the callee's early media too.
"""

from __future__ import annotations

import pytest

from tests.support.heard_field import Evening, SippPhone, Voices, together
from tests.support.pcap import Track
from tests.support.sipp_script import Caller, sdp
from tests.wire.test_sipp_reliable import DEMANDED, LEARN

pytestmark = pytest.mark.wire
SPEAKS, IS_SPOKEN_TO = 41, 42


def _talk(evening: Evening, phone: SippPhone, caller: Caller) -> None:
    """The caller speaks from the moment its script is here."""
    said = Voices.of(SPEAKS)[:32_000]
    speech = phone.side.folder / "speech.pcap"
    callee = evening.baresip(IS_SPOKEN_TO)
    Track().write(speech, say=said)
    caller.play(speech, 0.0).cue().hang_up()
    evening.session(phone.line.number, callee.number)
    evening.dial(phone)
    callee.wait_to_hear(said[8_000:16_000])
    phone.tap.wait_to_hear(Voices.of(IS_SPOKEN_TO)[8_000:16_000])
    phone.side.cue()
    phone.finish()
    callee.wait_for("CALL_CLOSED")
    record = evening.record(phone.line.number)
    assert (record.outcome, record.cause) == ("completed", "normal")


@together
def test_a_caller_that_lets_us_make_the_offer_is_heard(evening: Evening) -> None:
    phone, caller = evening.sipp_caller()
    caller.invite(body="").expect(180, optional=True).expect(200)
    caller.ack(sdp(codecs=(0, 101), owner=caller.number))
    _talk(evening, phone, caller)
    assert phone.side.got("200 INVITE").line("m=audio ")


@together
def test_a_caller_that_gets_our_offer_in_a_reliable_18x_is_heard(evening: Evening) -> None:
    phone, caller = evening.sipp_caller()
    caller.invite(body="", headers=DEMANDED).expect(180, action=LEARN)
    caller.request("PRACK", headers=["RAck: [$rseq] 1 INVITE"], body=sdp(codecs=(0, 101), owner=caller.number))
    caller.expect(200).answered()
    _talk(evening, phone, caller)
    assert phone.side.got("180 INVITE").line("m=audio ")
    assert phone.side.got("200 INVITE").body == ""
