"""Offers that cross (RFC 3261 §14.1): who waits how long, how often, and who hears of it."""

from __future__ import annotations

import pytest

from maskline.sip.events import RequestFinished, RequestReceived
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.parser import parse
from tests.support.sip_wire import SDP, Bench, read_request, request, response


def methods(sent: list[bytes]) -> list[str]:
    return [read_request(data).method for data in sent]


def until_sent(bench: Bench, limit: float = 10.0) -> bytes:
    """The next datagram, and `bench.now` at its time."""
    end = bench.now + limit
    while bench.now < end:
        sent = bench.pass_time(0.01)
        if sent:
            return sent[0]
    raise AssertionError("nothing was sent")


@pytest.mark.parametrize(
    ("is_ours", "least", "most"), [(True, 2.1, 4.0), (False, 0.0, 2.0)], ids=["our Call-ID", "their Call-ID"]
)
def test_the_delay_after_a_491_depends_on_whose_call_id_it_is(is_ours: bool, least: float, most: float) -> None:
    delays = set()
    for turn in range(12):
        bench = Bench()
        for _ in range(turn):
            bench.agent._core.ids.token(2)  # another chance
        usage = bench.connected()[0] if is_ours else bench.answered()
        bench.agent.request(usage, "INVITE", bench.now, SDP)
        (invite,) = bench.sent()
        bench.put(response(invite, 491))
        began = bench.now
        again = until_sent(bench)
        delays.add(round(bench.now - began, 2))
        assert read_request(again).cseq == read_request(invite).cseq + 1
        assert read_request(again).body == SDP
        assert bench.kinds() == []
    assert least <= min(delays)
    assert max(delays) <= most + 0.01
    assert len(delays) > 5


def test_the_last_answer_only_is_told() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    bench.put(response(bench.sent()[0], 491))
    bench.put(response(until_sent(bench), 200, body=SDP))
    (event,) = bench.events()
    assert isinstance(event, RequestFinished)
    assert (event.status, usage.offer, usage.pending) == (200, None, None)


@pytest.mark.parametrize("is_ours", [True, False])
def test_it_asks_for_as_long_as_the_other_side_may_wait_for_our_ack(is_ours: bool) -> None:
    """Whose ACKs are lost refuses every offer for 64*T1 and is then done with it."""
    bench = Bench()
    usage = bench.connected()[0] if is_ours else bench.answered()
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    data, began, pauses = bench.sent()[0], bench.now, list[float]()
    while not (events := bench.events()):
        bench.put(response(data, 491))
        asked = bench.now
        if usage.offer is not None:
            data = until_sent(bench)
            pauses.append(bench.now - asked)
    assert 32.0 <= bench.now - began < 38.0
    assert max(pauses[:5]) < 4.02 and min(pauses[5:]) > 2.0 and len(pauses) < 25
    (event,) = events
    assert isinstance(event, RequestFinished)
    assert (event.status, event.response is None) == (491, False)


def their_offer(bench: Bench, usage: InviteUsage) -> RequestReceived:
    bench.put(request("UPDATE", branch="theirs", cseq=9, to_tag=usage.id, body=SDP))
    event = bench.events()[-1]
    assert isinstance(event, RequestReceived)
    return event


def test_an_offer_waits_while_theirs_is_open() -> None:
    bench = Bench()
    usage = bench.answered()
    theirs = their_offer(bench, usage)
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    assert bench.sent() == []
    bench.agent.respond(theirs.key, 200, bench.now, SDP)
    bench.sent()
    assert methods([until_sent(bench)]) == ["UPDATE"]


def test_an_offer_does_not_wait_for_ever() -> None:
    bench = Bench()
    usage = bench.answered()
    their_offer(bench, usage)
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    assert bench.pass_time(60) == []
    (event,) = bench.events()
    assert isinstance(event, RequestFinished)
    assert (event.status, event.response, usage.offer) == (491, None, None)


def test_the_end_of_the_dialog_ends_the_wait() -> None:
    bench = Bench()
    usage = bench.answered()
    their_offer(bench, usage)
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    bench.put(request("BYE", branch="bye", cseq=10, to_tag=usage.id))
    assert bench.kinds() == ["ByeReceived"]
    bench.pass_time(40)
    assert not any(bench.agent.sizes().values())


def test_our_own_bye_ends_it_as_well() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    bench.put(response(bench.sent()[0], 491))
    bench.agent.bye(usage, bench.now)
    assert set(methods(bench.pass_time(5))) == {"BYE"}
    (event,) = bench.events()
    assert isinstance(event, RequestFinished)
    assert event.status == 491


def test_a_491_behind_our_bye_is_the_last_answer() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    (update,) = bench.sent()
    bench.agent.bye(usage, bench.now)
    bench.put(response(update, 491))
    assert bench.kinds() == ["RequestFinished"]


def test_before_the_answer_an_update_waits_unless_the_first_offer_is_answered() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 183, "b1", body=SDP))
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    assert bench.sent() == []
    bench.put(response(invite, 183, "b1", "Require: 100rel\r\nRSeq: 1\r\n", SDP))
    update = next(data for data in bench.pass_time(5) if parse(data).cseq_method == "UPDATE")
    assert read_request(update).body == SDP


def test_a_491_to_what_is_no_offer_is_told() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "INFO", bench.now)
    bench.put(response(bench.sent()[0], 491))
    assert bench.kinds() == ["RequestFinished"]


def test_the_answer_to_an_info_leaves_a_waiting_offer_alone() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    (update,) = bench.sent()
    bench.put(response(update, 491))
    bench.agent.request(usage, "INFO", bench.now)
    bench.put(response(bench.sent()[0], 200))
    assert usage.offer is not None
    assert methods([until_sent(bench)]) == ["UPDATE"]
