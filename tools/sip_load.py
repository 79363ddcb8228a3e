"""A Maskline under SIPp: start one, give it sessions, drive calls through it, measure from outside.

What it is: the parts of `make bench` and of tests/wire/test_sipp_load.py. The server is a real `maskline serve`
with media off; account, numbers and trunks come through the command line, sessions through the REST API; CPU and
memory are read from /proc, latency and leaks from what crossed the wire. What it is not: a test of audio.
"""

from __future__ import annotations

import base64
import csv
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskline.lab.ports import free_port
from tests.support.bound_ports import is_bound
from tools.sip_wire import capturing, no_capture

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "tests" / "load"
HOST = "127.0.0.1"
TICKS = os.sysconf("SC_CLK_TCK")
START_LIMIT = 30.0
"""Seconds a server may take until /healthz answers."""

# Ranges for fiction and none of them part of another, so that a caller's digits found anywhere are a leak.
VIRTUAL, CALLER, CALLEE = "1800555{:04d}", "44770090{:04d}", "91990000{:04d}"
NUMBERS = 10


class LoadError(Exception):
    """Why nothing could be measured: one sentence."""


@dataclass(frozen=True, slots=True)
class Party:
    """One masking session as SIPp needs it: who dials which number, and who is reached."""

    virtual: str
    caller: str
    callee: str


@dataclass(slots=True)
class Server:
    """One running `maskline serve` on ports of its own in a folder of its own."""

    folder: Path
    sip_port: int
    http_port: int
    uac_port: int
    uas_port: int
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    pin: bool = False
    parties: list[Party] = field(default_factory=list)
    phones: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """Every SIPp that was started; whoever still runs ends with the server."""

    @property
    def callee_of(self) -> dict[bytes, bytes]:
        """Caller → callee, as digits on the wire."""
        return {party.caller.encode(): party.callee.encode() for party in self.parties}

    def counted(self, metric: str, labels: str) -> int:
        """Sum of a counter over the series whose labels, as /metrics writes them, match `labels`."""
        return self._sum(rf"{metric}\{{{labels}\}}")

    def held(self, metric: str) -> int:
        """A gauge without labels."""
        return self._sum(metric)

    def _sum(self, series: str) -> int:
        connection = http.client.HTTPConnection(HOST, self.http_port, timeout=30)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return sum(int(float(n)) for n in re.findall(rf"^{series} (\S+)", text, re.M))

    def command(self, *arguments: str) -> Any:
        """Run `maskline … --json` as an operator would; the parsed answer."""
        command = [sys.executable, "-m", "maskline", *arguments, "--json"]
        done = subprocess.run(
            command, check=False, capture_output=True, env=self.environment, cwd=self.folder, timeout=60
        )
        if done.returncode != 0:
            raise LoadError(f"'maskline {' '.join(arguments[:2])}' failed: {done.stderr.decode().strip()}")
        return json.loads(done.stdout)

    def pids(self) -> list[int]:
        """The server's process and its descendants."""
        return process_tree(self.process.pid)

    def cpu_seconds(self) -> float:
        """User and system time of the server's processes so far."""
        return cpu_seconds_of(self.pids())

    def memory_kb(self) -> int:
        """Proportional set size of the server's processes."""
        total = 0
        for pid in self.pids():
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += int(re.findall(r"^Pss:\s+(\d+)", rollup, re.M)[0])
        return total


@dataclass(frozen=True, slots=True)
class Load:
    """What one SIPp run gave."""

    rate: float
    calls: int
    failed: int
    retransmissions: int
    achieved: float
    """Calls per second actually started."""
    cpu_ms_per_call: float
    held_kb_per_call: float | None
    messages: Path
    """SIPp's log of what the callee received and sent; absent unless asked for."""
    capture: Path
    """Packets of both sides; absent unless asked for."""

    @property
    def clean(self) -> bool:
        """No failed call and at most one message in a thousand calls sent again."""
        return self.calls > 0 and self.failed == 0 and self.retransmissions <= 0.001 * self.calls


