"""`make bench`: calls a second that one core carries, what they cost, how late they are, and what they leave behind.

What it is: SIPp against a `maskline serve` of its own, pinned to a core, for each row of a table: without records (a
recorder that drops what it gets, which only `tools/serve_unrecorded.py` has); with them, as in production but that the
webhook of each call is written and not sent (`tools/serve_undelivered.py` says why); and with them and what
`make compile` has made, where that was run. For a row: memory of held calls on a fresh process; the highest rate that
holds, confirmed for a minute; CPU per call there and at half of it; after 50,000 calls the delay that is added at half
load, from a packet capture (needs root); memory after 200,000. What it is not: a test; its status is 1 when no rate
holds or a caller's number gets through.
Figures are per core of this machine and compare only with figures taken on it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.hypervisor import StolenTime  # noqa: E402
from tools import perf_stacks  # noqa: E402
from tools.flame_graph import write_flame_graph  # noqa: E402
from tools.option_types import amount, climb, names, whole  # noqa: E402
from tools.sip_load import Load, LoadError, Server, drive, exit_on_sigterm, provision, serving  # noqa: E402
from tools.sip_wire import can_capture, forwarding_delays, leaks, percentile  # noqa: E402

COMPILED = ROOT / "build" / "compiled"
"""What `make compile` leaves."""
_TOOLS = ROOT / "tools"
PROGRAMS: dict[str, tuple[str, dict[str, str]]] = {
    "no records": ("serve_unrecorded.py", {}),
    "records": ("serve_undelivered.py", {}),
    "compiled": ("serve_undelivered.py", {"PYTHONPATH": str(COMPILED)}),
}
"""What Python runs for each row, and with which environment. Webhooks are written and not sent: sending is another
part's work, which `make bench-vca` measures, and its receiver would share SIPp's core."""
SUMMARY, NOWHERE = "eight.session_summary", "http://127.0.0.1:9009/"
"""The webhook that each call has."""
LEAK_RATE, LEAK_SECONDS = 100, 10
LATENCY_SECONDS = 20
PROFILE_SECONDS = 15
EASY = 0.7
"""Part of the highest rate at which calls are placed that only have to be over."""


@dataclass(slots=True)
class Row:
    """What one row of the table says; None: not measured."""

    name: str
    rate: float = 0.0
    """Calls a second, confirmed."""
    calls: int = 0
    failed: int = 0
    again: float = 0.0
    """Messages that SIPp had to send again, per hundred calls."""
    cpu_ms: float = 0.0
    half_cpu_ms: float = 0.0
    taken: float = 0.0
    """Share of the CPU that the hypervisor took while that was measured."""
    p50_ms: float | None = None
    p99_ms: float | None = None
    held_kb: float | None = None
    aged_mb: float = 0.0
    """Proportional set size after the calls that make the process aged."""
    old_mb: float = 0.0
    """The same after all calls."""
    all_calls: int = 0
    webhooks: int = 0
    """Rows of the outbox in the end: one for each call that was taken."""
    leaked: int = 0


class Process:
    """One server under measure, and how many calls it has carried."""

    def __init__(self, server: Server, options: argparse.Namespace) -> None:
        self.server = server
        self.options = options
        self.calls = 0

    def drive(self, rate: float, calls: int, **more: bool | float) -> Load:
        self.calls += calls
        return drive(self.server, rate, calls, **more)  # type: ignore[arg-type]

    def age(self, rate: float, wanted: int) -> None:
        """Place calls, at a rate that is easy, until so many have been carried."""
        missing = wanted - self.calls
        if missing > 0:
            say(f"{missing} more calls at {rate:.0f} a second …")
            load = self.drive(rate, missing)
            if load.failed:
                say(f"  {load.failed} of them failed")


def main(arguments: list[str] | None = None) -> int:
    exit_on_sigterm()
    options = read_options(arguments)
    if not shutil.which("sipp"):
        print("bench: sipp is missing; 'make setup' as root installs it.", file=sys.stderr)
        return 1
    rows = []
    try:
        for name in options.rows:
            rows.append(bench(name, options))
            print_table(rows[-1:])
    except LoadError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    out = ROOT / "out"
    out.mkdir(exist_ok=True)
    (out / "bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    print()
    print_table(rows)
    return 0 if all(row.rate and not row.leaked for row in rows) else 1


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    usual = [name for name in PROGRAMS if name != "compiled" or has_compiled(COMPILED)]
    parser.add_argument("--rows", type=names, default=usual, help=", ".join(PROGRAMS))
    parser.add_argument("--start", type=amount, default=400, help="calls per second at which the search begins")
    parser.add_argument("--rate", type=amount, help="this rate alone, instead of a search")
    parser.add_argument("--step", type=climb, default=1.12, help="how far the search climbs at a time")
    parser.add_argument("--seconds", type=amount, default=6, help="length of a step of the search")
    parser.add_argument("--confirm", type=amount, default=60, help="seconds that the highest rate has to hold")
    parser.add_argument("--sessions", type=whole, default=5000, help="each carries one call at a time")
    parser.add_argument("--held", type=whole, default=1000, help="calls held at once for the memory figure")
    parser.add_argument("--aged", type=whole, default=50_000, help="calls before the delay is measured")
    parser.add_argument("--calls", type=whole, default=200_000, help="calls after which memory is looked at again")
    parser.add_argument("--brief", action="store_true", help="a tenth of these calls and 20 s: to see that it works")
    parser.add_argument(
        "--profile",
        type=Path,
        help="flame graph (SVG) of the last row's server; needs py-spy, or perf where it is compiled",
    )
    parser.add_argument("--trace", action="store_true", help="a line a second of what the server was at")
    parser.add_argument("--keep", action="store_true", help="keep the folders with logs and captures")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.rows if name not in PROGRAMS]:
        parser.error(f"--rows: there is no row {', '.join(unknown)!r}; there are: {', '.join(PROGRAMS)}")
    if "compiled" in options.rows and not has_compiled(COMPILED):
        parser.error("--rows compiled: run 'make compile' with this Python first")
    if options.profile is not None and not can_profile(options.rows[-1]):
        parser.error("--profile: py-spy is missing ('.venv/bin/pip install py-spy')")
    if options.brief:
        options.aged, options.calls, options.confirm = options.aged // 10, options.calls // 10, 20
    return options


def has_compiled(folder: Path) -> bool:
    """Whether this Python finds a compiled package there. Else it takes the sources beside it, or those that are
    installed, and a row would say what it is not: after `make compile` failed, or by another version of Python."""
    return (folder / "maskline" / "sip" / f"parser{sysconfig.get_config_var('EXT_SUFFIX')}").exists()


def bench(name: str, options: argparse.Namespace) -> Row:
    folder = Path(tempfile.mkdtemp(prefix="maskline-bench-"))
    say(f"{name}: a new server, {options.sessions} sessions …")
    try:
        program, environment = PROGRAMS[name]
        if options.trace and program == "serve_undelivered.py":
            program = "serve_traced.py"
        environment = {**environment, "MASKLINE_EGRESS_ALLOW": "127.0.0.0/8"}
        with serving(folder, pin=True, program=(str(_TOOLS / program),), **environment) as server:
            account = provision(server, options.sessions)
            server.command("webhook", "set", SUMMARY, NOWHERE, "--account", account["auth_id"])
            row = measure(name, Process(server, options), options)
            row.webhooks = written_webhooks(folder)
            return row
    finally:
        if options.trace:
            show_trace(folder / "serve.log")
        if options.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def written_webhooks(folder: Path) -> int:
    with closing(sqlite3.connect(f"file:{folder / 'maskline.db'}?mode=ro", uri=True)) as database:
        (found,) = database.execute("SELECT count(*) FROM outbox").fetchone()
        return int(found)


def show_trace(log: Path) -> None:
    """Seconds in which there were calls."""
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("TRACE") and "calls +0 up 0 " not in line:
            say(line)


def measure(name: str, process: Process, options: argparse.Namespace) -> Row:
    row = Row(name)
    process.drive(50, 100)  # first calls pay for imports and first pages
    # Before the load: a heap that has seen thousands of calls has room for these without growing.
    held = process.drive(100, options.held, hold=options.held / 100 + 6, measure_held=True)
    row.held_kb = held.held_kb_per_call
    row.leaked = count_leaks(process)
    with StolenTime() as taken:
        best = find_rate(process, options)
    if best is None:
        return row
    row.rate, row.calls, row.failed, row.cpu_ms = best.rate, best.calls, best.failed, best.cpu_ms_per_call
    row.again = 100 * best.retransmissions / best.calls
    process.age(EASY * best.rate, options.aged)
    row.aged_mb = process.server.memory_kb() / 1024
    measure_delay(row, process)
    row.taken = taken.share
    if options.profile is not None and name == options.rows[-1]:
        draw = profile_compiled if name == "compiled" and perf_stacks.can_trace() else profile
        try:
            draw(process, EASY * best.rate, options.profile)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            say(f"  no flame graph: {error}")  # the rest of the row is measured all the same
    process.age(EASY * best.rate, options.calls)
    row.old_mb, row.all_calls = process.server.memory_kb() / 1024, process.calls
    return row


def count_leaks(process: Process) -> int:
    """Callers' numbers in what the callee saw."""
    load = process.drive(LEAK_RATE, LEAK_RATE * LEAK_SECONDS, keep_messages=True)
    return len(leaks((party.caller for party in process.server.parties), load.messages.read_bytes()))


