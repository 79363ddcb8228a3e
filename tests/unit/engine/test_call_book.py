"""A session has one call at a time, a call that comes round is known by its likes, and one that is forgotten leaves
nothing behind. Whole rings of installations are in tests/sim/test_loops.py."""

from __future__ import annotations

from dataclasses import replace

from maskline.clock import VirtualClock
from maskline.engine import inputs as i
from maskline.engine.call import Call
from maskline.engine.call_book import MOST_AHEAD, MOST_ALIKE, CallBook
from maskline.engine.call_states import LegState
from maskline.ids import SeededIds
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, HungUpBy, Outcome
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.events import Flow
from tests.support.call_machine import received


def book() -> CallBook:
    return CallBook(SeededIds(1), VirtualClock(), relay=True)


def test_a_session_takes_one_call_until_that_one_leaves():
    calls = book()
    first, second = calls.open(0.0), calls.open(0.0)
    assert calls.enter(first, "s") and calls.enter(first, "s")
    assert not calls.enter(second, "s")
    assert calls.in_session("s") is first
    calls.leave(second)
    assert calls.in_session("s") is first, "a call that was refused frees nothing"
    calls.leave(first)
    assert calls.in_session("s") is None and calls.enter(second, "s")


def test_a_call_that_only_waits_for_its_media_is_in_nobodys_way() -> None:
    calls = book()
    first, second = calls.open(0.0), calls.open(0.0)
    calls.enter(first, "s")
    first.record.close(1.0, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER)
    assert calls.enter(second, "s") and calls.in_session("s") is second
    calls.leave(first)
    assert calls.in_session("s") is second, "the session is no more the first one's to free"
    calls.leave(second)
    assert calls.in_session("s") is None


def test_a_call_may_have_an_id_already():
    calls = book()
    assert calls.open(0.0, inbound=False, call_id="told-to-the-customer").id == "told-to-the-customer"
    assert calls.open(0.0).id != "" and len(calls.calls) == 2


def test_two_sessions_do_not_wait_for_each_other():
    calls = book()
    assert calls.enter(calls.open(0.0), "s") and calls.enter(calls.open(0.0), "t")


def test_a_forgotten_call_frees_its_session_and_its_dialogs():
    calls = book()
    call = calls.open(0.0)
    calls.enter(call, "s")
    agent = Agent(AgentConfig("203.0.113.1", 5060), SeededIds(2))
    flow = Flow("udp", "192.0.2.10", 5060)
    usage = call.leg_a.usage = agent.invite(OutgoingInvite(flow, "sip:a@b", "sip:c@d", "sip:a@b", b""), 0.0)
    usage.owner = call.leg_a
    calls.forget(call)
    assert calls.calls == {} and calls.in_session("s") is None
    assert usage.owner is None and call.leg_a.usage is None and call.leg_a.call is None


def called(calls: CallBook, hops: int = 70, **changes: object) -> Call:
    """A call that has asked whose it is."""
    call = calls.open(0.0)
    offer: i.Received = replace(received(max_forwards=hops), **changes)  # type: ignore[arg-type]
    call.handle(offer, 0.0, [])
    return call


def test_a_firm_whose_telephones_show_one_number_may_ring_a_few_times_at_once() -> None:
    calls_of = book()
    calls = [called(calls_of) for _ in range(MOST_ALIKE + 1)]
    assert [calls_of.has_come_back(call) for call in calls] == [False] * MOST_ALIKE + [True]
    other = called(calls_of, caller=Number("6590009009"))
    assert not calls_of.has_come_back(other)


def test_calls_that_were_answered_count_no_more() -> None:
    calls_of = book()
    for _ in range(3 * MOST_ALIKE):
        call = called(calls_of)
        assert not calls_of.has_come_back(call)
        call.leg_a.state = LegState.TALKING


def test_a_call_with_fewer_hops_than_its_likes_has_come_round() -> None:
    calls_of = book()
    for hops in range(70, 70 - MOST_AHEAD, -1):
        assert not calls_of.has_come_back(called(calls_of, hops))
    assert not calls_of.has_come_back(called(calls_of, 70))  # somebody else, who came as far as the first
    assert calls_of.has_come_back(called(calls_of, 60))


def test_callers_without_number_are_not_likes() -> None:
    calls_of = book()
    assert not any(calls_of.has_come_back(called(calls_of, caller=None)) for _ in range(3 * MOST_ALIKE))


def test_nothing_is_kept_of_calls_that_are_over() -> None:
    calls_of = book()
    calls = [called(calls_of) for _ in range(5)]
    for call in calls[:4]:
        calls_of.has_come_back(call)
    for call in calls:
        calls_of.forget(call)
    assert not calls_of.calls and not calls_of._alike and not calls_of._alike_of
