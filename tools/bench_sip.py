"""`make bench`: how many calls a second, at what cost, with what delay, and does a caller's number get through.

What it is: four runs of SIPp against a `maskline serve` of its own: load (with every message the callee sees
searched for callers), latency (from a packet capture, needs root), memory of held calls, and a search for the
highest rate without a failed call. What it is not: a test; it fails only when the load run is not clean or leaks.
Figures are per core of this machine and compare only with figures taken on it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.hypervisor import StolenTime  # noqa: E402
from tools.sip_load import Load, LoadError, Server, drive, provision, serving  # noqa: E402
from tools.sip_wire import can_capture, forwarding_delays, leaks, percentile  # noqa: E402

SEARCH_SECONDS, CONFIRM_SECONDS = 6, 15
STEP = 1.15
"""How far the search climbs at a time; the answer is that exact."""


def main(arguments: list[str] | None = None) -> int:
    options = read_options(arguments)
    if not shutil.which("sipp"):
        print("bench: sipp is missing; 'make setup' as root installs it.", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="maskline-bench-"))
    try:
        with serving(folder, pin=True) as server:
            print(f"bench: {options.sessions} sessions …", flush=True)
            provision(server, options.sessions)
            found, clean = measure(server, options)
    except LoadError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    out = ROOT / "out"
    out.mkdir(exist_ok=True)
    (out / "bench.json").write_text(json.dumps(found, indent=2) + "\n")
    return 0 if clean else 1


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=200, help="calls per second of the load run")
    parser.add_argument("--seconds", type=float, default=20, help="length of the load run")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--held", type=int, default=1000, help="calls held at once for the memory figure")
    parser.add_argument("--search", action="store_true", help="find the highest rate too (some minutes)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and captures")
    return parser.parse_args(arguments)


def measure(server: Server, options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """All figures, printed as they come; second: whether the load run was clean and nothing leaked."""
    found: dict[str, Any] = {}
    drive(server, 50, 100)  # first calls pay for imports and first pages
    # Before the load run: a heap that has seen thousands of calls has room for these without growing.
    held = drive(server, 100, options.held, hold=options.held / 100 + 6, measure_held=True)
    with StolenTime() as taken:
        load = drive(server, options.rate, int(options.rate * options.seconds), keep_messages=True)
    leaked = leaks((party.caller for party in server.parties), load.messages.read_bytes())
    show(found, "calls/s", f"{load.achieved:.0f}", f"{load.calls} calls, {load.failed} failed")
    show(found, "retransmissions", str(load.retransmissions), "by SIPp on both sides")
    show(found, "CPU per call", f"{load.cpu_ms_per_call:.2f} ms", f"at {options.rate:g} calls/s, of one core")
    show(found, "CPU taken away", f"{taken.share:.1%}", "by the hypervisor meanwhile; above 2 % delays say little")
    seen = f"{load.messages.stat().st_size / 1e6:.1f} MB of the callee's messages searched"
    show(found, "caller numbers seen", str(len(leaked)), seen)
    measure_latency(server, options, found)
    kb = "not reached" if held.held_kb_per_call is None else f"{held.held_kb_per_call:.1f} kB"
    show(found, "memory per held call", kb, f"{options.held} calls at once")
    if options.search:
        show(found, "highest rate", f"{search(server, load):.0f} calls/s", f"{CONFIRM_SECONDS} s, no failed call")
    return found, load.clean and not leaked


def measure_latency(server: Server, options: argparse.Namespace, found: dict[str, Any]) -> None:
    if not can_capture():
        show(found, "added latency", "not measured", "needs root and tcpdump")
        return
    run = drive(server, options.rate, int(options.rate * 10), capture=True)
    delays = forwarding_delays(run.capture, server.callee_of, server.sip_port, server.uas_port)
    if not delays:
        raise LoadError("the capture holds no forwarded INVITE")
    middle, high = percentile(delays, 0.5), percentile(delays, 0.99)
    show(
        found,
        "added latency p50",
        f"{middle:.2f} ms",
        f"INVITE in to INVITE out, {len(delays)} calls, {run.failed} failed",
    )
    show(found, "added latency p99", f"{high:.2f} ms", f"longest {delays[-1]:.2f} ms")


def search(server: Server, first: Load) -> float:
    """Highest rate that holds: climb until a run is not clean, then step down until a longer run is. Whole calls
    a second, since SIPp refuses a fraction."""
    rate = round(max(first.rate, min(800 / max(first.cpu_ms_per_call, 0.1), 0.9 * len(server.parties))))
    while passes(drive(server, rate, rate * SEARCH_SECONDS)):
        rate = round(rate * STEP)
    while rate > 1:
        rate = round(rate / STEP)
        if passes(drive(server, rate, rate * CONFIRM_SECONDS)):
            return rate
    return 0.0


def passes(run: Load) -> bool:
    return run.clean and run.achieved >= 0.95 * run.rate


def show(found: dict[str, Any], name: str, value: str, note: str) -> None:
    found[name] = value
    print(f"{name:22} {value:>14}   {note}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
