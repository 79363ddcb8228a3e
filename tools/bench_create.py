"""`make bench-create`: how many sessions a second the REST API opens on one core, durably, and at what cost.

What it is: a `maskline serve` of its own, pinned to one core, and wrk on another core, which POSTs creates between
parties that no other create names, over connections that stay open. Every answer is checked for its 201, every session
is on the disk before its answer leaves. What it is not: a test; it fails only when an answer was not a 201.
`--profile` lets py-spy watch one more run and prints where the server's time goes, by area.

Requests/s depends on what else the machine does; CPU per request (user and system time of the server, from /proc) less.
"""

from __future__ import annotations

import argparse
import base64
import json
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.hypervisor import StolenTime  # noqa: E402
from tools.sip_load import HOST, LoadError, Server, exit_on_sigterm, pinned, serving  # noqa: E402

NUMBERS = 5
WARM_UP_SECONDS = 3
SAMPLES_A_SECOND = 100
"""py-spy stops the server for each; with many more of them the store's writer takes the stops for a slow disk."""

SCRIPT = """\
local first = %(first)d
local thread_count = 0
function setup(thread)
  thread:set("number", thread_count)
  thread_count = thread_count + 1
  threads = threads or {}
  table.insert(threads, thread)
end
function init(_)
  created, other, made = 0, 0, 0
end
local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Basic %(login)s" }
function request()
  made = made + 1
  local at = first + number * 10000000 + made
  local body = string.format(
    '{"first_party":"65%%010d","second_party":"91%%010d","session_expiry":86400,"call_time_limit":600}', at, at)
  return wrk.format("POST", "%(path)s", headers, body)
end
function response(status)
  if status == 201 then created = created + 1 else other = other + 1 end
end
function done(summary, latency, _)
  local good, bad = 0, 0
  for _, thread in ipairs(threads) do
    good, bad = good + thread:get("created"), bad + thread:get("other")
  end
  local e = summary.errors
  io.stderr:write(string.format(
    '{"seconds":%%f,"created":%%d,"other":%%d,"errors":%%d,"p50_ms":%%f,"p99_ms":%%f,"longest_ms":%%f}\\n',
    summary.duration / 1e6, good, bad, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of wrk gave."""

    per_second: float
    cpu_us: float
    """Of the server, user and system, per request."""
    p50_ms: float
    p99_ms: float
    longest_ms: float
    created: int
    not_created: int
    """Answers other than 201, and connections that failed."""
    stolen: float
    """Share of the machine's CPU that the hypervisor took meanwhile."""


def main(arguments: list[str] | None = None) -> int:
    exit_on_sigterm()
    options = read_options(arguments)
    if missing := [name for name in ("wrk", *(["py-spy"] if options.profile else [])) if not find(name)]:
        where = "Debian package wrk, Python package py-spy"
        print(f"bench-create: {' and '.join(missing)} is missing ({where}).", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="maskline-bench-"))
    try:
        with serving(folder, pin=True, MASKLINE_HTTP_RATE_LIMIT="0") as server:
            runs, areas = measure(server, options)
    except LoadError as error:
        print(f"bench-create: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report(runs, areas, options)
    return 0 if all(run.not_created == 0 for run in runs) else 1


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="length of one run")
    parser.add_argument("--connections", type=int, default=256, help="kept open, each with one request at a time")
    parser.add_argument("--profile", action="store_true", help="one more run, watched by py-spy")
    parser.add_argument("--stacks", type=Path, help="with --profile: keep py-spy's raw stacks in this file")
    return parser.parse_args(arguments)


def find(program: str) -> str | None:
    """On the path, or beside the running Python."""
    return shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent))


def measure(server: Server, options: argparse.Namespace) -> tuple[list[Run], Counter[str]]:
    account = server.command("account", "create", "bench")
    server.command("account", "limits", account["auth_id"], "--unlimited")
    for index in range(NUMBERS):
        server.command("number", "add", f"+6531{index:06d}", "--account", account["auth_id"])
    login = base64.b64encode(f"{account['auth_id']}:{account['auth_token']}".encode()).decode()
    path = f"/v1/Account/{account['auth_id']}/Masking/Session/"
    drive(server, login, path, 0, WARM_UP_SECONDS, options.connections)
    runs = []
    for number in range(1, options.runs + 1):
        runs.append(drive(server, login, path, number, options.seconds, options.connections))
        show(f"run {number}", runs[-1])
    areas: Counter[str] = Counter()
    if options.profile:
        watcher, found = watch(server, options.seconds)
        drive(server, login, path, options.runs + 1, options.seconds + 1, options.connections)
        watcher.wait(30)
        if options.stacks:
            shutil.copy(found, options.stacks)
        areas = by_area(found.read_text().splitlines())
        del areas["idle"]
    return runs, areas


