"""A lab phone: a SIP user agent with one line, real RTP and a memory of every byte it saw.

What it is: `sip.Agent` on UDP, TCP or TLS plus `lab/audio.py`, with a behaviour for incoming calls, keys to press and a
hold button. What it is not: part of the platform; it talks to it only over the wire. Who uses it: the demo, wire tests.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from maskline.ids import SystemIds
from maskline.lab.audio import Audio
from maskline.lab.ear import Ear
from maskline.lab.mouth import Mouth
from maskline.lab.offer import CODECS, agree, common, describe
from maskline.lab.phone_wire import StreamWire, UdpWire
from maskline.lab.sound import Samples
from maskline.masking.e164 import Number
from maskline.net.tls import Tls
from maskline.sdp.session import Codec
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.events import (
    ByeFinished,
    ByeReceived,
    Event,
    Flow,
    InviteAnswered,
    InviteCancelled,
    InviteFailed,
    InviteProgress,
    InviteReceived,
    RequestFinished,
    RequestReceived,
)
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Response
from maskline.sip.uri import bracketed


class Behaviour(StrEnum):
    """What the phone does when it rings."""

    ANSWER = "answer"
    """180, then 200 after `ring_for` seconds."""
    REFUSE = "refuse"
    """The final status `refuse_with`, at once."""
    RING_THEN_REFUSE = "ring-then-refuse"
    """180, then `refuse_with` after `ring_for` seconds."""
    RING = "ring"
    """Rings for ever: the caller gives up, or the platform's ring timeout does."""
    SILENT = "silent"
    """Hears everything, answers nothing: a phone that is off behind a carrier that does not say so."""


class Keys(StrEnum):
    """How a pressed key is told."""

    EVENT = "RFC 4733"
    """As telephone-event, or as a tone when the far side takes none."""
    TONE = "in-band"
    RELAY = "application/dtmf-relay"
    """SIP INFO with `Signal=` and `Duration=`."""
    PLAIN = "application/dtmf"
    """SIP INFO with the digit alone."""


@dataclass(frozen=True, slots=True)
class Traced:
    """One SIP message on the phone's socket."""

    at: float
    """Monotonic seconds."""
    sent: bool
    data: bytes = field(repr=False)

    @property
    def first_line(self) -> str:
        return self.data.split(b"\r\n", 1)[0].decode("utf-8", "replace")


