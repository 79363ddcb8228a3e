"""Watching over the daemons and over the calls in them.

What it is: the background of the driver: a probe of each daemon every second (at once and often when its TCP
connection ends, since it was most likely killed and its supervisor starts it again), a look after each call when a
daemon is found to be another one, and the time-out of calls in which nobody speaks. What it is not: what is done for
a call that lived on (`driver.py`). Who uses it: `driver.py`.

Media timeout: each bridged call is asked after (`query`) four times per timeout. The daemon's own callback would save
that, but it is one URL per daemon in its configuration, is sent once, and says nothing when the daemon was restarted;
asking finds silence, the daemon's own timeout and lost calls alike.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

from maskline.errors import MediaUnavailable
from maskline.media.port import MediaEvent, MediaLost, MediaTimedOut
from maskline.media.rtpengine.call_state import CallState
from maskline.media.rtpengine.client import NgNode, NgRefused
from maskline.media.rtpengine.figures import packets_accepted
from maskline.timers import Timers

PROBE_EVERY = 1.0
_CHECKS_PER_TIMEOUT = 4
_SOON = 0.05
"""Seconds between two looks for a daemon that was just killed; it is back after some 0.07 s."""
_PATIENCE = 12
"""Such looks, of a tenth of a second each at most, before it is a daemon that is away."""


class Owner(Protocol):
    """The driver, as far as it is asked from here."""

    calls: dict[str, CallState]

    def tell(self, event: MediaEvent) -> None: ...

    def forget(self, call_id: str) -> None: ...

    async def close_late(self, call_id: str) -> None: ...

    async def renew(self, call: CallState) -> None: ...


class Supervision:
    def __init__(self, nodes: list[NgNode], owner: Owner, timeout: float) -> None:
        self._nodes = nodes
        self._owner = owner
        self._timeout = timeout
        self._checks: Timers[None, str] = Timers()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await asyncio.gather(*(node.probe() for node in self._nodes))
        self._tasks = [asyncio.create_task(self._watch_node(node)) for node in self._nodes]
        self._tasks.append(asyncio.create_task(self._watch_calls()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- daemons ------------------------------------------------------------------------------------------------

    async def _watch_node(self, node: NgNode) -> None:
        """A daemon that was restarted, or has fewer calls than we gave it, is asked after each of ours."""
        while True:
            await self._probe_later(node)
            held = [call for call in self._owner.calls.values() if call.node is node and call.local]
            if node.up and (node.restarted.is_set() or node.sessions < len(held)):
                anew = node.restarted.is_set()
                node.restarted.clear()
                await self._look_after(held, anew)

    async def _probe_later(self, node: NgNode) -> None:
        try:
            async with asyncio.timeout(PROBE_EVERY):
                await node.parted.wait()
        except TimeoutError:
            await node.probe()
            return
        node.parted.clear()
        for _ in range(_PATIENCE):
            await asyncio.sleep(_SOON)
            await node.probe(_SOON, patient=True)
            if node.answered:
                return
        await node.probe(_SOON)

    async def _look_after(self, held: list[CallState], anew: bool) -> None:
        for call in held:
            if await self._check(call) and anew:
                with suppress(MediaUnavailable):
                    await self._owner.renew(call)

    # --- calls --------------------------------------------------------------------------------------------------

    @property
    def _check_every(self) -> float:
        return self._timeout / _CHECKS_PER_TIMEOUT

    def watch(self, call: CallState) -> None:
        """From here silence counts."""
        call.active_at = asyncio.get_running_loop().time()
        self._checks.set(None, call.id, call.active_at + self._check_every)

    def watch_soon(self, call: CallState) -> None:
        self._checks.set(None, call.id, asyncio.get_running_loop().time() + PROBE_EVERY)

    def forget(self, call_id: str) -> None:
        self._checks.cancel(None, call_id)

    async def _watch_calls(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(PROBE_EVERY, self._check_every / 2.0))
            for _, call_id in list(self._checks.expired(loop.time())):
                call = self._owner.calls.get(call_id)
                if call is not None:
                    self._checks.set(None, call_id, loop.time() + self._check_every)
                    await self._check(call)

    async def _check(self, call: CallState) -> bool:
        """Ask after one call, whether it is there; a node that is away is asked again later, its calls may live on."""
        if self._owner.calls.get(call.id) is not call:
            return False  # closed meanwhile
        if call.over:
            await self._owner.close_late(call.id)
            return False
        try:
            packets = packets_accepted(await call.node.request("query", {"call-id": call.id}))
        except NgRefused:
            self._report_gone(call)
            return False
        except MediaUnavailable:
            return False
        now = asyncio.get_running_loop().time()
        if packets != call.packets or call.is_held:
            call.packets, call.active_at = packets, now
        elif call.bridged and now - call.active_at >= self._timeout:
            self._checks.cancel(None, call.id)
            self._owner.tell(MediaTimedOut(call.id))
        return True

    def _report_gone(self, call: CallState) -> None:
        """Silent for a while already: the daemon's own timeout freed it. Else the daemon is another one."""
        if self._owner.calls.get(call.id) is not call:
            return
        silent = asyncio.get_running_loop().time() - call.active_at
        timed_out = call.bridged and silent >= 2.0 * self._check_every
        self._owner.forget(call.id)
        self._owner.tell(MediaTimedOut(call.id) if timed_out else MediaLost(call.id))