def drive(server: Server, login: str, path: str, number: int, seconds: int, connections: int) -> Run:
    """One run of wrk. `number` keeps the parties of the runs apart."""
    script = server.folder / "create.lua"
    script.write_text(SCRIPT % {"first": number * 100_000_000, "login": login, "path": path})
    command = [
        "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script),
        f"http://{HOST}:{server.http_port}",
    ]  # fmt: skip
    before = server.cpu_seconds()
    with StolenTime() as stolen:
        done = subprocess.run(
            pinned(1, command, wanted=True), check=False, capture_output=True, text=True, timeout=seconds + 30
        )
    cpu = server.cpu_seconds() - before
    if done.returncode or not done.stderr.startswith("{"):
        raise LoadError(f"wrk failed: {(done.stderr or done.stdout).strip()[:200]}")
    found = json.loads(done.stderr)
    answered = max(1, found["created"] + found["other"])
    return Run(
        found["created"] / found["seconds"], cpu / answered * 1e6, found["p50_ms"], found["p99_ms"],
        found["longest_ms"], found["created"], found["other"] + found["errors"], stolen.share,
    )  # fmt: skip


def show(name: str, run: Run) -> None:
    print(
        f"{name:8} {run.per_second:7.0f}/s   {run.cpu_us:5.0f} µs CPU each   p50 {run.p50_ms:5.1f} ms   "
        f"p99 {run.p99_ms:6.1f} ms   not 201: {run.not_created}   taken by the hypervisor: {run.stolen:.1%}",
        flush=True,
    )


def report(runs: list[Run], areas: Counter[str], options: argparse.Namespace) -> None:
    """The median run's figures one by one, machine class and areas; also to out/bench-create.json."""
    middle = {
        name: statistics.median(getattr(run, name) for run in runs)
        for name in ("per_second", "cpu_us", "p50_ms", "p99_ms")
    }
    print(
        f"median   {middle['per_second']:7.0f}/s   {middle['cpu_us']:5.0f} µs CPU each   p50 {middle['p50_ms']:5.1f} ms"
        f"   p99 {middle['p99_ms']:6.1f} ms   {options.connections} connections, {machine_class()}"
    )
    total = sum(areas.values())
    for area, samples in areas.most_common():
        print(f"  {samples / total:6.1%}  {area}")
    out = ROOT / "out"
    out.mkdir(exist_ok=True)
    shares = {area: samples / total for area, samples in areas.most_common()}
    found: dict[str, Any] = {"runs": [asdict(run) for run in runs], "median": middle, "areas": shares}
    (out / "bench-create.json").write_text(json.dumps(found, indent=2) + "\n")


def machine_class() -> str:
    """What the machine is, not which: cores, architecture, Python."""
    try:
        virtual = "hypervisor" in Path("/proc/cpuinfo").read_text()
    except OSError:
        virtual = False
    return (
        f"one of the {'virtual ' if virtual else ''}cores of {platform.machine()}, Python {platform.python_version()}"
    )


# -- the profile -------------------------------------------------------------------------------------------------
AREAS: tuple[tuple[str, str], ...] = (
    ("store: commit, its waiting for the disk included", r"GroupWriter\._commit \("),
    ("store: the unit of a create (allocation, claims, rows, sealing, 9 statements)", r"_run_unit \("),
    ("store: transactions and answers around the units", r"GroupWriter\."),
    ("store: reads before it (owner, both parties, configuration)", r"SqliteStore\._rows \(|_account_row \("),
    ("API: JSON in and out", r"parse_object \(|^_json \("),
    ("API: attributes of the request", r"\(maskline/api/plivo/schemas\.py"),
    ("API: session object", r"\(maskline/api/plivo/(serializer|vts)\.py"),
    ("API: telling repeats of a request", r"\(maskline/api/once\.py"),
    ("API: credentials", r"\(maskline/api/auth\.py"),
    ("API: reading the body in time", r"\(maskline/api/body\.py"),
    ("API: counting", r"\(maskline/api/metrics\.py"),
    ("workflow: policy, parties, the new session", r"\(maskline/(workflows|masking)/|\(maskline/ids\.py"),
    ("API: dispatch and border", r"\(maskline/api/(dispatch|plivo/)"),
    ("HTTP: parsing and writing, task per request (uvicorn)", r"\(uvicorn/|\(maskline/api/server\.py"),
    ("loop: sockets and callbacks (uvloop, kernel)", r"Runner\.run \("),
)
"""Area by what one frame of a stack must match; the first area that any frame matches."""


_IDLE = r"GroupWriter\._run \(|_worker \("
"""A thread's innermost frame while it waits for work."""


def watch(server: Server, seconds: int) -> tuple[subprocess.Popen[bytes], Path]:
    found = server.folder / "profile.txt"
    program = find("py-spy")
    assert program is not None
    command = [
        program, "record", "--pid", str(server.process.pid), "--duration", str(seconds), "--rate",
        str(SAMPLES_A_SECOND), "--format", "raw", "--threads", "--output", str(found),
    ]  # fmt: skip
    quiet = subprocess.DEVNULL
    return subprocess.Popen(pinned(1, command, wanted=True), stdout=quiet, stderr=quiet), found


def by_area(stacks: Iterable[str]) -> Counter[str]:
    """Samples by area from py-spy's raw lines: `thread;outer;...;inner COUNT`."""
    areas: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        areas[area_of(stack.split(";"))] += int(count)
    return areas


def area_of(frames: list[str]) -> str:
    if re.match(_IDLE, frames[-1]):
        return "idle"
    return next((area for area, pattern in AREAS if any(re.search(pattern, frame) for frame in frames)), "other")


if __name__ == "__main__":
    sys.exit(main())
