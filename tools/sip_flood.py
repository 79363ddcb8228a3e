"""Good calls beside a flood of strangers: 20,000 malformed and 20,000 well-formed datagrams a second.

What it is: the flood (`tools/sip_flood.c`, built here) beside SIPp's calls, and what became of either. Run by itself it
measures on a server of its own, one core for it and one for the others, and prints a line a run; its status is 1 when a
call was lost or a stranger answered. The wire test of the same name judges. What it is not: an attack tool; it knows
one address, 127.0.0.1.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.support.hypervisor import StolenTime  # noqa: E402
from tools.sip_load import Load, LoadError, Server, drive, exit_on_sigterm, pinned, provision, serving  # noqa: E402

RATE = 100
"""Good calls a second."""
MALFORMED, WELL_FORMED = 20_000, 20_000
"""Datagrams a second."""
SOURCES = 8
EVER_NEW = 0
"""In place of a number of sources: each datagram has one of its own, but some pretend to be the good calls' trunk."""


@dataclass(frozen=True, slots=True)
class Flooded:
    """What one run gave."""

    load: Load
    sent: int
    seconds: float
    answered: int
    """Datagrams that came back to strangers."""
    drops: int
    """Datagrams lost because the socket's buffer was full."""
    stolen: float
    grown_kb: int
    """Memory of the server's processes after the flood, less that before it."""

    @property
    def per_second(self) -> float:
        return self.sent / self.seconds


def can_flood() -> bool:
    return shutil.which("sipp") is not None and shutil.which("cc") is not None and sys.platform == "linux"


def build(folder: Path) -> Path:
    program = folder / "sip_flood"
    subprocess.run(["cc", "-O2", "-o", str(program), str(ROOT / "tools" / "sip_flood.c")], check=True)
    return program


def flood(
    server: Server,
    program: Path,
    seconds: float,
    kinds: tuple[int, int] = (MALFORMED, WELL_FORMED),
    sources: int = SOURCES,
) -> Flooded:
    """Calls for so many seconds, and the flood from before their first to after their last."""
    before, held = kernel_drops(server), server.memory_kb()
    arguments = [str(server.sip_port), str(seconds + 3), str(kinds[0]), str(kinds[1]), str(sources)]
    command = pinned(1, [str(program), *arguments], wanted=server.pin)
    with StolenTime() as taken:
        flooding = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            load = drive(server, RATE, int(RATE * seconds))
            text, _ = flooding.communicate(timeout=seconds + 30)
        finally:
            flooding.kill()
    told = json.loads(text)
    drops = kernel_drops(server) - before
    return Flooded(load, told["sent"], told["seconds"], told["answered"], drops, taken.share, server.memory_kb() - held)


def kernel_drops(server: Server) -> int:
    return server.counted("maskline_sip_socket_drops_total", 'way="in"')


def show(one: Flooded) -> None:
    load = one.load
    print(
        f"{one.per_second:,.0f} datagrams/s of strangers, {one.answered} answered; {load.calls} calls at "
        f"{load.rate:g}/s, {load.failed} failed, {load.retransmissions} sent again; {load.cpu_ms_per_call:.2f} ms "
        f"of CPU per call and its share of the flood; {one.drops} datagrams lost in a full buffer; "
        f"{one.grown_kb / 1024:+.1f} MB; {one.stolen:.1%} taken by the hypervisor",
        flush=True,
    )


def main() -> int:
    exit_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--ever-new", action="store_true", help="each datagram from an address of its own")
    parser.add_argument("--turns", type=int, default=2, help="of a run without and a run with the flood")
    options = parser.parse_args()
    if not can_flood():
        print("sip_flood: needs sipp and a C compiler.", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="maskline-flood-"))
    runs = []
    try:
        program = build(folder)
        with serving(folder, pin=True) as server:
            provision(server, 800)
            drive(server, 50, 100)  # first calls pay for imports and first pages
            for _ in range(options.turns):
                show(flood(server, program, options.seconds, (1, 1)))
                runs.append(flood(server, program, options.seconds, sources=EVER_NEW if options.ever_new else SOURCES))
                show(runs[-1])
    except LoadError as error:
        print(f"sip_flood: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if all(run.load.failed == run.answered == 0 for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
