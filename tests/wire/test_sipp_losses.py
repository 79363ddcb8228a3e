"""What is lost for good: ACKs, answers to BYE, whole carriers, renewals of session timers.

These calls take SIP's own 32 s (64*T1), or the 60 s of the shortest session timer, and run at once.

`lost` starts them all in front of the first test of this file; each test then waits for its own.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.support.sipp_field import (
    CALLERS,
    TCP_SLOT,
    Field,
    FieldCall,
    assert_not_in,
    callee_host,
    ended,
    read_log,
    until,
)
from tests.support.sipp_script import sdp

pytestmark = pytest.mark.wire
SIP_GIVES_UP = 32.0
"""64*T1: Timers B, F and H, and the wait for an ACK (RFC 3261 §17, §13.3.1.4)."""


@dataclass
class Lost:
    ack: FieldCall
    """The caller never acknowledges the 200."""
    bye_at_callee: FieldCall
    """The callee never answers our BYE."""
    bye_at_caller: FieldCall
    """The callee hangs up, the caller never answers our BYE."""
    carrier: FieldCall
    """The callee's carrier says nothing at all."""
    callee_gone: FieldCall
    """The callee's session timer is ours to renew, and the callee knows nothing of the call any more."""
    caller_lapsed: FieldCall
    """The caller does not renew its session timer."""
    ack_over_tcp: FieldCall
    """The caller's connection ends before it has acknowledged the 200."""
    lapsed_over_tcp: FieldCall
    """As `caller_lapsed`."""
    hole: socket.socket
    """The silent carrier's."""

    @property
    def calls(self) -> tuple[FieldCall, ...]:
        return (
            self.ack, self.bye_at_callee, self.bye_at_caller, self.carrier, self.callee_gone, self.caller_lapsed,
            self.ack_over_tcp, self.lapsed_over_tcp,
        )  # fmt: skip


@pytest.fixture(scope="module")
def lost(field: Field) -> Iterator[Lost]:
    hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    hole.bind((callee_host(4), field.ports[4]))
    hole.setblocking(False)
    calls = (
        field.call(1), field.call(2), field.call(3), field.call(4, ring_timeout=1), field.call(0), field.call(5),
        field.call(TCP_SLOT), field.call(3),
    )  # fmt: skip
    made = Lost(*calls, hole)
    with hole, ended() as begun:
        begun += calls
        made.ack.caller.invite().expect(180).expect(200).expect("BYE", within=40).reply("200 OK")
        made.ack.callee.invited().progress().answer().expect("BYE", within=40).reply("200 OK")
        made.bye_at_callee.caller.invite().expect(180).answered().hang_up()
        made.bye_at_callee.callee.invited().progress().answer().expect("BYE").pause(SIP_GIVES_UP + 2)
        made.bye_at_caller.caller.invite().expect(180).answered().expect("BYE").pause(SIP_GIVES_UP + 2)
        made.bye_at_caller.callee.invited().progress().answer().pause(0.3).hang_up()
        made.carrier.caller.invite().refused(480)
        made.callee_gone.caller.invite().expect(180).answered().expect("BYE", within=60).reply("200 OK")
        callee = made.callee_gone.callee.invited().progress()
        callee.answer(headers=["Allow: INVITE, ACK, BYE, CANCEL, UPDATE", "Session-Expires: 90;refresher=uac"])
        callee.expect("UPDATE", within=60).reply("481 Call/Transaction Does Not Exist")
        callee.expect("BYE").reply("481 Call/Transaction Does Not Exist")
        _lapse(made.caller_lapsed)
        made.ack_over_tcp.call_over_tcp()
        made.ack_over_tcp.caller.invite().expect(180).expect(200)
        made.ack_over_tcp.callee.invited().progress().answer().expect("BYE", within=40).reply("200 OK")
        made.lapsed_over_tcp.call_over_tcp()
        _lapse(made.lapsed_over_tcp)
        for call in made.calls[:-1]:
            call.start()
        made.bye_at_caller.called.finish(20)  # its callee's port is free again
        made.lapsed_over_tcp.start()
        yield made


def _lapse(call: FieldCall) -> None:
    """On hold, or its silence would end it."""
    caller, callee = call.caller, call.callee.invited().progress()
    lapses = ["Supported: timer", "Session-Expires: 90;refresher=uac"]
    caller.invite(body=sdp("inactive", owner=caller.number), headers=lapses).expect(180).answered()
    caller.expect("BYE", within=75).reply("200 OK")
    callee.answer(sdp("inactive", codecs=(0, 101), owner=callee.number)).expect("BYE", within=75).reply("200 OK")


