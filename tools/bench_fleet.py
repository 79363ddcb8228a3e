"""`make bench-fleet`: what a call costs each part of an installation of one engine, and of two, behind Kamailio.

What it is: SIPp against Kamailio as deploy/kamailio configures it, engines and API as processes of their own, and
PostgreSQL, all on this machine and not pinned; media off. For one engine and for two, at so many calls a second of
each: calls a second reached, failed calls, CPU per call of the parts, and how busy the machine was with other work.
What it is not: a search for the highest rate, which on two cores is what SIPp and PostgreSQL leave
(docs/topics/performance.md).
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from maskline.lab.platform import Platform  # noqa: E402
from maskline.lab.ports import free_port  # noqa: E402
from tests.support.fleet import Fleet  # noqa: E402
from tests.support.hypervisor import Crowd, StolenTime  # noqa: E402
from tools.sip_load import (  # noqa: E402
    HOST,
    LoadError,
    Server,
    cpu_seconds_of,
    drive,
    exit_on_sigterm,
    process_tree,
    provision,
)


@dataclass(slots=True)
class FleetServer(Server):
    """Kamailio where a server would be, and all processes behind it."""

    roots: dict[str, list[int]] = field(default_factory=dict)
    fleet: Fleet | None = None

    def command(self, *arguments: str) -> Any:
        """In this process: a Python of its own for each is a minute on a busy machine."""
        assert self.fleet is not None
        return self.fleet.cli(*arguments)

    def by_part(self) -> dict[str, float]:
        """Seconds of CPU so far."""
        return {
            part: cpu_seconds_of([pid for root in roots for pid in process_tree(root)])
            for part, roots in self.roots.items()
        }


def main() -> int:
    exit_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=int, default=40, help="calls a second of each engine")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=500)
    options = parser.parse_args()
    missing = [program for program in ("sipp", "kamailio") if shutil.which(program) is None]
    if missing:
        print(f"bench: {', '.join(missing)} missing; 'make setup' as root installs it.", file=sys.stderr)
        return 1
    failed = 0
    try:
        for engines in (1, 2):
            failed += bench(engines, options)
    except LoadError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 1 if failed else 0


def bench(engines: int, options: argparse.Namespace) -> int:
    """Prints a row; calls that failed."""
    folder = Path(tempfile.mkdtemp(prefix="maskline-fleet-"))
    fleet = Fleet(folder, engines=engines, media=False, outside=HOST, MASKLINE_LOG_LEVEL="warning")
    (folder / "api").mkdir()
    first = next(iter(fleet.engines.values()))
    names = ("MASKLINE_DATABASE_URL", "MASKLINE_KEY_FILE", "MASKLINE_DATA_DIR")
    api = Platform(folder / "api", HOST, command="api", **{name: first.environment[name] for name in names})
    try:
        asyncio.run(fleet.start())
        asyncio.run(api.start())
        return measure(fleet, api, folder, engines, options)
    finally:
        api.stop()
        fleet.close()
        shutil.rmtree(folder, ignore_errors=True)


def measure(fleet: Fleet, api: Platform, folder: Path, engines: int, options: argparse.Namespace) -> int:
    assert api._process is not None
    server = FleetServer(
        folder, fleet.proxy.outside[1], api.http_port, free_port(), free_port(), api._process, api.environment,
        roots={
            "engines": [one.pid for one in fleet.engines.values()], "Kamailio": [fleet.proxy.pid],
            "PostgreSQL": [fleet.server.pid],
        },
        fleet=fleet,
    )  # fmt: skip
    try:
        provision(server, options.sessions)
        time.sleep(2.0)  # engines look at trunks every second
        drive(server, 10, 20)  # the first call of a source is held back, and engines have not called anybody yet
        before = server.by_part()
        with StolenTime() as stolen, Crowd() as crowd:
            load = drive(server, options.rate * engines, options.rate * engines * options.seconds)
        spent = {part: 1000 * (seconds - before[part]) / load.calls for part, seconds in server.by_part().items()}
    finally:
        for phone in server.phones:
            phone.kill()
            phone.wait()
    costs = ", ".join(f"{part} {cost:.2f}" for part, cost in spent.items())
    print(
        f"engines {engines}: {load.achieved:.0f} calls/s, {load.calls} calls, {load.failed} failed, "
        f"{load.retransmissions} sent again; ms of CPU a call: {costs}, all {sum(spent.values()):.2f}; "
        f"taken by others {stolen.share:.0%}, waited for a CPU {crowd.share:.0%}",
        flush=True,
    )
    return load.failed


if __name__ == "__main__":
    sys.exit(main())
