"""The rtpengine media driver.

What it is: `MediaDriver` over one or more rtpengine daemons. A call lives on the daemon its id hashes to among those
that answer. Leg A's port is won by an offer and an answer from nobody (tag `v`); leg B is an offer with a to-tag
of its own, its attach the answer: A's port never changes. What it is not: configuration of the daemon, and it shows
the daemon no party's SDP (`synthetic_sdp.py`); docs/decisions/0011 says what crosses. Who uses it: `app.py`.

Media timeout: each bridged call is asked after (`query`) four times per timeout. The daemon's own callback would
save that, but it is one URL per daemon in its configuration, is sent once, and says nothing when the daemon was
restarted; asking finds silence, the daemon's own timeout and lost calls alike.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from maskline.errors import MediaUnavailable
from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.port import FarMedia, LocalMedia, MediaEvent, MediaLost, MediaTimedOut
from maskline.media.rtpengine import synthetic_sdp
from maskline.media.rtpengine.client import NgNode, NgRefused
from maskline.media.rtpengine.figures import packets_accepted, read_figures
from maskline.sdp.session import Codec
from maskline.timers import Timers

_WITHIN = 1.6
"""Seconds for one port method, which may take two requests."""
_PROBE_EVERY = 1.0
_CHECKS_PER_TIMEOUT = 4
_NOBODY = "v"
_COMMON: dict[str, Any] = {
    "replace": ["origin"],
    "ICE": "remove",
    "rtcp-mux": ["demux"],
    "transport protocol": "RTP/AVP",
}
# Without port-latching the second answer changes A's port; without generate-RTCP the far side's RTCP, and with it
# its CNAME, would be passed on.
_FLAGS = ["trust-address", "strict-source", "port-latching", "generate-RTCP"]


@dataclass(slots=True)
class _Call:
    node: NgNode
    far: dict[LegName, FarMedia] = field(default_factory=dict)
    codecs: dict[LegName, tuple[Codec, ...]] = field(default_factory=dict)
    local: dict[LegName, LocalMedia] = field(default_factory=dict)
    bridged: bool = False
    over: bool = False
    """`close` was asked for while the daemon was away; it is told when it answers again."""
    packets: int = 0
    active_at: float = 0.0


class RtpengineDriver:
    def __init__(self, nodes: Sequence[tuple[str, int]], *, timeout: float = 60.0) -> None:
        """`nodes` are ng addresses; `timeout` is seconds without a packet from either side."""
        self._nodes = [NgNode(host, port) for host, port in nodes]
        self._timeout = timeout
        self._calls: dict[str, _Call] = {}
        self._checks: Timers[str] = Timers()
        self._on_event: Callable[[MediaEvent], None] = _ignore
        self._tasks: list[asyncio.Task[None]] = []

    # --- life ---------------------------------------------------------------------------------------------------

    async def start(self, on_event: Callable[[MediaEvent], None]) -> None:
        self._on_event = on_event
        await asyncio.gather(*(node.probe() for node in self._nodes))
        self._tasks = [asyncio.create_task(self._watch_node(node)) for node in self._nodes]
        self._tasks.append(asyncio.create_task(self._watch_calls()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for node in self._nodes:
            node.close()

    @property
    def available(self) -> bool:
        return any(node.up for node in self._nodes)

    # --- the port -----------------------------------------------------------------------------------------------

    async def open_leg(
        self, call_id: str, leg: LegName, far: FarMedia | None, *, codecs: tuple[Codec, ...]
    ) -> LocalMedia:
        call = self._calls.get(call_id)
        if call is None:
            call = self._calls[call_id] = _Call(self._choose(call_id))
        known = call.local.get(leg)
        call.codecs[leg] = codecs
        if far is not None:
            call.far[leg] = far
        if known is not None and far is None:
            return known
        try:
            async with _promptly():
                local = await (self._open_a(call_id, call) if leg is LegName.A else self._open_b(call_id, call))
        except MediaUnavailable:
            if not call.local:
                del self._calls[call_id]
            raise
        call.local[leg] = local
        return local

    async def attach(self, call_id: str, leg: LegName, far: FarMedia) -> None:
        call = self._known(call_id)
        call.far[leg] = far
        async with _promptly():
            if leg is LegName.A:
                await self._open_a(call_id, call)
            else:
                await self._answer(call_id, call, LegName.B.value, far)

    async def bridge(self, call_id: str) -> None:
        """The daemon relays from the answer on; from here the silence is watched."""
        call = self._known(call_id)
        if not call.node.up:
            raise MediaUnavailable
        if not call.bridged:
            call.bridged = True
            call.active_at = asyncio.get_running_loop().time()
            self._checks.set(call_id, call.active_at + self._check_every)

    async def stats(self, call_id: str) -> dict[LegName, Quality]:
        call = self._known(call_id)
        try:
            async with _promptly():
                return read_figures(await call.node.request("query", {"call-id": call_id}))
        except NgRefused as error:
            raise MediaUnavailable("The media of this call is gone.") from error

    async def close(self, call_id: str) -> dict[LegName, Quality]:
        call = self._calls.get(call_id)
        if call is None:
            if not self.available:
                raise MediaUnavailable
            return {}
        try:
            async with _promptly():
                reply = await call.node.request("delete", {"call-id": call_id, "from-tag": LegName.A.value})
        except NgRefused:  # freed by its own timeout, or by a restart
            reply = {}
        except MediaUnavailable:
            call.over = True
            self._checks.set(call_id, asyncio.get_running_loop().time() + _PROBE_EVERY)
            raise
        self._forget(call_id)
        return read_figures(reply)

    # --- recipes (media.md §4) ------------------------------------------------------------------------------------

    async def _open_a(self, call_id: str, call: _Call) -> LocalMedia:
        """Offer A's side; the answer that comes back to A carries its port. Also A's new offer in a call."""
        far_b = call.far.get(LegName.B)
        dialled = LegName.B in call.local
        await self._offer(call_id, call, to_tag=LegName.B.value if dialled else None)
        if dialled and far_b is None:
            return call.local[LegName.A]
        if far_b is not None:
            return await self._answer(call_id, call, LegName.B.value, far_b)
        return await self._answer(call_id, call, _NOBODY, synthetic_sdp.nobody(call.codecs[LegName.A]))

    async def _open_b(self, call_id: str, call: _Call) -> LocalMedia:
        local = await self._offer(call_id, call, to_tag=LegName.B.value)
        far = call.far.get(LegName.B)
        if far is not None:
            await self._answer(call_id, call, LegName.B.value, far)
        return local

    async def _offer(self, call_id: str, call: _Call, *, to_tag: str | None) -> LocalMedia:
        far = self._side(call, LegName.A)
        fields: dict[str, Any] = {"label": "a"}
        if to_tag is not None:
            fields["to-tag"] = to_tag
            transcode = synthetic_sdp.missing_voice(far.codecs, call.codecs.get(LegName.B, ()))
            if transcode:
                fields["codec"] = {"transcode": transcode}
        return await self._signal(call, "offer", call_id, far, fields)

    async def _answer(self, call_id: str, call: _Call, to_tag: str, far: FarMedia) -> LocalMedia:
        return await self._signal(call, "answer", call_id, far, {"to-tag": to_tag, "label": to_tag})

    async def _signal(
        self, call: _Call, command: str, call_id: str, far: FarMedia, fields: dict[str, Any]
    ) -> LocalMedia:
        # Behind NAT the first sender is believed; a trunk's SDP address is true, and a window in which anybody is
        # learned from (the daemon's default: 3 s after each offer and answer) would let strangers in.
        learning = "endpoint-learning-immediate" if far.nat else "endpoint-learning-off"
        message = {
            "call-id": call_id,
            "from-tag": LegName.A.value,
            "sdp": synthetic_sdp.write(far),
            "flags": [*_FLAGS, learning],
            **_COMMON,
            **fields,
        }
        try:
            return synthetic_sdp.read_local((await call.node.request(command, message))["sdp"])
        except (NgRefused, KeyError, synthetic_sdp.UnreadableReply) as error:
            raise MediaUnavailable("rtpengine refused the media of this call.") from error

    @staticmethod
    def _side(call: _Call, leg: LegName) -> FarMedia:
        return call.far.get(leg) or synthetic_sdp.nobody(call.codecs[leg])

    # --- nodes --------------------------------------------------------------------------------------------------

    def _choose(self, call_id: str) -> NgNode:
        """Rendezvous hashing: a node that goes takes only its own calls' places along."""
        living = [node for node in self._nodes if node.up]
        if not living:
            raise MediaUnavailable
        return max(living, key=lambda node: hashlib.blake2b(f"{node.name} {call_id}".encode()).digest())

    def _known(self, call_id: str) -> _Call:
        call = self._calls.get(call_id)
        if call is None:
            raise MediaUnavailable("The media of this call is gone." if self.available else None)
        return call

    def _forget(self, call_id: str) -> None:
        self._calls.pop(call_id, None)
        self._checks.cancel(call_id)

    async def _watch_node(self, node: NgNode) -> None:
        """A daemon that was restarted, or has fewer calls than we gave it, is asked after each of ours."""
        while True:
            await asyncio.sleep(_PROBE_EVERY)
            held = [(call_id, call) for call_id, call in self._calls.items() if call.node is node and call.local]
            await node.probe()
            if node.up and (node.restarted.is_set() or node.sessions < len(held)):
                node.restarted.clear()
                for call_id, call in held:
                    await self._check(call_id, call)

    # --- silence ------------------------------------------------------------------------------------------------

    @property
    def _check_every(self) -> float:
        return self._timeout / _CHECKS_PER_TIMEOUT

    async def _watch_calls(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_PROBE_EVERY, self._check_every / 2.0))
            for call_id in list(self._checks.expired(loop.time())):
                call = self._calls.get(call_id)
                if call is not None:
                    self._checks.set(call_id, loop.time() + self._check_every)
                    await self._check(call_id, call)

    async def _check(self, call_id: str, call: _Call) -> None:
        """Ask after one call; a node that is away is asked again later, its calls may live on in it."""
        if self._calls.get(call_id) is not call:
            return  # closed meanwhile
        if call.over:
            with suppress(MediaUnavailable):
                await self.close(call_id)
            return
        try:
            packets = packets_accepted(await call.node.request("query", {"call-id": call_id}))
        except NgRefused:
            self._report_gone(call_id, call)
            return
        except MediaUnavailable:
            return
        now = asyncio.get_running_loop().time()
        if packets != call.packets:
            call.packets, call.active_at = packets, now
        elif call.bridged and now - call.active_at >= self._timeout:
            self._checks.cancel(call_id)
            self._on_event(MediaTimedOut(call_id))

    def _report_gone(self, call_id: str, call: _Call) -> None:
        """Silent for a while already: the daemon's own timeout freed it. Else the daemon is another one."""
        if self._calls.get(call_id) is not call:
            return
        silent = asyncio.get_running_loop().time() - call.active_at
        timed_out = call.bridged and silent >= 2.0 * self._check_every
        self._forget(call_id)
        self._on_event(MediaTimedOut(call_id) if timed_out else MediaLost(call_id))


def _ignore(_event: MediaEvent) -> None:
    """Before `start` nobody listens and nothing happens."""


@asynccontextmanager
async def _promptly() -> AsyncIterator[None]:
    """What takes longer than the port allows is `MediaUnavailable`."""
    try:
        async with asyncio.timeout(_WITHIN):
            yield
    except TimeoutError:
        raise MediaUnavailable from None
