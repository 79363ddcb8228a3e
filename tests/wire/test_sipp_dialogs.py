"""What happens inside an answered call between two SIPps and stays on its side: refresh, late offers, DTMF."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.sipp_field import FieldCall
from tests.support.sipp_script import Callee, Caller, sdp

pytestmark = pytest.mark.wire
NewCall = Callable[..., FieldCall]


def talking(call: FieldCall) -> tuple[Caller, Callee]:
    return (
        call.caller.invite().expect(180).answered().pause(0.1),
        call.callee.invited().progress().answer(),
    )


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
    video = "v=0\no=- 1 2 IN IP4 [media_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 5\n"
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
    refused = {"REFER": 405, "SUBSCRIBE": 405, "NOTIFY": 405, "MESSAGE": 405, "PUBLISH": 405, "BANANA": 501}
    for method, status in refused.items():
        caller.request(method, headers=refer if method == "REFER" else ()).expect(status)
    caller.request("UPDATE", headers=["Require: replaces"]).expect(420).request("OPTIONS").expect(200).hang_up()
    callee.request("REFER", headers=refer).expect(405).let_go()
    caller.steps.insert(-2, '<pause milliseconds="300"/>')
    call.run()
    assert call.called.heard == ["INVITE", "ACK", "405 REFER", "BYE"]
    for method, status in refused.items():
        assert call.calling.got(f"{status} {method}").header("Allow").startswith("INVITE, ")
    assert call.calling.got("420 UPDATE").header("Unsupported") == "replaces"
    assert "REFER" not in call.calling.got("200 OPTIONS").header("Allow")
    assert call.ended_as() == ("completed", "normal", "caller")
