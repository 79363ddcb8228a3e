"""A callee whose carrier forks: several 18x, each with its tag, one winner, the others cleaned up (RFC 3261 §13)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.sipp_field import OVER_BOTH, FieldCall
from tests.support.sipp_script import sdp

pytestmark = pytest.mark.wire
NewCall = Callable[..., FieldCall]


@OVER_BOTH
def test_the_fork_that_answers_wins(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(180).expect(180, optional=True).answered().pause(0.1).hang_up()
    callee = call.callee.invited().progress(fork="one").progress(fork="two")
    callee.progress("199 Early Dialog Terminated", fork="one")
    callee.answer_again(fork="two").let_go()
    call.run()
    assert call.called.got("ACK").header("To").endswith("two")
    assert call.called.got("BYE").header("To").endswith("two")
    assert call.ended_as() == ("completed", "normal", "caller")


@OVER_BOTH
def test_a_fork_that_answers_with_another_codec_than_was_heard_is_told_to_the_caller(new_call: NewCall) -> None:
    """The answer in the 183 counts for a caller that goes by RFC 3261 §13.2.1: only an offer of ours changes it."""
    call = new_call()
    caller, callee = call.caller, call.callee
    caller.invite().expect(183).answered().expect("INVITE")
    caller.reply("200 OK", body=sdp(version=2, codecs=(0, 101)), headers=[f"Contact: {caller.contact}"]).expect("ACK")
    caller.pause(0.1).hang_up()
    callee.invited().progress("183 Session Progress", sdp(codecs=(8, 101), owner=callee.number), fork="one")
    callee.pause(0.3).answer_again(fork="two").let_go()
    call.run()
    heard = call.calling.got("183 INVITE"), call.calling.got("INVITE")
    assert [seen.line("m=audio ").split()[2] for seen in heard] == ["8", "0"]
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")


@OVER_BOTH
def test_the_second_of_two_answers_is_acknowledged_and_hung_up(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(180).expect(180, optional=True).answered().pause(0.5).hang_up()
    callee = call.callee.invited().progress(fork="one").progress(fork="two")
    callee.answer_again(fork="one").answer_again(fork="two").let_go().let_go()
    call.run()
    acknowledged = [seen.header("To")[-3:] for seen in call.called.received if seen.word == "ACK"]
    hung_up = [seen.header("To")[-3:] for seen in call.called.received if seen.word == "BYE"]
    assert acknowledged == ["one", "two"]
    assert hung_up == ["two", "one"]
    assert call.ended_as() == ("completed", "normal", "caller")


@OVER_BOTH
def test_each_fork_that_rings_reliably_gets_its_prack(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(180).expect(180, optional=True).answered().pause(0.1).hang_up()
    callee = call.callee.invited()
    for number, fork in ((100, "one"), (900, "two")):
        callee.reply_to_invite("180 Ringing", fork=fork, headers=["Require: 100rel", f"RSeq: {number}"])
        callee.expect("PRACK").reply("200 OK")
    callee.answer_again(fork="two").let_go()
    call.run()
    pracks = [seen for seen in call.called.received if seen.word == "PRACK"]
    known = [(seen.header("To")[-3:], seen.header("RAck").split()[0]) for seen in pracks]
    assert known == [("one", "100"), ("two", "900")]


def test_a_caller_that_gives_up_cancels_all_forks(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(180).pause(0.3).cancel().expect(200).refused(487)
    callee = call.callee.invited().progress(fork="one").progress(fork="two").keep("CANCEL")
    callee.reply("487 Request Terminated", method="INVITE", to_tag=callee.tag + "one").expect("ACK")
    callee.reply_kept("CANCEL")
    call.run()
    assert call.called.heard[:2] == ["INVITE", "CANCEL"]
    assert call.record()["outcome"] == "canceled"
