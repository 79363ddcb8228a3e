"""A session has one call at a time, and a call that is forgotten leaves nothing behind."""

from __future__ import annotations

from maskline.clock import VirtualClock
from maskline.engine.call_book import CallBook
from maskline.ids import SeededIds
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.events import Flow


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
