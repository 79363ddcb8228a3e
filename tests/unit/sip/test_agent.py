"""Two agents in memory: whole calls."""

from __future__ import annotations

import gc

import pytest

from maskline.sip.events import (
    ByeFinished,
    Event,
    InviteAcked,
    InviteAnswered,
    InviteFailed,
    InviteProgress,
    InviteReceived,
    RequestFinished,
    RequestReceived,
)
from maskline.sip.invite_usage import InviteUsage, UsageState
from tests.support.sip_network import ANSWER, OFFER, Network, Peer, is_idle, outgoing


def acknowledging(peer: Peer, event: Event, now: float) -> None:
    if isinstance(event, InviteAnswered):
        peer.agent.ack(event.usage, now)


def answering(peer: Peer, event: Event, now: float) -> None:
    if isinstance(event, InviteReceived):
        peer.agent.progress(event.usage, 180, now)
        peer.agent.answer(event.usage, now, ANSWER)


def pair(callee_handler: object = answering, **network: object) -> tuple[Network, Peer, Peer]:
    net = Network(**network)  # type: ignore[arg-type]
    caller = net.peer("caller", "192.0.2.1", acknowledging)
    callee = net.peer("callee", "192.0.2.2", callee_handler)  # type: ignore[arg-type]
    return net, caller, callee


def test_a_call_is_set_up_and_ended_by_the_caller() -> None:
    net, caller, callee = pair()
    usage = caller.agent.invite(outgoing(callee), net.now)
    usage.owner = object()
    net.run(1)
    assert usage.state is UsageState.CONFIRMED
    assert net.ladder() == [
        "INVITE sip:+15550100@192.0.2.2 SIP/2.0", "SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK",
        "ACK sip:192.0.2.2:5060 SIP/2.0",
    ]  # fmt: skip
    caller.agent.bye(usage, net.now, (("Reason", "Q.850;cause=16"),))
    net.run(1)
    assert caller.kinds() == ["InviteProgress", "InviteAnswered", "ByeFinished"]
    assert callee.kinds() == ["InviteReceived", "InviteAcked", "ByeReceived"]
    bye = callee.seen[-1].request  # type: ignore[union-attr]
    assert bye.q850_cause == 16
    assert usage.is_over
    caller.agent.events()
    assert usage.owner is None
    net.run(40)
    assert is_idle(caller)
    assert is_idle(callee)


def test_a_call_is_ended_by_the_callee() -> None:
    net, caller, callee = pair()
    caller.agent.invite(outgoing(callee), net.now)
    net.run(1)
    callee.agent.bye(callee.seen[0].usage, net.now)  # type: ignore[union-attr]
    net.run(1)
    assert caller.kinds()[-1] == "ByeReceived"
    assert callee.last(ByeFinished).status == 200  # type: ignore[attr-defined]
    net.run(40)
    assert is_idle(caller)
    assert is_idle(callee)


def test_what_the_callee_reads_is_what_the_caller_wrote() -> None:
    net, caller, callee = pair()
    caller.agent.invite(outgoing(callee, max_forwards=17, headers=(("Privacy", "id"),)), net.now)
    net.run(1)
    request = callee.seen[0].request  # type: ignore[union-attr]
    assert (request.request_uri.user, request.from_uri.user) == ("+15550100", "+15550101")
    assert (request.max_forwards, request.header("Privacy"), request.body) == (17, "id", OFFER)
    assert request.contact.uri_text == "sip:192.0.2.1:5060"


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_a_refused_call_is_acknowledged_by_the_transaction(status: int) -> None:
    def rejecting(peer: Peer, event: Event, now: float) -> None:
        if isinstance(event, InviteReceived):
            peer.agent.reject(event.usage, status, now, "No", (("Retry-After", "5"),))

    net, caller, callee = pair(rejecting)
    caller.agent.invite(outgoing(callee), net.now)
    net.run(1)
    failed = caller.last(InviteFailed)
    assert (failed.status, failed.response.reason, failed.response.retry_after) == (status, "No", 5)  # type: ignore[attr-defined]
    assert len(net.sent(b"ACK")) == 1
    net.run(40)
    assert is_idle(caller)
    assert is_idle(callee)


def test_a_call_nobody_answers_ends_after_timer_b() -> None:
    net, caller, callee = pair(drop=lambda data, to: True)
    usage = caller.agent.invite(outgoing(callee), net.now)
    net.run(31.9)
    assert caller.kinds() == []
    net.run(0.2)
    assert (caller.last(InviteFailed).status, usage.is_over) == (408, True)  # type: ignore[attr-defined]
    assert len(net.sent(b"INVITE")) == 7
    assert is_idle(caller)