def read_stat(pid: int, *, task: int | None = None) -> list[str]:
    """Fields of /proc/PID/stat, or of one thread's, behind the command's name; empty when it is gone."""
    thread = "" if task is None else f"/task/{task}"
    try:
        return Path(f"/proc/{pid}{thread}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def process_tree(root: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := read_stat(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds_of(pids: Sequence[int]) -> float:
    """User and system time so far."""
    stats = [stat for pid in pids if (stat := read_stat(pid))]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICKS


def pinned(core: int, command: list[str], *, wanted: bool) -> list[str]:
    """Server and SIPp on a core each, as far as the machine has two: the benchmark's figures are per core."""
    if wanted and shutil.which("taskset") and (os.cpu_count() or 1) > 1:
        return ["taskset", "-c", str(core), *command]
    return command


@contextmanager
def serving(
    folder: Path, *, pin: bool = False, program: Sequence[str] = ("-m", "maskline"), **settings: str
) -> Iterator[Server]:
    """A running server; its output goes to serve.log in `folder`. `program`: what Python runs."""
    folder.mkdir(parents=True, exist_ok=True)
    sip, uac, uas, web = (free_port() for _ in range(4))
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("MASKLINE_", "COVERAGE_", "COV_"))},
        "MASKLINE_DATABASE_URL": f"sqlite:///{folder / 'maskline.db'}",
        "MASKLINE_KEY_FILE": str(folder / "maskline.key"),
        "MASKLINE_DATA_DIR": str(folder / "data"),
        "MASKLINE_HTTP_PORT": str(web),
        "MASKLINE_SIP_PORT": str(sip),
        "MASKLINE_MEDIA": "none",
        "MASKLINE_LOG_LEVEL": "warning",
        "MASKLINE_HTTP_RATE_LIMIT": "0",
        **settings,
    }
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            pinned(0, [sys.executable, *program, "serve"], wanted=pin),
            env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_until_healthy(process, web, folder / "serve.log")
            server = Server(folder, sip, web, uac, uas, process, environment, pin)
            try:
                yield server
            finally:
                for phone in server.phones:
                    phone.kill()
                    phone.wait()
        finally:
            stop(process)


def exit_on_sigterm() -> None:
    """Whoever ends a bench ends what it has started: by default SIGTERM leaves Python without a `finally`."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        connection = http.client.HTTPConnection(HOST, port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise LoadError(f"'maskline serve' did not start: {' / '.join(log.read_text().splitlines()[-3:])}")


def provision(server: Server, sessions: int) -> dict[str, Any]:
    """Account, numbers, two carriers by command line; sessions by the REST API, each between two new parties. Returns
    the account."""
    account = provision_numbers(server)
    auth_id = account["auth_id"]
    login = base64.b64encode(f"{auth_id}:{account['auth_token']}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(HOST, server.http_port, timeout=30)
    for index in range(sessions):
        caller, callee = CALLER.format(index), CALLEE.format(index)
        wish = {"first_party": caller, "second_party": callee, "session_expiry": 86_400}
        connection.request("POST", f"/v1/Account/{auth_id}/Masking/Session/", json.dumps(wish), headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 201 and answer.status != 200:
            raise LoadError(f"creating session {index} was answered with {answer.status}: {body[:200]!r}")
        server.parties.append(Party(json.loads(body)["session"]["virtual_number"].lstrip("+"), caller, callee))
    connection.close()
    write_numbers(server)
    return account


def provision_numbers(server: Server, numbers: int = NUMBERS) -> dict[str, Any]:
    """Account, numbers and two carriers by command line; returns the account."""
    account: dict[str, Any] = server.command("account", "create", "load test")
    server.command("account", "limits", account["auth_id"], "--unlimited")  # calls of a second look like fraud
    for index in range(numbers):
        server.command("number", "add", "+" + VIRTUAL.format(index), "--account", account["auth_id"])
    for name, port, prefix in (("callers", server.uac_port, "+44"), ("callees", server.uas_port, "+91")):
        server.command("trunk", "add", name, "--host", HOST, "--port", str(port), "--prefix", prefix)
    return account


def write_numbers(server: Server) -> None:
    """Who dials what, for SIPp."""
    rows = "".join(f"{party.virtual};{party.caller}\n" for party in server.parties)
    (server.folder / "numbers.csv").write_text("SEQUENTIAL\n" + rows)


def sipp(server: Server, scenario: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [
        "sipp", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", HOST, "-mi", HOST, "-nostdin", "-timer_resol", "1",
        "-max_recv_loops", "2000", "-max_sched_loops", "2000", "-buff_size", "4000000",
        "-trace_stat", "-fd", "1", "-stf", str(server.folder / f"{scenario}.csv"), *arguments,
    ]  # fmt: skip
    quiet = subprocess.DEVNULL
    command = pinned(1, command, wanted=server.pin)
    server.phones.append(subprocess.Popen(command, cwd=server.folder, stdin=quiet, stdout=quiet, stderr=quiet))
    return server.phones[-1]


def wait_until_bound(port: int, process: subprocess.Popen[bytes]) -> None:
    """SIPp binds when it is ready."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if is_bound(port):
            return
        time.sleep(0.02)
    raise LoadError("SIPp did not start")


