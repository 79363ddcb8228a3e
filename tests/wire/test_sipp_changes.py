"""Changes that both sides have to agree to, between two SIPps: hold, resume, another codec, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.sipp_field import OVER_BOTH, FieldCall, Seen, Side
from tests.support.sipp_script import Callee, Caller, sdp

pytestmark = pytest.mark.wire
NewCall = Callable[..., FieldCall]


def version(seen: Seen) -> int:
    """Of the session in `o=`."""
    return int(seen.line("o=").split()[2])


def offers(side: Side) -> list[Seen]:
    """INVITEs that it got, without copies."""
    found = {(seen.header("CSeq"), seen.header("Call-ID")): seen for seen in side.received if seen.word == "INVITE"}
    return list(found.values())


def talking(call: FieldCall) -> tuple[Caller, Callee]:
    return (
        call.caller.invite().expect(180).answered().pause(0.1),
        call.callee.invited().progress().answer(),
    )


def asked(side: Caller | Callee, body: str, status: str = "200 OK") -> None:
    """The other side's change comes to this one."""
    side.expect("INVITE").reply(status, body=body if status == "200 OK" else "", headers=[f"Contact: {side.contact}"])
    side.expect("ACK")


def answered(side: Caller | Callee) -> Caller | Callee:
    side.expect(100, optional=True).expect(200)
    side.ack()
    return side


