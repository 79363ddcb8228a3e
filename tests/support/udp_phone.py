"""A phone for tests on real sockets: one SIP agent on one loopback port, its events kept for waiting on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from maskline.clock import SystemClock
from maskline.ids import SystemIds
from maskline.net.udp import UdpSocket
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.events import Event, Flow

E = TypeVar("E")


class UdpPhone:
    def __init__(self, on_event: Callable[[UdpPhone, Event, float], None] | None = None) -> None:
        self._clock = SystemClock()
        self._socket = UdpSocket(self._on_datagram, self._pump, lambda *_: None)
        self._timer: asyncio.TimerHandle | None = None
        self._on_event = on_event
        self._changed = asyncio.Event()
        self.heard: list[Event] = []
        self.received: list[bytes] = []
        host, port = self._socket.bind("127.0.0.1", 0)
        self.flow = Flow("udp", host, port)
        self.agent = Agent(AgentConfig(host, port, user_agent="phone"), SystemIds())

    def do(self, command: Callable[[float], E]) -> E:
        """Run an agent command and send what it made."""
        result = command(self._clock.now())
        self._pump()
        return result

    async def hears(self, kind: type[E], seconds: float = 30.0) -> E:
        """The first event of this kind, waited for."""
        async with asyncio.timeout(seconds):
            while True:
                for event in self.heard:
                    if isinstance(event, kind):
                        return event
                self._changed.clear()
                await self._changed.wait()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()

    def _on_datagram(self, data: bytes, host: str, port: int) -> None:
        self.received.append(data)
        self.agent.receive(data, Flow("udp", host, port), self._clock.now())

    def _pump(self) -> None:
        while events := self.agent.events():
            for event in events:
                self.heard.append(event)
                if self._on_event is not None:
                    self._on_event(self, event, self._clock.now())
        for data, flow in self.agent.datagrams():
            self._socket.send(data, flow.host, flow.port)
        self._changed.set()
        deadline = self.agent.next_deadline()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - self._clock.now()), self._on_timer)

    def _on_timer(self) -> None:
        self.agent.handle_timer(self._clock.now())
        self._pump()
