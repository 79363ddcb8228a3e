"""`make bench-overload`: calls offered against calls completed, from half to three times what one core can do.

What it is: SIPp against a `maskline serve` of its own on one core, with records, media off. It finds the highest clean
rate, offers multiples of it, and then, one second after the highest of them has stopped, a usual load that must lose
nothing. On a shared machine the limit of a core moves from minute to minute, so each multiple is offered right behind
the limit itself and compared with what was completed then; twice the limit several times, of which the median counts.
What it is not: a test; both sides of SIPp share the other core, and each row says how much of it they took: at nearly
all it is SIPp that ends first. It fails when a promise of decision 0056 does not hold.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.hypervisor import StolenTime  # noqa: E402
from tools.option_types import count, multiples, whole  # noqa: E402
from tools.sip_load import (  # noqa: E402
    HOST,
    LoadError,
    Server,
    drive,
    exit_on_sigterm,
    finish,
    provision,
    serving,
    sipp,
    wait_until_bound,
)
from tools.sip_load import seconds as elapsed  # noqa: E402

FACTORS = (0.5, 0.8, 1.25, 1.5, 2.0, 2.0, 2.0, 3.0)
"""Each behind one of 1.0."""
HOLD = 1.0
CLIMBS, HOLDS = 5, 15
"""Seconds of a run that looks for the limit, and of one that confirms it: what is not yet on the disk carries a rate
for some seconds that the core does not carry for longer."""
WIDTH = 50
PROMISE = 0.9
"""Share of the limit that has to be completed at twice the limit."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--limit", type=count, default=0, help="calls/s of one core; 0: find it")
    parser.add_argument("--seconds", type=whole, default=8, help="length of each run, 6 at least")
    parser.add_argument("--sessions", type=whole, default=9000)
    parser.add_argument(
        "--factors", type=multiples, default=FACTORS,
        help="multiples of the limit that are offered",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.seconds < 6:
        parser.error("--seconds: 6 at least, since the first three count for nothing")
    if 2.0 not in options.factors:
        parser.error("--factors: 2 has to be among them, by which the promise is judged")
    exit_on_sigterm()
    if not shutil.which("sipp"):
        print("bench: sipp is missing; 'make setup' as root installs it.", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="maskline-overload-"))
    try:
        with serving(folder, pin=True) as server, StolenTime() as taken:
            provision(server, options.sessions)
            limit = options.limit or find_limit(server)
            kept = measure(server, limit, options.seconds, options.factors)
        print(f"CPU taken away by the hypervisor meanwhile: {taken.share:.1%}")
    except LoadError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if kept else 1


def find_limit(server: Server) -> int:
    """The highest clean rate, exact to a tenth."""
    first = drive(server, 100, 300)
    rate = round(800 / max(first.cpu_ms_per_call, 0.1))
    while drive(server, higher := round(rate * 1.1), higher * CLIMBS).clean:
        rate = higher
    while not drive(server, rate, rate * HOLDS).clean:
        rate = round(rate / 1.1)
        if rate < 20:
            raise LoadError("no rate is clean")
    print(f"limit: {rate} calls/s for {HOLDS} s without a failed call", flush=True)
    return rate


def measure(server: Server, limit: int, seconds: int, factors: Sequence[float]) -> bool:
    rows: list[dict[str, Any]] = []
    print("  x   offered/s  completed/s  refused/s   lost/s  of the limit  SIPp's core  taken", flush=True)
    for factor in factors:
        whole = offer(server, limit, seconds)
        tell(1.0, {**whole, "share": 1.0})
        row = offer(server, round(limit * factor), seconds)
        rows.append({"factor": factor, **row, "share": row["completed"] / max(whole["completed"], 1.0)})
        tell(factor, rows[-1])
    print()
    for row in rows:
        bar = "#" * round(WIDTH * min(row["share"], 1.5) / 1.5)
        print(f"{row['factor']:4.2f} |{bar}{' ' * (WIDTH - len(bar))}| {row['share']:.2f}")
    after = recover(server, limit, seconds)
    print(
        f"one second after three times the limit: {after['completed_calls']} of {after['calls']} calls at 0.8 "
        f"completed; {after['refused']} refused, {after['refused_at_once']} of them in the first second; "
        f"{after['lost']} lost; {after['again']} messages sent again"
    )
    shares = [row["share"] for row in rows if row["factor"] == 2.0]
    twice = statistics.median(shares)
    kept = bool(twice >= PROMISE and after["completed_calls"] == after["calls"])
    print(
        f"promise (>= {PROMISE} at twice the limit, no call lost after): {'kept' if kept else 'NOT KEPT'}, {twice:.2f}"
    )
    out = ROOT / "out"
    out.mkdir(exist_ok=True)
    (out / "bench-overload.json").write_text(
        json.dumps({"limit": limit, "rows": rows, "after": after}, indent=2) + "\n"
    )
    return kept


