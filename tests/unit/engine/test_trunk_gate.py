"""engine.trunk_gate: calls take places on trunks, and tell whether they live."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.engine import inputs as i
from maskline.engine.trunk_gate import TrunkGate
from maskline.ids import SeededIds
from maskline.masking.facts import Cause, LegName
from maskline.masking.trunk import Trunk, TrunkLimits, Way
from maskline.masking.trunk_state import Health, TrunkState
from maskline.sip import events as sip
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.flow import Flow
from maskline.sip.locate import Place
from tests.support.call_machine import forward

A, B = LegName.A, LegName.B
ONE = Trunk("1", "one", None, "192.0.2.1", 5060, limits=TrunkLimits(concurrent=1))
TWO = Trunk("2", "two", None, "192.0.2.2", 5060, limits=TrunkLimits(concurrent=1))
FREE = Trunk("3", "free", None, "192.0.2.3", 5060)
ASKED = replace(FREE, options_seconds=10)
FLOW_1, FLOW_2, FLOW_3 = (Flow("udp", f"192.0.2.{last}", 5060) for last in (1, 2, 3))


class World:
    def __init__(self) -> None:
        self.state = TrunkState()
        self.agent = Agent(AgentConfig("203.0.113.1", 5060), SeededIds(1))
        self.gate = TrunkGate(self.state, self.agent)

    def call_of(self, flow: Flow):
        made = OutgoingInvite(flow, "sip:+65@x", "sip:a@x", "sip:b@x", b"", "application/sdp")
        usage = self.agent.invite(made, 0.0)
        return usage, self.agent.datagrams()[-1][0]

    def answer(self, request: bytes, flow: Flow, status: int, *lines: str, now: float = 1.0) -> None:
        head = request.decode().split("\r\n")
        kept = [line for line in head if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
        reply = "\r\n".join([f"SIP/2.0 {status} X", *kept, *lines, "Content-Length: 0", "", ""])
        self.agent.receive(reply.encode(), flow, now)
        self.note(now)

    def note(self, now: float) -> None:
        for event in self.agent.events():
            if type(event) in self.gate.notes:
                self.gate.notes[type(event)](event, now)


@pytest.fixture
def world() -> World:
    return World()


def test_a_call_has_one_place_a_leg_until_it_is_over(world: World) -> None:
    gate = world.gate
    assert gate.take("c", A, ONE, 0.0)
    assert gate.take("c", A, ONE, 0.0), "the same place again is no second one"
    assert not gate.take("d", A, ONE, 0.0)
    gate.leave("c")
    gate.leave("c")
    assert gate.has_room(ONE, 0.0)
    assert gate.take("d", A, ONE, 0.0)


def test_a_leg_that_goes_elsewhere_gives_its_place_back(world: World) -> None:
    gate = world.gate
    assert gate.take("c", B, ONE, 0.0)
    assert gate.take("c", B, TWO, 0.0)
    assert (world.state.calls("1"), world.state.calls("2")) == (0, 1)
    assert gate.take("c", B, FREE, 0.0)
    assert world.state.calls("2") == 0


def test_calls_of_an_engine_before_have_their_places_however_many_they_are(world: World) -> None:
    """What may begin in a second is no bound for those that began long ago."""
    slow = replace(ONE, limits=TrunkLimits(calls_per_second=2.0, concurrent=4))
    for call_id in "abc":
        world.gate.restore(call_id, B, slow)
    assert world.state.calls("1") == 3
    assert world.gate.take("d", B, slow, 0.0), "nor do they take anything of that"
    assert not world.gate.take("e", B, slow, 0.0)
    world.gate.leave("b")
    assert world.gate.take("e", B, slow, 0.0)
    world.gate.restore("f", B, FREE)
    assert "f" not in world.gate._places


def test_a_trunk_without_limits_is_not_written_down(world: World) -> None:
    assert world.gate.take("c", A, FREE, 0.0)
    assert not world.gate._places


def test_a_call_is_admitted_to_the_first_trunk_with_room(world: World) -> None:
    ways = (Way(ONE, FLOW_1), Way(TWO, FLOW_2))
    forwarded = i.Forwarded(replace(forward(ONE), ways=ways))
    assert world.gate.admit("c", forwarded, 0.0) is forwarded
    second = world.gate.admit("d", forwarded, 0.0)
    assert isinstance(second, i.Forwarded)
    assert (second.decision.trunk, second.decision.ways) == (TWO, ways[1:])
    third = world.gate.admit("e", forwarded, 0.0)
    assert isinstance(third, i.Refused)
    assert third.decision.cause is Cause.TRUNK_FULL


def test_a_decision_without_ways_is_left_alone(world: World) -> None:
    forwarded = i.Forwarded(forward(FREE))
    assert world.gate.admit("c", forwarded, 0.0) is forwarded


def test_a_503_has_its_address_avoided_as_long_as_it_says(world: World) -> None:
    _, request = world.call_of(FLOW_1)
    world.answer(request, FLOW_1, 503, "Retry-After: 5 (soon);duration=3")
    assert world.state.health(FLOW_1, 5.0) is Health.AVOIDED
    assert world.state.health(FLOW_1, 6.0) is Health.UP
    _, request = world.call_of(FLOW_2)
    world.answer(request, FLOW_2, 503, "Retry-After: later")
    assert world.state.health(FLOW_2, 30.0) is Health.AVOIDED


def test_silence_has_it_avoided_and_a_busy_line_does_not(world: World) -> None:
    world.call_of(FLOW_1)
    _, request = world.call_of(FLOW_2)
    world.answer(request, FLOW_2, 486)
    world.agent.handle_timer(40.0)
    world.note(40.0)
    assert world.state.health(FLOW_1, 41.0) is Health.AVOIDED
    assert world.state.health(FLOW_2, 41.0) is Health.UP


def test_an_answered_call_ends_that(world: World) -> None:
    world.state.failed(FLOW_1, 0.0)
    _, request = world.call_of(FLOW_1)
    world.answer(request, FLOW_1, 200, "Contact: <sip:b@192.0.2.1>")
    assert world.state.health(FLOW_1, 1.0) is Health.UP


def test_health_is_asked_for_by_options_and_any_answer_but_503_is_good(world: World) -> None:
    def ask(now: float) -> bytes:
        world.gate.watch([FREE, ASKED], {}, now)
        (sent,) = world.agent.datagrams()
        assert sent[1] == FLOW_3
        assert sent[0].startswith(b"OPTIONS sip:192.0.2.3:5060 SIP/2.0\r\n")
        return sent[0]

    for now, status, health in ((0.0, 503, Health.UP), (10.0, 503, Health.DOWN), (20.0, 405, Health.UP)):
        world.answer(ask(now), FLOW_3, status, now=now + 1)
        assert world.state.health(FLOW_3, now + 1) is health


@pytest.mark.parametrize(("port", "uri"), [(0, b"sip:carrier.example"), (5070, b"sip:carrier.example:5070")])
def test_a_name_is_asked_by_its_name(world: World, port: int, uri: bytes) -> None:
    named = replace(ASKED, host="carrier.example", port=port)
    world.state.locate(named.id, (Place("udp", 0, 0, FLOW_3.port, (FLOW_3.host,)),))
    world.gate.watch([named], {}, 0.0)
    ((data, flow),) = world.agent.datagrams()
    assert (data.split(b"\r\n")[0], flow) == (b"OPTIONS %b SIP/2.0" % uri, FLOW_3)


def test_what_is_asked_no_more_is_forgotten(world: World) -> None:
    world.gate.watch([ASKED], {}, 0.0)
    world.gate.watch([FREE], {}, 1.0)
    assert not world.state._checked


def test_a_request_inside_a_call_says_nothing_of_health(world: World) -> None:
    usage, _ = world.call_of(FLOW_3)
    world.gate.notes[sip.RequestFinished](sip.RequestFinished(usage, "INFO", 408, None, FLOW_3), 1.0)
    world.gate.notes[sip.RequestFinished](sip.RequestFinished(None, "OPTIONS", 408, None, FLOW_3), 1.0)
    assert world.state.health(FLOW_3, 1.0) is Health.UP