def drive(
    server: Server, rate: float, calls: int, *, hold: float = 1.0, keep_messages: bool = False, capture: bool = False,
    measure_held: bool = False, web: int | None = None,
) -> Load:  # fmt: skip
    """Place `calls` calls at `rate` a second, each talking for `hold` seconds, and measure. `web`: port of a web server
    whose packets are captured too."""
    for old in server.folder.glob("ua[cs].*"):
        old.unlink()
    messages, packets = server.folder / "uas.messages", server.folder / "ua.pcap"
    packets.unlink(missing_ok=True)
    tracing = ["-trace_msg", "-message_file", str(messages)] if keep_messages else []
    callee = sipp(server, "uas", "-p", str(server.uas_port), *tracing)
    wait_until_bound(server.uas_port, callee)
    with capturing((server.uac_port, server.uas_port), packets, web) if capture else no_capture():
        before, idle_kb = server.cpu_seconds(), server.memory_kb()
        most = calls if measure_held else int(rate * (hold + 5)) + 20
        limit = calls / rate + hold + 10
        caller = sipp(
            server, "uac", f"{HOST}:{server.sip_port}", "-p", str(server.uac_port), "-inf", "numbers.csv",
            "-r", f"{rate:g}", "-m", str(calls), "-l", str(most), "-d", str(int(hold * 1000)),
            "-timeout", str(int(limit)),
        )  # fmt: skip
        held = hold_and_weigh(server, caller, calls, idle_kb) if measure_held else None
        finish(caller, limit + 10)
        cpu = server.cpu_seconds() - before
    callee.send_signal(signal.SIGUSR1)
    finish(callee, 6)
    return read_load(server, rate, cpu, held, messages, packets)


def hold_and_weigh(server: Server, caller: subprocess.Popen[bytes], calls: int, idle_kb: int) -> float | None:
    """kB per call while all are up; None when they never were."""
    while caller.poll() is None:
        time.sleep(0.5)
        try:
            current = int(last_row(server.folder / "uac.csv")["CurrentCall"])
        except (OSError, KeyError, IndexError, ValueError):
            continue
        if current >= calls * 0.995:
            time.sleep(2)
            return (server.memory_kb() - idle_kb) / calls
    return None


def finish(process: subprocess.Popen[bytes], limit: float) -> None:
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_row(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    return dict(zip(rows[0], rows[-1], strict=False))


def read_load(server: Server, rate: float, cpu: float, held: float | None, messages: Path, packets: Path) -> Load:
    path = server.folder / "uac.csv"
    if not path.exists() or not (server.folder / "uas.csv").exists():
        raise LoadError("SIPp wrote no statistics")
    caller, callee = last_row(path), last_row(server.folder / "uas.csv")
    calls, good = int(caller["TotalCallCreated"]), int(caller["SuccessfulCall(C)"])
    again = int(caller["Retransmissions(C)"]) + int(callee["Retransmissions(C)"])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    started = min((seconds(row["ElapsedTime(C)"]) for row in rows if int(row["TotalCallCreated"]) >= calls), default=0)
    achieved = calls / started if started else 0.0
    return Load(rate, calls, calls - good, again, achieved, cpu / max(calls, 1) * 1000, held, messages, packets)


def seconds(text: str) -> float:
    """SIPp's HH:MM:SS or HH:MM:SS:microseconds."""
    hours, minutes, rest, *micro = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest) + (int(micro[0]) / 1e6 if micro else 0.0)
