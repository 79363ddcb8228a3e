"""The phones of the simulation: Alice, who calls or is called first, and Bob, whom she is to reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from maskline.ids import SeededIds
from maskline.sdp.parse import parse
from maskline.sip import events as sip
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.events import Flow
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.transaction_client import ClientTransaction
from tests.support.call_machine import CALLER, VIRTUAL
from tests.support.sim_handset import Handset
from tests.support.sim_scenario import A_MEDIA, A_MOVED, A_SDP, ALICE, B_MEDIA, B_MOVED, ENGINE, REALM, proof

if TYPE_CHECKING:
    from tests.support.engine_world import World


_RINGING = (UsageState.CALLING, UsageState.INCOMING)


class Phone:
    """An agent that follows the scenario."""

    def __init__(self, world: World, flow: Flow, seed: int, name: str) -> None:
        self.world = world
        self.flow = flow
        self.agent = Agent(AgentConfig(flow.host, flow.port, user_agent=f"{name}-phone/7"), SeededIds(seed))
        if world.scenario.digest:
            self.agent.challenge(lambda flow: (proof(ENGINE),), REALM)
        self.usage: InviteUsage | None = None
        self.heard: list[sip.Event] = []
        said = parse(world.scenario.offer if name == "alice" else world.scenario.answer)
        codecs = " ".join([str(codec.payload_type) for codec in said.codecs])
        self.handset = Handset(*((A_MEDIA, 4000) if name == "alice" else (B_MEDIA, 6000)), codecs)

    def at(self, delay: float, act: Callable[[float], None]) -> None:
        self.world.schedule(delay, lambda now: (act(now), self.world.pump(now)))

    def bye(self, now: float) -> None:
        if self.usage is not None:
            self.world.compare_handsets()
            self.agent.bye(self.usage, now)

    def on(self, event: sip.Event, now: float) -> None:
        self.heard.append(event)
        if isinstance(event, sip.InviteReceived) and self.world.scenario.digest:
            self.agent.prove(event.usage, proof(ENGINE))
        if isinstance(event, sip.AckMissing):
            self.agent.bye(event.usage, now)
        elif isinstance(event, sip.RequestReceived):
            self.take(event, now)
        elif isinstance(event, sip.InviteAcked):
            self.handset.hear(event.body)
        elif isinstance(event, sip.RequestFinished):
            self.finished(event, now)

    def take(self, event: sip.RequestReceived, now: float) -> None:
        request = event.request
        offers = request.method == "INVITE" or (request.method == "UPDATE" and request.body)
        self.agent.respond(event.key, 200, now, self.handset.answer(request.body) if offers else b"")

    def finished(self, event: sip.RequestFinished, now: float) -> None:
        if event.status >= 300 or event.response is None:
            self.handset.refused()
            return
        answer = self.handset.agreed(event.response.body)
        if answer and event.usage is not None:
            self.agent.ack(event.usage, now, answer)

    def press(self, wish: str, now: float) -> None:
        """A button: `sendonly`, `inactive`, `sendrecv`, `0.0.0.0`, the number of a codec, or an offer `asked` for; by
        UPDATE with a `+` in front, given up at once with a `-`."""
        usage = self.usage
        if usage is None or usage.is_over or usage.offer is not None or not self.may_offer(usage, early="+" in wish):
            return
        method, wish = ("UPDATE" if wish[0] == "+" else "INVITE"), wish.lstrip("+")
        body = b"" if wish == "asked" else self.handset.offer(wish.lstrip("-"))
        self.agent.request(usage, method, now, body=body)
        if wish[0] == "-" and usage.transaction is not None:
            self.at(0.05, lambda now: self.take_back(now))

    def offer(self, method: str, now: float, body: bytes) -> None:
        """What no button says; one offer at a time, as with buttons."""
        if self.usage is not None and not self.usage.is_over and self.usage.offer is None:
            if body:
                self.handset.means(body)
            self.agent.request(self.usage, method, now, body=body)

    @staticmethod
    def may_offer(usage: InviteUsage, *, early: bool) -> bool:
        dialog = usage.dialog
        described = early and dialog is not None and usage.is_described(dialog.remote_tag)
        return usage.state is UsageState.CONFIRMED or (usage.state in _RINGING and described)

    def take_back(self, now: float) -> None:
        usage = self.usage
        if usage is not None and isinstance(usage.transaction, ClientTransaction):
            self.agent._client._requests.cancel(usage, now)

    def buttons(self, *, early: bool = False) -> None:
        scenario = self.world.scenario
        for at, who, wish in scenario.early_presses if early else scenario.presses:
            if self is (self.world.alice if who == "alice" else self.world.bob):
                self.at(at, lambda now, wish=wish: self.press(wish, now))  # type: ignore[misc]


class Alice(Phone):
    answered = False

    def call(self, now: float) -> None:
        s = self.world.scenario
        identity = ("P-Asserted-Identity", f'"Alice Wonder" <sip:{CALLER.e164}@carrier.example>')
        withheld = s.kind == "withheld"
        self.usage = self.agent.invite(
            OutgoingInvite(
                ENGINE, f"sip:{VIRTUAL.e164}@{ENGINE.host}",
                "sip:anonymous@anonymous.invalid" if withheld else f"sip:{CALLER.digits}@{ALICE.host}",
                f"sip:{VIRTUAL.e164}@{ENGINE.host}", b"" if s.late_offer else s.offer, max_forwards=s.max_forwards,
                headers=(*(() if withheld else (identity,)),
                         *(() if s.expires is None else (("Expires", str(s.expires)),)),
                         ("Subject", f"from {CALLER.digits}"), ("X-Account", "wonderland")),
                credentials=proof(ENGINE) if s.digest else None,
                reliable="required" if s.reliable else "off", session_seconds=s.session,
            ),
            now,
        )  # fmt: skip
        if s.cancel_after is not None:
            self.at(s.cancel_after, self.give_up)
        self.at(150.0, self.give_up)
        self.buttons(early=True)

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
        elif isinstance(event, sip.InviteProgress):
            self.agent.prack(event.usage, now, A_SDP)  # only to an offer in it
            self.hear(event.response.sdp)
        elif isinstance(event, sip.InviteAnswered):
            self.hear(event.response.sdp)
            if s.alice_acks:
                # With SDP it is the offer to an INVITE without one.
                self.agent.ack(event.usage, now, A_SDP if s.late_offer and event.response.body else b"")
            self.stay()

    def hear(self, body: bytes) -> None:
        """Of the answers to her INVITE the first counts (RFC 3261 §13.2.1)."""
        if body and not self.answered:
            self.answered = True
            if self.world.scenario.late_offer:
                self.handset.answers(body, A_SDP)
            else:
                self.handset.begins(self.world.scenario.offer, body)

    def stay(self) -> None:
        """She is on the line: what she does from now on, and when she hangs up."""
        s = self.world.scenario
        self.buttons()
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
        self.offer("INVITE", now, body)


class Bob(Phone):
    settled = False

    @property
    def verdict(self) -> int | None:
        s = self.world.scenario
        return s.verdict if self is self.world.bob or s.elsewhere is None else s.elsewhere

    def on(self, event: sip.Event, now: float) -> None:
        super().on(event, now)
        s = self.world.scenario
        if isinstance(event, sip.InviteReceived):
            self.usage = event.usage
            self.buttons(early=True)
            for delay, status, body in s.rings:
                self.at(delay, lambda now, status=status, body=body: self.ring(status, body, now))  # type: ignore[misc]
            after = s.verdict_after if self is self.world.bob or s.elsewhere is not None else s.fork_after
            if self.verdict is not None and after is not None:
                self.at(after, self.decide)
            self.at(110.0, lambda now: self.agent.reject(event.usage, 480, now))
        elif isinstance(event, sip.InviteAcked) and event.usage.request is None and not self.settled:
            self.settled = True
            self.buttons()
            if s.bob_moves is not None:
                self.at(s.bob_moves, self.move)

    def ring(self, status: int, body: bytes, now: float) -> None:
        assert self.usage is not None
        self.agent.progress(self.usage, status, now, body, reliable=self.world.scenario.reliable)

    def decide(self, now: float) -> None:
        assert self.usage is not None
        s = self.world.scenario
        verdict = self.verdict
        if verdict == 200:
            if self.usage.state is UsageState.INCOMING:
                if not self.usage.is_described(self.usage.dialog.remote_tag if self.usage.dialog else ""):
                    assert self.usage.request is not None, "unanswered"
                    self.handset.answers(self.usage.request.body, s.answer)
                self.agent.answer(self.usage, now, s.answer, session_seconds=s.session)
                self.at(120.0 if s.bob_bye is None else s.bob_bye, self.bye)
        else:
            headers = (("Contact", "<sip:+999@elsewhere.example>"),) if verdict == 302 else ()
            self.agent.reject(self.usage, verdict or 480, now, "Bob is out, call +6583334444", headers)

    def move(self, now: float) -> None:
        self.offer("UPDATE", now, B_MOVED)
