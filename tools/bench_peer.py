"""`make bench-peer`: a Maskline and Debian's Kamailio, in turns, under the same calls on the same core.

What it is: the measure of point 9's rows on machines whose speed moves by half within minutes. Each turn places the
same calls through both, so what is compared has the same minute; the ratio is the figure, not the milliseconds. The
Kamailio masks as tests/load/kamailio.cfg says (topoh, From and To replaced, look-up in memory, two workers) and writes
no record; the Maskline is the last row of tools/bench_sip.py that there is: with records, and compiled where `make
compile` was run. Two questions: what a call costs each at a rate that both carry, and which rate is the highest of
each. What it is not: a comparison of features; what each hides is said in its first line.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from maskline.lab.ports import free_port  # noqa: E402
from tests.support.hypervisor import StolenTime  # noqa: E402
from tools.bench_sip import COMPILED, NOWHERE, PROGRAMS, SUMMARY, has_compiled, lower  # noqa: E402
from tools.option_types import count, whole, wholes  # noqa: E402
from tools.sip_load import (  # noqa: E402
    HOST,
    SCENARIOS,
    Load,
    LoadError,
    Party,
    Server,
    drive,
    exit_on_sigterm,
    pinned,
    provision,
    serving,
    stop,
    wait_until_bound,
    write_numbers,
)
from tools.sip_wire import leaks  # noqa: E402

STEP = 1.08
SETTLES = 12
"""Seconds after which the far sides have given up what a run over the limit has left."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of one of the two."""

    load: Load
    taken: float
    """Share of the CPU that the hypervisor took."""

    def __str__(self) -> str:
        return (
            f"{self.load.calls} calls, {self.load.failed} failed, {self.load.retransmissions} sent again, "
            f"{self.load.cpu_ms_per_call:.2f} ms of CPU each, {self.taken:.1%} taken"
        )