def test_cancel_waits_for_the_first_response() -> None:
    net, caller, callee = pair(None)
    usage = caller.agent.invite(outgoing(callee), net.now)
    caller.agent.cancel(usage, net.now)
    net.pump()
    assert net.ladder() == ["INVITE sip:+15550100@192.0.2.2 SIP/2.0"]
    net.run(1)
    assert callee.kinds() == ["InviteReceived", "InviteCancelled"]
    assert caller.last(InviteFailed).status == 487  # type: ignore[attr-defined]
    assert net.sent(b"SIP/2.0 200 OK")[0].count(b"CSeq: 1 CANCEL") == 1
    net.run(40)
    assert is_idle(caller)
    assert is_idle(callee)


def test_a_ringing_call_is_cancelled_at_once_and_bye_means_the_same() -> None:
    def ringing(peer: Peer, event: Event, now: float) -> None:
        if isinstance(event, InviteReceived):
            peer.agent.progress(event.usage, 183, now, ANSWER)

    net, caller, callee = pair(ringing)
    usage = caller.agent.invite(outgoing(callee), net.now)
    net.run(1)
    assert caller.last(InviteProgress).response.body == ANSWER  # type: ignore[attr-defined]
    caller.agent.bye(usage, net.now)
    net.run(1)
    assert caller.last(InviteFailed).status == 487  # type: ignore[attr-defined]
    net.run(40)
    assert is_idle(caller)
    assert is_idle(callee)


def test_a_2xx_that_crosses_cancel_is_acknowledged_and_hung_up() -> None:
    net, caller, callee = pair(None)
    usage = caller.agent.invite(outgoing(callee), net.now)
    net.run(0.5)
    caller.agent.cancel(usage, net.now)
    callee.agent.answer(callee.seen[0].usage, net.now, ANSWER)  # type: ignore[union-attr]
    net.run(1)
    failed = caller.last(InviteFailed)
    assert (failed.status, failed.response) == (487, None)  # type: ignore[attr-defined]
    assert callee.kinds() == ["InviteReceived", "InviteAcked", "ByeReceived"]
    assert "InviteAnswered" not in caller.kinds()
    net.run(40)
    assert is_idle(caller)
    assert is_idle(callee)


def test_a_cancelled_call_without_final_response_ends_after_64_t1() -> None:
    net, caller, callee = pair(None)
    usage = caller.agent.invite(outgoing(callee), net.now)
    net.run(1)
    net.drop = lambda data, to: to == caller.flow
    caller.agent.cancel(usage, net.now)
    net.run(31)
    assert caller.kinds() == []
    net.run(2)
    assert caller.last(InviteFailed).status == 487  # type: ignore[attr-defined]
    net.run(40)
    assert is_idle(caller)


def test_a_lost_ack_is_repeated_with_each_copy_of_the_2xx() -> None:
    net, caller, callee = pair()
    lost: list[bytes] = []

    def drop_two_acks(data: bytes, to: object) -> bool:
        if data.startswith(b"ACK") and len(lost) < 2:
            lost.append(data)
            return True
        return False

    net.drop = drop_two_acks
    caller.agent.invite(outgoing(callee), net.now)
    net.run(5)
    assert callee.kinds() == ["InviteReceived", "InviteAcked"]
    assert caller.kinds() == ["InviteProgress", "InviteAnswered"]
    assert len(set(net.sent(b"ACK"))) == 1


def test_a_2xx_nobody_acknowledges_is_reported_after_64_t1() -> None:
    net, caller, callee = pair(drop=lambda data, to: data.startswith(b"ACK"))
    caller.agent.invite(outgoing(callee), net.now)
    net.run(33)
    assert callee.kinds() == ["InviteReceived", "AckMissing"]
    callee.agent.bye(callee.seen[0].usage, net.now)  # type: ignore[union-attr]
    net.run(1)
    assert caller.kinds()[-1] == "ByeReceived"
    net.run(40)
    assert is_idle(caller)
    assert is_idle(callee)


def test_a_callee_that_hangs_up_at_once_waits_for_the_ack() -> None:
    def answer_and_hang_up(peer: Peer, event: Event, now: float) -> None:
        answering(peer, event, now)
        if isinstance(event, InviteReceived):
            peer.agent.bye(event.usage, now)

    net, caller, callee = pair(answer_and_hang_up)
    caller.agent.invite(outgoing(callee), net.now)
    net.run(1)
    methods = [line.split()[0] for line in net.ladder() if not line.startswith("SIP")]
    assert methods == ["INVITE", "ACK", "BYE"]
    assert callee.kinds() == ["InviteReceived", "ByeFinished"]