@OVER_BOTH
def test_the_caller_holds_and_resumes(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = talking(call)
    held, resumed = (sdp(kind, version=n, owner=caller.number) for n, kind in ((2, "sendonly"), (3, "sendrecv")))
    answered(caller.request("INVITE", body=held)).pause(0.1)
    answered(caller.request("INVITE", body=resumed))
    caller.hang_up()
    asked(callee, sdp("recvonly", version=2, codecs=(0, 101), owner=callee.number))
    asked(callee, sdp("sendrecv", version=3, codecs=(0, 101), owner=callee.number))
    callee.let_go()
    call.run()
    first, hold, resume = (call.calling.got("200 INVITE", n) for n in range(3))
    assert ("a=recvonly" in hold.body, "a=sendrecv" in resume.body) == (True, True)
    assert [version(hold), version(resume)] == [version(first) + 1, version(first) + 2]
    assert hold.line("m=audio ") == first.line("m=audio ")
    offered, told, told_again = offers(call.called)
    assert ("a=sendonly" in told.body, "a=sendrecv" in told_again.body) == (True, True)
    assert [version(told), version(told_again)] == [version(offered) + 1, version(offered) + 2]
    assert call.ended_as() == ("completed", "normal", "caller")


@OVER_BOTH
def test_the_callee_holds_by_the_old_address_and_resumes(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = call.caller.invite().expect(180).answered(), call.callee.invited().progress().answer()
    callee.pause(0.1)
    held = sdp(version=2, codecs=(0, 101), owner=callee.number).replace("[media_ip]", "0.0.0.0")
    answered(callee.request("INVITE", body=held)).pause(0.1)
    answered(callee.request("INVITE", body=sdp(version=3, codecs=(0, 101), owner=callee.number)))
    callee.hang_up()
    asked(caller, sdp("recvonly", version=2, owner=caller.number))
    asked(caller, sdp(version=3, owner=caller.number))
    caller.expect("BYE").reply("200 OK")
    call.run()
    told, told_again = offers(call.calling)
    assert "a=sendonly" in told.body and "0.0.0.0" not in told.body
    assert "a=sendrecv" in told_again.body
    assert "a=recvonly" in call.called.got("200 INVITE").body
    assert call.ended_as() == ("completed", "normal", "callee")


@OVER_BOTH
def test_a_hold_by_update_crosses(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = talking(call)
    caller.request("UPDATE", body=sdp("inactive", version=2, owner=caller.number)).expect(200).hang_up()
    asked(callee, sdp("inactive", version=2, codecs=(0, 101), owner=callee.number))
    callee.let_go()
    call.run()
    assert "a=inactive" in offers(call.called)[1].body
    assert "a=inactive" in call.calling.got("200 UPDATE").body


def test_another_codec_is_agreed_with_the_other_side(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = talking(call)
    wide = sdp(version=2, codecs=(0, 101), owner=caller.number).replace("RTP/AVP 0 101", "RTP/AVP 9 0 101")
    answered(caller.request("INVITE", body=wide))
    caller.hang_up()
    asked(callee, sdp(version=2, codecs=(101,), owner=callee.number).replace("RTP/AVP 101", "RTP/AVP 9 101"))
    callee.let_go()
    call.run()
    assert offers(call.called)[1].line("m=audio ").endswith("RTP/AVP 9 0 8 101")
    assert call.calling.got("200 INVITE", 1).line("m=audio ").endswith("RTP/AVP 9 101")


@OVER_BOTH
@pytest.mark.parametrize("late", [False, True])
def test_a_side_that_goes_back_to_g711_has_the_other_one_do_so_too(new_call: NewCall, late: bool) -> None:
    """Both speak G722 and could speak PCMA; the caller goes on without G722, by its offer or by its answer to ours."""
    call = new_call()
    caller, callee = call.caller, call.callee
    narrow = sdp(version=2, codecs=(8, 101), owner=caller.number)
    caller.offer = caller.offer.replace("RTP/AVP 0", "RTP/AVP 9 0")
    caller.invite().expect(180).answered().pause(0.1)
    callee.answer_body = sdp(codecs=(8, 101), owner=callee.number).replace("RTP/AVP 8", "RTP/AVP 9 8")
    callee.invited().progress().answer()
    if late:
        caller.request("INVITE").expect(100, optional=True).expect(200).ack(narrow).pause(1.0)
    else:
        answered(caller.request("INVITE", body=narrow))
    caller.hang_up()
    asked(callee, sdp(version=2, codecs=(8, 101), owner=callee.number))
    callee.let_go()
    call.run()
    assert call.calling.got("200 INVITE").line("m=audio ").endswith("RTP/AVP 9 8 101")
    assert offers(call.called)[1].line("m=audio ").endswith("RTP/AVP 8 0 101")
    assert call.ended_as() == ("completed", "normal", "caller")


@pytest.mark.parametrize(("status", "here"), [("488 Not Acceptable Here", 488), ("603 Decline", 488), ("500 Bug", 500)])
def test_what_the_other_side_refuses_is_refused_and_the_call_goes_on(new_call: NewCall, status: str, here: int) -> None:
    call = new_call()
    caller, callee = talking(call)
    refused(caller.request("INVITE", body=sdp("sendonly", version=2, owner=caller.number)), here)
    caller.pause(0.1).hang_up()
    asked(callee, "", status)
    callee.let_go()
    call.run()
    assert call.ended_as() == ("completed", "normal", "caller")


def refused(caller: Caller, status: int) -> Caller:
    caller.expect(100, optional=True).expect(status)
    return caller.send(
        "\n".join(
            [
                "ACK [next_url] SIP/2.0", caller.via(new=False), "[routes]", "Max-Forwards: 70", f"From: {caller.me}",
                f"To: <{caller.uri}>[peer_tag_param]", "Call-ID: [call_id]", f"CSeq: {caller.sequence} ACK",
                "Content-Length: 0", "", "",
            ]
        )
    )  # fmt: skip


def test_a_side_that_knows_nothing_of_the_call_ends_it(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = talking(call)
    caller.request("INVITE", body=sdp("sendonly", version=2, owner=caller.number)).expect(100, optional=True)
    caller.keep("BYE").reply_kept("BYE").expect(487, optional=True)
    asked(callee, "", "481 Call/Transaction Does Not Exist")
    callee.let_go()
    call.run()
    assert call.ended_as() == ("completed", "normal", "callee")


@OVER_BOTH
def test_a_hold_in_the_ack_of_a_late_offer_is_told_to_the_other_side(new_call: NewCall) -> None:
    call = new_call()
    caller, callee = talking(call)
    caller.request("INVITE").expect(100, optional=True).expect(200)
    caller.ack(sdp("sendonly", version=2, codecs=(0, 101), owner=caller.number)).pause(0.3).hang_up()
    asked(callee, sdp("recvonly", version=2, codecs=(0, 101), owner=callee.number))
    callee.let_go()
    call.run()
    assert "a=sendonly" in offers(call.called)[1].body


def test_offers_that_cross_are_repeated_after_the_times_of_the_rfc(new_call: NewCall) -> None:
    """§14.1: 491, then 2.1 to 4 s where the Call-ID is ours, up to 2 s where it is theirs. Both at the same time."""
    ours, theirs = new_call(0), new_call(1)
    caller, callee = talking(ours)
    answered(caller.request("INVITE", body=sdp("sendonly", version=2, owner=caller.number))).hang_up()
    asked(callee, "", "491 Request Pending")
    asked(callee, sdp("recvonly", version=2, codecs=(0, 101), owner=callee.number))
    callee.let_go()
    caller, callee = talking(theirs)
    answered(callee.pause(0.1).request("INVITE", body=sdp("sendonly", version=2, codecs=(0, 101), owner=callee.number)))
    callee.hang_up()
    # It has our offer when it sends its own.
    caller.keep("INVITE")
    refused(caller.request("INVITE", body=sdp("inactive", version=2, owner=caller.number)), 491)
    caller.reply_kept("INVITE", "491 Request Pending").expect("ACK")
    asked(caller, sdp("recvonly", version=2, owner=caller.number))
    caller.expect("BYE").reply("200 OK")
    for call in (ours, theirs):
        call.start()
    for call, side, bounds in ((ours, ours.called, (2.1, 4.0)), (theirs, theirs.calling, (0.0, 2.0))):
        call.finish()
        first, again = offers(side)[-2:]
        assert first.body == again.body and int(again.header("CSeq").split()[0]) > int(first.header("CSeq").split()[0])
        (refusal,) = [seen for seen in side.messages if seen.sent and seen.word == "491 INVITE"]
        assert bounds[0] <= again.at - refusal.at <= bounds[1] + 0.5
        assert call.ended_as()[:2] == ("completed", "normal")
