"""`make bench-vca`: calls a second whose way the customer's own application decides, on one core.

What it is: a `maskline serve` on one core; SIPp and the customer's application (`tools/web_receiver.py`) on the other.
Each call asks the application (Voice Call Action), is connected as that says, and ends with a session summary posted to
it. With `--from sessions` calls belong to masking sessions and only the summary is posted, to compare. Rates are taken
one after the other; for each it prints calls that failed, the server's CPU per call, and webhooks that did not arrive;
with `--latency` also how long INVITEs took through it. What it is not: a test; its status is 1 when a call or a webhook
was lost.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from maskline.lab.ports import free_port  # noqa: E402
from tests.support.hypervisor import StolenTime  # noqa: E402
from tools.option_types import amount, amounts, whole  # noqa: E402
from tools.sip_load import (  # noqa: E402
    CALLEE,
    CALLER,
    HOST,
    TICKS,
    VIRTUAL,
    Load,
    LoadError,
    Party,
    Server,
    drive,
    exit_on_sigterm,
    pinned,
    provision,
    provision_numbers,
    read_stat,
    serving,
    write_numbers,
)
from tools.sip_wire import asking_delays, forwarding_delays, percentile  # noqa: E402

SUMMARY, ACTION = "eight.session_summary", "eight.call_action"
WARM_UP_SECONDS = 4
NUMBERS = 3
"""Virtual numbers; each party calls one."""


@dataclass(slots=True)
class Receiver:
    """The customer's application, and after the block what it tells of its work."""

    port: int
    folder: Path
    process: subprocess.Popen[str]
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/"


@dataclass(frozen=True, slots=True)
class Run:
    """What one rate gave."""

    load: Load
    main_ms: float
    """CPU per call of the server's event loop."""
    others_ms: float
    """The same of all its other threads and processes."""
    waiting: int
    """Webhooks that were not delivered yet ten seconds after the last call."""
    stolen: float


@contextmanager
def receiving(folder: Path, parties: list[Party], *, pin: bool) -> Iterator[Receiver]:
    """A customer's application that knows these parties; its report is read when the block ends."""
    calls = folder / "calls.csv"
    calls.write_text("".join(f"{one.caller};{one.virtual};{one.callee}\n" for one in parties))
    port = free_port()
    command = [sys.executable, str(ROOT / "tools/web_receiver.py"), "--port", str(port), "--calls", str(calls)]
    with (folder / "receiver.log").open("wb") as log:
        process = subprocess.Popen(pinned(1, command, wanted=pin), stdout=subprocess.PIPE, stderr=log, text=True)
    receiver = Receiver(port, folder, process)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise LoadError("the customer's application did not start")
    try:
        yield receiver
    finally:
        process.terminate()
        text, _ = process.communicate(timeout=10)
        receiver.report = json.loads(text) if text else {}


class ServerTime:
    """CPU seconds of the server so far: of its event loop, and of everything else in it."""

    def __init__(self, server: Server) -> None:
        tasks = Path(f"/proc/{server.process.pid}/task")
        main = ticks(read_stat(server.process.pid, task=server.process.pid))
        rest = sum(ticks(read_stat(server.process.pid, task=int(one.name))) for one in tasks.iterdir()) - main
        children = sum(ticks(read_stat(pid)) for pid in server.pids() if pid != server.process.pid)
        self.main, self.others = main / TICKS, (rest + children) / TICKS


def ticks(stat: list[str]) -> int:
    return int(stat[11]) + int(stat[12]) if stat else 0


def delivered(server: Server) -> int:
    """Webhooks delivered since the server started."""
    return server.counted("maskline_webhook_tries_total", '.*"delivered"')


def run(server: Server, rate: float, calls: int, *, capture: bool, web: int | None = None) -> Run:
    wanted = delivered(server) + calls
    before = ServerTime(server)
    with StolenTime() as taken:
        load = drive(server, rate, calls, capture=capture, web=web)
        missing = missing_of(server, wanted)
    after = ServerTime(server)
    each = 1000 / max(load.calls, 1)
    main, others = (after.main - before.main) * each, (after.others - before.others) * each
    return Run(load, main, others, missing, taken.share)