def find_rate(process: Process, options: argparse.Namespace) -> Load | None:
    """The highest rate that holds: climb until a run does not, then step down until a long run does. Whole calls a
    second, since SIPp refuses a fraction."""
    rate = round(options.rate or options.start)
    if options.rate is None:
        while passes(tell(process.drive(rate, round(rate * options.seconds)))):
            rate = max(rate + 1, round(rate * options.step))
        rate = lower(rate, options.step)
    while rate > 0:
        load = tell(process.drive(rate, round(rate * options.confirm)))
        if passes(load):
            return load
        rate = lower(rate, options.step)
    return None


def lower(rate: int, step: float) -> int:
    """The next whole rate below, also where a small step would round to the same."""
    return min(rate - 1, round(rate / step))


def passes(run: Load) -> bool:
    return run.clean and run.achieved >= 0.95 * run.rate


def tell(run: Load) -> Load:
    say(
        f"  {run.rate:g} calls/s ({run.achieved:.0f} reached): {run.calls} calls, {run.failed} failed, "
        f"{run.retransmissions} sent again, {run.cpu_ms_per_call:.2f} ms of CPU each"
    )
    return run


def measure_delay(row: Row, process: Process) -> None:
    """INVITE in to INVITE out, and CPU per call, at half of the rate."""
    half = max(1, round(row.rate / 2))
    plain = tell(process.drive(half, half * LATENCY_SECONDS))
    row.half_cpu_ms = plain.cpu_ms_per_call
    if not can_capture():
        say("  delay not measured: needs root and tcpdump")
        return
    server = process.server
    run = process.drive(half, half * LATENCY_SECONDS, capture=True)
    delays = forwarding_delays(run.capture, server.callee_of, server.sip_port, server.uas_port)
    if not delays:
        raise LoadError("the capture holds no forwarded INVITE")
    row.p50_ms, row.p99_ms = percentile(delays, 0.5), percentile(delays, 0.99)
    say(
        f"  added at {half} calls/s: p50 {row.p50_ms:.2f} ms, p99 {row.p99_ms:.2f} ms, longest {delays[-1]:.1f} ms; "
        f"{run.failed} of {run.calls} calls failed"
    )