def tell(factor: float, row: dict[str, float]) -> None:
    print(
        f"{factor:4.2f} {row['offered']:10.0f} {row['completed']:12.0f} {row['refused']:10.0f} {row['lost']:8.1f}"
        f" {row['share']:13.2f} {row['load']:12.2f} {row['taken']:6.1%}", flush=True,
    )  # fmt: skip


def offer(server: Server, rate: int, seconds: int) -> dict[str, float]:
    """Figures a second, of the time in which calls come and go."""
    before, began = sipp_seconds(), time.monotonic()
    with StolenTime() as taken:
        callee, caller = start(server, rate, seconds, "uac.csv")
        finish(caller, seconds + 45)
        finish_callee(callee)
    load = (sipp_seconds() - before) / (time.monotonic() - began)
    return {**read_seconds(server.folder / "uac.csv", seconds), "load": load, "taken": taken.share}


def sipp_seconds() -> float:
    """CPU of all that was started here and has ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def recover(server: Server, limit: int, seconds: int) -> dict[str, Any]:
    """A usual load, one second after the end of three times the limit."""
    callee, caller = start(server, 3 * limit, seconds, "uac.csv")
    time.sleep(seconds + 1.0)
    calm = place(server, round(0.8 * limit), seconds, "calm.csv", 0)
    finish(calm, seconds + 45)
    finish(caller, 45)
    finish_callee(callee)
    return read_calm(server.folder / "calm.csv")


def read_calm(path: Path) -> dict[str, int]:
    """What became of the calls of a usual load. Refused and lost as in `read_seconds`; a refusal comes at once, so
    those of the first second stand in the rows until then, of which SIPp may write the last a little late."""
    rows = rows_of(path)
    first, last = [row for row in rows if elapsed(row["ElapsedTime(C)"]) < 1.5][-1:], rows[-1]
    refused = "FailedUnexpectedMessage(C)"
    return {
        "calls": int(last["TotalCallCreated"]), "completed_calls": int(last["SuccessfulCall(C)"]),
        "refused": int(last[refused]), "refused_at_once": sum(int(row[refused]) for row in first),
        "lost": int(last["FailedCall(C)"]) - int(last[refused]), "again": int(last["Retransmissions(C)"]),
    }  # fmt: skip


def start(server: Server, rate: int, seconds: int, statistics: str) -> tuple[Any, Any]:
    for old in (*server.folder.glob("ua[cs].csv"), *server.folder.glob("calm.csv")):
        old.unlink()
    callee = sipp(server, "uas", "-p", str(server.uas_port))
    wait_until_bound(server.uas_port, callee)
    return callee, place(server, rate, seconds, statistics, server.uac_port)


def place(server: Server, rate: int, seconds: int, statistics: str, port: int) -> Any:
    ports = ["-p", str(port)] if port else []
    return sipp(
        server, "uac", f"{HOST}:{server.sip_port}", *ports, "-inf", "numbers.csv", "-r", str(rate), "-m",
        str(rate * seconds), "-l", str(rate * 20), "-d", str(int(HOLD * 1000)), "-timeout", str(seconds + 40),
        "-stf", str(server.folder / statistics),
    )  # fmt: skip


def finish_callee(callee: Any) -> None:
    callee.kill()
    callee.wait()


def rows_of(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        raise LoadError("SIPp wrote no statistics")
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def read_seconds(path: Path, seconds: int) -> dict[str, float]:
    """Means over the seconds from the third to the last in which calls were offered. Calls are refused when an answer
    came that is no part of a call, lost when none came."""
    rows = rows_of(path)[3:seconds]
    if not rows:
        raise LoadError("SIPp's run was too short")
    final = rows_of(path)[-1]

    def mean(column: str) -> float:
        return sum(int(row[column]) for row in rows) / len(rows)

    lost = int(final["FailedCall(C)"]) - int(final["FailedUnexpectedMessage(C)"])
    return {
        "offered": mean("OutgoingCall(P)"), "completed": mean("SuccessfulCall(P)"),
        "refused": mean("FailedUnexpectedMessage(P)"), "lost": lost / seconds,
        "again": float(final["Retransmissions(C)"]),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
