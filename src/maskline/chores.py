"""What a server does by itself, over and over: end sessions, forget what is old, find new trunks, collect garbage.

What it is: the loops, and that a store which is away is said once per outage and waited for. What it is not: what is
done, which is a workflow each. Who uses it: `app.py` runs each as a task.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from maskline.clock import Clock
from maskline.errors import ConfigurationError, StoreUnavailable
from maskline.storage import topics
from maskline.storage.topics import Told

_log = structlog.get_logger("maskline.chores")

SWEEP_SECONDS = 0.5
FORGET_SECONDS = 60.0
RELOAD_SECONDS = 1.0
CERTIFICATE_SECONDS = 5.0
COLLECT_SECONDS = 30.0
COLLECT_AT_LATEST = 3600.0
"""Seconds after which a server that is never without calls looks through everything nevertheless, some 2 µs an object
that is not of its start: 0.1 s, well below the half second after which a phone repeats itself."""


class Sweep(Protocol):
    @property
    def batch(self) -> int: ...

    async def __call__(self) -> int: ...


class Certificates(Protocol):
    def has_changed(self) -> bool: ...

    def reload(self) -> None: ...


class Waiting(Protocol):
    """Has work to look for, in the database."""

    def notify(self) -> None: ...


class Carrier(Protocol):
    """The engine, as far as it is told here; each by id, which may be of what it does not have."""

    def session_ended(self, session_id: str) -> None: ...
    def end_call(self, call_id: str) -> None: ...


def pass_on(deliverer: Waiting, starts: Sequence[Waiting], owning: Waiting, carrier: Carrier) -> Callable[[Told], None]:
    """To whom it matters here what a process that shares the database has done."""

    def hear(told: Told) -> None:
        if told.topic == topics.OUTBOX:
            deliverer.notify()
        elif told.topic == topics.REQUESTED:
            for one in starts:
                one.notify()
        elif told.topic == topics.OWNERS:
            owning.notify()
        elif told.topic == topics.SESSION:
            carrier.session_ended(told.about)
        elif told.topic == topics.CALL:
            carrier.end_call(told.about)

    return hear


class Chores:
    def __init__(
        self,
        *,
        sweep: Sweep,
        forget: Callable[[], Awaitable[bool]],
        refresh: Callable[[], Awaitable[bool]],
        guard: Callable[[], Awaitable[None]],
        swept: Callable[[], None],
        is_busy: Callable[[], object],
        clock: Clock,
        certificates: Certificates | None = None,
    ) -> None:
        """`refresh` reads the trunks again. `swept` is called when sessions were ended. `is_busy`: whether a call is in
        progress. `guard` tells of accounts' alarms, and keeps what these stop."""
        self._sweep = sweep
        self._forget = forget
        self._refresh = refresh
        self._swept = swept
        self._is_busy = is_busy
        self._clock = clock
        self._certificates = certificates
        self._guard = guard
        self._failing: set[str] = set()
        self.sessions_swept = 0
        self.loop_lag = 0.0
        """Seconds the event loop was late at the last look; calls are late by as much."""

    async def sweep_sessions(self) -> None:
        """End sessions whose time is over. Routing looks at the time itself, so being late by half a second only
        delays the SessionTimeout webhook."""
        while True:
            try:
                ended = await self._sweep()
            except StoreUnavailable:
                if self._fails_anew("sweeper"):
                    _log.warning("sweep_failed")
                ended = 0
            else:
                self._failing.discard("sweeper")
            if ended:
                self.sessions_swept += ended
                self._swept()
                _log.info("sessions_expired", count=ended)
            if ended < self._sweep.batch:
                await asyncio.sleep(SWEEP_SECONDS)

    async def forget_old(self) -> None:
        """Delete what is older than MASKLINE_RETENTION_DAYS, with a pause as long as each step took: the database's
        writer is free for calls at least half of the time."""
        clock = self._clock
        while True:
            begun = clock.now()
            try:
                more = await self._forget()
            except StoreUnavailable:
                more = False
                if self._fails_anew("retention"):
                    _log.warning("forgetting_failed")
            else:
                self._failing.discard("retention")
            await asyncio.sleep(clock.now() - begun if more else FORGET_SECONDS)

    async def reload_trunks(self) -> None:
        """Take up what the CLI changed, and keep accounts' alarms; also measure by how much the loop is late, since it
        wakes regularly."""
        while True:
            due = self._clock.now() + RELOAD_SECONDS
            await asyncio.sleep(RELOAD_SECONDS)
            self.loop_lag = max(0.0, self._clock.now() - due)
            try:
                await self._refresh()
                await self._guard()
            except StoreUnavailable:
                if self._fails_anew("reload"):
                    _log.warning("trunks_reload_failed")
            else:
                self._failing.discard("reload")

    async def reload_certificates(self) -> None:
        """Take up certificates that were renewed; connections that stand keep theirs."""
        while True:
            await asyncio.sleep(CERTIFICATE_SECONDS)
            if self._certificates is not None and self._certificates.has_changed():
                self.reload_certificates_now()

    def reload_certificates_now(self) -> None:
        if self._certificates is None:
            return
        try:
            self._certificates.reload()
        except ConfigurationError as error:
            _log.error("certificates_unusable", reason=str(error))
        else:
            _log.info("certificates_reloaded")

    async def collect_garbage(self) -> None:
        """Full collections only while no call is in progress; the thresholds keep them out of the calls. But once an
        hour even so: calls leave no cycles behind, and whatever else did would stay for as long as there are calls."""
        collected = self._clock.now()
        while True:
            await asyncio.sleep(COLLECT_SECONDS)
            if not self._is_busy() or self._clock.now() - collected >= COLLECT_AT_LATEST:
                gc.collect()
                collected = self._clock.now()

    def _fails_anew(self, chore: str) -> bool:
        """One line per outage, not one per try."""
        anew = chore not in self._failing
        self._failing.add(chore)
        return anew