def missing_of(server: Server, wanted: int) -> int:
    """Of so many webhooks since the server started, those that are not delivered after ten seconds."""
    deadline = time.monotonic() + 10
    while (missing := wanted - delivered(server)) > 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    return max(missing, 0)


def provide(server: Server, options: argparse.Namespace) -> str:
    """What the calls need; the account's id."""
    if options.source == "sessions":
        return str(provision(server, options.parties)["auth_id"])
    account = provision_numbers(server, NUMBERS)
    server.parties = [
        Party(VIRTUAL.format(index % NUMBERS), CALLER.format(index), CALLEE.format(index))
        for index in range(options.parties)
    ]
    write_numbers(server)
    return str(account["auth_id"])


def bench(folder: Path, options: argparse.Namespace) -> tuple[list[Run], Receiver]:
    settings = {"MASKLINE_EGRESS_ALLOW": "127.0.0.0/8"}
    with serving(folder, pin=True, **settings) as server:
        print(f"bench-vca: {options.parties} parties …", flush=True)
        owner = provide(server, options)
        with receiving(folder, server.parties, pin=True) as receiver:
            for kind in [SUMMARY] if options.source == "sessions" else [ACTION, SUMMARY]:
                server.command("webhook", "set", kind, receiver.url, "--account", owner)
            drive(server, 50, 50 * WARM_UP_SECONDS)
            # Else the last of these would be counted as the first of the next, and hide one that is missing there.
            missing_of(server, 50 * WARM_UP_SECONDS)
            runs = []
            for rate in options.rates:
                runs.append(run(server, rate, int(rate * options.seconds), capture=options.latency, web=receiver.port))
                show(runs[-1])
                if options.latency:
                    show_latency(server, receiver, runs[-1])
    return runs, receiver


def show(one: Run) -> None:
    load = one.load
    print(
        f"{load.rate:5g} calls/s ({load.achieved:.0f} reached): {load.calls} calls, {load.failed} failed, "
        f"{load.retransmissions} sent again; CPU per call {one.main_ms + one.others_ms:.2f} ms "
        f"(event loop {one.main_ms:.2f}, other threads {one.others_ms:.2f}); {one.waiting} webhooks missing; "
        f"{one.stolen:.1%} taken by the hypervisor",
        flush=True,
    )


def show_latency(server: Server, receiver: Receiver, one: Run) -> None:
    delays = forwarding_delays(one.load.capture, server.callee_of, server.sip_port, server.uas_port)
    asked = asking_delays(one.load.capture, server.callee_of, receiver.port, server.uas_port)
    for what, found in (("INVITE in to INVITE out", delays), ("question out to INVITE out", [ms for _, ms in asked])):
        if found:
            middle, high = percentile(sorted(found), 0.5), percentile(sorted(found), 0.99)
            print(f"      {what}: p50 {middle:.2f} ms, p99 {high:.2f} ms", flush=True)


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--from", dest="source", choices=("application", "sessions"), default="application")
    parser.add_argument("--rates", type=amounts, default=[200, 300, 400, 500])
    parser.add_argument("--seconds", type=amount, default=10, help="length of each run")
    parser.add_argument("--parties", type=whole, default=2000)
    parser.add_argument(
        "--latency", action="store_true", help="capture packets too (needs root); costs CPU of the load"
    )
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and captures")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    exit_on_sigterm()
    options = read_options(arguments)
    if not shutil.which("sipp"):
        print("bench-vca: sipp is missing; 'make setup' as root installs it.", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="maskline-bench-"))
    try:
        runs, receiver = bench(folder, options)
    except LoadError as error:
        print(f"bench-vca: {error}", file=sys.stderr)
        return 1
    finally:
        if options.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    took = sorted(receiver.report.get("call_action_us", ()))
    if took:
        print(f"application: p50 {percentile(took, 0.5)} µs, p99 {percentile(took, 0.99)} µs for a Voice Call Action")
    print(f"application: {receiver.report.get('events')} over {receiver.report.get('connections')} connections")
    return 0 if all(one.load.failed == 0 and one.waiting == 0 for one in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
