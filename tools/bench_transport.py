"""CPU of a masked call over TCP beside UDP: two servers, in turns, at one easy rate.

What it is: a ratio, which holds on a busy machine too, of medians. What it is not: the most that a core carries
(`bench_sip.py`). All calls of a side share one connection, as those of a carrier do.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.sip_load import (  # noqa: E402
    HOST,
    Load,
    LoadError,
    Server,
    exit_on_sigterm,
    finish,
    provision,
    read_load,
    serving,
    sipp,
)

TRANSPORTS = ("udp", "tcp")


def main(arguments: list[str] | None = None) -> int:
    exit_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=int, default=60, help="calls per second")
    parser.add_argument("--seconds", type=int, default=8, help="length of a run")
    parser.add_argument("--turns", type=int, default=5, help="runs of each")
    options = parser.parse_args(arguments)
    if not shutil.which("sipp"):
        print("bench: sipp is missing; 'make setup' as root installs it.", file=sys.stderr)
        return 1
    found: dict[str, list[Load]] = {name: [] for name in TRANSPORTS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maskline-bench-")))
        servers = {name: stack.enter_context(serving(folder / name, pin=True)) for name in TRANSPORTS}
        for name, server in servers.items():
            provision(server, 1_000)
            for trunk in ("callers", "callees") if name == "tcp" else ():
                server.command("trunk", "set", trunk, "--transport", "tcp")
        time.sleep(2.0)  # until the servers have read that
        for turn in range(options.turns + 1):
            for name, server in servers.items():
                load = drive(server, name, options.rate, options.rate * options.seconds)
                if turn:  # the first calls pay for imports and first pages
                    found[name].append(load)
                print(
                    f"{name}: {load.calls} calls, {load.failed} failed, {load.cpu_ms_per_call:.2f} ms each", flush=True
                )
    medians = {name: statistics.median(load.cpu_ms_per_call for load in loads) for name, loads in found.items()}
    ratios = [tcp.cpu_ms_per_call / udp.cpu_ms_per_call for udp, tcp in zip(found["udp"], found["tcp"], strict=True)]
    print(f"median ms a call: {medians}; TCP to UDP, run by run: {statistics.median(ratios):.2f}")
    return 0 if not any(load.failed for loads in found.values() for load in loads) else 1


def drive(server: Server, transport: str, rate: int, calls: int) -> Load:
    for old in server.folder.glob("ua[cs].*"):
        old.unlink()
    kind = ("-t", f"{transport[0]}1")
    callee = sipp(server, "uas", "-p", str(server.uas_port), *kind)
    try:
        wait_until_bound(server.uas_port, transport)
        before = server.cpu_seconds()
        caller = sipp(
            server, "uac", f"{HOST}:{server.sip_port}", "-p", str(server.uac_port), "-inf", "numbers.csv",
            "-r", str(rate), "-m", str(calls), "-l", str(rate * 6), "-d", "1000", "-timeout", str(calls // rate + 15),
            *kind,
        )  # fmt: skip
        finish(caller, calls / rate + 20)
        cpu = server.cpu_seconds() - before
    finally:
        callee.terminate()
        finish(callee, 6)
    return read_load(server, rate, cpu, None, server.folder / "none", server.folder / "none")


def wait_until_bound(port: int, transport: str) -> None:
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                return
        time.sleep(0.02)
    raise LoadError("SIPp did not start")


if __name__ == "__main__":
    sys.exit(main())
