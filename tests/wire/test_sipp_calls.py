"""Whole calls between two SIPps: how they begin, how they end, what each side saw of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.short_sessions import limit_calls
from tests.support.sipp_field import OVER_BOTH, Field, FieldCall
from tests.support.sipp_script import isup, sdp

pytestmark = pytest.mark.wire
NewCall = Callable[..., FieldCall]

TALK = [
    "CallReceived",
    "CallRouted",
    "LegDialed",
    "LegRinging",
    "LegAnswered",
    "LegAnswered",
    "LegEnded",
    "LegEnded",
    "CallEnded",
]


def relayed(call: FieldCall, body_owner: str, text: str) -> None:
    """This SDP is ours: our address, no name of anybody."""
    assert f"c=IN IP4 {call.field.platform.host}\n" in text
    assert body_owner not in text


def test_a_plain_call(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(180).answered().pause(0.2).hang_up()
    call.callee.invited().progress().answer().let_go()
    call.run()
    assert call.calling.heard == ["180 INVITE", "200 INVITE", "200 BYE"]
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    invite, answer = call.called.got("INVITE"), call.calling.got("200 INVITE")
    assert f"<sip:+{call.field.virtual}@" in invite.header("From")
    assert invite.header("Max-Forwards") == "69"
    relayed(call, call.caller_number, invite.body)
    relayed(call, call.callee_number, answer.body)
    assert answer.line("m=audio ").split()[0] != invite.line("m=audio ").split()[0]
    assert call.ended_as() == ("completed", "normal", "caller")
    assert call.facts() == TALK


def test_the_callee_hangs_up(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(180).answered().expect("BYE").reply("200 OK")
    call.callee.invited().progress().answer().pause(0.2).hang_up()
    call.run()
    assert call.called.heard == ["INVITE", "ACK", "200 BYE"]
    assert call.ended_as() == ("completed", "normal", "callee")


@OVER_BOTH
def test_both_hang_up_at_once(new_call: NewCall) -> None:
    """The callee's BYE is on its way when ours arrives; both are answered with 200 (RFC 3261 §15.1.2)."""
    call = new_call()
    call.caller.invite().expect(180).answered().pause(0.2).hang_up()
    call.callee.invited().progress().answer().cross_byes()
    call.run()
    assert call.called.heard == ["INVITE", "ACK", "BYE", "200 BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")


