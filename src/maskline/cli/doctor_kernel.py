"""What `maskline doctor` says of the system's limits that SIP meets.

What it is: checks of what the kernel allows, as (name, state, what was found, what to do). What it is not: a change of
them; `contrib/sysctl.d` has that. Who uses it: `doctor.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from maskline.net.udp import RECEIVE_BUFFER

Found = tuple[str, str, str, str]
RMEM_MAX = Path("/proc/sys/net/core/rmem_max")


def check_kernel(rmem_max: Path = RMEM_MAX) -> Iterator[Found]:
    """Nothing where the kernel does not tell: on other systems, and in most containers."""
    try:
        most = int(rmem_max.read_text())
    except (OSError, ValueError):
        return
    if most < RECEIVE_BUFFER:
        found = f"the kernel gives a socket {most // 1024} kB at most, SIP over UDP asks for {RECEIVE_BUFFER // 1024}"
        yield "receive buffer", "warn", found, f"sysctl -w net.core.rmem_max={RECEIVE_BUFFER} (contrib/sysctl.d)"
    else:
        yield "receive buffer", "ok", f"{RECEIVE_BUFFER // 1024} kB for SIP over UDP", ""
