"""Session timers between two SIPps (RFC 4028): asked for, refused as too brief, renewed by them, and not renewed.

The shortest timer is 90 seconds, so what is waited for here is what shows in less: what is not renewed is in
test_sipp_losses.py, and hours are in tests/sim.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.sipp_field import OVER_BOTH, FieldCall
from tests.support.sipp_script import sdp

pytestmark = pytest.mark.wire
NewCall = Callable[..., FieldCall]


def test_too_brief_a_timer_is_refused_and_a_longer_one_kept(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite(headers=["Supported: timer", "Session-Expires: 60"]).refused(422)
    call.run()
    refusal = call.calling.got("422 INVITE")
    assert refusal.header("Min-SE") == "90"
    assert call.records() == []


@OVER_BOTH
def test_each_side_has_a_timer_of_its_own(new_call: NewCall) -> None:
    call = new_call()
    wish = ["Supported: timer", "Session-Expires: 600;refresher=uac", "Min-SE: 120"]
    call.caller.invite(headers=wish).expect(180).answered()
    call.caller.request("UPDATE", headers=wish).expect(200).hang_up()
    call.callee.invited().progress()
    call.callee.answer(headers=["Require: timer", "Session-Expires: 1200;refresher=uas"])
    renewal = ["Supported: timer", "Session-Expires: 1200;refresher=uac"]
    call.callee.request("UPDATE", headers=renewal).expect(200).let_go()
    call.caller.steps.insert(-2, '<pause milliseconds="500"/>')
    call.run()
    invite = call.called.got("INVITE")
    assert (invite.header("Session-Expires"), invite.header("Min-SE")) == ("1800", "90")
    assert "timer" in invite.header("Supported")
    for answer in ("200 INVITE", "200 UPDATE"):
        assert call.calling.got(answer).header("Session-Expires") == "600;refresher=uac"
        assert call.calling.got(answer).header("Require") == "timer"
    assert call.called.got("200 UPDATE").header("Session-Expires") == "1200;refresher=uac"
    assert call.calling.heard == ["180 INVITE", "200 INVITE", "200 UPDATE", "200 BYE"]


def test_an_invite_follows_a_422(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite().expect(180).answered().pause(0.1).hang_up()
    call.callee.invited().refuse("422 Session Interval Too Small", ["Min-SE: 3600"])
    call.callee.invited().progress().answer().let_go()
    call.run()
    first, again = call.called.got("INVITE"), call.called.got("INVITE", 1)
    assert (again.header("Session-Expires"), again.header("Min-SE")) == ("3600", "3600")
    assert again.header("Call-ID") == first.header("Call-ID")
    assert call.ended_as() == ("completed", "normal", "caller")


@OVER_BOTH
def test_a_hold_follows_a_422(new_call: NewCall) -> None:
    """The callee's side wants a longer timer than ours when we hand on the caller's hold, who hears nothing of it."""
    call = new_call()
    caller, callee = call.caller, call.callee
    caller.invite().expect(180).answered().pause(0.1)
    caller.request("INVITE", body=sdp("sendonly", version=2, owner=caller.number)).expect(100, optional=True)
    caller.expect(200).ack().hang_up()
    callee.invited().progress().answer(headers=["Require: timer", "Session-Expires: 1800;refresher=uas"])
    callee.expect("INVITE").reply("422 Session Interval Too Small", headers=["Min-SE: 3600"]).expect("ACK")
    held = sdp("recvonly", version=2, codecs=(0, 101), owner=callee.number)
    lines = [f"Contact: {callee.contact}", "Require: timer", "Session-Expires: 3600;refresher=uas"]
    callee.expect("INVITE").reply("200 OK", body=held, headers=lines).expect("ACK").let_go()
    call.run()
    assert "a=recvonly" in call.calling.got("200 INVITE", 1).body
    assert "422 INVITE" not in call.calling.heard
    # Over UDP copies may be among them.
    first, again = list({seen.header("CSeq"): seen for seen in call.called.received if seen.word == "INVITE"}.values())[
        -2:
    ]
    assert (first.header("Session-Expires"), first.header("Min-SE")) == ("1800;refresher=uas", "90")
    assert (again.header("Session-Expires"), again.header("Min-SE")) == ("3600;refresher=uas", "3600")
    assert (first.body, "a=sendonly" in again.body) == (again.body, True)
    assert call.ended_as() == ("completed", "normal", "caller")
