"""The phones of the simulation: Alice, who calls or is called first, and Bob, whom she is to reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from maskline.ids import SeededIds
from maskline.sip import events as sip
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.events import Flow
from maskline.sip.invite_usage import InviteUsage, UsageState
from tests.support.call_machine import CALLER, VIRTUAL
from tests.support.sim_scenario import A_MOVED, A_SDP, ALICE, B_MOVED, B_SDP, ENGINE

if TYPE_CHECKING:
    from tests.support.engine_world import World


class Phone:
    """An agent that follows the scenario."""

    def __init__(self, world: World, flow: Flow, seed: int, name: str) -> None:
        self.world = world
        self.flow = flow
        self.agent = Agent(AgentConfig(flow.host, flow.port, user_agent=f"{name}-phone/7"), SeededIds(seed))
        self.usage: InviteUsage | None = None
        self.heard: list[sip.Event] = []

    def at(self, delay: float, act: Callable[[float], None]) -> None:
        self.world.schedule(delay, lambda now: (act(now), self.world.pump(now)))

    def bye(self, now: float) -> None:
        if self.usage is not None:
            self.agent.bye(self.usage, now)

    def on(self, event: sip.Event, now: float) -> None:
        self.heard.append(event)
        if isinstance(event, sip.AckMissing):
            self.agent.bye(event.usage, now)
        elif isinstance(event, sip.RequestReceived):
            self.agent.respond(event.key, 200, now)


class Alice(Phone):
    def call(self, now: float) -> None:
        s = self.world.scenario
        identity = ("P-Asserted-Identity", f'"Alice Wonder" <sip:{CALLER.e164}@carrier.example>')
        withheld = s.kind == "withheld"
        self.usage = self.agent.invite(
            OutgoingInvite(
                ENGINE, f"sip:{VIRTUAL.e164}@{ENGINE.host}",
                "sip:anonymous@anonymous.invalid" if withheld else f"sip:{CALLER.digits}@{ALICE.host}",
                f"sip:{VIRTUAL.e164}@{ENGINE.host}", b"" if s.late_offer else A_SDP, max_forwards=s.max_forwards,
                headers=(*(() if withheld else (identity,)),
                         ("Subject", f"from {CALLER.digits}"), ("X-Account", "wonderland")),
            ),
            now,
        )  # fmt: skip
        if s.cancel_after is not None:
            self.at(s.cancel_after, self.give_up)
        self.at(150.0, self.give_up)

    def give_up(self, now: float) -> None:
        if self.usage is not None and self.usage.state is UsageState.CALLING:
            self.agent.cancel(self.usage, now)

    def on(self, event: sip.Event, now: float) -> None:
        super().on(event, now)
        s = self.world.scenario
        if isinstance(event, sip.InviteReceived):
            self.usage = event.usage
            self.at(s.alice_after / 2, lambda now: self.agent.progress(event.usage, 180, now))
            if s.alice_verdict is not None:
                self.at(s.alice_after, self.decide)
            self.at(110.0, lambda now: self.agent.reject(event.usage, 480, now))
        elif isinstance(event, sip.InviteAcked) and s.click:
            self.stay()
        elif isinstance(event, sip.InviteAnswered):
            if s.alice_acks:
                self.agent.ack(event.usage, now, A_SDP if s.late_offer else b"")
            self.stay()
        elif isinstance(event, sip.RequestFinished) and event.method == "INVITE" and event.status == 200:
            assert event.usage is not None
            self.agent.ack(event.usage, now, A_MOVED)

    def stay(self) -> None:
        """She is on the line: what she does from now on, and when she hangs up."""
        s = self.world.scenario
        if s.alice_acks:
            self.at(100.0 if s.alice_bye is None else s.alice_bye, self.bye)
        if s.alice_hold is not None:
            self.at(s.alice_hold, lambda now: self.reinvite(now, A_MOVED))
        if s.alice_asks is not None:
            self.at(s.alice_asks, lambda now: self.reinvite(now, b""))
        if s.keys_at is not None:
            self.at(s.keys_at, lambda now: self.inform("7", now))

    def decide(self, now: float) -> None:
        """We call her."""
        assert self.usage is not None
        verdict = self.world.scenario.alice_verdict
        if verdict == 200:
            self.agent.answer(self.usage, now, A_SDP)
        else:
            self.agent.reject(self.usage, verdict or 480, now)

    def inform(self, digit: str, now: float) -> None:
        if self.usage is not None and not self.usage.is_over:
            self.agent.request(self.usage, "INFO", now, f"Signal={digit}\r\n".encode(), "application/dtmf-relay")

    def reinvite(self, now: float, body: bytes) -> None:
        if self.usage is not None and not self.usage.is_over:
            self.agent.request(self.usage, "INVITE", now, body=body)


class Bob(Phone):
    verdict_after = 0.0

    def on(self, event: sip.Event, now: float) -> None:
        super().on(event, now)
        s = self.world.scenario
        if isinstance(event, sip.InviteReceived):
            self.usage = event.usage
            for delay, status, body in s.rings:
                self.at(delay, lambda now, status=status, body=body: self.ring(status, body, now))  # type: ignore[misc]
            after = s.verdict_after if self is self.world.bob else s.fork_after
            if s.verdict is not None and after is not None:
                self.at(after, self.decide)
            self.at(110.0, lambda now: self.agent.reject(event.usage, 480, now))
        elif isinstance(event, sip.InviteAcked) and s.bob_moves is not None:
            self.at(s.bob_moves, self.move)

    def ring(self, status: int, body: bytes, now: float) -> None:
        assert self.usage is not None
        self.agent.progress(self.usage, status, now, body)

    def decide(self, now: float) -> None:
        assert self.usage is not None
        s = self.world.scenario
        if s.verdict == 200:
            if self.usage.state is UsageState.INCOMING:
                self.agent.answer(self.usage, now, B_SDP)
                self.at(120.0 if s.bob_bye is None else s.bob_bye, self.bye)
        else:
            headers = (("Contact", "<sip:+999@elsewhere.example>"),) if s.verdict == 302 else ()
            self.agent.reject(self.usage, s.verdict or 480, now, "Bob is out, call +6583334444", headers)

    def move(self, now: float) -> None:
        if self.usage is not None and not self.usage.is_over:
            self.agent.request(self.usage, "UPDATE", now, body=B_MOVED)
