"""Agents joined in memory on a virtual clock, over a network that is as bad as its seed wants.

Each delivered message is parsed by the receiving agent; nothing is a socket and nothing sleeps.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from maskline.ids import SeededIds
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.events import Event, Flow

OFFER = b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n"
ANSWER = b"v=0\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 0\r\n"

Handler = Callable[["Peer", Event, float], None]


@dataclass
class Peer:
    """One agent, its address, everything it reported, and what its user does about it."""

    name: str
    flow: Flow
    agent: Agent
    seen: list[Event] = field(default_factory=list)
    handler: Handler | None = None

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.seen]

    def last(self, kind: type) -> Event:
        return next(event for event in reversed(self.seen) if isinstance(event, kind))


@dataclass
class Network:
    """Carries datagrams between peers; loss, duplication and extra delay are probabilities and seconds."""

    seed: int = 0
    loss: float = 0.0
    duplication: float = 0.0
    jitter: float = 0.0
    delay: float = 0.01
    now: float = 100.0
    peers: dict[Flow, Peer] = field(default_factory=dict)
    wire: list[tuple[Flow, Flow, bytes]] = field(default_factory=list)
    drop: Callable[[bytes, Flow], bool] | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._queue: list[tuple[float, int, Flow, Flow, bytes]] = []
        self._serial = 0

    def peer(self, name: str, host: str, handler: Handler | None = None, **config: object) -> Peer:
        flow = Flow("udp", host, 5060)
        agent = Agent(AgentConfig(host, 5060, **config), SeededIds(len(self.peers) + 10 * self.seed))  # type: ignore[arg-type]
        self.peers[flow] = Peer(name, flow, agent, handler=handler)
        return self.peers[flow]

    def pump(self) -> None:
        """Drain every agent until nothing is said any more at this moment."""
        busy = True
        while busy:
            busy = False
            for peer in self.peers.values():
                for data, to in peer.agent.datagrams():
                    busy = True
                    self._put(peer.flow, to, data)
                for event in peer.agent.events():
                    busy = True
                    peer.seen.append(event)
                    if peer.handler is not None:
                        peer.handler(peer, event, self.now)

    def run(self, seconds: float) -> None:
        """Let time pass: deliveries and timers in order of their time."""
        end = self.now + seconds
        self.pump()
        while True:
            due = [deadline for peer in self.peers.values() if (deadline := peer.agent.next_deadline()) is not None]
            if self._queue:
                due.append(self._queue[0][0])
            if not due or min(due) > end:
                break
            self.now = max(self.now, min(due))
            while self._queue and self._queue[0][0] <= self.now:
                _, _, source, to, data = heapq.heappop(self._queue)
                if to in self.peers:
                    self.peers[to].agent.receive(data, source, self.now)
                    self.pump()
            for peer in self.peers.values():
                peer.agent.handle_timer(self.now)
            self.pump()
        self.now = end

    def sent(self, start: bytes, source: Peer | None = None) -> list[bytes]:
        """Every datagram put on the wire so far whose first line starts so."""
        return [
            data for came, _, data in self.wire if data.startswith(start) and source in (None, self.peers.get(came))
        ]

    def ladder(self) -> list[str]:
        return [data.split(b"\r\n", 1)[0].decode("ascii", "replace") for _, _, data in self.wire]

    def _put(self, source: Flow, to: Flow, data: bytes) -> None:
        self.wire.append((source, to, data))
        if self.drop is not None and self.drop(data, to):
            return
        if self._random.random() < self.loss:
            return
        copies = 2 if self._random.random() < self.duplication else 1
        for _ in range(copies):
            self._serial += 1
            arrival = self.now + self.delay + self._random.random() * self.jitter
            heapq.heappush(self._queue, (arrival, self._serial, source, to, data))


def outgoing(to: Peer, body: bytes = OFFER, **values: object) -> OutgoingInvite:
    return OutgoingInvite(
        to.flow, f"sip:+15550100@{to.flow.host}", "sip:+15550101@192.0.2.1", f"sip:+15550100@{to.flow.host}", body,
        **values,  # type: ignore[arg-type]
    )  # fmt: skip


def is_idle(peer: Peer) -> bool:
    return not any(peer.agent.sizes().values())
