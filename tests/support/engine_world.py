"""The whole engine between two phones on a virtual clock, over a network as bad as its seed wants.

Two (or three) SIP agents play the carriers' sides; router, media driver and recorder are played here with
delays of their own. Nothing sleeps and nothing is a socket: a run is repeated byte for byte by its seed.
"""

from __future__ import annotations

import heapq
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from maskline.clock import VirtualClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call import CallPolicy
from maskline.engine.core import EngineConfig, EngineCore
from maskline.engine.ports import CallCommit
from maskline.ids import SeededIds
from maskline.masking.call_record import CallRecord
from maskline.masking.decision import Forward, Refuse, StartCall, WrongPin
from maskline.masking.e164 import Number
from maskline.masking.facts import CallRouted, Cause, Fact, LegDialed, Outcome
from maskline.masking.match import Matched, ToApplication
from maskline.masking.session import Role
from maskline.masking.trunk import Way, own_target
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.events import Flow
from maskline.sip.invite_usage import UsageState
from tests.support.call_machine import BRIEFING, CALLEE, CALLER, CLIP, NUMBER, VIRTUAL, WELCOME, asking
from tests.support.sim_flow import SimApplication
from tests.support.sim_handset import agree, understands
from tests.support.sim_media import SimMedia
from tests.support.sim_phones import Alice, Bob
from tests.support.sim_scenario import (
    A_MEDIA,
    ALICE,
    ASKING_TRUNKS,
    B_MEDIA,
    BOB,
    BOB_2,
    ENGINE,
    RIGHT_PIN,
    SHOWN,
    TRUNKS,
    Scenario,
    find_way,
)  # fmt: skip


