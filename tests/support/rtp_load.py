"""A load of G.711 calls for a media relay, as a process of its own so that it shares nothing with what it measures.

`python -m tests.support.rtp_load CALLS SECONDS` binds two RTP ports per call, prints them as JSON, reads from stdin as
JSON where each shall send (`[[a_port, b_port], …]` on the relay's host), sends 50 packets/s from every port for
SECONDS, or until another line comes, and prints what came: a count per direction and the delay of every packet. The
sending time is in the payload; the time of arrival is the kernel's (SO_TIMESTAMPNS), so a late wake-up of this process
is not counted as delay.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import statistics
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKETS_PER_SECOND = 50
_SO_TIMESTAMPNS = 35
_PACKET = struct.Struct(">BBHIIQ")
_STAMP = struct.Struct("@qq")
_FILL = b"\xff" * 152
_TAIL_SECONDS = 0.6
"""After the last packet: what has not come by then is lost."""


class Side:
    __slots__ = ("last", "longest_gap", "received", "sequence", "sock", "ssrc")

    def __init__(self, ssrc: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.ssrc = ssrc
        self.sequence = 0
        self.received = 0
        self.last = 0
        """Nanoseconds of the day at which the last packet came."""
        self.longest_gap = 0

    @property
    def port(self) -> int:
        return int(self.sock.getsockname()[1])

    def send(self) -> None:
        number = self.sequence
        self.sequence = number + 1
        head = _PACKET.pack(0x80, 0, number & 0xFFFF, number * 160, self.ssrc, time.time_ns())
        with contextlib.suppress(ConnectionRefusedError):  # the relay is being restarted
            self.sock.send(head + _FILL)

    def receive(self, delays: array[int]) -> None:
        try:
            data, ancillary, _, _ = self.sock.recvmsg(2048, 64)
        except ConnectionRefusedError:
            return
        if 192 <= data[1] <= 223:  # RTCP (RFC 5761 §4): the next port of one side may be the port of another
            return
        seconds, nanoseconds = _STAMP.unpack(ancillary[0][2][:16])
        came = seconds * 1_000_000_000 + nanoseconds
        self.received += 1
        if self.last:
            self.longest_gap = max(self.longest_gap, came - self.last)
        self.last = came
        delays.append(came - int.from_bytes(data[12:20], "big"))


def run(sides: list[Side], seconds: float, until: int) -> dict[str, Any]:
    """`until`: a file that ends it before its time, once there is something to read."""
    poller = select.epoll()
    by_number = {side.sock.fileno(): side for side in sides}
    poller.register(until, select.EPOLLIN)
    for number in by_number:
        poller.register(number, select.EPOLLIN)
    seconds_of_delays: list[array[int]] = [array("q") for _ in range(int(seconds) + 2)]
    gap = 1.0 / PACKETS_PER_SECOND / len(sides)
    total = int(seconds * PACKETS_PER_SECOND) * len(sides)
    started = time.monotonic() + 0.05
    ends = started + seconds + _TAIL_SECONDS
    sent = 0
    while (now := time.monotonic()) < ends:
        due = min(total, int((now - started) / gap) + 1)
        while sent < due:  # evenly spread: sides do not speak in step with each other
            sides[sent % len(sides)].send()
            sent += 1
        delays = seconds_of_delays[max(0, min(int(now - started), len(seconds_of_delays) - 1))]
        for number, _ in poller.poll(max(gap, 0.001)):
            if number == until:
                poller.unregister(until)
                total, ends = sent, min(ends, now + _TAIL_SECONDS)
            else:
                by_number[number].receive(delays)
    delays_ms = sorted(delay / 1e6 for second in seconds_of_delays for delay in second)
    return {
        "sent": [side.sequence for side in sides],
        "received": [side.received for side in sides],
        "longest_gap_ms": max(side.longest_gap for side in sides) / 1e6,
        "p50_ms": _percentile(delays_ms, 0.5),
        "p99_ms": _percentile(delays_ms, 0.99),
        "max_ms": delays_ms[-1],
        # Of the middle one of all seconds: a hypervisor that takes the CPU away for a moment does so to a few.
        "steady_p99_ms": statistics.median(
            _percentile(sorted(second), 0.99) / 1e6 for second in seconds_of_delays[: int(seconds)] if second
        ),
    }


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[int(len(ordered) * share)]


def main(calls: int, seconds: float) -> None:
    with contextlib.suppress(OSError):  # a sender that is interrupted between the clock and the send invents delay
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    sides = [Side(0x10000 + index) for index in range(2 * calls)]
    print(json.dumps([side.port for side in sides]), flush=True)
    for side, target in zip(sides, json.loads(sys.stdin.readline()), strict=True):
        side.sock.connect(("127.0.0.1", target))
    print(json.dumps(run(sides, seconds, sys.stdin.fileno())), flush=True)


@dataclass(frozen=True)
class Outcome:
    calls: int
    sent: int
    lost: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    longest_gap_ms: float
    """Between two packets at any side."""
    steady_p99_ms: float
    """The 99th percentile of each second, and of those the median."""


PYTHON_LOAD = (sys.executable, "-m", "tests.support.rtp_load")


class Load:
    """The other end of that process: `ports` first, then `run` with where to send."""

    def __init__(self, calls: int, seconds: float, generator: Sequence[str] = PYTHON_LOAD) -> None:
        """`generator`: a command that takes and prints what this module does (tools/rtp_load.c)."""
        self.calls, self.seconds = calls, seconds
        command = [*generator, str(calls), f"{seconds:g}"]
        root = Path(__file__).parents[2]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, text=True)
        self.ports: list[int] = self._line()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def run(self, targets: list[int]) -> Outcome:
        """Blocks for the length of the load."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(targets) + "\n")
        self._process.stdin.flush()
        result = self._line()
        self._process.wait()
        sent, received = result["sent"], result["received"]
        # What a side sent must have come to its opposite.
        lost = sum(sent[index] - received[index ^ 1] for index in range(len(sent)))
        delays = {name: value for name, value in result.items() if name.endswith("_ms")}
        return Outcome(self.calls, sum(sent), lost, **delays)

    def stop(self) -> None:
        """It has lasted long enough: `run` returns. Of this module's generator only."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