def test_byes_that_cross_end_the_call_on_both_sides() -> None:
    net, caller, callee = pair()
    usage = caller.agent.invite(outgoing(callee), net.now)
    net.run(1)
    caller.agent.bye(usage, net.now)
    callee.agent.bye(callee.seen[0].usage, net.now)  # type: ignore[union-attr]
    net.run(1)
    assert caller.kinds()[-1] == callee.kinds()[-1] == "ByeFinished"
    net.run(40)
    assert is_idle(caller)
    assert is_idle(callee)


def test_a_lost_bye_times_out() -> None:
    net, caller, callee = pair()
    usage = caller.agent.invite(outgoing(callee), net.now)
    net.run(1)
    net.drop = lambda data, to: True
    caller.agent.bye(usage, net.now)
    net.run(33)
    assert caller.last(ByeFinished).status == 408  # type: ignore[attr-defined]


def test_a_dead_flow_fails_what_waits_for_it() -> None:
    net, caller, callee = pair(None)
    caller.agent.invite(outgoing(callee), net.now)
    caller.agent.flow_failed(callee.flow, net.now)
    net.pump()
    assert caller.last(InviteFailed).status == 503  # type: ignore[attr-defined]
    caller.agent.flow_failed(callee.flow, net.now)
    assert is_idle(caller)


def test_options_outside_a_dialog_are_asked_and_answered() -> None:
    def alive(peer: Peer, event: Event, now: float) -> None:
        if isinstance(event, RequestReceived):
            assert event.usage is None
            peer.agent.respond(event.key, 200, now)

    net, caller, callee = pair(alive)
    caller.agent.options(callee.flow, "sip:192.0.2.2", "sip:192.0.2.1", "sip:192.0.2.2", net.now)
    net.run(1)
    finished = caller.last(RequestFinished)
    assert (finished.usage, finished.method, finished.status, finished.flow) == (None, "OPTIONS", 200, callee.flow)  # type: ignore[attr-defined]
    assert b"Accept: application/sdp" in net.sent(b"SIP/2.0 200")[0]
    net.run(40)
    assert is_idle(caller)
    assert is_idle(callee)


def test_a_late_offer_is_answered_in_the_ack() -> None:
    def acknowledge_with_answer(peer: Peer, event: Event, now: float) -> None:
        if isinstance(event, InviteAnswered):
            peer.agent.ack(event.usage, now, ANSWER)

    net, caller, callee = pair()
    caller.handler = acknowledge_with_answer
    caller.agent.invite(outgoing(callee, body=b""), net.now)
    net.run(1)
    assert callee.last(InviteAcked).body == ANSWER  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(60))
def test_calls_survive_a_bad_network(seed: int) -> None:
    net, caller, callee = pair(seed=seed, loss=0.2, duplication=0.2, jitter=0.4)
    usage = caller.agent.invite(outgoing(callee), net.now)
    net.run(60)
    hanging_up, other = (caller, callee) if seed % 2 else (callee, caller)
    for event in hanging_up.seen:
        if isinstance(event, (InviteReceived, InviteAnswered)):
            hanging_up.agent.bye(event.usage, net.now)
            break
    net.run(80)
    assert usage.is_over
    assert is_idle(caller), caller.agent.sizes()
    assert is_idle(callee), callee.agent.sizes()
    for peer in (caller, callee):
        assert peer.kinds().count("InviteAnswered") <= 1
        assert peer.kinds().count("InviteReceived") <= 1
    assert other.kinds()[-1] in ("ByeReceived", "ByeFinished", "InviteFailed", "AckMissing")


class Owner:
    """What a user hangs on a usage: it points back, as an engine's leg does."""

    def __init__(self, usage: InviteUsage) -> None:
        self.usage = usage
        usage.owner = self


def test_finished_calls_leave_no_cycles_for_the_collector() -> None:
    def owning(peer: Peer, event: Event, now: float) -> None:
        if isinstance(event, InviteReceived):
            Owner(event.usage)
        answering(peer, event, now)

    net, caller, callee = pair(owning)
    gc.collect()
    gc.disable()
    try:
        for ending in (caller.agent.bye, caller.agent.cancel):
            usage = caller.agent.invite(outgoing(callee), net.now)
            Owner(usage)
            net.run(1 if ending == caller.agent.bye else 0)
            ending(usage, net.now)
            net.run(100)
            del usage
        caller.seen.clear()
        callee.seen.clear()
        caller.agent.events()
        callee.agent.events()
        assert gc.collect() == 0
    finally:
        gc.enable()
