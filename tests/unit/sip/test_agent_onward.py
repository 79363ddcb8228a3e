"""sip.agent_onward: an INVITE that nobody says anything to, while its user goes elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.sip.agent import OutgoingInvite
from maskline.sip.events import Flow, InviteFailed
from maskline.sip.parser import parse
from tests.support.sip_wire import PEER, SDP, Bench, response

WISH = OutgoingInvite(
    PEER, "sip:+15550101@192.0.2.7", "sip:+15550100@192.0.2.1", "sip:+15550101@192.0.2.7", SDP, try_seconds=4.0
)
LARGE = SDP + b"a=x\r\n" * 300


def silent(wish: OutgoingInvite = WISH) -> tuple[Bench, bytes]:
    """After four seconds without a word."""
    bench = Bench()
    usage = bench.agent.invite(wish, 0.0)
    usage.owner = "the call"
    (invite,) = bench.sent()
    assert len(bench.pass_time(4.0)) == 3, "copies after 0.5, 1.5 and 3.5 seconds"
    (failed,) = bench.events()
    assert isinstance(failed, InviteFailed) and failed.usage is usage
    assert (failed.status, failed.response) == (408, None)
    return bench, invite


def test_it_is_given_up_and_sent_no_more_and_nothing_is_left_after_timer_b() -> None:
    bench, _ = silent()
    assert bench.pass_time(40.0) == []
    assert [event.usage.owner for event in bench.events() if isinstance(event, InviteFailed)] == [None]
    assert not any(bench.agent.sizes().values())


def test_a_phone_that_rings_late_is_told_to_stop_once() -> None:
    bench, invite = silent()
    (cancel,) = bench.put(response(invite, 180, "b"))
    assert cancel.startswith(b"CANCEL ")
    assert bench.put(response(invite, 180, "b")) == []
    bench.put(response(cancel, 200, "b"))
    (ack,) = bench.put(response(invite, 487, "b"))
    assert ack.startswith(b"ACK ")
    bench.pass_time(40.0)
    bench.events()
    assert not any(bench.agent.sizes().values())


def test_a_phone_that_answers_late_is_hung_up() -> None:
    bench, invite = silent()
    ack, bye = bench.put(response(invite, 200, "b", body=SDP))
    assert ack.startswith(b"ACK ") and bye.startswith(b"BYE ")
    bench.put(response(bye, 200))
    bench.pass_time(40.0)
    bench.events()
    assert not any(bench.agent.sizes().values())


def test_a_late_challenge_is_not_answered() -> None:
    bench, invite = silent()
    (ack,) = bench.put(response(invite, 401, "b", 'WWW-Authenticate: Digest realm="r", nonce="n"\r\n'))
    assert ack.startswith(b"ACK ")


@pytest.mark.parametrize("status", [100, 180, 486])
def test_whoever_said_anything_is_waited_for(status: int) -> None:
    bench = Bench()
    usage = bench.agent.invite(WISH, 0.0)
    (invite,) = bench.sent()
    bench.put(response(invite, status, "b"))
    bench.events()
    bench.pass_time(20.0)
    assert bench.events() == []
    assert usage.is_over is (status == 486)


def test_a_call_that_is_cancelled_meanwhile_has_its_own_end() -> None:
    bench = Bench()
    usage = bench.agent.invite(WISH, 0.0)
    bench.agent.cancel(usage, 0.0)
    bench.pass_time(20.0)
    assert bench.events() == []


def test_what_waits_for_a_connection_because_of_its_size_is_tried_by_udp_first() -> None:
    bench = Bench()
    bench.agent.invite(replace(WISH, body=LARGE), 0.0)
    bench.pass_time(5.0)
    assert bench.events() == []
    bench.agent.flow_failed(PEER._replace(transport="tcp"), 5.0)
    (copy,) = bench.sent()
    assert copy.startswith(b"INVITE ") and bench.events() == []
    bench.pass_time(4.0)
    assert [type(event) for event in bench.events()] == [InviteFailed]


@pytest.mark.parametrize("seconds", [0.0, 4.0])
def test_a_connection_that_nobody_says_anything_on_is_left_for_udp(seconds: float) -> None:
    """As of a firewall that accepts for a server without TCP: it stands, and so never fails."""
    bench = Bench()
    usage = bench.agent.invite(replace(WISH, body=LARGE, try_seconds=seconds), 0.0)
    ((first, flow),) = bench.agent.datagrams()
    assert flow == PEER._replace(transport="tcp")
    assert bench.pass_time(7.9) == [] and bench.events() == []
    bench.now = 8.0
    bench.agent.handle_timer(8.0)
    ((copy, flow),) = bench.agent.datagrams()
    assert flow == PEER and parse(copy).branch == parse(first).branch
    bench.agent.invite(replace(WISH, body=LARGE), bench.now)
    assert [flow for _, flow in bench.agent.datagrams()] == [PEER], "nor is it asked there again soon"
    bench.pass_time(3.9)
    assert bench.events() == []
    bench.pass_time(0.2)
    assert [event.usage is usage for event in bench.events()][:1] == ([True] if seconds else [False])  # type: ignore[union-attr]


def test_for_a_caller_that_gave_up_nobody_is_asked_by_udp() -> None:
    bench = Bench()
    usage = bench.agent.invite(replace(WISH, body=LARGE), 0.0)
    bench.sent()
    bench.pass_time(3.0)
    bench.agent.cancel(usage, bench.now)
    assert bench.pass_time(40.0) == []
    assert bench.kinds() == ["InviteFailed"]
    assert not any(bench.agent.sizes().values())


def test_a_connection_on_which_it_rings_is_not_left() -> None:
    bench = Bench()
    bench.agent.invite(replace(WISH, body=LARGE), 0.0)
    (invite,) = bench.sent()
    bench.put(response(invite, 100))
    assert bench.pass_time(20.0) == [] and bench.events() == []


def test_an_offer_inside_a_call_is_left_no_more_alone_than_an_invite() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "UPDATE", 0.0, LARGE)
    bench.pass_time(7.9)
    bench.agent.datagrams()
    bench.now = 8.0
    bench.agent.handle_timer(8.0)
    assert [flow for _, flow in bench.agent.datagrams()] == [PEER]


def test_where_there_is_nowhere_to_go_timer_b_decides() -> None:
    bench = Bench()
    bench.agent.invite(replace(WISH, try_seconds=0.0, flow=Flow("udp", "192.0.2.8", 5060)), 0.0)
    bench.pass_time(31.0)
    assert bench.events() == []
    bench.pass_time(2.0)
    assert [type(event) for event in bench.events()] == [InviteFailed]
