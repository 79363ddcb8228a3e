"""Reliable ringing between two SIPps (RFC 3262): on either side of a call, on one alone, lost, and with UPDATE."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.sipp_field import OVER_BOTH, FieldCall, until
from tests.support.sipp_script import Callee, Caller, sdp

pytestmark = pytest.mark.wire
NewCall = Callable[..., FieldCall]
DEMANDED = ["Require: 100rel", "Supported: 100rel"]
LEARN = '<ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" assign_to="rseq"/>'


def hear_reliably(caller: Caller, status: int) -> Caller:
    """An 18x with RSeq comes, and its PRACK goes out."""
    caller.expect(status, action=LEARN)
    return caller.request("PRACK", headers=["RAck: [$rseq] 1 INVITE"]).expect(200)


def ring_reliably(callee: Callee, status: str, number: int, body: str = "") -> Callee:
    """An 18x with RSeq goes out, and its PRACK comes."""
    callee.progress(status, body, headers=["Require: 100rel", f"RSeq: {number}"])
    return callee.expect("PRACK").reply("200 OK")


@OVER_BOTH
def test_both_sides_ring_reliably(new_call: NewCall) -> None:
    call = new_call()
    hear_reliably(call.caller.invite(headers=DEMANDED), 180).answered().pause(0.1).hang_up()
    ring_reliably(call.callee.invited(), "180 Ringing", 4711).answer_again().let_go()
    call.run()
    assert call.called.heard == ["INVITE", "PRACK", "ACK", "BYE"]
    prack = call.called.got("PRACK")
    assert prack.header("RAck").split()[0] == "4711"
    assert prack.header("RAck").split()[1:] == call.called.got("INVITE").header("CSeq").split()
    ringing = call.calling.got("180 INVITE")
    assert ringing.header("Require") == "100rel"
    assert ringing.header("RSeq") != "4711"
    assert call.ended_as() == ("completed", "normal", "caller")


def test_the_callee_alone_rings_reliably(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(180).answered().pause(0.1).hang_up()
    ring_reliably(call.callee.invited(), "180 Ringing", 1).answer_again().let_go()
    call.run()
    assert call.calling.got("180 INVITE").header("RSeq") == ""
    assert "100rel" in call.called.got("INVITE").header("Supported")


def test_the_caller_alone_demands_it_and_hears_early_media(new_call: NewCall) -> None:
    """The 200 waits for the PRACK of the 183 with SDP, and says nothing of media again."""
    call = new_call()
    hear_reliably(call.caller.invite(headers=DEMANDED), 183).answered().pause(0.1).hang_up()
    call.callee.invited().progress("183 Session Progress", call.callee.answer_body).pause(0.5).answer().let_go()
    call.run()
    assert call.calling.got("183 INVITE").line("m=audio ")
    assert call.calling.got("200 INVITE").body == ""
    assert call.ended_as() == ("completed", "normal", "caller")


def test_a_lost_prack_is_waited_for(new_call: NewCall) -> None:
    call = new_call()
    caller = call.caller.invite(headers=DEMANDED).expect(180, action=LEARN).pause(2.0)
    caller.request("PRACK", headers=["RAck: [$rseq] 1 INVITE"]).expect(200).answered().hang_up()
    call.callee.invited().progress().pause(3.0).answer().let_go()
    call.run()
    rings = [seen.text for seen in call.calling.received if seen.word == "180 INVITE"]
    assert len(rings) >= 2
    assert len(set(rings)) == 1


def test_an_update_before_the_answer_refreshes(new_call: NewCall) -> None:
    call = new_call()
    caller = hear_reliably(call.caller.invite(headers=DEMANDED), 183)
    caller.request("UPDATE").expect(200).answered().hang_up()
    call.callee.invited().progress("183 Session Progress", call.callee.answer_body).pause(1.0).answer().let_go()
    call.run()
    assert call.calling.got("200 UPDATE").body == ""
    assert "UPDATE" not in call.called.heard
    assert call.ended_as() == ("completed", "normal", "caller")


def test_an_early_update_of_the_caller_moves_its_media_and_says_hold(new_call: NewCall) -> None:
    """RFC 3311 §5.1: the offer of the INVITE was answered by the 183. The callee hears of the hold after its answer."""
    call = new_call()
    caller = hear_reliably(call.caller.invite(headers=DEMANDED), 183)
    moved = sdp("sendonly", version=2, owner=caller.number).replace("[media_port]", "[media_port+10]")
    caller.request("UPDATE", body=moved).expect(200).answered().pause(0.3).hang_up()
    callee = call.callee.invited().progress("183 Session Progress", call.callee.answer_body).pause(1.0).answer()
    held = sdp("recvonly", version=2, codecs=(0, 101), owner=callee.number)
    callee.expect("INVITE").reply("200 OK", body=held, headers=[f"Contact: {callee.contact}"]).expect("ACK").let_go()
    call.run()
    answer = call.calling.got("200 UPDATE")
    assert "a=recvonly" in answer.body
    assert answer.line("m=audio ") == call.calling.got("183 INVITE").line("m=audio ")
    assert call.calling.got("200 INVITE").body == ""
    assert "a=sendonly" in call.called.got("INVITE", 1).body
    assert call.ended_as() == ("completed", "normal", "caller")


def test_an_update_while_the_offer_of_the_invite_is_open_is_refused(new_call: NewCall) -> None:
    """RFC 3311 §5.2: 500 with Retry-After to the caller, whose offer has no answer; 491 to the callee."""
    call = new_call()
    caller = call.caller.invite().expect(180)
    caller.request("UPDATE", body=sdp(version=2, owner=caller.number)).expect(500).answered().hang_up()
    callee = call.callee.invited().progress()
    callee.request("UPDATE", body=sdp(version=2, codecs=(0, 101), owner=callee.number)).expect(491).pause(0.5)
    callee.answer_again().let_go()
    call.run()
    assert 0 < int(call.calling.got("500 UPDATE").header("Retry-After")) <= 10
    assert call.ended_as() == ("completed", "normal", "caller")


def test_an_early_update_of_the_callee_stands_when_its_200_says_nothing(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(183).answered().pause(0.2).hang_up()
    callee = ring_reliably(call.callee.invited(), "183 Session Progress", 7, call.callee.answer_body)
    moved = sdp(version=2, codecs=(0, 101), owner=callee.number).replace("[media_port]", "[media_port+10]")
    callee.request("UPDATE", body=moved).expect(200).pause(0.2)
    callee.reply_to_invite("200 OK").expect("ACK").let_go()
    call.run()
    assert call.called.got("200 UPDATE").line("m=audio ").endswith("RTP/AVP 0 101")
    assert call.calling.heard == ["183 INVITE", "200 INVITE", "200 BYE"]
    assert call.facts().count("LegChanged") == 1
    assert call.ended_as() == ("completed", "normal", "caller")


def test_an_early_update_of_the_callee_that_holds_is_told_to_a_caller_that_has_its_answer(new_call: NewCall) -> None:
    """By a re-INVITE, since its 200 says nothing of media (RFC 3261 §13.2.1)."""
    call = new_call()
    caller = hear_reliably(call.caller.invite(headers=DEMANDED), 183).answered().expect("INVITE")
    held = sdp("recvonly", version=2, owner=caller.number)
    caller.reply("200 OK", body=held, headers=[f"Contact: {caller.contact}"]).expect("ACK").pause(0.1).hang_up()
    callee = ring_reliably(call.callee.invited(), "183 Session Progress", 7, call.callee.answer_body)
    callee.cue().request("UPDATE", body=sdp("sendonly", version=2, codecs=(0, 101), owner=callee.number)).expect(200)
    callee.pause(0.2).reply_to_invite("200 OK").expect("ACK").let_go()
    call.start()
    # An UPDATE that comes before the caller has the answer is told in that answer, and nothing is left to tell.
    until(lambda: "200 PRACK" in call.calling.heard, what="the answer in a 183")
    call.called.cue()
    call.finish()
    assert call.calling.got("200 INVITE").body == ""
    assert "a=sendonly" in call.calling.got("INVITE").body
    assert call.ended_as() == ("completed", "normal", "caller")


def test_an_offer_in_a_prack_is_answered_in_its_200(new_call: NewCall) -> None:
    call = new_call()
    caller = call.caller.invite(headers=DEMANDED).expect(183, action=LEARN)
    moved = sdp(version=2, owner=caller.number).replace("[media_port]", "[media_port+10]")
    caller.request("PRACK", headers=["RAck: [$rseq] 1 INVITE"], body=moved).expect(200).answered().pause(0.1).hang_up()
    call.callee.invited().progress("183 Session Progress", call.callee.answer_body).pause(0.5).answer().let_go()
    call.run()
    assert call.calling.got("200 PRACK").line("m=audio ") == call.calling.got("183 INVITE").line("m=audio ")
    assert call.ended_as() == ("completed", "normal", "caller")


@pytest.mark.parametrize("early_media", [False, True])
def test_a_caller_without_offer_that_demands_it_gets_ours_in_the_first_18x(
    new_call: NewCall, early_media: bool
) -> None:
    """RFC 3262 §5; its answer comes in the PRACK."""
    call = new_call()
    status = 183 if early_media else 180
    caller = call.caller.invite(body="", headers=DEMANDED).expect(status, action=LEARN)
    answer = sdp(version=1, codecs=(0, 101), owner=caller.number)
    caller.request("PRACK", headers=["RAck: [$rseq] 1 INVITE"], body=answer).expect(200)
    caller.answered().pause(0.1).hang_up()
    callee = call.callee.invited()
    if early_media:
        callee.progress("183 Session Progress", callee.answer_body)
    else:
        callee.progress()
    callee.pause(0.5).answer().let_go()
    call.run()
    assert call.calling.got(f"{status} INVITE").line("m=audio ")
    assert call.calling.got("200 PRACK").body == ""
    assert call.calling.got("200 INVITE").body == ""
    assert call.ended_as() == ("completed", "normal", "caller")