@contextmanager
def kamailio(folder: Path, parties: list[Party]) -> Iterator[Server]:
    """A masking proxy for the same parties, on the core that the Maskline has."""
    folder.mkdir(parents=True)
    port, uac, uas = free_port(), free_port(), free_port()
    callees = "\n".join(f'    $sht(callees=>{one.virtual}:{one.caller}) = "{one.callee}";' for one in parties)
    text = (SCENARIOS / "kamailio.cfg").read_text()
    values = {
        "host": HOST, "port": str(port), "callee_port": str(uas), "key": secrets.token_hex(8), "callees": callees
    }  # fmt: skip
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    config = folder / "kamailio.cfg"
    config.write_text(text)
    command = ["kamailio", "-f", str(config), "-DD", "-E", "-m", "1024", "-M", "64", "-Y", str(folder)]
    with (folder / "kamailio.log").open("wb") as log:
        process = subprocess.Popen(
            pinned(0, command, wanted=True), cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        try:
            wait_until_bound(port, process)
        except LoadError:
            told = (folder / "kamailio.log").read_text(errors="replace").splitlines()[-3:]
            raise LoadError(f"kamailio did not start: {' / '.join(told)}") from None
        server = Server(folder, port, 0, uac, uas, process, dict(os.environ), True, parties)
        write_numbers(server)
        try:
            yield server
        finally:
            for phone in server.phones:
                phone.kill()
                phone.wait()
    finally:
        stop(process)


def run_turns(servers: dict[str, Server], rate: int, options: argparse.Namespace) -> None:
    """Turns at one rate, and what their medians say."""
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for number in range(options.turns):
        for name, server in servers.items():
            with StolenTime() as taken:
                load = drive(server, rate, rate * options.seconds)
            turn = Turn(load, taken.share)
            costs[name].append(load.cpu_ms_per_call)
            print(f"{rate} calls/s, turn {number + 1}, {name}: {turn}", flush=True)
    peer, ours = (statistics.median(found) for found in costs.values())
    ratios = [mine / theirs for theirs, mine in zip(*costs.values(), strict=True)]
    print(
        f"{rate} calls/s, medians: {' '.join(servers)}: {peer:.2f} and {ours:.2f} ms of CPU a call; "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )


def holds(load: Load) -> bool:
    """As the peers' own figures were taken: fewer than one call in a thousand failed, and one in a hundred was sent
    again."""
    return (
        load.failed < 0.001 * load.calls
        and load.retransmissions < 0.01 * load.calls
        and load.achieved >= 0.95 * load.rate
    )


def highest(server: Server, options: argparse.Namespace) -> int:
    """Calls a second: climb until a short run does not hold, then step down until a long one does."""
    rate: int = options.start
    while holds(drive(server, rate, rate * options.seconds)):
        rate = max(rate + 1, round(rate * STEP))
    while rate > 1:
        rate = lower(rate, STEP)
        time.sleep(SETTLES)
        if holds(drive(server, rate, rate * options.confirm)):
            break
    return rate


def find_highest(servers: dict[str, Server], options: argparse.Namespace) -> None:
    """In turns, each so many times."""
    found: dict[str, list[int]] = {name: [] for name in servers}
    for number in range(options.searches):
        for name, server in servers.items():
            with StolenTime() as taken:
                found[name].append(highest(server, options))
            print(
                f"highest rate, turn {number + 1}, {name}: {found[name][-1]} calls/s for {options.confirm} s, "
                f"{taken.share:.1%} taken", flush=True,
            )  # fmt: skip
            time.sleep(SETTLES)
    peer, ours = (statistics.median(rates) for rates in found.values())
    print(f"highest rates, medians: {' '.join(servers)}: {peer:.0f} and {ours:.0f} calls/s; ratio {ours / peer:.2f}")


@contextmanager
def maskline(folder: Path, options: argparse.Namespace, package: Path | None = None) -> Iterator[Server]:
    """The row's server with its sessions; `package`: as another folder has it."""
    program, environment = PROGRAMS[options.row]
    settings = {**environment, "MASKLINE_EGRESS_ALLOW": "127.0.0.0/8"}
    if package is not None:
        settings["PYTHONPATH"] = str(package)
    with serving(folder, pin=True, program=(str(ROOT / "tools" / program),), **settings) as server:
        account = provision(server, options.sessions)
        server.command("webhook", "set", SUMMARY, NOWHERE, "--account", account["auth_id"])
        yield server


def bench(folder: Path, options: argparse.Namespace) -> None:
    with maskline(folder / "ours", options) as ours:
        if options.against is None:
            name, other = "Kamailio", kamailio(folder / "peer", ours.parties)
        else:
            name, other = str(options.against), maskline(folder / "peer", options, options.against.resolve())
        with other as peer:
            servers = {name: peer, f"Maskline ({options.row})": ours}
            for name, server in servers.items():
                first = drive(server, 100, 500, keep_messages=True)  # pays for imports and first pages, too
                seen = leaks((party.caller for party in server.parties), first.messages.read_bytes())
                print(
                    f"{name}: {len(seen)} callers of {first.calls} calls can be read in what the callee got", flush=True
                )
            for rate in options.rates:
                run_turns(servers, rate, options)
            if options.searches:
                find_highest(servers, options)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    usual = "compiled" if has_compiled(COMPILED) else "records"
    parser.add_argument("--row", choices=list(PROGRAMS), default=usual, help="which row of make bench")
    parser.add_argument(
        "--against", type=Path, help="another build/compiled in place of Kamailio: code before a change"
    )
    parser.add_argument("--rates", type=wholes, default=[500])
    parser.add_argument("--seconds", type=whole, default=10, help="of each run")
    parser.add_argument("--turns", type=whole, default=5)
    parser.add_argument("--searches", type=count, default=0, help="how often the highest rate of each is looked for")
    parser.add_argument("--start", type=whole, default=400, help="calls per second at which a search begins")
    parser.add_argument("--confirm", type=whole, default=20, help="seconds that the highest rate has to hold")
    parser.add_argument("--sessions", type=whole, default=5000, help="each carries one call at a time")
    options = parser.parse_args(arguments)
    if options.row == "compiled" and not has_compiled(COMPILED):
        parser.error("--row compiled: run 'make compile' with this Python first")
    if options.against is not None and not has_compiled(options.against):
        parser.error(f"--against: this Python finds nothing compiled in {options.against}")
    exit_on_sigterm()
    for program in ("sipp", "kamailio") if options.against is None else ("sipp",):
        if not shutil.which(program):
            print(f"bench: {program} is missing; 'make setup' as root installs it.", file=sys.stderr)
            return 1
    folder = Path(tempfile.mkdtemp(prefix="maskline-bench-"))
    try:
        bench(folder, options)
    except LoadError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
