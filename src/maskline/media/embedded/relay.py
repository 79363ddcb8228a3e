"""The calls of one worker: two legs each, their ports, their timers.

What it is: everything a worker does with media, as plain calls plus `tick`; it reads packets when the selector it
was given calls the legs' readers. What it is not: a process, a control connection or an event loop (`worker.py`).
Who uses it: the worker; tests drive it with a selector of their own.
"""

from __future__ import annotations

import errno
import random
import selectors
from collections.abc import Callable
from dataclasses import dataclass, field

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.embedded.leg import Leg
from maskline.media.embedded.ports import REST_SECONDS, PortPool
from maskline.media.embedded.reports import INTERVAL
from maskline.media.port import FarMedia, LocalMedia
from maskline.sdp.session import Codec
from maskline.timers import Timers

LINGER = 30.0
"""Seconds a timed-out call keeps its figures for the controller's `close`."""
_BIND_ATTEMPTS = 16
"""Ports another program sits on are skipped; this many in a row mean that the range is not ours."""

_IDLE, _REPORT, _FREE = "idle", "report", "free"


class NoPorts(Exception):
    """All ports of the range are in use."""


class UnknownCall(Exception):
    """There is no such call or leg here."""


@dataclass(slots=True)
class RelayCall:
    id: str
    active_at: float
    """When it was opened or bridged: the timeout counts from here until packets come."""
    legs: dict[LegName, Leg] = field(default_factory=dict)
    bridged: bool = False

    def last_activity(self) -> float:
        return max(self.active_at, *(leg.last_sign for leg in self.legs.values()))

    def quality(self) -> dict[LegName, Quality]:
        figures = ((name, leg.quality()) for name, leg in self.legs.items())
        return {name: quality for name, quality in figures if quality is not None}


class Relay:
    def __init__(
        self,
        selector: selectors.BaseSelector,
        host: str,
        ports: tuple[int, int],
        *,
        timeout: float,
        on_timeout: Callable[[str], None],
        wall: Callable[[], float],
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        self._selector = selector
        self._host = host
        self._ports = PortPool(*ports, rest_seconds=rest_seconds)
        self._timeout = timeout
        self._on_timeout = on_timeout
        self._wall = wall
        self._calls: dict[str, RelayCall] = {}
        self._timers: Timers[tuple[str, str]] = Timers()
        self._random = random.Random()
        self.controlled = True
        """Whether somebody could still close a call; if not, idle ones are freed here, bridged or not."""

    def __len__(self) -> int:
        return len(self._calls)

    def calls(self) -> list[str]:
        return list(self._calls)

    # --- what the driver asks -----------------------------------------------------------------------------------

    def open_leg(
        self, call_id: str, name: LegName, far: FarMedia | None, codecs: tuple[Codec, ...], now: float
    ) -> LocalMedia:
        """Raises `NoPorts`, `UnusableAddress`."""
        call = self._calls.get(call_id)
        if call is None:
            call = RelayCall(call_id, now)
        leg = call.legs.get(name)
        if leg is None:
            leg = self._new_leg(codecs, now)
            try:
                if far is not None:
                    leg.attach(far)
            except ValueError:
                self._free_leg(leg, now)
                raise
            call.legs[name] = leg
        else:
            leg.offer(codecs)
            if far is not None:
                leg.attach(far)
        if call_id not in self._calls:
            self._calls[call_id] = call
            self._timers.set((call_id, _IDLE), now + self._timeout)
        return leg.local

    def attach(self, call_id: str, name: LegName, far: FarMedia) -> None:
        self._leg(call_id, name).attach(far)

    def bridge(self, call_id: str, now: float) -> None:
        a, b = self._leg(call_id, LegName.A), self._leg(call_id, LegName.B)
        call = self._calls[call_id]
        if call.bridged:
            return
        call.bridged = True
        call.active_at = now
        a.join(b)
        b.join(a)
        self._timers.set((call_id, _IDLE), now + self._timeout)
        self._timers.set((call_id, _REPORT), now + self._report_interval() / 2.0)

    def stats(self, call_id: str) -> dict[LegName, Quality]:
        call = self._calls.get(call_id)
        return {} if call is None else call.quality()

    def close(self, call_id: str, now: float) -> dict[LegName, Quality]:
        call = self._calls.pop(call_id, None)
        if call is None:
            return {}
        for kind in (_IDLE, _REPORT, _FREE):
            self._timers.cancel((call_id, kind))
        quality = call.quality()
        wall = self._wall()
        for leg in call.legs.values():
            leg.report(now, wall, goodbye=True)
        for leg in call.legs.values():
            self._free_leg(leg, now)
        return quality

    def close_all(self, now: float) -> None:
        for call_id in self.calls():
            self.close(call_id, now)

    # --- time ---------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        return self._timers.next_deadline()

    def tick(self, now: float) -> None:
        for call_id, kind in self._timers.expired(now):
            call = self._calls[call_id]
            if kind == _REPORT:
                wall = self._wall()
                for leg in call.legs.values():
                    leg.report(now, wall)
                self._timers.set((call_id, _REPORT), now + self._report_interval())
            elif kind == _IDLE:
                self._check_idle(call, now)
            else:
                self.close(call_id, now)

    def _check_idle(self, call: RelayCall, now: float) -> None:
        silent_since = call.last_activity()
        if silent_since + self._timeout > now:
            self._timers.set((call.id, _IDLE), silent_since + self._timeout)
        elif not self.controlled:
            self.close(call.id, now)
        elif call.bridged:
            self._on_timeout(call.id)
            self._timers.set((call.id, _FREE), now + LINGER)
        else:  # still ringing: the engine's own timers end it
            self._timers.set((call.id, _IDLE), now + self._timeout)

    def _report_interval(self) -> float:
        return INTERVAL * self._random.uniform(0.5, 1.5)

    # --- legs ---------------------------------------------------------------------------------------------------

    def _leg(self, call_id: str, name: LegName) -> Leg:
        call = self._calls.get(call_id)
        leg = None if call is None else call.legs.get(name)
        if leg is None:
            raise UnknownCall
        return leg

    def _new_leg(self, codecs: tuple[Codec, ...], now: float) -> Leg:
        for _ in range(_BIND_ATTEMPTS):
            port = self._ports.take(now)
            if port is None:
                break
            try:
                return Leg(self._selector, self._host, port, codecs)
            except OSError as error:
                self._ports.give_back(port, now)
                if error.errno != errno.EADDRINUSE:
                    raise NoPorts(error.strerror) from error
        raise NoPorts

    def _free_leg(self, leg: Leg, now: float) -> None:
        leg.close()
        self._ports.give_back(leg.port, now)
