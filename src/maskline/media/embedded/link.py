"""The engine's end of one worker: find it or start it, talk to it, notice when it is gone, bring it back.

What it is: one supervised connection. A worker that lives (it outlives engines) is taken over with its calls; a
dead one is started anew and told of its calls, and only those it cannot take are reported lost; one that stops
answering is killed after a while, since its calls are silent anyway. What it is not: the choice among workers
(`driver.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from maskline.errors import MediaUnavailable
from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.embedded import wire
from maskline.media.embedded.events import Latched, Stands, WorkerEvent, read_event
from maskline.media.embedded.process import Standby, WorkerSetup, reap, start_worker
from maskline.media.embedded.wanted import CallWanted, LegWanted, write_call
from maskline.media.port import MediaEvent, MediaLost, PlayDone, RecordingLost

ANSWER_WITHIN = 1.2
"""Seconds; the port promises `MediaUnavailable` within 2, and a loaded machine is late."""
_PING_EVERY = 1.0
_KILL_AFTER = 10.0
"""Seconds without an answer after which a worker is taken for hung: ten times what any pause of it lasts."""
_START_WITHIN = 5.0
_RESTART_WITHIN = 0.7
"""Seconds that a request waits for a worker that is being started anew; with ANSWER_WITHIN less than the promised 2."""
_RESTORED_AT_ONCE = 200
"""Calls in one frame: some 150 KB of JSON."""
_SLOWEST_RETRY = 5.0

_log = structlog.get_logger()
T = TypeVar("T")

_SENTENCES = {
    "no_ports": "All media ports are in use.",
    "unknown_call": "The media of this call is gone.",
    "unusable_address": "The media address of the far side cannot be used from here.",
    "no_spool": "The recording cannot be written.",
    "unplayable": "The far side understands no codec that clips can be played in.",
    "unplayable_clip": "The clip is not there, or not 8 kHz, 16 bit and mono.",
}


class WorkerLink:
    def __init__(self, setup: WorkerSetup, on_event: Callable[[MediaEvent], None]) -> None:
        self._setup = setup
        self._on_event = on_event
        self.calls: set[str] = set()
        """What the worker holds, as far as we know."""
        self.wanted: dict[str, CallWanted] = {}
        """What to ask of a new worker; calls that were taken over from another engine are not in it."""
        self._to_close: set[str] = set()
        """Calls whose `close` the worker did not hear; it is told when it answers again."""
        self._process: subprocess.Popen[bytes] | None = None
        self._standby = Standby(setup)
        self.pid = 0
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[wire.Message]] = {}
        self._serial = 0
        self._responsive = False
        self._said_away = False
        self._ready = asyncio.Event()
        self._coming_back: asyncio.Event | None = None
        """While a dead worker is replaced."""
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def up(self) -> bool:
        return self._writer is not None and self._responsive

    def leg(self, call_id: str, name: LegName) -> LegWanted | None:
        wanted = self.wanted.get(call_id)
        return None if wanted is None else wanted.legs.get(name)

    def with_earlier(self, call_id: str, figures: dict[LegName, Quality]) -> dict[LegName, Quality]:
        """With those of workers before this one."""
        wanted = self.wanted.get(call_id)
        return figures if wanted is None else wanted.with_earlier(figures)

    def forget(self, call_id: str) -> None:
        self.calls.discard(call_id)
        self.wanted.pop(call_id, None)

    # --- life ---------------------------------------------------------------------------------------------------

    async def start(self, within: float = 2.0) -> None:
        """Start supervising; returns when the worker answers, or after `within` seconds without it."""
        self._tasks = [asyncio.create_task(self._supervise()), asyncio.create_task(self._watch())]
        try:
            await _within(within, self._ready.wait())
        except TimeoutError:
            self._set_responsive(False)

    async def stop(self, *, leave: bool = False) -> None:
        """End the worker and with it whatever calls it still holds, or `leave` both to who comes next."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._writer is not None and not leave:
            with contextlib.suppress(OSError):
                self._writer.write(wire.pack({"id": 0, "op": "shutdown"}))
                await self._writer.drain()
        self._standby.dismiss()
        if self._process is not None and not leave:
            await asyncio.to_thread(reap, self._process)
        self._disconnect()

    async def _supervise(self) -> None:
        retry = 0.1
        while True:
            try:
                reader = await self._connect()
            except (OSError, MediaUnavailable, wire.BrokenFrame):
                self._set_responsive(False)
                self._came_back()
                await asyncio.sleep(retry)
                retry = min(retry * 2.0, _SLOWEST_RETRY)
                continue
            retry = 0.1
            self._came_back()
            await self._read(reader)
            self._coming_back = asyncio.Event()
            self._disconnect()

    def _came_back(self) -> None:
        """Or could not be started: who waits for it need not wait longer."""
        if self._coming_back is not None:
            self._coming_back.set()
            self._coming_back = None

    async def _connect(self) -> asyncio.StreamReader:
        """Reach the living worker, or a new one; raises `OSError` when neither comes up."""
        try:
            reader = await self._greet()
        except (FileNotFoundError, ConnectionError):
            reader = await self._greet_next()
        self._set_responsive(True)
        self._ready.set()
        return reader

    async def _greet_next(self) -> asyncio.StreamReader:
        """A worker in the dead one's place; the one in waiting may have died of the same cause."""
        self._spawn()
        try:
            return await self._greet_new()
        except (FileNotFoundError, ConnectionError):
            self._spawn()
        try:
            return await self._greet_new()
        except OSError:
            self._lose(set(self.calls))
            raise

    async def _greet_new(self) -> asyncio.StreamReader:
        deadline = asyncio.get_running_loop().time() + _START_WITHIN
        while True:
            try:
                return await self._greet()
            except (FileNotFoundError, ConnectionError):
                ended = self._process is None or self._process.poll() is not None
                if ended or asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.02)

    async def _greet(self) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_unix_connection(str(self._setup.socket))
        try:
            writer.write(wire.pack({"id": 0, "op": "hello"}))
            identity = (await _within(ANSWER_WITHIN, _read_frame(reader)))["ok"]
            if not self._setup.agrees_with(identity):
                # Left over from a run with other settings: no engine knows its calls any more.
                writer.write(wire.pack({"id": 0, "op": "shutdown"}))
                await _within(ANSWER_WITHIN, reader.read())
                raise ConnectionResetError("the worker had other settings")
            self._writer = writer
            await self._agree_on_calls(reader, identity)
        except (asyncio.IncompleteReadError, KeyError) as error:
            writer.close()
            self._writer = None
            raise ConnectionResetError("no hello") from error
        except BaseException:
            writer.close()
            self._writer = None
            raise
        return reader

    async def _agree_on_calls(self, reader: asyncio.StreamReader, identity: wire.Message) -> None:
        """What it holds is ours to close; what it does not hold it is given, if it took a dead one's place."""
        held, replaced = set(identity["calls"]), identity["pid"] != self.pid
        self.pid = identity["pid"]
        missing = self.calls - held
        self.calls |= held
        if replaced:
            known = [self.wanted[call_id] for call_id in missing - self._to_close if call_id in self.wanted]
            for start in range(0, len(known), _RESTORED_AT_ONCE):
                missing -= await self._restore(reader, known[start : start + _RESTORED_AT_ONCE])
        self._lose(missing)

    async def _restore(self, reader: asyncio.StreamReader, calls: list[CallWanted]) -> set[str]:
        """Ids of the calls that go on."""
        assert self._writer is not None  # greeted
        self._writer.write(wire.pack({"id": 0, "op": "restore", "calls": [write_call(call) for call in calls]}))
        try:
            while "ok" not in (message := await _within(ANSWER_WITHIN, _read_frame(reader))):
                self._hear(read_event(message))
        except BaseException:
            self._lose({call.id for call in calls})  # once is enough: it may be one of them that it fails on
            raise
        restored = {call.id for call in calls} - set(message["ok"]["lost"])
        for call in calls:
            call.worker_died()
        worker = self._setup.socket.stem
        _log.warning("media_restored", driver="embedded", worker=worker, pid=self.pid, calls=len(restored))
        return restored

    def _spawn(self) -> None:
        if self._process is not None:
            self._process.poll()  # reaps the one that died
        self._process = self._standby.take_over() or start_worker(self._setup.arguments())

    def _disconnect(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(MediaUnavailable())

    def _lose(self, calls: set[str]) -> None:
        for call_id in calls:
            self.forget(call_id)
        for call_id in calls - self._to_close:
            self._on_event(MediaLost(call_id))
        self._to_close -= calls

    # --- talk ---------------------------------------------------------------------------------------------------

    async def request(self, op: str, **fields: Any) -> wire.Message:
        """The `ok` of the reply; raises `MediaUnavailable` within 2 s."""
        if not self.up and self._coming_back is not None:
            with contextlib.suppress(TimeoutError):
                await _within(_RESTART_WITHIN, self._coming_back.wait())
        if not self.up:
            raise MediaUnavailable
        return await self._ask(op, fields)

    async def _ask(self, op: str, fields: wire.Message) -> wire.Message:
        if self._writer is None:
            raise MediaUnavailable
        self._serial += 1
        serial = self._serial
        future: asyncio.Future[wire.Message] = asyncio.get_running_loop().create_future()
        self._waiting[serial] = future
        self._writer.write(wire.pack({"id": serial, "op": op, **fields}))
        try:
            reply = await _within(ANSWER_WITHIN, future)
        except TimeoutError:
            self._set_responsive(False)
            raise MediaUnavailable from None
        finally:
            self._waiting.pop(serial, None)
        if "error" in reply:
            raise MediaUnavailable(_SENTENCES.get(reply["error"]))
        ok: wire.Message = reply["ok"]
        return ok

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Hand out replies and events until the worker closes or speaks nonsense."""
        while True:
            try:
                message = await _read_frame(reader)
                event = read_event(message) if "event" in message else None
            except (asyncio.IncompleteReadError, OSError, wire.BrokenFrame):
                self._set_responsive(False)
                return
            if event is not None:
                self._hear(event)
            elif (future := self._waiting.get(message["id"])) is not None and not future.done():
                future.set_result(message)

    def _hear(self, event: WorkerEvent) -> None:
        """Remember what a new worker would have to know, and pass on what the engine wants to."""
        match event:
            case Latched(call_id, leg, source):
                if (known := self.leg(call_id, leg)) is not None:
                    known.source = source
                return
            case Stands(call_id, positions, figures):
                for leg, position in positions.items():
                    if (known := self.leg(call_id, leg)) is not None:
                        known.position, known.figures = position, figures.get(leg)
                return
            case PlayDone(call_id, leg, play_id) if call_id in self.wanted:
                self.wanted[call_id].stopped(leg, play_id)
            case RecordingLost(call_id) if call_id in self.wanted:
                self.wanted[call_id].recording = ""
        self._on_event(event)

    # --- health -------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Ask for a sign of life each second, so that a hung worker refuses calls at once and is replaced."""
        loop = asyncio.get_running_loop()
        answered = loop.time()
        while True:
            await asyncio.sleep(_PING_EVERY)
            if self._writer is None:
                answered = loop.time()
                continue
            try:
                await self._ask("ping", {})
                await self._close_late()
            except MediaUnavailable:
                if self._writer is not None and loop.time() - answered > _KILL_AFTER:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(self.pid, signal.SIGKILL)
                    answered = loop.time()
            else:
                answered = loop.time()
                self._set_responsive(True)
                self._standby.prepare(answered)

    def close_later(self, call_id: str) -> None:
        """The call is over, but its worker is away."""
        self._to_close.add(call_id)

    async def _close_late(self) -> None:
        for call_id in list(self._to_close):
            await self._ask("close", {"call": call_id})
            self._to_close.discard(call_id)
            self.forget(call_id)

    def _set_responsive(self, responsive: bool) -> None:
        """Remember it, and say it once each way."""
        self._responsive = responsive
        worker = self._setup.socket.stem
        if not responsive and not self._said_away:
            self._said_away = True
            _log.error("media_away", driver="embedded", worker=worker, calls=len(self.calls))
        elif responsive and self._said_away:
            self._said_away = False
            _log.warning("media_back", driver="embedded", worker=worker, calls=len(self.calls))


async def _within(seconds: float, awaited: Awaitable[T]) -> T:
    """Raises `TimeoutError`. Not `asyncio.wait_for`: in Python 3.11 it forgets a cancellation that comes together with
    what is awaited, and a link that is stopped just then would ask its worker on for ever."""
    async with asyncio.timeout(seconds):
        return await awaited


async def _read_frame(reader: asyncio.StreamReader) -> wire.Message:
    head = await reader.readexactly(4)
    (length,) = wire.LENGTH.unpack(head)
    if length > wire.LONGEST_FRAME:
        raise wire.BrokenFrame("frame too long")
    return wire.unpack(await reader.readexactly(length))
