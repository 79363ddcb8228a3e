"""What the core does beside carrying calls; whole calls are in tests/sim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maskline.clock import VirtualClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.account_gate import AccountGate
from maskline.engine.call import Call
from maskline.engine.core import EngineConfig, EngineCore, UnknownNumber
from maskline.ids import SeededIds
from maskline.masking.decision import Refuse, StartCall
from maskline.masking.facts import Cause, HungUpBy, LegName, Outcome
from maskline.masking.limits import Limits
from maskline.masking.permit import Dialled, Permit
from maskline.masking.trunk import Trunk, TrunkLimits
from maskline.masking.usage_book import UsageBook
from maskline.media import port
from maskline.media.port import MediaLost
from maskline.sip import events as sip
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.events import Flow
from maskline.sip.parser import parse
from tests.support.call_machine import CALLER, SAY, TRUNK_A, forward, start_flow
from tests.support.engine_world import World, clean
from tests.support.sim_scenario import B_SDP, BOB, ENGINE, Scenario

CARRIER, STRANGER = Flow("udp", "192.0.2.10", 5060), Flow("udp", "192.0.2.66", 5060)


class Bench:
    """A core and the trunks it knows."""

    def __init__(self, *hosts: str) -> None:
        self.trunks = tuple(Trunk(host, host, None, host, 5060) for host in hosts)
        agent = Agent(AgentConfig(ENGINE.host, ENGINE.port), SeededIds(1))
        config = EngineConfig(ENGINE.host, "mine")
        self.core = EngineCore(config, agent, SeededIds(2), VirtualClock(), lambda: self.trunks)

    def send(self, method: str = "OPTIONS", flow: Flow = CARRIER, to: str = "+6531590001", extra: str = "") -> bool:
        return self.core.receive(
            (
                f"{method} sip:{to}@203.0.113.1 SIP/2.0\r\nVia: SIP/2.0/UDP {flow.host};branch=z9hG4bK{method}{to}\r\n"
                f"From: <sip:+6591112222@{flow.host}>;tag=1\r\nTo: <sip:{to}@203.0.113.1>\r\nCall-ID: {method}{to}\r\n"
                f"Contact: <sip:{flow.host}>\r\nCSeq: 1 {method}\r\n{extra}Content-Length: 0\r\n\r\n"
            ).encode(),
            flow,
            0.0,
        )

    def statuses(self) -> list[int]:
        return [parse(data).status for data, _ in self.core.datagrams()]  # type: ignore[union-attr]


def test_only_the_trunks_that_are_to_prove_themselves_are_asked() -> None:
    bench = Bench("192.0.2.10", "192.0.2.11")
    asking = replace(bench.trunks[0], username="u", password="p", challenge=True)
    bench.trunks = (asking, bench.trunks[1])
    other = Flow("udp", "192.0.2.11", 5060)
    assert bench.send("INVITE") and bench.statuses() == [401]
    assert bench.send("INVITE", other) and bench.statuses() == [100]
    assert bench.send("OPTIONS") and bench.statuses() == [200]
    assert bench.send("INVITE", Flow("tcp", "192.0.2.10", 5060), "+6531590002") and bench.statuses() == [401]
    assert bench.send("INVITE", Flow("tls", "192.0.2.10", 5060), "+6531590003") and bench.statuses() == [100, 404]


def test_a_stranger_gets_silence_and_is_counted() -> None:
    bench = Bench("192.0.2.10")
    assert not bench.send(flow=STRANGER)
    assert bench.core.datagrams() == [] and bench.core.counters.strangers == 1


def test_trunks_are_read_again_when_they_change() -> None:
    bench = Bench()
    assert not bench.send()
    bench.trunks = Bench("192.0.2.10").trunks
    assert bench.send()
    bench.trunks = ()
    assert not bench.send()


def test_options_is_answered_and_while_draining_refused() -> None:
    bench = Bench("192.0.2.10")
    bench.send()
    ((data, flow),) = bench.core.datagrams()
    assert parse(data).status == 200 and b"Allow: " in data and flow == CARRIER  # type: ignore[union-attr]
    bench.core.draining = True
    bench.send(to="+6531590002")
    assert bench.statuses() == [503]


def test_a_draining_engine_takes_no_new_call() -> None:
    bench = Bench("192.0.2.10")
    bench.core.draining = True
    bench.send("INVITE")
    _, (refusal, _) = bench.core.datagrams()
    assert refusal.startswith(b"SIP/2.0 503 ") and b"Retry-After: " in refusal
    assert not bench.core.calls and bench.core.counters.drained == 1


def test_a_request_uri_that_is_no_number_is_not_found() -> None:
    bench = Bench("192.0.2.10")
    bench.send("INVITE", to="echo")
    assert bench.statuses() == [100, 404] and bench.core.counters.unknown_numbers == 1
    assert bench.core.last_unknown == UnknownNumber("no number", "192.0.2.10")


@pytest.mark.parametrize(
    ("context", "statuses", "unknown"),
    [("other.example", [100, 404], "no number"), ("192.0.2.10", [100], ""), ("203.0.113.1", [100], "")],
)
def test_a_dialled_number_is_of_where_its_context_says(context: str, statuses: list[int], unknown: str) -> None:
    bench = Bench("192.0.2.10")
    bench.send("INVITE", to=f"6531590001;phone-context={context}")
    assert bench.statuses() == statuses
    assert bench.core.last_unknown.number == unknown


def test_a_trunk_of_another_transport_is_no_trunk() -> None:
    bench = Bench()
    bench.trunks = (Trunk("t", "t", None, "192.0.2.10", 5060, transport="tcp"),)
    bench.send("INVITE")
    assert bench.statuses() == [100, 404]
    assert bench.core.last_unknown == UnknownNumber("+65••••0001", "192.0.2.10")


def test_our_own_mark_breaks_the_loop() -> None:
    bench = Bench("192.0.2.10")
    bench.send("INVITE", extra="Maskline-Loop: mine\r\nMax-Forwards: 12\r\n")
    ((call_id, _),) = bench.core.work()
    bench.core.datagrams()
    world = World(1, Scenario(refused=Cause.UNKNOWN_CALLER))
    bench.core.deliver(call_id, world.decision(), 0.0)
    assert bench.statuses() == [482]
    (commit,) = bench.core.commits()
    assert commit.record is not None and commit.record.cause is Cause.LOOP
    assert bench.core.counters.outcomes == {Outcome.REJECTED.value: 1} and not bench.core.calls


def test_results_for_a_call_that_is_gone_are_dropped() -> None:
    bench = Bench("192.0.2.10")
    bench.core.deliver("gone", i.MediaClosed({}), 0.0)
    bench.core.media_event(MediaLost("gone"), 0.0)
    assert bench.core.counters.media_failed == 0


def test_an_unreachable_callee_ends_the_call_at_once() -> None:
    world = World(1, Scenario(bob_dies=0.0))
    world.schedule(1.0, lambda now: (world.core.flow_failed(BOB, now), world.pump(now)))
    world.run().check()
    assert (world.record.cause, world.record.legs[1].sip_status) == (Cause.NETWORK_ERROR, 503)
    assert world.record.ended_at - world.record.started_at < 1.1


@pytest.mark.parametrize("status", [181, 182])
def test_what_is_to_be_heard_with_181_or_182_is_heard_as_183(status: int) -> None:
    """An announcement of the network, or the music of a queue."""
    world = clean(Scenario(rings=((0.5, status, B_SDP), (1.0, 199, b""))))
    assert [data[8:11] for data in world.to_alice if b" INVITE\r\n" in data][:3] == [b"100", b"183", b"200"]
    assert world.core.counters.dropped_progress == 1


def test_181_is_not_passed() -> None:
    world = clean(Scenario(rings=((0.5, 181, b""),)))
    assert world.core.counters.dropped_progress == 1
    assert not any(data.startswith(b"SIP/2.0 181") for data in world.to_alice)


def press(body: bytes, content_type: str) -> World:
    """A call in which Bob sends one INFO while both talk."""
    world = World(1, Scenario())

    def send(now: float) -> None:
        assert world.bob.usage is not None
        world.bob.agent.request(world.bob.usage, "INFO", now, body, content_type)

    world.schedule(5.0, send)
    world.run().check()
    return world


def test_info_inside_a_leg_is_answered_and_goes_no_further() -> None:
    world = press(b"Signal=5\r\nDuration=160\r\n", "application/dtmf-relay")
    assert [event.status for event in world.bob.heard if type(event).__name__ == "RequestFinished"] == [200]
    assert not any(data.startswith(b"INFO") for data in world.to_alice)
    assert world.core.counters.dropped_info == 0


def test_info_that_tells_of_no_key_is_counted_and_what_nobody_can_read_refused() -> None:
    world = press(b"<media_control/>", "application/media_control+xml")
    (finished,) = [event for event in world.bob.heard if isinstance(event, sip.RequestFinished)]
    assert finished.status == 415 and finished.response is not None
    assert finished.response.header("accept") == "application/dtmf-relay, application/dtmf"
    assert world.core.counters.dropped_info == 1


class Told:
    """What the call machine is given, in place of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inputs: list[i.Input] = []
        handle = Call.handle

        def note(call: Call, inp: i.Input, now: float, out: list[e.Effect]) -> None:
            self.inputs.append(inp)
            handle(call, inp, now, out)

        monkeypatch.setattr(Call, "handle", note)


