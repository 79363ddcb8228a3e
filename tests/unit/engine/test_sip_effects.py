"""engine.sip_effects: no INVITE goes out over a trunk that has no room for it, whatever made the call dial there."""

from __future__ import annotations

from dataclasses import replace

from maskline.clock import VirtualClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.core import EngineConfig, EngineCore
from maskline.engine.ports import Shared
from maskline.ids import SeededIds
from maskline.masking.call_record import CallRecord
from maskline.masking.decision import StartCall
from maskline.masking.facts import Cause, Fact, LegDialed, LegRedialed, Outcome
from maskline.masking.trunk import Trunk, TrunkLimits, Way, own_target
from maskline.masking.trunk_state import TrunkState
from maskline.masking.usage_book import UsageBook
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.events import Flow
from maskline.sip.parser import parse
from tests.support.call_machine import A_SDP, CALLER, DIAL, LOCAL_A, LOCAL_B, forward, start_flow

CARRIER = Flow("udp", "192.0.2.10", 5060)
IN = Trunk("c", "carrier", None, CARRIER.host, 5060)
MAIN = Trunk("m", "main", None, "192.0.2.20", 5060)
BACKUP = Trunk("b", "backup", None, "192.0.2.30", 5060, limits=TrunkLimits(concurrent=1))
LAST = Trunk("l", "last", None, "192.0.2.40", 5060)


def ways(*trunks: Trunk) -> tuple[Way, ...]:
    return tuple([Way(trunk, own_target(trunk)) for trunk in trunks])