@dataclass
class World:
    """One call, from Alice's INVITE to silence."""

    seed: int
    scenario: Scenario
    loss: float = 0.0
    duplication: float = 0.0
    jitter: float = 0.0
    queue: list[tuple[float, int, Callable[[float], object]]] = field(default_factory=list)
    to_bob: list[bytes] = field(default_factory=list)
    to_alice: list[bytes] = field(default_factory=list)
    from_alice: list[bytes] = field(default_factory=list)
    from_bob: list[bytes] = field(default_factory=list)
    commits: list[CallCommit] = field(default_factory=list)
    pins_checked: list[str] = field(default_factory=list)
    asked: dict[str, tuple[object, Callable[[], i.Input]]] = field(default_factory=dict)
    """Questions to the router, each with its answer to come, by call."""
    compares: bool = True
    compared: int = 0
    """Times that the phones were at rest and compared."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.clock = VirtualClock()
        self.trunks = ASKING_TRUNKS if self.scenario.digest else TRUNKS
        self.numbers = (CALLER, CALLEE)
        self.serial = 0
        self.entries = self.scenario.pins or ()
        self.desk = SimMedia(self, ENGINE.host)
        self.application = SimApplication(self)
        self.bob_died_at: float | None = None
        self.caller: Number | None = None
        agent = Agent(AgentConfig(ENGINE.host, ENGINE.port), SeededIds(self.seed * 10))
        policy = CallPolicy(answer_for_prompts=self.scenario.answer_for_prompts)
        config = EngineConfig(ENGINE.host, "our-own-mark", self.scenario.relay, policy)
        self.core = EngineCore(config, agent, SeededIds(self.seed * 10 + 1), self.clock, lambda: self.trunks)
        self.alice = Alice(self, ALICE, self.seed * 10 + 2, "alice")
        self.bob = Bob(self, BOB, self.seed * 10 + 3, "bob")
        self.bob_2 = Bob(self, BOB_2, self.seed * 10 + 4, "bobby")
        self.phones = (self.alice, self.bob, self.bob_2)

    # -- time -------------------------------------------------------------------------------------------------
    def schedule(self, delay: float, act: Callable[[float], object]) -> None:
        self.serial += 1
        heapq.heappush(self.queue, (self.clock.now() + delay, self.serial, act))

    def run(self, until: float = 900.0) -> World:
        """Until nobody has anything left to do; fails when somebody still has after `until` seconds."""
        s = self.scenario
        begin = self.click if s.click else self.alice.call
        self.schedule(0.0, lambda now: (begin(now), self.pump(now)))
        if s.session_ends is not None:
            self.schedule(s.session_ends, lambda now: (self.core.session_ended("session-1", now), self.pump(now)))
        if s.bob_dies is not None:
            self.schedule(s.bob_dies, self.kill_bob)
        if s.media_event is not None:
            self.schedule(s.media_event, self.desk.lose)
        while (when := self.next_time()) is not None:
            assert when < until, f"seed {self.seed}: still busy: {self.core.agent.sizes()}"
            self.clock.advance(max(0.0, when - self.clock.now()))
            self.step(self.clock.now())
        return self

    def click(self, now: float) -> None:
        """A session asks us to call Alice, or the API does."""
        self.caller = self.numbers[0]
        if self.scenario.flow is not None:
            assert self.core.start_flow(self.application.start(), now) is None
            return
        assert self.core.start_call(StartCall(self.way(), self.numbers[0], self.trunks[0]), now) is None

    @property
    def media_steps(self) -> int:
        return self.desk.steps

    def next_time(self) -> float | None:
        times = [self.core.next_deadline(), *(phone.agent.next_deadline() for phone in self.phones)]
        if self.queue:
            times.append(self.queue[0][0])
        return min((time for time in times if time is not None), default=None)

    def step(self, now: float) -> None:
        while self.queue and self.queue[0][0] <= now:
            heapq.heappop(self.queue)[2](now)
        for phone in self.phones:
            phone.agent.handle_timer(now)
        self.core.handle_timer(now)
        self.core.reaper.look(now)  # a fault if it finds anything
        self.pump(now)

    # -- network ----------------------------------------------------------------------------------------------
    def pump(self, now: float) -> None:
        busy = True
        while busy:
            busy = self.pump_engine(now)
            for phone in self.phones:
                for event in phone.agent.events():
                    busy = True
                    phone.on(event, now)
                for data, flow in phone.agent.datagrams():
                    busy = True
                    self.carry(data, phone.flow, flow, now)

    def pump_engine(self, now: float) -> bool:
        busy = False
        for call_id, effect in self.core.work():
            busy = True
            self.work(call_id, effect)
        for data, flow in self.core.datagrams():
            busy = True
            self.carry(data, ENGINE, flow, now)
        self.commits += self.core.commits()
        return busy

    def carry(self, data: bytes, source: Flow, target: Flow, now: float) -> None:
        self.note(data, source, target)
        bob = self.bob.flow
        if self.bob_died_at is not None and bob in (source, target):
            return
        targets = [target]
        if self.scenario.fork and target == bob and data.startswith((b"INVITE", b"CANCEL")) and b"To: <sip:" in data:
            targets.append(BOB_2)
        for each in targets:
            if self.random.random() < self.loss:
                continue
            for _ in range(2 if self.random.random() < self.duplication else 1):
                delay = 0.01 + self.random.random() * self.jitter
                self.schedule(delay, lambda now, each=each: self.arrive(data, source, each, now))  # type: ignore[misc]

    def note(self, data: bytes, source: Flow, target: Flow) -> None:
        if source == ENGINE:
            (self.to_alice if target == self.alice.flow else self.to_bob).append(data)
        else:
            (self.from_alice if source == self.alice.flow else self.from_bob).append(data)

    def arrive(self, data: bytes, source: Flow, target: Flow, now: float) -> None:
        if target == ENGINE:
            assert self.core.receive(data, source, now)
        else:
            next(phone for phone in self.phones if phone.flow == target).agent.receive(data, source, now)
        self.pump(now)

    def kill_bob(self, now: float) -> None:
        self.bob_died_at = now

    # -- router and media -------------------------------------------------------------------------------------
    def work(self, call_id: str, effect: object) -> None:
        if isinstance(effect, e.Route):
            self.caller = effect.caller
            known = None if self.scenario.kind == "withheld" else self.numbers[0]
            assert effect.caller == known and effect.called == VIRTUAL
            self.ask(call_id, effect, self.decision)
            return
        if isinstance(effect, e.StopAsking):
            self.withdraw(call_id)
            return
        if isinstance(effect, e.CheckPin):
            self.pins_checked.append(effect.pin)
            self.schedule(self.scenario.route_delay, lambda now: self.give(call_id, self.verdict(effect.pin), now))
            return
        if isinstance(effect, e.AskNext):
            answer = self.application.next(effect.done)
            self.ask(call_id, effect, lambda: answer)
            return
        self.desk.take(call_id, effect)

    def ask(self, call_id: str, effect: object, answer: Callable[[], i.Input], delay: float | None = None) -> None:
        asked = self.asked[call_id] = (effect, answer)

        def answered(now: float) -> None:
            if self.asked.get(call_id) is asked:
                del self.asked[call_id]
                self.give(call_id, answer(), now)

        self.schedule(self.scenario.route_delay if delay is None else delay, answered)

    def withdraw(self, call_id: str) -> None:
        """What takes long is the application, and nobody waits for that one any more."""
        effect, _ = self.asked.pop(call_id)
        if isinstance(effect, e.Route):
            delay = None if self.scenario.flow is None else 0.0
            self.ask(call_id, effect, lambda: self.decision(left=True), delay)

    def verdict(self, pin: str) -> i.Input:
        s = self.scenario
        if s.store_away_for_pins:
            return i.RouteFailed(Cause.STORE_UNAVAILABLE)
        if pin != RIGHT_PIN:
            return i.PinRefused(WrongPin(locked=s.locked))
        return i.Forwarded(self.way())

    def press_pin(self, call_id: str) -> None:
        """The question is heard: Alice enters what comes next in her mind."""
        s = self.scenario
        entry, self.entries = self.entries[:1], self.entries[1:]
        for place, digit in enumerate(entry[0] if entry else ""):
            self.schedule(s.pin_after + 0.4 * place, lambda now, digit=digit: self.press(call_id, digit, now))  # type: ignore[misc]

    def press(self, call_id: str, digit: str, now: float) -> None:
        if self.scenario.by_info:
            self.alice.inform(digit, now)
            self.pump(now)
        else:
            self.desk.press(call_id, digit, now)

    def decision(self, *, left: bool = False) -> i.Input:
        s = self.scenario
        if s.store_away:
            return i.RouteFailed(Cause.STORE_UNAVAILABLE)
        if not s.ours:
            return i.Refused(Refuse(Cause.UNKNOWN_NUMBER, None))
        if s.refused is not None:
            return i.Refused(Refuse(s.refused, NUMBER, None, CLIP if s.refused_aloud else None))
        if s.flow is not None:
            assert isinstance(find_way(s.kind, self.caller), ToApplication)
            return i.Refused(Refuse(Cause.CANCELED, NUMBER)) if left else self.application.first()
        if s.pins is not None:
            return i.PinAsked(asking(retries=2, retry_wait=5.0, longest=len(RIGHT_PIN)))
        return i.Forwarded(self.way())

    def way(self) -> Forward:
        s = self.scenario
        found = find_way(s.kind, None if self.caller is None else CALLER)
        assert isinstance(found, Matched) and found.callee == CALLEE
        return Forward(
            found.session, found.caller_role, self.numbers[1], NUMBER, self.trunks[1], found.shown,
            replace(found.options, record=s.record), found.matched_by, (CLIP, WELCOME)[: s.caller_prompts],
            (BRIEFING, WELCOME)[: s.callee_prompts],
            ways=() if s.elsewhere is None else tuple([Way(each, own_target(each)) for each in self.trunks[1:]]),
        )  # fmt: skip

    def give(self, call_id: str, inp: i.Input | None, now: float) -> None:
        if inp is not None:
            self.core.deliver(call_id, inp, now)
        self.pump(now)

    # -- what came of it --------------------------------------------------------------------------------------
    @property
    def facts(self) -> list[Fact]:
        return [fact for commit in self.commits for fact in commit.facts]

    @property
    def record(self) -> CallRecord:
        (record,) = [commit.record for commit in self.commits if commit.record is not None]
        return record

    def compare_handsets(self) -> None:
        """Nobody is in the middle of anything: what each was told of the other is so."""
        usages = [phone.usage for phone in (self.alice, self.bob)]
        usages += [leg.usage for call in self.core.calls.values() for leg in (call.leg_a, call.leg_b)]
        quiet = all(
            usage is not None and usage.state is UsageState.CONFIRMED
            and not (usage.pending or usage.remote_pending or usage.unacked or usage.ack_due)
            for usage in usages
        )  # fmt: skip
        if len(usages) != 4 or not self.compares or not quiet or any(call.change for call in self.core.calls.values()):
            return
        alice, bob = self.alice.handset, self.bob.handset
        assert agree(alice, bob) and agree(bob, alice), [(one.wish, one.said, one.told) for one in (alice, bob)]
        heard = [understands(*two, relay=self.scenario.relay) for two in ((alice, bob), (bob, alice))]
        assert all(heard), [(one.speaks, one.knows) for one in (alice, bob)]
        self.compared += 1

    def check(self) -> None:
        """What must hold after every run, whatever happened on the way."""
        assert [str(fault) for fault in self.core.faults()] == []
        self.check_nothing_left()
        self.check_facts()
        self.check_secrets()
        self.check_callee()

    def check_nothing_left(self) -> None:
        assert not self.core.calls and self.core.next_deadline() is None
        assert not self.desk.open, "media left open"
        for agent in (self.core.agent, *(phone.agent for phone in self.phones)):
            assert not any(agent.sizes().values()), agent.sizes()

    def check_facts(self) -> None:
        names = [fact.name for fact in self.facts]
        calls = self.core.counters.calls + self.core.counters.requested_calls
        routed = not self.scenario.store_away and calls > 0
        assert names.count("CallEnded") == calls * routed
        if not routed:
            assert names == []
            return
        assert names[0] == ("CallRequested" if self.scenario.click else "CallReceived") and names[-1] == "CallEnded"
        assert [fact.sequence for fact in self.facts] == list(range(1, len(names) + 1))
        if not self.scenario.ours:
            assert names == ["CallReceived", "LegEnded", "CallEnded"] and VIRTUAL.digits not in str(self.facts)
            assert [(commit.context, commit.record) for commit in self.commits] == [(None, None)]
            return
        legs = 1 + any(isinstance(fact, LegDialed) and fact.leg == "b" for fact in self.facts)
        assert names.count("LegEnded") == legs == len(self.record.legs)
        recorded = names.count("RecordingStarted")
        assert recorded == names.count("RecordingStopped")
        told = recorded + names.count("RecordingNotStarted")
        assert told <= self.scenario.record
        if self.record.outcome is Outcome.COMPLETED and not self.scenario.late_offer and legs == 2:
            assert told == self.scenario.record
        for leg in self.record.legs:
            assert leg.initiated_at <= (leg.ringing_at or leg.ended_at) <= leg.ended_at
            assert leg.initiated_at <= (leg.answered_at or leg.ended_at) <= leg.ended_at
        self.check_record()

    def check_record(self) -> None:
        """Whose call it was is what the routing order said, and nothing of it when it was refused."""
        s, record = self.scenario, self.record
        routed = [fact for fact in self.facts if isinstance(fact, CallRouted)]
        if not routed:
            assert (record.session_id, record.caller, len(record.legs)) == (None, None, 1)
            return
        role, matched_by = {
            "fallback": (None, "fallback"), "flow": (None, "call_action"),
            "open": (Role.SECOND, "open"), "withheld": (Role.SECOND, "open"),
        }.get(s.kind, (Role.FIRST, "party"))  # fmt: skip
        assert (routed[0].matched_by, record.caller) == (matched_by, role)
        assert record.session_id == (None if s.kind in ("fallback", "flow") else "session-1")
        shown = SHOWN if s.kind in ("split", "flow") else VIRTUAL
        first = record.legs[0]
        if s.click:
            assert (first.inbound, first.source, first.destination) == (False, VIRTUAL, CALLER)
        else:
            assert (first.inbound, first.source) == (True, None if s.kind == "withheld" else CALLER)
        assert [(leg.source, leg.destination) for leg in record.legs[1:]] in ([], [(shown, CALLEE)])

    def check_secrets(self) -> None:
        # Without relay the parties see each other's media address; that is what `MASKLINE_MEDIA=none` warns of.
        shown = set() if self.scenario.relay else {A_MEDIA.encode(), B_MEDIA.encode(), b"0.0.0.0"}
        alice, bob = (
            {CALLER.digits.encode(), b"Wonder", b"wonderland"},
            {CALLEE.digits.encode(), b"elsewhere", b"is out"},
        )
        if self.scenario.kind in ("split", "flow"):
            # Each side knows one virtual number, and hears nothing of the other.
            alice |= {VIRTUAL.digits.encode()}
            bob |= {SHOWN.digits.encode()}
        _assert_apart(self.to_bob, (_secrets(self.from_alice) | alice) - shown)
        _assert_apart(self.to_alice, (_secrets(self.from_bob) | bob) - shown)

    def check_callee(self) -> None:
        """Whoever is dialled is the one the rules name, and sees the one virtual number that it knows."""
        seen = SHOWN if self.scenario.kind in ("split", "flow") else VIRTUAL
        for data in self.to_bob:
            if data.startswith(b"INVITE ") and _FIRST.search(data):
                assert data.startswith(b"INVITE sip:" + CALLEE.e164.encode())
                assert b"\r\nFrom: <sip:" + seen.e164.encode() in data


_FIRST = re.compile(rb"^To: <sip:[^;\r]*>\r$", re.M)
"""Of an INVITE outside a dialog."""
_SECRETS = (
    re.compile(rb"^Call-ID: (\S+)\r$", re.M), re.compile(rb";tag=([^;\r>]+)"), re.compile(rb";branch=([^;\r]+)"),
    re.compile(rb"^(?:User-Agent|Server): (\S+)\r$", re.M), re.compile(rb"^o=(.*?)\r$", re.M),
    re.compile(rb"^s=([^-].*?)\r$", re.M), re.compile(rb"^c=IN IP4 (\S+)\r$", re.M),
    re.compile(rb"^Contact: <sip:([^:>]+)", re.M), re.compile(rb"^Via: SIP/2.0/UDP ([^;:]+)", re.M),
)  # fmt: skip


def _secrets(sent: list[bytes]) -> set[bytes]:
    """Every word of one side's own making: ids, addresses, names of its software, lines of its SDP. The engine's
    own words, which a side repeats in its answers, are no secrets."""
    found = {match for data in sent for pattern in _SECRETS for match in pattern.findall(data)}
    return {word for word in found if ENGINE.host.encode() not in word and b"Maskline" not in word}


def _assert_apart(received: list[bytes], secrets: set[bytes]) -> None:
    everything = b"\n".join(received)
    for secret in secrets:
        assert secret not in everything, f"crossed: {secret!r}"


def clean(scenario: Scenario, seed: int = 1) -> World:
    """One run over a perfect network, checked."""
    world = World(seed, scenario).run()
    world.check()
    return world
