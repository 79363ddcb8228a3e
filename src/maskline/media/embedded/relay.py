"""The calls of one worker: two legs each, their ports, their timers.

What it is: everything a worker does with media, as plain calls plus `tick`; it reads packets when the selector it
was given calls the legs' readers. What it is not: a process, a control connection or an event loop (`worker.py`).
Who uses it: the worker; tests drive it with a selector of their own.
"""

from __future__ import annotations

import errno
import math
import random
import selectors
from collections.abc import Callable
from pathlib import Path

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.embedded.call import RelayCall, UnknownCall, Unplayable
from maskline.media.embedded.clips import ClipCache, UnplayableClip
from maskline.media.embedded.events import Stands, WorkerEvent
from maskline.media.embedded.leg import Leg
from maskline.media.embedded.outgoing import Position
from maskline.media.embedded.pace import PERIOD, Pace
from maskline.media.embedded.ports import REST_SECONDS, PortPool
from maskline.media.embedded.reports import INTERVAL
from maskline.media.embedded.spooling import FLUSH_EVERY
from maskline.media.embedded.wanted import CallWanted, LegWanted, Playing
from maskline.media.port import FarMedia, LocalMedia, MediaTimedOut, PlayDone, RecordingLost, Spool
from maskline.media.spool import SpoolError
from maskline.sdp.session import Codec
from maskline.timers import Timers

LINGER = 30.0
"""Seconds a timed-out call keeps its figures for the controller's `close`."""
_BIND_ATTEMPTS = 16
"""Ports another program sits on are skipped; this many in a row mean that the range is not ours."""

_LISTEN_EVERY = 0.05
"""Seconds between looks for digits whose end was lost, while any are collected."""

_IDLE, _REPORT, _FREE, _LISTEN, _FLUSH = "idle", "report", "free", "listen", "flush"


class NoPorts(Exception):
    """All ports of the range are in use."""


