"""What happens inside an answered call between two SIPps: hold, refresh, DTMF. Nothing of it crosses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.sipp_field import FieldCall, Seen
from tests.support.sipp_script import Callee, Caller, sdp

pytestmark = pytest.mark.wire
NewCall = Callable[..., FieldCall]


def version(seen: Seen) -> int:
    """Of the session in `o=`."""
    return int(seen.line("o=").split()[2])


def talking(call: FieldCall) -> tuple[Caller, Callee]:
    return (
        call.caller.invite().expect(180).answered().pause(0.1),
        call.callee.invited().progress().answer(),
    )


def test_the_caller_holds_and_resumes(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = talking(call)
    held, resumed = (sdp(kind, version=n, owner=caller.number) for n, kind in ((2, "sendonly"), (3, "sendrecv")))
    caller.request("INVITE", body=held).expect(100, optional=True).answered().pause(0.1)
    caller.request("INVITE", body=resumed).expect(100, optional=True).answered().hang_up()
    callee.let_go()
    call.run()
    first, hold, resume = (call.calling.got("200 INVITE", n) for n in range(3))
    assert "a=recvonly" in hold.body
    assert "a=sendrecv" in resume.body
    assert [version(hold), version(resume)] == [version(first) + 1, version(first) + 2]
    assert hold.line("m=audio ") == first.line("m=audio ")
    # The other side is not troubled: the media is anchored here.
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")


def test_the_callee_holds_and_resumes(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = talking(call)
    callee.pause(0.1)
    for number, kind in ((2, "inactive"), (3, "sendrecv")):
        body = sdp(kind, version=number, codecs=(0, 101), owner=callee.number)
        callee.request("INVITE", body=body).expect(100, optional=True).expect(200).ack().pause(0.1)
    callee.hang_up()
    caller.expect("BYE").reply("200 OK")
    call.run()
    hold, resume = (call.called.got("200 INVITE", n) for n in range(2))
    assert "a=inactive" in hold.body
    assert "a=sendrecv" in resume.body
    offered = call.called.got("INVITE")
    assert [version(hold), version(resume)] == [version(offered) + 1, version(offered) + 2]
    assert call.calling.heard == ["180 INVITE", "200 INVITE", "BYE"]
    assert call.ended_as() == ("completed", "normal", "callee")


def test_a_refresh_changes_nothing(new_call: NewCall) -> None:
    """RFC 4028: the same offer again, or an UPDATE without one."""
    call = new_call()
    caller, callee = talking(call)
    caller.request("INVITE", body=caller.offer).expect(100, optional=True).answered()
    caller.request("UPDATE").expect(200).request("UPDATE", body=caller.offer).expect(200).hang_up()
    callee.let_go()
    call.run()
    first, again = call.calling.got("200 INVITE"), call.calling.got("200 INVITE", 1)
    assert again.body == first.body
    assert call.calling.got("200 UPDATE").body == ""
    assert call.calling.got("200 UPDATE", 1).body == first.body
    assert call.called.heard == ["INVITE", "ACK", "BYE"]


def test_a_re_invite_without_offer_gets_ours(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = talking(call)
    caller.request("INVITE").expect(100, optional=True).expect(200)
    caller.ack(sdp(version=2, codecs=(0, 101), owner=caller.number)).pause(0.1).hang_up()
    callee.let_go()
    call.run()
    assert call.calling.got("200 INVITE", 1).line("m=audio ") == call.calling.got("200 INVITE").line("m=audio ")
    assert call.ended_as() == ("completed", "normal", "caller")


def test_an_offer_we_cannot_take_leaves_the_call_as_it_was(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = talking(call)
    video = "v=0\no=- 1 2 IN IP4 [media_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 18\n"
    caller.request("INVITE", body=video).expect(100, optional=True).expect(488)
    caller.send(
        "\n".join(
            [
                "ACK [next_url] SIP/2.0", caller.via(new=False), "[routes]", "Max-Forwards: 70", f"From: {caller.me}",
                f"To: <{caller.uri}>[peer_tag_param]", "Call-ID: [call_id]", "CSeq: 2 ACK", "Content-Length: 0", "", "",
            ]
        )
    ).hang_up()  # fmt: skip
    callee.let_go()
    call.run()
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")


def test_digits_by_info_are_answered_and_go_no_further(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = talking(call)
    digits = f"Signal=5\nDuration=160\nX={caller.number}\n"
    caller.request("INFO", body=digits, kind="application/dtmf-relay").expect(200).hang_up()
    callee.pause(0.1).request("INFO", body="Signal=7\n", kind="application/dtmf-relay").expect(200).let_go()
    caller.steps.insert(-2, '<pause milliseconds="400"/>')
    call.run()
    assert "INFO" not in call.called.heard + call.calling.heard


def test_requests_that_are_not_for_us_are_refused_inside_a_call(new_call: NewCall) -> None:
    """REFER would let a party dial anybody at our expense (reliability rules of toll fraud)."""
    call = new_call()
    caller, callee = talking(call)
    refer = ["Refer-To: <sip:+12025550123@198.51.100.9>"]
    caller.request("REFER", headers=refer).expect(405).request("OPTIONS").expect(200)
    caller.request("BANANA").expect(501).hang_up()
    callee.let_go()
    call.run()
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
