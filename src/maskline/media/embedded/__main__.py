"""`python -m maskline.media.embedded`: a relay worker, started by `process.py`.

What it is: the arguments of a worker, and the waiting of one that is to take a dead one's place. What it is not: the
public command; that is `maskline media`, which means the same but imports the whole CLI first (half a second that a
restart of a lost worker should not take).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from maskline.media.embedded.worker import WorkerOptions, main


def read_arguments(arguments: list[str]) -> WorkerOptions:
    parser = argparse.ArgumentParser(prog="python -m maskline.media.embedded")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--host", default=WorkerOptions.host, help="one, or one of each family with a comma")
    parser.add_argument("--ports", default="20000-29999", help="first and last, as in 20000-29999")
    parser.add_argument("--timeout", type=float, default=WorkerOptions.timeout)
    parser.add_argument("--spool", type=Path, default=WorkerOptions.spool)
    parser.add_argument("--orphan-seconds", type=float, default=WorkerOptions.orphan_seconds)
    read = parser.parse_args(arguments)
    low, _, high = read.ports.partition("-")
    ports = int(low), int(high)
    return WorkerOptions(read.socket, read.host, ports, read.timeout, read.spool, read.orphan_seconds)


def run(arguments: list[str]) -> int:
    """With `--standby` first: only when a byte comes on stdin; nothing is done when it is closed instead."""
    if arguments[:1] != ["--standby"]:
        return main(read_arguments(arguments))
    options = read_arguments(arguments[1:])
    return main(options) if sys.stdin.buffer.read(1) else 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