def test_early_media_is_relayed_before_the_answer(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(183).answered().pause(0.1).hang_up()
    call.callee.invited().progress("183 Session Progress", call.callee.answer_body).pause(0.2).answer().let_go()
    call.run()
    early, answer = call.calling.got("183 INVITE"), call.calling.got("200 INVITE")
    relayed(call, call.callee_number, early.body)
    # One offer, one answer: the 200 repeats it (RFC 3261 §13.2.1).
    assert early.body == answer.body
    assert call.ended_as() == ("completed", "normal", "caller")


def test_a_180_that_was_lost_is_not_missed(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().answered().pause(0.1).hang_up()
    call.callee.invited().answer().let_go()
    call.run()
    assert call.calling.heard == ["200 INVITE", "200 BYE"]
    assert call.facts() == [name for name in TALK if name != "LegRinging"]


@OVER_BOTH
def test_an_offer_that_comes_late(new_call: NewCall) -> None:
    """INVITE without SDP: our 200 carries the offer, the ACK the answer (RFC 3261 §13.2.1)."""
    call = new_call()
    call.caller.invite(body="").expect(180).expect(200).ack(sdp(owner=call.caller_number, codecs=(0, 101)))
    call.caller.pause(0.2).hang_up()
    call.callee.invited().progress().answer().let_go()
    call.run()
    relayed(call, call.callee_number, call.calling.got("200 INVITE").body)
    assert call.called.got("INVITE").line("m=audio ")
    assert call.ended_as() == ("completed", "normal", "caller")


def test_a_late_offer_of_a_gateway_that_speaks_sip_i(new_call: NewCall) -> None:
    """RFC 3204, RFC 5621 §8.2: ISUP that nobody has to understand, and no offer beside it."""
    call = new_call()
    call.caller.invite(body=isup("optional", call.caller_number), kind="multipart/mixed;boundary=b1")
    call.caller.expect(180).expect(200).ack(sdp(owner=call.caller_number, codecs=(0, 101))).pause(0.2).hang_up()
    call.callee.invited().progress().answer().let_go()
    call.run()
    assert call.called.got("INVITE").header("Content-Type") == "application/sdp"
    assert call.ended_as() == ("completed", "normal", "caller")


def test_a_repeated_invite_is_one_call(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(180).invite(again=True).answered().hang_up()
    call.callee.invited().progress().pause(0.3).answer().let_go()
    call.run()
    assert call.called.heard.count("INVITE") == 1
    assert call.ended_as() == ("completed", "normal", "caller")


def test_the_time_limit_ends_a_call_on_both_sides(new_call: NewCall, field: Field) -> None:
    """Written into the database: one can ask for a minute at least."""
    call = new_call()
    field.cli("session", "expire", call.session_id)
    made = field.cli(
        "session", "create", call.caller_number, call.callee_number, "--account", field.account["auth_id"]
    )  # fmt: skip
    limit_calls(field.platform.folder, made["session_id"], 1)
    call.session_id = made["session_id"]
    call.caller.invite().expect(180).answered().expect("BYE").reply("200 OK")
    call.callee.invited().progress().answer().let_go()
    call.run()
    assert call.ended_as() == ("completed", "call_time_limit", "platform")
    assert 0.9 <= call.record()["legs"][0]["duration"] <= 2.0


@OVER_BOTH
def test_a_caller_who_cancels_while_it_rings(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(180).cancel().expect(200).refused(487)
    call.callee.invited().progress().expect("CANCEL").reply("200 OK")
    call.callee.reply("487 Request Terminated", method="INVITE", to_tag=call.callee.tag).expect("ACK")
    call.run()
    assert call.calling.heard == ["180 INVITE", "200 CANCEL", "487 INVITE"]
    assert call.called.heard == ["INVITE", "CANCEL", "ACK"]
    assert call.ended_as() == ("canceled", "canceled", "caller")


@OVER_BOTH
def test_an_invite_that_expires_is_as_good_as_cancelled(new_call: NewCall) -> None:
    """RFC 3261 §13.3.1."""
    call = new_call()
    call.caller.invite(headers=["Expires: 1"]).expect(180).refused(487)
    call.callee.invited().progress().expect("CANCEL").reply("200 OK")
    call.callee.reply("487 Request Terminated", method="INVITE", to_tag=call.callee.tag).expect("ACK")
    call.run()
    assert call.calling.heard == ["180 INVITE", "487 INVITE"]
    assert call.called.heard == ["INVITE", "CANCEL", "ACK"]
    assert "\nExpires:" not in call.called.got("INVITE").text
    assert call.ended_as() == ("canceled", "canceled", "caller")


@OVER_BOTH
def test_an_answer_that_crosses_the_cancel_is_hung_up(new_call: NewCall) -> None:
    """RFC 3261 §9.1: the 200 was on its way; it is acknowledged and ended by BYE, the caller's 487 stands."""
    call = new_call()
    call.caller.invite().expect(180).cancel().expect(200).refused(487)
    call.callee.invited().progress().answer_after_cancel()
    call.run()
    assert call.calling.heard == ["180 INVITE", "200 CANCEL", "487 INVITE"]
    assert call.ended_as() == ("canceled", "canceled", "caller")


def test_a_phone_that_rings_too_long_is_cancelled(new_call: NewCall) -> None:
    call = new_call(ring_timeout=1)
    call.caller.invite().expect(180).refused(480)
    call.callee.invited().progress().expect("CANCEL").reply("200 OK")
    call.callee.reply("487 Request Terminated", method="INVITE", to_tag=call.callee.tag).expect("ACK")
    call.run()
    assert call.ended_as() == ("no_answer", "ring_timeout", "platform")


@pytest.mark.parametrize(
    ("answer", "headers", "status", "outcome", "cause"),
    [
        ("486 Busy Here", (), 486, "busy", "busy"),
        ("600 Busy Everywhere", (), 486, "busy", "busy_everywhere"),
        ("603 Decline", (), 603, "busy", "declined"),
        ("480 Temporarily Unavailable", (), 480, "failed", "out_of_service"),
        ("404 Not Found", (), 404, "failed", "unallocated"),
        ("500 Server Internal Error", (), 500, "failed", "carrier_error"),
        ("503 Service Unavailable", ("Retry-After: 60",), 500, "failed", "congestion"),
        ("480 Temporarily Unavailable", ('Reason: Q.850;cause=17;text="busy +919990"',), 486, "busy", "busy"),
        ("302 Moved Temporarily", ("Contact: <sip:+12025550123@198.51.100.9>",), 480, "failed", "redirected"),
    ],
)
def test_a_refusal_reaches_the_caller_as_its_meaning_alone(
    new_call: NewCall, answer: str, headers: tuple[str, ...], status: int, outcome: str, cause: str
) -> None:
    call = new_call()
    call.caller.invite().refused(status)
    call.callee.invited().refuse(answer, headers)
    call.run()
    assert call.calling.heard == [f"{status} INVITE"]
    assert call.called.heard == ["INVITE", "ACK"]
    refusal = call.calling.got(f"{status} INVITE").text
    assert "12025550123" not in refusal
    assert "Reason:" not in refusal
    record = call.record()
    assert (record["outcome"], record["cause"]) == (outcome, cause)
    assert record["facts"][-1]["name"] == "CallEnded"


def test_nobody_listens_at_the_callees_carrier(new_call: NewCall) -> None:
    """The network itself says so (ICMP), at once."""
    call = new_call()
    call.caller.invite().refused(500)
    call.run()
    record = call.record()
    assert (record["outcome"], record["cause"]) == ("failed", "network_error")