def test_a_key_sent_by_info_reaches_the_call_as_a_digit_of_its_leg(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    press(b"#", "application/dtmf")
    assert [inp for inp in told.inputs if isinstance(inp, i.Digit)] == [i.Digit(LegName.B, "#", by_info=True)]


@pytest.mark.parametrize(
    ("event", "inp"),
    [
        (port.MediaTimedOut("x"), i.Stopped(Cause.MEDIA_TIMEOUT)),
        (port.MediaLost("x"), i.Stopped(Cause.MEDIA_UNAVAILABLE)),
        (port.PlayDone("x", LegName.A, 3), i.PlayDone(LegName.A, 3)),
        (port.DigitPressed("x", LegName.B, "7"), i.Digit(LegName.B, "7")),
        (port.RecordingLost("x"), i.RecordingOff("lost")),
    ],
)
def test_what_the_driver_tells_reaches_its_call(
    monkeypatch: pytest.MonkeyPatch, event: port.MediaEvent, inp: i.Input
) -> None:
    told = Told(monkeypatch)
    bench = Bench("192.0.2.10")
    bench.send("INVITE")
    (call_id,) = bench.core.calls
    bench.core.media_event(replace(event, call_id=call_id), 0.0)
    bench.core.media_event(replace(event, call_id="gone"), 0.0)
    assert told.inputs[1:] == [inp]
    assert bench.core.counters.recordings_cut == int(inp == i.RecordingOff("lost"))


def test_a_shutdown_hangs_everything_up() -> None:
    world = World(1, Scenario())
    world.schedule(5.0, lambda now: (world.core.stop_calls(False, now), world.pump(now)))
    world.run().check()
    assert world.record.cause is Cause.SHUTDOWN and world.record.outcome is Outcome.COMPLETED


def test_calls_in_progress_can_be_looked_up() -> None:
    world = World(1, Scenario(rings=((0.5, 183, B_SDP),)))
    seen: list[int] = []
    world.schedule(2.0, lambda now: seen.append(len(world.core.calls)))
    world.run()
    assert seen == [1] and not world.core.calls


def requested() -> StartCall:
    return StartCall(forward(), CALLER, TRUNK_A)


def test_a_requested_call_takes_the_session_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    bench = Bench("192.0.2.10")
    assert bench.core.start_call(requested(), 0.0) is None
    assert told.inputs == [i.Requested(requested())]
    assert bench.core.start_call(requested(), 0.0) is Cause.SESSION_BUSY
    assert (len(bench.core.calls), bench.core.counters.requested_calls, bench.core.counters.calls) == (1, 1, 0)


@pytest.mark.parametrize(("state", "cause"), [("draining", Cause.SHUTDOWN), ("overloaded", Cause.CONGESTION)])
def test_no_requested_call_begins_while_new_calls_are_refused(state: str, cause: Cause) -> None:
    bench = Bench("192.0.2.10")
    setattr(bench.core, state, True)
    assert bench.core.start_call(requested(), 0.0) is cause and not bench.core.calls


def test_a_call_flow_by_api_begins_once_under_the_id_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    bench = Bench("192.0.2.10")
    for _ in range(2):
        assert bench.core.start_flow(start_flow(SAY), 0.0) is None
    assert told.inputs == [i.FlowRequested(start_flow(SAY))]
    assert list(bench.core.calls) == ["call-1"] and bench.core.counters.requested_calls == 1


@pytest.mark.parametrize(("state", "cause"), [("draining", Cause.SHUTDOWN), ("overloaded", Cause.CONGESTION)])
def test_no_call_flow_begins_while_new_calls_are_refused(state: str, cause: Cause) -> None:
    bench = Bench("192.0.2.10")
    setattr(bench.core, state, True)
    assert bench.core.start_flow(start_flow(SAY), 0.0) is cause and not bench.core.calls


def test_an_application_that_is_gone_with_its_number_is_no_unknown_number() -> None:
    bench = Bench("192.0.2.10")
    bench.core.start_flow(start_flow(SAY), 0.0)
    bench.core.deliver("call-1", i.Refused(Refuse(Cause.UNKNOWN_NUMBER, None)), 0.0)
    assert bench.core.counters.unknown_numbers == 0 and bench.core.faults() == []


def test_the_end_of_a_session_is_told_to_the_call_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    bench = Bench("192.0.2.10")
    forwarded(bench, "+6531590001")
    bench.core.session_ended("another", 1.0)
    assert not any(isinstance(inp, i.SessionEnded) for inp in told.inputs)
    bench.core.session_ended("session-1", 1.0)
    assert told.inputs[-1] == i.SessionEnded()


def test_a_requested_call_is_on_its_way_until_its_parties_talk() -> None:
    bench = Bench("192.0.2.10")
    assert bench.core.start_call(requested(), 0.0) is None
    (call,) = bench.core.calls.values()
    assert [session.id for session in bench.core.sessions_on_request()] == ["session-1"]
    call.talked = True
    assert bench.core.sessions_on_request() == []


def test_a_timer_goes_with_its_call() -> None:
    bench = Bench("192.0.2.10")
    call = bench.core._book.open(0.0)
    for seconds, timer in enumerate(i.TimerName, 5):
        bench.core._perform[e.StartTimer](call, e.StartTimer(seconds, timer), 0.0)
    bench.core._perform[e.StopTimer](call, e.StopTimer(), 0.0)
    assert bench.core.next_deadline() == 6.0
    bench.core._perform[e.Forget](call, e.Forget(), 0.0)
    assert bench.core.next_deadline() is None


def test_a_pin_that_is_found_right_after_the_call_ended_takes_no_session() -> None:
    bench = Bench("192.0.2.10")
    bench.send("INVITE")
    ((call_id, _),) = bench.core.work()
    call = bench.core.calls[call_id]
    call.record.close(1.0, Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER)
    bench.core.deliver(call_id, i.Forwarded(forward()), 1.0)
    assert bench.core._book.in_session("session-1") is None


def forwarded(bench: Bench, to: str) -> str:
    """Route one more call into the one session there is; returns its id."""
    bench.send("INVITE", to=to)
    ((call_id, _),) = bench.core.work()
    bench.core.deliver(call_id, i.Forwarded(forward(bench.trunks[0])), 0.0)
    return call_id


def test_of_two_calls_at_the_same_moment_the_second_hears_busy_until_the_first_is_over() -> None:
    bench = Bench("192.0.2.10")
    first = forwarded(bench, "+6531590001")
    bench.core.commits(), bench.core.datagrams(), bench.core.work()
    forwarded(bench, "+6531590002")
    assert bench.statuses() == [100, 486]
    (refused,) = bench.core.commits()
    assert refused.record is not None and refused.record.cause is Cause.SESSION_BUSY
    bench.core.deliver(first, i.MediaFailed(), 1.0)
    ((_, closing),) = bench.core.work()
    bench.core.deliver(first, i.MediaClosed({}), 1.0)
    assert first not in bench.core.calls
    third = forwarded(bench, "+6531590003")
    assert third in bench.core.calls and isinstance(closing, e.CloseMedia)


def test_a_trunk_carries_as_many_calls_as_its_limits_allow() -> None:
    bench = Bench("192.0.2.10")
    bench.trunks = (replace(bench.trunks[0], limits=TrunkLimits(concurrent=1)),)
    assert bench.send("INVITE") and bench.statuses() == [100]
    assert bench.send("INVITE", to="+6531590002")
    answers = [parse(data) for data, _ in bench.core.datagrams()]
    assert [(answer.status, answer.retry_after) for answer in answers] == [(100, None), (503, 5)]  # type: ignore[union-attr]
    assert (bench.core.counters.calls, bench.core.counters.trunk_full) == (1, 1)


def test_calls_that_were_there_before_their_trunk_had_limits_count() -> None:
    bench = Bench("192.0.2.10", "192.0.2.11")
    gate, calls = bench.core.gate, bench.core.calls
    gate.watch(bench.trunks, calls, 0.0)
    for last in (1, 2):
        assert bench.send("INVITE", to=f"+653159000{last}") and bench.statuses() == [100]
    free, other = bench.trunks
    bench.trunks = (replace(free, limits=TrunkLimits(calls_per_second=1.0, concurrent=3)), other)
    assert gate.has_room(bench.trunks[0], 0.0)
    for now in (1.0, 2.0):
        gate.watch(bench.trunks, calls, now)
    assert bench.send("INVITE", to="+6531590003") and bench.statuses() == [100], "the third"
    assert not gate.has_room(bench.trunks[0], 10.0)
    bench.trunks = (free, other)
    gate.watch(bench.trunks, calls, 11.0)
    bench.trunks = (replace(free, limits=TrunkLimits(concurrent=4)), other)
    gate.watch(bench.trunks, calls, 12.0)
    assert gate.has_room(bench.trunks[0], 12.0), "each has one place, however often the limit changes"
    for call_id in tuple(calls):
        bench.core.deliver(call_id, i.MediaFailed(), 13.0)
        bench.core.deliver(call_id, i.MediaClosed({}), 13.0)
        gate.leave(call_id)
    assert gate._state.calls(free.id) == 0


def limited(bench: Bench, **limits: Any) -> UsageBook:
    book = UsageBook()
    book.usage("MA1", Limits(**limits), 0.0, VirtualClock().wall())
    bench.core.accounts = AccountGate(book, VirtualClock())
    return book


def permitted(start: StartCall) -> StartCall:
    permit = Permit("MA1", "+6531590001", "s", (Dialled(LegName.A), Dialled(LegName.B)))
    return replace(start, forward=replace(start.forward, permit=permit))


def test_a_requested_call_of_an_account_at_its_limits_is_not_begun() -> None:
    bench = Bench("192.0.2.10")
    book = limited(bench, concurrent=1)
    book.enter("other", permitted(requested()).forward.permit, 0.0, VirtualClock().wall())  # type: ignore[arg-type]
    assert bench.core.start_call(permitted(requested()), 0.0) is Cause.ACCOUNT_FULL
    assert not bench.core.calls
    book.leave("other", 0.0, VirtualClock().wall())
    assert bench.core.start_call(permitted(requested()), 0.0) is None
    (call_id,) = bench.core.calls
    assert book.calls
    bench.core.deliver(call_id, i.MediaFailed(), 1.0)
    bench.core.deliver(call_id, i.MediaClosed({}), 1.0)
    assert not book.calls and not bench.core.calls


def test_a_caller_whose_account_is_full_by_now_hears_so_and_the_session_is_free_again() -> None:
    bench = Bench("192.0.2.10")
    book = limited(bench, concurrent=1)
    permit = Permit("MA1", "+6531590001", "s", (Dialled(LegName.B),))
    book.enter("other", permit, 0.0, VirtualClock().wall())
    bench.send("INVITE")
    ((call_id, _),) = bench.core.work()
    bench.statuses()
    bench.core.deliver(call_id, i.Forwarded(replace(forward(), permit=permit)), 0.0)
    assert bench.statuses() == [480]
    record = bench.core.commits()[-1].record
    assert record is not None
    assert (record.cause, record.outcome) == (Cause.ACCOUNT_FULL, Outcome.REJECTED)
    assert bench.core._book.in_session(forward().session.id) is None  # type: ignore[union-attr]
