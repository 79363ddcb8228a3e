"""What crossed the wire of a load test: captured packets, the delay we added, numbers that leaked.

What it is: tcpdump's file read back, and two pure questions about it. What it is not: a SIP parser; the lines of
interest are found by their form. Called by tools/bench_sip.py and the wire tests.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_TCP = 6


def can_capture() -> bool:
    return os.geteuid() == 0 and shutil.which("tcpdump") is not None


@contextmanager
def no_capture() -> Iterator[None]:
    yield


@contextmanager
def capturing(ports: tuple[int, int], path: Path, web: int | None = None) -> Iterator[None]:
    """tcpdump on loopback for both SIPp sides, and for the port of a web server, until the block ends."""
    wanted = f"(udp and (port {ports[0]} or port {ports[1]}))"
    if web is not None:
        wanted += f" or (tcp and port {web})"
    options = ["-i", "lo", "-s", "1500", "-B", "65536", "-U", "-w", str(path), "-Z", "root"]
    tcpdump = subprocess.Popen(["tcpdump", *options, wanted], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert tcpdump.stderr is not None
    tcpdump.stderr.readline()  # "listening on lo": from here on nothing is missed
    try:
        yield
        time.sleep(1.2)  # the kernel hands packets over once a second
    finally:
        tcpdump.terminate()
        tcpdump.communicate()


def packets(path: Path) -> Iterator[tuple[float, int, int, bytes]]:
    """(seconds, source port, destination port, payload) of each UDP or TCP packet of an Ethernet capture, IPv4."""
    data = path.read_bytes()
    per_second = 1e9 if struct.unpack("<I", data[:4])[0] == 0xA1B23C4D else 1e6
    at = 24
    while at + 16 <= len(data):
        whole, part, length, _ = struct.unpack("<IIII", data[at : at + 16])
        ip = data[at + 30 : at + 16 + length]
        at += 16 + length
        head = (ip[0] & 15) * 4
        source, destination = struct.unpack("!HH", ip[head : head + 4])
        payload = head + ((ip[head + 12] >> 4) * 4 if ip[9] == _TCP else 8)
        yield whole + part / per_second, source, destination, ip[payload:]


def forwarding_delays(path: Path, callee_of: Mapping[bytes, bytes], sip_port: int, uas_port: int) -> list[float]:
    """Milliseconds from each caller's INVITE to the callee's, sorted; `callee_of` tells which belongs to which."""
    called = re.compile(rb"INVITE sip:\+?(\d+)@")
    calling = re.compile(rb"\r\nFrom:[^\r\n]*sip:\+?(\d+)@", re.I)
    call_id = re.compile(rb"\r\n(?:Call-ID|i) *: *([^\r\n]+)", re.I)
    pending: dict[bytes, tuple[float, bytes]] = {}
    delays = []
    for at, _, destination, payload in packets(path):
        if not payload.startswith(b"INVITE "):
            continue
        if destination == sip_port and (found := calling.search(payload)):
            callee, name = callee_of[found[1]], call_id.search(payload)
            # A repeated INVITE keeps the first one's time; another call of the same caller begins anew.
            if name and pending.get(callee, (0.0, b""))[1] != name[1]:
                pending[callee] = at, name[1]
        elif destination == uas_port and (found := called.match(payload)) and found[1] in pending:
            delays.append((at - pending.pop(found[1])[0]) * 1000)
    return sorted(delays)


def asking_delays(path: Path, callee_of: Mapping[bytes, bytes], web: int, uas_port: int) -> list[tuple[float, float]]:
    """(seconds, milliseconds) of each question to an application at port `web`: when the callee's INVITE left, and how
    long after the question. All that follows the answer in us is in it."""
    calling = re.compile(rb'"source": ?"\+?(\d+)"')
    called = re.compile(rb"INVITE sip:\+?(\d+)@")
    pending: dict[bytes, float] = {}
    delays = []
    for at, _, destination, payload in packets(path):
        if destination == web and b"CALL_ACTION" in payload and (found := calling.search(payload)):
            pending[callee_of[found[1]]] = at
        elif destination == uas_port and (found := called.match(payload)) and found[1] in pending:
            delays.append((at, (at - pending.pop(found[1])) * 1000))
    return delays


def steady_percentile(delays: list[tuple[float, float]], part: float) -> float:
    """Of each second by itself, the median of those: what a neighbour on the machine does for a moment is not in it."""
    seconds: dict[int, list[float]] = {}
    for at, delay in delays:
        seconds.setdefault(int(at), []).append(delay)
    return percentile(sorted(percentile(sorted(found), part) for found in seconds.values()), 0.5)


def leaks(callers: Iterable[str], received: bytes) -> list[str]:
    """Callers (two digits of country code) found, with or without it, in what the callee saw; masked for printing."""
    numbers = {form: caller for caller in callers for form in (caller, caller[2:])}
    lengths = {len(form) for form in numbers}
    found = set()
    for run in set(re.findall(rb"\d{%d,}" % min(lengths), received)):
        text = run.decode()
        for length in lengths:
            for start in range(len(text) - length + 1):
                if caller := numbers.get(text[start : start + length]):
                    found.add(f"…{caller[-4:]}")
    return sorted(found)


def percentile(values: list[float], part: float) -> float:
    """Of a sorted list; 0.5 is the median."""
    return values[min(len(values) - 1, int(len(values) * part))]