class Phone:
    """One phone with one call at a time. `ended` is set when its call is over, with `final_status`."""

    def __init__(self, name: str, number: Number, tone: int, behaviour: Behaviour = Behaviour.ANSWER) -> None:
        self.name, self.number, self.tone, self.behaviour = name, number, tone, behaviour
        self.codecs: tuple[Codec, ...] = CODECS
        """What it offers and takes, best first."""
        self.keeps_numbers = False
        """Answers under its own payload types instead of the offer's, as RFC 3264 §6.1 allows."""
        self.line: Samples | None = None
        """What it says as soon as it talks, instead of its tone."""
        self.loss = 0.0
        """Share of its packets that get lost on the way."""
        self.ring_for = 0.3
        """Seconds from 180 to the final answer."""
        self.refuse_with = 486
        self.trace: list[Traced] = []
        self.final_status = 0
        self.address: tuple[str, int] = ("", 0)
        self.ringing, self.answered, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.audio: Audio | None = None
        self.key_statuses: list[int] = []
        """The answers to the SIP INFO of pressed keys."""
        self._keys: deque[tuple[str, Keys]] = deque()
        self._descriptions = 0
        self._usage: InviteUsage | None = None
        self._wire: UdpWire | StreamWire | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._final_timer: asyncio.TimerHandle | None = None
        self._agent: Agent
        self._host = ""

    # -- life ---------------------------------------------------------------------------------------------

    async def open(self, host: str, transport: str = "udp", tls: Tls | None = None) -> None:
        """`tls` for the transport of that name: its certificate and whom it believes."""
        self._host = host
        if transport == "udp":
            self._wire = UdpWire(self._on_message)
        else:
            self._wire = StreamWire(self._on_message, self._on_failed, self._on_closed, tls)
        self.address = await self._wire.open(host)
        port = self.address[1]
        self._agent = Agent(AgentConfig(host, port, port, user_agent=f"lab-{self.name}"), SystemIds())
        await self._new_audio()

    async def reset(self, behaviour: Behaviour, *, refuse_with: int = 486) -> None:
        """Make ready for the next call: fresh audio, empty memory."""
        self.behaviour, self.refuse_with, self.final_status, self._usage = behaviour, refuse_with, 0, None
        self.trace, self.key_statuses = [], []
        self._keys.clear()
        for event in (self.ringing, self.answered, self.ended):
            event.clear()
        await self._new_audio()

    async def _new_audio(self) -> None:
        if self.audio:
            self.audio.close()
        self.audio = Audio(self._host, self.tone)
        self.audio.mouth.loss = self.loss
        if self.line is not None:
            self.audio.mouth.say(self.line)
        await self.audio.open()

    def close(self) -> None:
        for timer in (self._timer, self._final_timer):
            if timer:
                timer.cancel()
        if self.audio:
            self.audio.close()
        if self._wire:
            self._wire.close()

    # -- what a person does ---------------------------------------------------------------------------------

    def dial(self, number: Number, through: tuple[str, int], name: str = "") -> None:
        """`name`: what the certificate of whom it calls has to prove over TLS; empty: the address."""
        assert self._wire is not None, "opened first"
        target, there = Flow(self._wire.transport, *through, name), bracketed(through[0])
        self._usage = self._agent.invite(
            OutgoingInvite(
                flow=target,
                request_uri=f"sip:{number.e164}@{there}:{through[1]}",
                from_uri=f"sip:{self.number.e164}@{there}",
                to_uri=f"sip:{number.e164}@{there}",
                body=self._own_sdp(),
            ),
            self._now(),
        )
        self._flush()

    def cancel(self) -> None:
        if self._usage:
            self._agent.cancel(self._usage, self._now())
            self._flush()

    def hang_up(self) -> None:
        if self._usage:
            self._agent.bye(self._usage, self._now())
            self._flush()

    @property
    def ear(self) -> Ear:
        """What it hears in this call; raises `RuntimeError` before `open`."""
        return self._open_audio().ear

    @property
    def mouth(self) -> Mouth:
        """What it says in this call; raises `RuntimeError` before `open`."""
        return self._open_audio().mouth

    def press(self, digits: str, how: Keys = Keys.EVENT) -> None:
        """One key after another; each SIP INFO waits for the answer to the one before."""
        if how in (Keys.EVENT, Keys.TONE):
            self.mouth.press(digits, as_tones=how is Keys.TONE)
            return
        idle = not self._keys
        self._keys.extend((digit, how) for digit in digits)
        if idle:
            self._send_key()

    def hold(self, held: bool = True) -> None:
        """A re-INVITE: sendonly and silence, or sendrecv and sound again (RFC 3264 §8.4)."""
        if self._usage:
            self._open_audio().muted = held
            body = self._own_sdp(direction="sendonly" if held else "sendrecv")
            self._agent.request(self._usage, "INVITE", self._now(), body)
            self._flush()

    def change(self, codecs: tuple[Codec, ...]) -> None:
        """A re-INVITE that offers these from now on."""
        self.codecs = codecs
        if self._usage:
            self._agent.request(self._usage, "INVITE", self._now(), self._own_sdp())
            self._flush()

    @property
    def received(self) -> list[bytes]:
        """Every byte that reached this phone: SIP, RTP and RTCP."""
        return [item.data for item in self.trace if not item.sent] + (self.audio.received if self.audio else [])

    # -- wire ------------------------------------------------------------------------------------------------

    def _on_message(self, data: bytes, flow: Flow) -> None:
        self.trace.append(Traced(time.monotonic(), False, data))
        if self.behaviour is Behaviour.SILENT:
            return
        self._agent.receive(data, flow, self._now())
        self._flush()

    def _on_failed(self, flow: Flow) -> None:
        self._agent.flow_failed(flow, self._now())
        self._flush()

    def _on_closed(self, flow: Flow) -> None:
        self._agent.flow_closed(flow, self._now())
        self._flush()

    def _flush(self) -> None:
        """Hand events to the phone, send what the agent queued, and set the next timer."""
        for event in self._agent.events():
            self._on_event(event)
        for data, flow in self._agent.datagrams():
            self.trace.append(Traced(time.monotonic(), True, data))
            if self._wire:
                self._wire.send(data, flow)
        if self._timer:
            self._timer.cancel()
            self._timer = None
        deadline = self._agent.next_deadline()
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - self._now()), self._on_timer)

    def _on_timer(self) -> None:
        self._agent.handle_timer(self._now())
        self._flush()

    @staticmethod
    def _now() -> float:
        return time.monotonic()

    # -- events ----------------------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        match event:
            case InviteReceived():
                self._on_invite(event)
            case InviteProgress():
                self.ringing.set()
            case InviteAnswered():
                self._agent.ack(event.usage, self._now())
                self._talk(event.response.body)
            case InviteFailed():
                self._over(event.status)
            case InviteCancelled():
                self._over(487)
            case ByeReceived() | ByeFinished():
                self._over(200)
            case RequestReceived():
                self._on_request(event)
            case RequestFinished(method="INFO"):
                self.key_statuses.append(event.status)
                self._keys.popleft()
                self._send_key()
            case RequestFinished(method="INVITE", response=Response() as response):
                self._talk(response.body)
            case _:
                pass

    def _on_invite(self, event: InviteReceived) -> None:
        self._usage = event.usage
        if self.behaviour is Behaviour.REFUSE:
            self._refuse(event.usage)
            return
        self._agent.progress(event.usage, 180, self._now())
        self.ringing.set()
        loop = asyncio.get_running_loop()
        if self.behaviour is Behaviour.ANSWER:
            self._final_timer = loop.call_later(self.ring_for, self._answer, event.usage, event.request.body)
        elif self.behaviour is Behaviour.RING_THEN_REFUSE:
            self._final_timer = loop.call_later(self.ring_for, self._refuse, event.usage)

    def _on_request(self, event: RequestReceived) -> None:
        """In a dialog: a new offer is taken as it comes, everything else is fine."""
        body = b""
        if event.request.method in ("INVITE", "UPDATE"):
            offer = event.request.body
            body = self._own_sdp(self._taken(offer) if offer else ())
            if offer:
                self._talk(offer)
        self._agent.respond(event.key, 200, self._now(), body)

    def _send_key(self) -> None:
        if self._usage and self._keys:
            digit, how = self._keys[0]
            text = f"Signal={digit}\r\nDuration=100\r\n" if how is Keys.RELAY else digit
            self._agent.request(self._usage, "INFO", self._now(), text.encode(), how.value)
            self._flush()

    def _refuse(self, usage: InviteUsage) -> None:
        if not self.ended.is_set():
            self._agent.reject(usage, self.refuse_with, self._now())
            self._over(self.refuse_with)
            self._flush()

    def _answer(self, usage: InviteUsage, offer: bytes) -> None:
        if not self.ended.is_set():
            self._agent.answer(usage, self._now(), self._own_sdp(self._taken(offer)))
            self._talk(offer)
            self._flush()

    def _talk(self, far_sdp: bytes) -> None:
        agreed = agree(far_sdp, self.codecs)
        audio = self._open_audio()
        audio.mouth.law, audio.mouth.event_type = agreed.law, agreed.event_type
        if agreed.listening:
            audio.start(agreed.address, agreed.port)
        else:
            audio.stop()
        self.answered.set()

    def _over(self, status: int) -> None:
        self.final_status = self.final_status or status
        if self.audio:
            self.audio.stop()
        self.ended.set()

    def _taken(self, offer: bytes) -> tuple[Codec, ...]:
        both = common(offer, self.codecs)
        if not self.keeps_numbers:
            return both
        return tuple([own for own in self.codecs if any(own.matches(one) for one in both)])

    def _own_sdp(self, codecs: tuple[Codec, ...] = (), direction: str = "sendrecv") -> bytes:
        self._descriptions += 1
        audio, written = self._open_audio(), codecs or self.codecs
        events = [codec.payload_type for codec in written if codec.is_telephone_event]
        audio.ear.event_type = events[0] if events else audio.ear.event_type
        return describe(self._host, audio.port, written, direction, self._descriptions)

    def _open_audio(self) -> Audio:
        if self.audio is None:
            raise RuntimeError("the phone is not open")
        return self.audio
