"""Messages that come late, twice, out of order or make no sense, from SIPp: the call goes its way all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.sipp_field import FieldCall
from tests.support.sipp_script import message, sdp

pytestmark = pytest.mark.wire
NewCall = Callable[..., FieldCall]


def test_two_phones_ring_and_a_third_answers(new_call: NewCall) -> None:
    """A carrier forks: every response has a tag of its own. The caller sees one phone."""
    call = new_call()
    callee = call.callee.invited()
    for fork in ("one", "two"):
        callee.reply("180 Ringing", to_tag=f";tag={fork}").pause(0.05)
    callee.reply("183 Session Progress", to_tag=";tag=two", body=callee.answer_body).pause(0.1)
    callee.answer().let_go()
    call.caller.invite().expect(180).expect(180, optional=True).expect(183).answered().pause(0.1).hang_up()
    call.run()
    tags = {seen.header("To").partition("tag=")[2] for seen in call.calling.received if "100 " not in seen.word}
    assert len(tags) == 1
    assert call.ended_as() == ("completed", "normal", "caller")


def test_a_repeated_answer_is_acknowledged_each_time(new_call: NewCall) -> None:
    """SIPp in this scenario takes the second ACK for a repetition of the first and answers it with its 200 again, and
    so on: we have to acknowledge each (RFC 3261 §13.2.2.4), and must survive it until the caller hangs up."""
    call = new_call(5)  # nobody else's carrier: its BYE stays unanswered
    call.callee.invited().progress().answer().pause(0.1).answer_again()
    call.caller.invite().expect(180).answered().pause(0.4).hang_up()
    call.start()
    assert call.calling.finish(20) == 0
    call.called.stop()
    assert call.calling.heard == ["180 INVITE", "200 INVITE", "200 BYE"]
    assert [seen.word for seen in call.called.received].count("ACK") >= 2
    call.assert_nothing_crossed()
    assert call.ended_as() == ("completed", "normal", "caller")


@pytest.mark.parametrize("body", ["", "v=0\n", "G729"])
def test_an_answer_without_audio_we_can_use_is_hung_up(new_call: NewCall, body: str) -> None:
    call = new_call()
    if body == "G729":
        body = sdp().replace("AVP 0 8 101", "AVP 18").replace("a=fmtp:101 0-15\n", "")
    call.callee.invited().progress().answer(body).let_go()
    call.caller.invite().expect(180).refused(488)
    call.run()
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    record = call.record()
    assert (record["outcome"], record["cause"], record["hung_up_by"]) == ("failed", "not_acceptable", "platform")


def test_a_caller_may_leave_a_ringing_call_by_bye(new_call: NewCall) -> None:
    """RFC 3261 §15: allowed in an early dialog; the INVITE is answered with 487."""
    call = new_call()
    call.caller.invite().expect(180).request("BYE", repeat=False).expect(200).expect(487)
    callee = call.callee.invited().progress().expect("CANCEL").reply("200 OK")
    callee.reply("487 Request Terminated", method="INVITE", to_tag=callee.tag).expect("ACK")
    caller = call.caller
    caller.send(
        message(
            f"ACK {caller.uri} SIP/2.0",
            [
                "[last_Via:]", "Max-Forwards: 70", f"From: {caller.me}", "[last_To:]", "Call-ID: [call_id]",
                "CSeq: 1 ACK",
            ],
            "",
        )
    )  # fmt: skip
    call.run()
    assert call.ended_as() == ("canceled", "canceled", "caller")


def test_a_cancel_after_the_answer_changes_nothing(new_call: NewCall) -> None:
    """RFC 3261 §9.2: it is answered, and the call stands."""
    call = new_call()
    call.caller.invite().expect(180).expect(200).cancel().expect(200).ack().pause(0.1).hang_up()
    call.callee.invited().progress().answer().let_go()
    call.run()
    assert call.calling.heard == ["180 INVITE", "200 INVITE", "200 CANCEL", "200 BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")


def test_the_media_of_a_caller_moves(new_call: NewCall) -> None:
    """Another port after a re-INVITE; ours stays, so that the callee notices nothing."""
    call = new_call()
    moved = sdp(version=2, owner=call.caller_number).replace("[media_port]", "[media_port+10]")
    call.caller.invite().expect(180).answered()
    call.caller.request("INVITE", body=moved).expect(100, optional=True).answered().hang_up()
    call.callee.invited().progress().answer().let_go()
    call.run()
    assert call.calling.got("200 INVITE", 1).body == call.calling.got("200 INVITE").body
    assert call.called.heard == ["INVITE", "ACK", "BYE"]


def test_one_call_that_comes_by_two_ways_is_taken_once(new_call: NewCall) -> None:
    """RFC 3261 §8.2.2.2: same From tag, Call-ID and CSeq under another branch was merged on its way: 482."""
    call = new_call()
    caller = call.caller.invite().expect(180)
    first = caller.steps[0]
    caller.steps.append(first.replace("x1\n", "x1way2\n", 1).replace(' retrans="500"', ""))
    caller.expect(482).answered().hang_up()
    call.callee.invited().progress().pause(0.3).answer().let_go()
    call.run()
    assert call.called.heard.count("INVITE") == 1
    call.record()  # the only one