def py_spy() -> str:
    """Empty: it is not there. It is no package of ours."""
    beside = str(Path(sys.executable).with_name("py-spy"))
    return shutil.which("py-spy") or shutil.which(beside) or ""


def can_profile(row: str) -> bool:
    """Whether what would draw that row's time is there."""
    return bool(py_spy()) or (row == "compiled" and perf_stacks.can_trace())


def profile(process: Process, rate: float, path: Path) -> None:
    raw = process.server.folder / "stacks.txt"
    command = [
        py_spy(), "record", "--pid", str(process.server.process.pid), "--rate", "150", "--nonblocking", "--function",
        "--duration", str(PROFILE_SECONDS), "--format", "raw", "--output", str(raw), "--threads",
    ]  # fmt: skip
    watching = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process.drive(rate, round(rate * (PROFILE_SECONDS + 2)))
    watching.wait(60)
    write_flame_graph(raw.read_text(), path, "MainThread")
    say(f"  {path}")


def profile_compiled(process: Process, rate: float, path: Path) -> None:
    """py-spy sees no compiled function."""
    samples = process.server.folder / "perf.data"
    watching = perf_stacks.record(process.server.process.pid, PROFILE_SECONDS, samples)
    process.drive(rate, round(rate * (PROFILE_SECONDS + 2)))
    watching.wait(60)
    write_flame_graph(perf_stacks.read(samples), path, perf_stacks.THREAD)
    say(f"  {path}")


def print_table(rows: Sequence[Row]) -> None:
    print("| row | calls/s | failed | sent again | CPU per call, at half | added p50, p99 | held call | memory, then |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        added = "-" if row.p50_ms is None or row.p99_ms is None else f"{row.p50_ms:.2f} ms, {row.p99_ms:.2f} ms"
        held = "-" if row.held_kb is None else f"{row.held_kb:.1f} kB"
        print(
            f"| {row.name} | {row.rate:.0f} | {row.failed} of {row.calls} | {row.again:.2f} % "
            f"| {row.cpu_ms:.2f} ms, {row.half_cpu_ms:.2f} ms | {added} | {held} "
            f"| {row.aged_mb:.0f} MB, {row.old_mb:.0f} MB after {row.all_calls} |"
        )
    for row in rows:
        print(
            f"{row.name}: {row.webhooks} webhooks written, none of them sent; {row.leaked} callers' numbers seen by "
            f"the callee; {row.taken:.1%} of the CPU taken by the hypervisor in the search (over 2 % delays say little)"
        )
    sys.stdout.flush()


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
