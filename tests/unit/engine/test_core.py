"""What the core does beside carrying calls; whole calls are in tests/sim."""

from __future__ import annotations

from maskline.clock import VirtualClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.core import EngineConfig, EngineCore, UnknownNumber
from maskline.ids import SeededIds
from maskline.masking.facts import Cause, Outcome
from maskline.masking.trunk import Trunk
from maskline.media.port import MediaLost
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.events import Flow
from maskline.sip.parser import parse
from tests.support.call_machine import forward
from tests.support.engine_world import B_SDP, BOB, ENGINE, Scenario, World, clean

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


def test_an_overloaded_engine_refuses_new_calls_only() -> None:
    bench = Bench("192.0.2.10")
    bench.core.overloaded = True
    bench.send("INVITE")
    bench.send("OPTIONS")
    assert bench.statuses() == [100, 503, 200]
    assert (bench.core.counters.overloaded, bench.core.counters.drained) == (1, 0)
    bench.core.overloaded = False
    bench.send("INVITE", to="+6531590009")
    assert len(bench.core.calls) == 1


def test_a_request_uri_that_is_no_number_is_not_found() -> None:
    bench = Bench("192.0.2.10")
    bench.send("INVITE", to="echo")
    assert bench.statuses() == [100, 404] and bench.core.counters.unknown_numbers == 1
    assert bench.core.last_unknown == UnknownNumber("no number", "192.0.2.10")


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


def test_181_is_not_passed() -> None:
    world = clean(Scenario(rings=((0.5, 181, b""),)))
    assert world.core.counters.dropped_progress == 1
    assert not any(data.startswith(b"SIP/2.0 181") for data in world.to_alice)


def test_info_inside_a_leg_is_answered_and_goes_no_further() -> None:
    world = World(1, Scenario())
    world.schedule(5.0, lambda now: world.bob.agent.request(world.bob.usage, "INFO", now, body=b"Signal=5"))  # type: ignore[arg-type]
    world.run().check()
    assert [event.status for event in world.bob.heard if type(event).__name__ == "RequestFinished"] == [200]
    assert not any(data.startswith(b"INFO") for data in world.to_alice)


def test_a_shutdown_hangs_everything_up() -> None:
    world = World(1, Scenario())
    world.schedule(5.0, lambda now: (world.core.stop_calls(now), world.pump(now)))
    world.run().check()
    assert world.record.cause is Cause.SHUTDOWN and world.record.outcome is Outcome.COMPLETED


def test_calls_in_progress_can_be_looked_up() -> None:
    world = World(1, Scenario(rings=((0.5, 183, B_SDP),)))
    seen: list[int] = []
    world.schedule(2.0, lambda now: seen.append(len(world.core.calls)))
    world.run()
    assert seen == [1] and not world.core.calls


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
