"""Calls that go round between installations that do not know each other, and what ends them.

Two or three whole engines, each of which reaches the others by trunks, over a network that keeps, loses or sets anew
what could tell a loop. Their numbers lead to each other: by fallbacks, or by what customers' applications say.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from maskline.clock import VirtualClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_book import MOST_AHEAD, MOST_ALIKE
from maskline.engine.core import EngineConfig, EngineCore
from maskline.ids import SeededIds
from maskline.masking.call_record import CallRecord
from maskline.masking.decision import AskPin, Dial, Forward, Refuse, RunFlow, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import CallEnded, Cause
from maskline.masking.match import NO_ENTRIES, Ask, AskApplication, AskOurs, Matched, ToApplication, match_call
from maskline.masking.routing_rules import RoutingRules
from maskline.masking.session import SessionOptions
from maskline.masking.trunk import Trunk, TrunkLimits, Way, own_target
from maskline.sip import events as sip
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.flow import Flow
from tests.support.call_machine import A_SDP

HOPS = 70
PERSON = Flow("udp", "192.0.2.10", 5060)
HOSTS = ("203.0.113.1", "203.0.113.2", "203.0.113.3")
LIMITS = SessionOptions(ring_timeout=60, call_time_limit=600)
Rewrite = Callable[[bytes], bytes]


def x(place: int) -> Number:
    return Number(f"65315900{place:02}")


def kept(data: bytes) -> bytes:
    return data


def marks_lost(data: bytes) -> bytes:
    """A carrier passes on what it knows."""
    return re.sub(rb"\r\nMaskline-Loop: [^\r]*", b"", data)


def hops_set_anew(data: bytes) -> bytes:
    """A carrier that is itself two ends of two calls, and counts from the beginning."""
    return re.sub(rb"\r\nMax-Forwards: \d+", b"\r\nMax-Forwards: 70", marks_lost(data))


@dataclass
class Installation:
    world: Ring
    host: str
    numbers: dict[Number, Number]
    """Each number of its own, and where calls to it go."""
    trunks: tuple[Trunk, ...]
    """To all the others, by as many ways as the story wants."""
    applications: bool = False
    ended: list[CallEnded] = field(default_factory=list)
    records: list[CallRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flow = Flow("udp", self.host, 5060)
        agent = Agent(AgentConfig(self.host, 5060), SeededIds(int(self.host[-1]) * 10))
        config = EngineConfig(self.host, f"mark of {self.host}", relay=False)
        known = (*self.trunks, Trunk("person", "person", None, PERSON.host, 5060))
        ids = SeededIds(int(self.host[-1]) * 10 + 1)
        self.core = EngineCore(config, agent, ids, self.world.clock, lambda: known)

    def pump(self, now: float) -> bool:
        busy = False
        for call_id, effect in self.core.work():
            busy = True
            assert isinstance(effect, e.Route), effect
            self.core.deliver(call_id, self.decide(effect), now)
        for data, flow in self.core.datagrams():
            busy = True
            self.world.carry(data, self.flow, flow)
        for commit in self.core.commits():
            self.ended += [fact for fact in commit.facts if isinstance(fact, CallEnded)]
            self.records += [commit.record] if commit.record is not None else []
        return busy

    def decide(self, asked: e.Route) -> i.Input:
        if asked.called not in self.numbers:
            return i.Refused(Refuse(Cause.UNKNOWN_NUMBER, None))
        to = self.numbers[asked.called]
        number = VirtualNumber(asked.called, "MA1", "SA1", "", "SG", fallback=None if self.applications else to)
        steps, answer = match_call(asked.caller, number, 0.0, RoutingRules(fallback=LIMITS)), None
        while True:
            try:
                question = steps.send(answer)
            except StopIteration as done:
                return self._input(done.value, number, to)
            if isinstance(question, AskOurs):
                answer = question.number in self.numbers
            elif isinstance(question, AskApplication):
                answer = self.applications
            elif question is Ask.ENTRIES:
                answer = NO_ENTRIES
            else:
                answer = [] if question is Ask.ON_NUMBER else None

    def _input(self, found: Matched | AskPin | ToApplication | Refuse, number: VirtualNumber, to: Number) -> i.Input:
        ways = tuple(Way(trunk, own_target(trunk)) for trunk in self.trunks if self.world.leads(trunk, to))
        if isinstance(found, ToApplication):
            return i.FlowGiven(RunFlow(number, (Dial(to, number.number, "", ways[0].trunk, ways=ways),), LIMITS))
        if isinstance(found, Refuse):
            return i.Refused(found)
        assert isinstance(found, Matched)
        return i.Forwarded(
            Forward(None, None, found.callee, number, ways[0].trunk, found.shown, LIMITS, found.matched_by, ways=ways)
        )


class Ring:
    """`numbers` numbers in a ring, dealt out to the installations in turns; each leads to the next one."""

    def __init__(
        self, installations: int = 2, numbers: int = 4, ways: int = 1, between: Rewrite = kept, *,
        applications: bool = False, limits: TrunkLimits | None = None, delay: float = 0.01,
    ) -> None:  # fmt: skip
        self.clock = VirtualClock()
        self.queue: list[tuple[float, int, bytes, Flow, Flow]] = []
        self.serial = 0
        self.between = between
        self.delay = delay
        self.invites: set[bytes] = set()
        """Branches: one sent again counts once."""
        self.at_once = 0
        hosts = HOSTS[:installations]
        self.home = {x(place): hosts[place % installations] for place in range(numbers)}
        self.all = [
            Installation(
                self, host,
                {one: x((place + 1) % numbers) for place, one in enumerate(self.home) if self.home[one] == host},
                tuple(
                    Trunk(f"{other} {way}", f"{other} {way}", None, other, 5060, limits=limits or TrunkLimits())
                    for other in hosts if other != host for way in range(ways)
                ),
                applications,
            )
            for host in hosts
        ]  # fmt: skip
        self.person = Agent(AgentConfig(PERSON.host, 5060), SeededIds(5))
        self.outcome: list[int] = []

    def leads(self, trunk: Trunk, to: Number) -> bool:
        return trunk.host == self.home[to]

    def carry(self, data: bytes, source: Flow, target: Flow) -> None:
        if data.startswith(b"INVITE ") and source != PERSON:
            self.invites.add(re.search(rb"branch=([^;\r]+)", data)[1])  # type: ignore[index]
            data = self.between(data)
        self.serial += 1
        heapq.heappush(self.queue, (self.clock.now() + self.delay, self.serial, data, source, target))

    def play(self, calls: int = 1) -> Ring:
        for number in range(calls):
            self.person.invite(
                OutgoingInvite(
                    Flow("udp", HOSTS[0], 5060), f"sip:{x(0).e164}@{HOSTS[0]}", f"sip:+659111000{number}@{PERSON.host}",
                    f"sip:{x(0).e164}@{HOSTS[0]}", A_SDP,
                ),
                0.0,
            )  # fmt: skip
        self.pump()
        while (when := self.next()) is not None:
            assert when < 1000.0, "still busy"
            self.clock.advance(max(0.0, when - self.clock.now()))
            now = self.clock.now()
            while self.queue and self.queue[0][0] <= now:
                _, _, data, source, target = heapq.heappop(self.queue)
                core = next((one.core for one in self.all if one.flow == target), None)
                (self.person if core is None else core).receive(data, source, now)
                self.pump()
            for each in (self.person, *(one.core for one in self.all)):
                each.handle_timer(now)
            self.pump()
        return self

    def next(self) -> float | None:
        times = [each.next_deadline() for each in (self.person, *(one.core for one in self.all))]
        times += [entry[0] for entry in self.queue[:1]]
        return min((time for time in times if time is not None), default=None)

    def pump(self) -> None:
        busy, now = True, self.clock.now()
        while busy:
            busy = sum(one.pump(now) for one in self.all) > 0
            for event in self.person.events():
                if isinstance(event, sip.InviteFailed):
                    self.outcome.append(event.status)
            for data, flow in self.person.datagrams():
                busy = True
                self.carry(data, PERSON, flow)
        self.at_once = max(self.at_once, sum(len(one.core.calls) for one in self.all))

    def check(self) -> Ring:
        """Nobody was connected, and nothing is left anywhere."""
        for one in self.all:
            assert one.core.faults() == [] and not one.core.calls and one.core.next_deadline() is None
            assert not any(one.core.agent.sizes().values())
            assert len(one.ended) == len(one.records) == one.core.counters.calls
            book = one.core._book
            assert not book._alike and not book._alike_of
        assert len(self.outcome) == 1 and self.outcome[0] >= 400
        return self

    @property
    def causes(self) -> set[Cause]:
        return {fact.cause for one in self.all for fact in one.ended}


@pytest.mark.parametrize("between", [kept, marks_lost, hops_set_anew])
@pytest.mark.parametrize("applications", [False, True])
@pytest.mark.parametrize(("installations", "numbers"), [(2, 4), (2, 6), (3, 3), (3, 6)])
def test_a_call_that_goes_round_is_stopped(
    installations: int, numbers: int, applications: bool, between: Rewrite
) -> None:
    ring = Ring(installations, numbers, between=between, applications=applications).play().check()
    assert Cause.LOOP in ring.causes
    # Between installations the mark is worth nothing: each writes its own.
    rounds = MOST_ALIKE if between is hops_set_anew else MOST_AHEAD
    assert numbers <= len(ring.invites) <= numbers * rounds + 1


def test_two_numbers_that_lead_to_each_other_do_not_even_begin() -> None:
    """Whoever is shown as caller is where the other number leads."""
    ring = Ring(numbers=2).play().check()
    assert len(ring.invites) == 1


@pytest.mark.parametrize("ways", [2, 3])
def test_more_ways_to_the_next_installation_do_not_multiply_the_calls(ways: int) -> None:
    ring = Ring(ways=ways, between=marks_lost).play().check()
    assert len(ring.invites) <= HOPS


@pytest.mark.parametrize("ways", [1, 2, 3])
def test_a_ring_in_which_somebody_is_full_stays_small(ways: int) -> None:
    """A 503 is tried elsewhere on each step of the way back, so it must not lie deep."""
    ring = Ring(ways=ways, between=marks_lost, limits=TrunkLimits(concurrent=3)).play().check()
    assert len(ring.invites) <= HOPS


@pytest.mark.parametrize("between", [marks_lost, hops_set_anew])
def test_numbers_that_are_many_are_stopped_by_the_hops_or_by_their_rounds(between: Rewrite) -> None:
    """A ring so long that the hops are used up in its first round."""
    ring = Ring(numbers=80, between=between).play().check()
    assert len(ring.invites) <= (HOPS if between is marks_lost else 80 * (MOST_ALIKE + 1))
    assert ring.at_once <= (HOPS + 1 if between is marks_lost else 80 * (MOST_ALIKE + 1))


def test_several_callers_in_one_ring_share_its_end() -> None:
    ring = Ring(between=marks_lost).play(calls=5)
    assert len(ring.outcome) == 5 and min(ring.outcome) >= 400
    assert len(ring.invites) <= 5 * HOPS