class Relay:
    def __init__(
        self,
        selector: selectors.BaseSelector,
        host: str,
        ports: tuple[int, int],
        *,
        timeout: float,
        emit: Callable[[WorkerEvent], None],
        wall: Callable[[], float],
        spool_folder: Path = Path("spool"),
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        self._selector = selector
        first, *others = host.split(",")
        self._hosts = {":" in one: one for one in (first, *others)}
        self._hosts.setdefault(":" not in first, first)
        self._ports = PortPool(*ports, rest_seconds=rest_seconds)
        self._timeout = timeout
        self._emit = emit
        self._wall = wall
        self._spool_folder = spool_folder
        self._calls: dict[str, RelayCall] = {}
        self._timers: Timers[str, str] = Timers()
        self._pace = Pace()
        self._clips = ClipCache()
        self._random = random.Random()
        self.controlled = True
        """Whether somebody could still close a call; if not, idle ones are freed here, bridged or not."""

    def __len__(self) -> int:
        return len(self._calls)

    def calls(self) -> list[str]:
        return list(self._calls)

    # --- what the driver asks -----------------------------------------------------------------------------------

    def open_leg(
        self, call_id: str, name: LegName, far: FarMedia | None, codecs: tuple[Codec, ...], now: float, *,
        ipv6: bool = False,
    ) -> LocalMedia:  # fmt: skip
        """Raises `NoPorts`, `UnusableAddress`."""
        call = self._calls.get(call_id)
        if call is None:
            call = RelayCall(call_id, now, self._pace, self._emit)
        leg = call.legs.get(name)
        if leg is None:
            leg = self._new_leg(codecs, now, ipv6=ipv6)
            try:
                if far is not None:
                    leg.attach(far)
            except ValueError:
                self._free_leg(leg, now)
                raise
            call.add(name, leg)
        else:
            call.offer(name, codecs, now)
            if far is not None:
                call.attach(name, far)
        if call_id not in self._calls:
            self._calls[call_id] = call
            self._timers.set(_IDLE, call_id, now + self._timeout)
        return leg.local

    def legs(self, call_id: str) -> tuple[LegName, ...]:
        """Those of this call that have ports."""
        return tuple(self._call(call_id).legs)

    def position(self, call_id: str, name: LegName) -> Position:
        """Where our stream to this leg's far side stands."""
        return self._call(call_id).leg(name).position()

    def attach(self, call_id: str, name: LegName, far: FarMedia, now: float) -> None:
        call = self._call(call_id)
        held = call.is_held
        call.attach(name, far)
        if held:
            call.active_at = now

    def bridge(self, call_id: str, now: float, *, digits: bool = True) -> None:
        call = self._call(call_id)
        if call.bridged:
            return
        call.join(digits=digits)
        call.active_at = now
        self._timers.set(_IDLE, call_id, now + self._timeout)
        self._timers.set(_REPORT, call_id, now + self._report_interval() / 2.0)

    def unbridge(self, call_id: str) -> None:
        self._call(call_id).part()

    def play(
        self, call_id: str, name: LegName, path: str, play_id: int, repeat: int, now: float, skipped: int = 0
    ) -> None:
        """Raises `UnplayableClip`, `Unplayable`, `UnknownCall`."""
        self._call(call_id).play(name, self._clips.get(path), play_id, repeat, now, skipped)

    def stop_playing(self, call_id: str, name: LegName) -> None:
        self._call(call_id).stop_playing(name)

    def collect(self, call_id: str, name: LegName, on: bool, now: float) -> None:
        call = self._call(call_id)
        call.collect(name, on)
        if call.collecting():
            self._timers.set(_LISTEN, call_id, now + _LISTEN_EVERY)

    def send_digit(self, call_id: str, name: LegName, digit: str, duration_ms: int, now: float) -> None:
        """Raises `ValueError` for what is no key."""
        self._call(call_id).press(name, digit, duration_ms, now)

    def start_recording(self, call_id: str, recording_id: str, now: float) -> Spool:
        """Raises `UnknownCall`, `SpoolError`."""
        spool = self._call(call_id).start_recording(self._spool_folder, recording_id, now, self._wall())
        self._timers.set(_FLUSH, call_id, now + FLUSH_EVERY)
        return spool

    def stop_recording(self, call_id: str, now: float) -> None:
        self._call(call_id).stop_recording(now)

    def stats(self, call_id: str) -> dict[LegName, Quality]:
        call = self._calls.get(call_id)
        return {} if call is None else call.quality()

    def close(self, call_id: str, now: float) -> dict[LegName, Quality]:
        call = self._calls.pop(call_id, None)
        if call is None:
            return {}
        call.end(now)
        for kind in (_IDLE, _REPORT, _FREE, _LISTEN, _FLUSH):
            self._timers.cancel(kind, call_id)
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

    # --- in place of a worker that died -------------------------------------------------------------------------

    def restore(self, wanted: CallWanted, now: float) -> None:
        """Set up a call as it was: ports, peers, streams, and what was said, heard and kept. Raises `NoPorts`."""
        call = RelayCall(wanted.id, now, self._pace, self._emit)
        try:
            for name, leg in wanted.legs.items():
                call.add(name, self._restored_leg(leg, now))
        except (OSError, ValueError) as error:
            for opened in call.legs.values():
                self._free_leg(opened, now)
            raise NoPorts from error
        self._calls[call.id] = call
        self._timers.set(_IDLE, call.id, now + self._timeout)
        if wanted.bridged:
            self.bridge(call.id, now, digits=wanted.digits)
        for name, leg in wanted.legs.items():
            self.collect(call.id, name, leg.collecting, now)
            if leg.playing is not None:
                self._play_on(call.id, name, leg.playing, now)
        if wanted.recording:
            self._record_on(call.id, wanted.recording, now)

    def _restored_leg(self, wanted: LegWanted, now: float) -> Leg:
        self._ports.claim(wanted.port)
        try:
            leg = Leg(self._selector, self._hosts[wanted.ipv6], wanted.port, wanted.codecs, now=now)
        except OSError:
            self._ports.give_back(wanted.port, now)
            raise
        leg.resume(wanted.position, now)
        try:
            if wanted.far is not None:
                leg.attach(wanted.far)
            if wanted.source is not None:
                leg.latch_again(wanted.source)
        except ValueError:
            self._free_leg(leg, now)
            raise
        return leg

    def _play_on(self, call_id: str, name: LegName, playing: Playing, now: float) -> None:
        """From the place that a listener would be at by now."""
        skipped = max(int((now - playing.begun_at) / PERIOD), 0)
        try:
            self.play(call_id, name, playing.path, playing.play_id, playing.repeat, now, skipped)
        except (Unplayable, UnplayableClip):
            self._emit(PlayDone(call_id, name, playing.play_id))

    def _record_on(self, call_id: str, recording_id: str, now: float) -> None:
        """In a part of its own beside the one that the dead worker wrote."""
        try:
            self.start_recording(call_id, recording_id, now)
        except (SpoolError, UnknownCall):
            self._emit(RecordingLost(call_id))

    # --- time ---------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        deadline, beat = self._timers.next_deadline(), self._pace.next_beat
        return deadline if deadline is not None and deadline < beat else None if beat == math.inf else beat

    def tick(self, now: float) -> None:
        if self._pace.next_beat <= now:
            self._pace.tick(now)
        for kind, call_id in self._timers.expired(now):
            call = self._calls[call_id]
            if kind == _REPORT:
                wall = self._wall()
                for leg in call.legs.values():
                    leg.report(now, wall)
                positions = {name: leg.position() for name, leg in call.legs.items()}
                self._emit(Stands(call_id, positions, call.quality()))
                self._timers.set(_REPORT, call_id, now + self._report_interval())
            elif kind == _IDLE:
                self._check_idle(call, now)
            elif kind == _LISTEN:
                call.expire_digits(now)
                if call.collecting():
                    self._timers.set(_LISTEN, call_id, now + _LISTEN_EVERY)
            elif kind == _FLUSH:
                if call.flush_recording():
                    self._timers.set(_FLUSH, call_id, now + FLUSH_EVERY)
            else:
                self.close(call_id, now)

    def _check_idle(self, call: RelayCall, now: float) -> None:
        silent_since = now if call.is_held and self.controlled else call.last_activity()
        if silent_since + self._timeout > now:
            self._timers.set(_IDLE, call.id, silent_since + self._timeout)
        elif not self.controlled:
            self.close(call.id, now)
        elif call.bridged:
            self._emit(MediaTimedOut(call.id))
            self._timers.set(_FREE, call.id, now + LINGER)
        else:  # still ringing: the engine's own timers end it
            self._timers.set(_IDLE, call.id, now + self._timeout)

    def _report_interval(self) -> float:
        return INTERVAL * self._random.uniform(0.5, 1.5)

    # --- legs ---------------------------------------------------------------------------------------------------

    def _call(self, call_id: str) -> RelayCall:
        call = self._calls.get(call_id)
        if call is None:
            raise UnknownCall
        return call

    def _new_leg(self, codecs: tuple[Codec, ...], now: float, *, ipv6: bool) -> Leg:
        for _ in range(_BIND_ATTEMPTS):
            port = self._ports.take(now)
            if port is None:
                break
            try:
                return Leg(self._selector, self._hosts[ipv6], port, codecs, now=now)
            except OSError as error:
                self._ports.give_back(port, now)
                if error.errno != errno.EADDRINUSE:
                    raise NoPorts(error.strerror) from error
        raise NoPorts

    def _free_leg(self, leg: Leg, now: float) -> None:
        leg.close()
        self._ports.give_back(leg.port, now)
