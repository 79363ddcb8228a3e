"""The relay process: `python -m maskline media`, or `python -m maskline.media.embedded` without the CLI's imports.

What it is: one selector loop over control connections and legs, in a process of its own so that neither SIP nor
HTTP can stall audio. It outlives a crash of the engine: calls go on, the next driver finds it by its socket. With
no controller, idle calls are freed after the media timeout, and after `orphan_seconds` without calls it ends.
What it is not: asyncio. Nothing here waits for anything but sockets; a plain selector needs less CPU per packet than
asyncio's readers or datagram protocols and the same as uvloop's (figures: docs/decisions/0010).
Who calls it: `process.py` starts it; an operator may too.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import selectors
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from maskline.media.embedded import wire
from maskline.media.embedded.control import Controllers, Operations, SocketInUse, listen
from maskline.media.embedded.events import write_event
from maskline.media.embedded.relay import Relay

_LONGEST_SLEEP = 0.5
"""Seconds; how late a signal or an orphan's end may be noticed."""
_REAL_TIME_PRIORITY = 1
"""SCHED_RR, the lowest step: a packet waits for no other program, which is most of its delay on a busy machine. The
kernel keeps 5 % of each second for the others even if a worker ran wild. Needs root or CAP_SYS_NICE."""
_NICENESS = -10
"""Where that is not allowed but this is."""


@dataclass(frozen=True)  # no slots: the argument parser reads the defaults off the class
class WorkerOptions:
    socket: Path
    """Control socket; created with mode 0600, removed at the end."""
    host: str = "127.0.0.1"
    """Address that goes into SDP, or one of each family with a comma between them; also what is bound, unless it
    belongs to a NAT in front."""
    ports: tuple[int, int] = (20000, 29999)
    """First and last port, inclusive."""
    timeout: float = 60.0
    """Seconds without a packet from either side until a bridged call counts as dead."""
    spool: Path = Path("spool")
    """Folder of recordings; made when the first one begins."""
    orphan_seconds: float = 60.0
    """Seconds without controller and calls after which the worker ends."""


class Worker:
    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._selector = selectors.DefaultSelector()
        self._controllers = Controllers(self._selector, listen(options.socket))
        self._relay = Relay(
            self._selector,
            options.host,
            options.ports,
            timeout=options.timeout,
            emit=lambda event: self._controllers.push(write_event(event)),
            wall=time.time,
            spool_folder=options.spool.absolute(),
        )
        self._stopping = False
        self._lonely_since = time.monotonic()

    def run(self) -> None:
        identity = {
            "version": wire.VERSION,
            "pid": os.getpid(),
            "host": self._options.host,
            "ports": list(self._options.ports),
            "timeout": self._options.timeout,
            "spool": str(self._options.spool),
        }
        self._controllers.serve(Operations(self._relay, identity, self.stop))
        gc.collect()
        gc.freeze()
        while not self._stopping:
            self._turn()
        self._options.socket.unlink(missing_ok=True)
        self._controllers.close()
        self._relay.close_all(time.monotonic())

    def stop(self) -> None:
        self._stopping = True

    def _turn(self) -> None:
        deadline = self._relay.next_deadline()
        sleep = _LONGEST_SLEEP
        if deadline is not None:
            sleep = min(max(deadline - time.monotonic(), 0.0), sleep)
        try:
            # A leg closed by an earlier reader of the same list finds its socket closed and returns. After an
            # exception the rest of the list comes again: readiness is level-triggered.
            for key, _ in self._selector.select(sleep):
                key.data()
            self._relay.tick(time.monotonic())
        except Exception as error:  # noqa: BLE001  the edge of the process: one bad call must not end all others
            say(f"error={type(error).__name__} at={_place_of(error)}")
        self._watch_controllers(time.monotonic())

    def _watch_controllers(self, now: float) -> None:
        self._relay.controlled = len(self._controllers) > 0
        if self._relay.controlled or len(self._relay):
            self._lonely_since = now
        elif now - self._lonely_since > self._options.orphan_seconds:
            self.stop()


def say(text: str) -> None:
    """One line on stderr; its reader may be gone with the engine, which must not end the calls."""
    with contextlib.suppress(OSError, ValueError):
        print(f"maskline media: {text}", file=sys.stderr, flush=True)


def _place_of(error: BaseException) -> str:
    """File and line of the fault; not the text, which could hold anything."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


def _claim_resources() -> None:
    """Four descriptors a call: take all the system allows; and audio goes before everything else if we may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_REAL_TIME_PRIORITY))
    except (OSError, AttributeError):  # not allowed, or not Linux
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)


def main(options: WorkerOptions) -> int:
    """Run until told to stop; exit status 0, or 1 with one sentence on stderr."""
    _claim_resources()
    try:
        worker = Worker(options)
    except SocketInUse:
        say(f"another worker is running on {options.socket}.")
        return 1
    except OSError as error:
        say(f"cannot listen on {options.socket}: {error.strerror or error}.")
        return 1

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    worker.run()
    return 0
