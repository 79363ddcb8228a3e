"""The relay of one worker, driven by hand: real sockets on loopback, time as an argument."""

from __future__ import annotations

import selectors
import weakref
from dataclasses import dataclass, field
from pathlib import Path

from maskline.lab.ports import free_ports, give_back
from maskline.masking.facts import LegName
from maskline.media.embedded.events import Latched, Stands, WorkerEvent
from maskline.media.embedded.relay import Relay
from maskline.media.port import MediaTimedOut
from maskline.media.rtp import RtpPacket, build, parse
from tests.support.rtp_party import Party

A, B = LegName.A, LegName.B


@dataclass
class Bench:
    """A relay with its selector; `turn` lets it read what is there."""

    timeout: float = 60.0
    rest_seconds: float = 5.0
    ports: tuple[int, int] = field(default_factory=lambda: free_ports(40))
    spool: Path = Path("nowhere")
    events: list[WorkerEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        weakref.finalize(self, give_back, self.ports[0])
        self.selector = selectors.DefaultSelector()
        self.relay = Relay(
            self.selector,
            "127.0.0.1",
            self.ports,
            timeout=self.timeout,
            emit=self.events.append,
            wall=lambda: 1_700_000_000.0,
            spool_folder=self.spool,
            rest_seconds=self.rest_seconds,
        )

    @property
    def told(self) -> list[WorkerEvent]:
        """What the engine gets to know."""
        return [event for event in self.events if not isinstance(event, Latched | Stands)]

    @property
    def timed_out(self) -> list[str]:
        return [event.call_id for event in self.events if isinstance(event, MediaTimedOut)]

    def turn(self) -> None:
        while ready := self.selector.select(0):
            for key, _ in ready:
                key.data()

    def connect(self, alice: Party, bob: Party, call_id: str = "call", now: float = 0.0) -> None:
        alice.aim(self.relay.open_leg(call_id, A, alice.far, alice.codecs, now))
        bob.aim(self.relay.open_leg(call_id, B, None, bob.codecs, now))
        self.relay.attach(call_id, B, bob.far, 0.0)
        self.relay.bridge(call_id, now)

    def pass_on(self, sender: Party, receiver: Party, packet: RtpPacket | bytes) -> RtpPacket:
        sender.rtp.sendto(packet if isinstance(packet, bytes) else build(packet), sender.to)
        self.turn()
        parsed = parse(receiver.rtp.recv(2048))
        assert parsed is not None
        return parsed
