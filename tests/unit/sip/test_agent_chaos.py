"""Two agents whose users do anything at any time, over a bad network, by seed.

Invariants: no usage is told of twice or after its end, every usage ends on both sides once both users want
out, and no transaction, timer or dialog is left over. A seed that fails is a test case.
"""

from __future__ import annotations

import random

import pytest

from maskline.sip.events import (
    AckMissing,
    ByeFinished,
    ByeReceived,
    Event,
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteReceived,
    RequestFinished,
    RequestReceived,
)
from maskline.sip.invite_usage import InviteUsage
from tests.support.sip_network import ANSWER, OFFER, Network, Peer, is_idle, outgoing

FINAL = (InviteCancelled, InviteFailed, ByeReceived, ByeFinished)


class User:
    """Whoever drives one agent: answers what must be answered, and disturbs at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.usages: list[InviteUsage] = []
        self.over: set[str] = set()
        self.keys: list[object] = []

    def __call__(self, peer: Peer, event: Event, now: float) -> None:
        usage = event.usage
        if usage is not None:
            assert usage.id not in self.over, f"{type(event).__name__} after the end"
            if isinstance(event, FINAL):
                self.over.add(usage.id)
        if isinstance(event, InviteReceived):
            self.usages.append(event.usage)
        elif isinstance(event, InviteAnswered):
            if self.random.random() < 0.9:
                peer.agent.ack(event.usage, now)
        elif isinstance(event, AckMissing):
            peer.agent.bye(event.usage, now)
        elif isinstance(event, RequestReceived):
            self.keys.append(event.key)
        elif isinstance(event, RequestFinished) and event.usage is not None:
            peer.agent.ack(event.usage, now, ANSWER)

    def act(self, peer: Peer, other: Peer, now: float) -> None:
        choice = self.random.randrange(12)
        if choice == 0 or not self.usages:
            self.usages.append(peer.agent.invite(outgoing(other), now))
            return
        usage, agent = self.random.choice(self.usages), peer.agent
        if choice <= 2:
            agent.progress(usage, 180, now)
        elif choice <= 5:
            agent.answer(usage, now, ANSWER)
        elif choice == 6:
            self.reject(peer, usage, now)
        elif choice == 7:
            agent.cancel(usage, now)
        elif choice == 8:
            agent.bye(usage, now)
        elif choice == 9:
            agent.request(usage, self.random.choice(("INVITE", "UPDATE")), now, self.random.choice((OFFER, b"")))
        elif choice == 10:
            agent.request(usage, "INFO", now)
        elif self.keys:
            agent.respond(self.keys.pop(0), self.random.choice((183, 200, 488)), now, ANSWER)

    def reject(self, peer: Peer, usage: InviteUsage, now: float) -> None:
        peer.agent.reject(usage, 486, now)
        if usage.is_over:
            self.over.add(usage.id)

    def leave(self, peer: Peer, now: float) -> None:
        """Hang up everything; an unanswered call of theirs ends without an event."""
        for usage in self.usages:
            peer.agent.bye(usage, now)
            if usage.is_over:
                self.over.add(usage.id)


@pytest.mark.parametrize("seed", range(120))
def test_whatever_happens_everything_ends(seed: int) -> None:
    chance = random.Random(seed)
    net = Network(seed=seed, loss=chance.choice((0, 0.1, 0.3)), duplication=0.2, jitter=chance.choice((0.0, 0.5)))
    users = [User(seed * 2), User(seed * 2 + 1)]
    peers = [net.peer(f"p{index}", f"192.0.2.{index + 1}", user) for index, user in enumerate(users)]
    for _ in range(chance.randrange(5, 60)):
        index = chance.randrange(2)
        users[index].act(peers[index], peers[1 - index], net.now)
        net.run(chance.choice((0.0, 0.01, 0.3, 3.0)))
    net.run(1)
    for _ in range(2):
        for user, peer in zip(users, peers, strict=True):
            user.leave(peer, net.now)
        net.run(150)
    for user, peer in zip(users, peers, strict=True):
        assert is_idle(peer), peer.agent.sizes()
        assert {usage.id for usage in user.usages} == user.over
        peer.agent.events()
        assert all(usage.owner is None and usage.transaction is None for usage in user.usages)