def test_a_carrier_that_says_nothing_is_given_up_at_the_ring_timeout(lost: Lost) -> None:
    """The caller hears of it at once; the INVITE cannot be cancelled before a first answer (RFC 3261 §9.1)."""
    call = lost.carrier
    call.calling.finish(15)
    assert call.calling.heard == ["480 INVITE"]
    assert call.ended_as() == ("no_answer", "ring_timeout", "platform")


def test_the_record_does_not_wait_for_an_answer_to_bye(lost: Lost) -> None:
    for call, by in ((lost.bye_at_callee, "caller"), (lost.bye_at_caller, "callee")):
        record = call.record()
        assert (record["outcome"], record["cause"], record["hung_up_by"]) == ("completed", "normal", by)
        assert record["ended_at"] - record["started_at"] < SIP_GIVES_UP / 2
        sides = (call.calling.process, call.called.process)
        assert any(side is not None and side.poll() is None for side in sides), "nobody was still waiting"


def test_a_bye_nobody_answers_is_repeated_and_given_up(lost: Lost) -> None:
    """Timer E: after 0.5, 1, 2 and from there every 4 s, until Timer F (RFC 3261 §17.1.2)."""
    for call, side in (
        (lost.bye_at_callee, lost.bye_at_callee.called),
        (lost.bye_at_caller, lost.bye_at_caller.calling),
    ):
        call.finish(SIP_GIVES_UP + 15)
        byes = [seen for seen in side.received if seen.word == "BYE"]
        assert 9 <= len(byes) <= 11
        assert len({seen.text for seen in byes}) == 1


def test_an_answer_nobody_acknowledges_is_repeated_and_then_hung_up_on_both_sides(lost: Lost) -> None:
    call = lost.ack
    call.finish(SIP_GIVES_UP + 15)
    answers = [seen for seen in read_log(call.calling.log) if seen.word == "200 INVITE"]
    assert 9 <= len(answers) <= 11
    assert call.calling.heard == ["180 INVITE", "200 INVITE", "BYE"]
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    record = call.record()
    assert (record["cause"], record["hung_up_by"]) == ("ack_timeout", "platform")
    assert SIP_GIVES_UP - 1 <= record["ended_at"] - record["started_at"] <= SIP_GIVES_UP + 5


def test_a_caller_whose_connection_ends_before_it_acknowledged_is_given_up(lost: Lost) -> None:
    """It may come back on another connection until then (RFC 3261 §13.3.1.4)."""
    call = lost.ack_over_tcp
    call.finish(SIP_GIVES_UP + 15)
    assert call.calling.heard == ["180 INVITE", "200 INVITE"]
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    record = call.record()
    assert (record["cause"], record["hung_up_by"]) == ("ack_timeout", "platform")


def test_what_the_silent_carrier_was_sent_names_nobody(lost: Lost) -> None:
    received: list[bytes] = []

    def all_came() -> bool:
        with suppress(BlockingIOError):
            while True:
                received.append(lost.hole.recv(65_535))
        # Timer A: 0.5, 1, 2, 4, 8 and 16 s after the one before (RFC 3261 §17.1.1.2).
        return len(received) >= 7

    until(all_came, SIP_GIVES_UP)
    assert len(received) == 7
    assert len(set(received)) == 1
    assert_not_in(received, lost.carrier.caller_number, CALLERS.encode())


def test_a_session_that_a_callee_does_not_know_any_more_ends_the_call(lost: Lost) -> None:
    """RFC 4028 §10: our renewal after 45 s is refused."""
    call = lost.callee_gone
    call.finish(60)
    assert call.called.got("UPDATE").header("Session-Expires") == "90;refresher=uac"
    assert call.ended_as() == ("completed", "session_not_renewed", "platform")


def test_a_session_that_a_caller_does_not_renew_ends_the_call(lost: Lost) -> None:
    """RFC 4028 §10: a third of the interval before its end, at 60 s."""
    for call in (lost.caller_lapsed, lost.lapsed_over_tcp):
        call.finish(75)
        assert call.calling.got("200 INVITE").header("Session-Expires") == "90;refresher=uac"
        record = call.record()
        assert record["cause"] == "session_not_renewed"
        assert 55 <= record["ended_at"] - record["started_at"] <= 70


def test_nothing_is_left_of_any_call(field: Field, lost: Lost) -> None:
    """Every transaction lingers for 32 s at most; then the engine is as it was before the first call."""

    def idle() -> bool:
        found = field.metrics()
        return not any(found[name] for name in GAUGES)

    until(idle, SIP_GIVES_UP + 20, "an engine without calls, dialogs and transactions")
    found = field.metrics()
    assert found["maskline_engine_faults_total"] == 0
    assert found["maskline_recorder_dropped_total"] == 0
    assert found["maskline_media_failures_total"] == 0


GAUGES = (
    "maskline_calls_in_progress",
    "maskline_sip_dialogs",
    "maskline_sip_transactions",
    "maskline_recorder_queue",
)