class Calls:
    """Each call of a session of its own, over the same trunks."""

    def __init__(self, *out: Trunk) -> None:
        self.out = out
        self.state = TrunkState()
        self.core = EngineCore(
            EngineConfig("203.0.113.1", "mine"), Agent(AgentConfig("203.0.113.1", 5060), SeededIds(1)),
            SeededIds(2), VirtualClock(), lambda: (IN, *out), Shared(self.state, UsageBook()),
        )  # fmt: skip
        self.sent: list[tuple[bytes, Flow]] = []
        self.facts: list[Fact] = []
        self.records: list[CallRecord] = []

    def begin(self, mark: int) -> None:
        head = (
            f"INVITE sip:+6531590001@203.0.113.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK{mark}\r\n"
            f"From: <sip:+65911122{mark:02}@192.0.2.10>;tag={mark}\r\nTo: <sip:+6531590001@203.0.113.1>\r\n"
            f"Call-ID: c{mark}\r\nContact: <sip:192.0.2.10>\r\nCSeq: 1 INVITE\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(A_SDP)}\r\n\r\n"
        )
        self.core.receive(head.encode() + A_SDP, CARRIER, 0.0)
        self.pump()

    def unavailable(self, request: bytes, flow: Flow) -> None:
        head = [line.decode() for line in request.split(b"\r\n")]
        kept = [line for line in head if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
        to = next(line for line in head if line.startswith("To:"))
        reply = "\r\n".join(["SIP/2.0 503 X", *kept, f"{to};tag=x", "Content-Length: 0", "", ""])
        self.core.receive(reply.encode(), flow, 0.1)
        self.pump()

    def pump(self) -> None:
        while work := self.core.work():
            for call_id, effect in work:
                for inp in self._result(call_id, effect):
                    self.core.deliver(call_id, inp, 0.1)
        for commit in self.core.commits():
            self.facts += commit.facts
            self.records += [commit.record] if commit.record is not None else []
        self.sent += [(data, flow) for data, flow in self.core.datagrams()]

    def _result(self, call_id: str, effect: e.Effect) -> list[i.Input]:
        if isinstance(effect, e.Route):
            decision = forward(self.out[0])
            session = replace(decision.session, id=f"session of {call_id}")  # type: ignore[type-var]
            return [i.Forwarded(replace(decision, session=session, ways=ways(*self.out)))]
        if isinstance(effect, e.OpenMedia):
            return [i.MediaOpened(LOCAL_A, LOCAL_B)]
        return [i.MediaClosed({})] if isinstance(effect, e.CloseMedia) else []

    def invites(self, trunk: Trunk) -> list[tuple[bytes, Flow]]:
        return [one for one in self.sent if one[1].host == trunk.host and one[0].startswith(b"INVITE")]

    def statuses(self) -> list[tuple[int, float | None]]:
        """Of the answers that the callers have, with their Retry-After."""
        answers = [parse(data) for data, flow in self.sent if flow == CARRIER]
        return [(answer.status, answer.retry_after) for answer in answers]  # type: ignore[union-attr]


def failed_over(*out: Trunk, calls: int = 3) -> Calls:
    """Calls that were on their way over the first trunk before it said that it cannot."""
    world = Calls(*out)
    for mark in range(calls):
        world.begin(mark)
    for sent in world.invites(out[0]):
        world.unavailable(*sent)
    assert world.core.faults() == []
    return world


def test_a_full_trunk_takes_no_more_calls_of_one_that_failed() -> None:
    world = failed_over(MAIN, BACKUP)
    assert len(world.invites(MAIN)) == 3
    assert len(world.invites(BACKUP)) == 1
    assert world.state.calls("b") == 1
    assert [record.cause for record in world.records] == [Cause.TRUNK_FULL] * 2
    assert world.statuses() == [(100, None)] * 3 + [(500, None)] * 2


def test_a_call_that_finds_the_last_place_taken_tells_its_carrier_nothing_of_this_server() -> None:
    """Between the router's choice and the call another one may have entered. A Retry-After would hold back the calls
    that go out by other trunks."""
    world = Calls(BACKUP)
    world.begin(1)
    world.begin(2)
    assert world.statuses() == [(100, None), (100, None), (500, None)]
    assert [record.cause for record in world.records] == [Cause.TRUNK_FULL]


def test_what_the_callees_side_says_tells_nobody_to_stay_away() -> None:
    assert failed_over(MAIN, calls=1).statuses() == [(100, None), (500, None)]


def test_they_go_on_to_the_trunk_after_it() -> None:
    world = failed_over(MAIN, BACKUP, LAST)
    assert [len(world.invites(trunk)) for trunk in (MAIN, BACKUP, LAST)] == [3, 1, 2]
    assert world.records == []


def test_the_calls_of_a_session_find_a_full_trunk_full() -> None:
    limited = replace(MAIN, limits=TrunkLimits(concurrent=1))
    world = Calls(limited)
    for mark in range(3):
        decision = forward(limited)
        session = replace(decision.session, id=f"session-{mark}")  # type: ignore[type-var]
        assert world.core.start_call(StartCall(replace(decision, session=session), CALLER, limited), 0.0) is None
    world.pump()
    assert len(world.invites(limited)) == 1
    assert [(record.outcome, record.cause) for record in world.records] == [(Outcome.FAILED, Cause.TRUNK_FULL)] * 2
    assert world.core.faults() == []


def test_so_do_the_calls_that_the_api_asks_for_which_take_the_next_one() -> None:
    limited = replace(MAIN, limits=TrunkLimits(concurrent=1))
    world = Calls(limited, LAST)
    for mark in range(2):
        start = start_flow()
        first = replace(DIAL, callee=CALLER, trunk=limited, ways=ways(limited, LAST))
        start = replace(start, call_id=f"call-{mark}", flow=replace(start.flow, steps=(first, *start.flow.steps[1:])))
        world.core.start_flow(start, 0.0)
        world.pump()
    assert [len(world.invites(trunk)) for trunk in (limited, LAST)] == [1, 1]
    told = [fact for fact in world.facts if isinstance(fact, LegDialed | LegRedialed)]
    assert [(type(fact), fact.leg, fact.trunk_id) for fact in told] == [
        (LegDialed, "a", "m"), (LegDialed, "a", "m"), (LegRedialed, "a", "l"),
    ]  # fmt: skip


def test_a_call_that_found_a_trunk_full_leaves_no_place_behind() -> None:
    world = failed_over(MAIN, BACKUP, LAST)
    world.core.stop_calls(False, 0.2)
    world.pump()
    assert world.state.calls("b") == 0
