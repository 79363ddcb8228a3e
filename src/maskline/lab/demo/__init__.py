"""`maskline demo`: masked calls for real, on this machine alone, told from start to end.

What it is: the scenarios by name, and how they are run: one platform for all that are asked for. What it is not: the
scenarios themselves, a module each. Who uses it: `cli/demo.py`, `make demo`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from maskline.lab.demo import calls
from maskline.lab.demo.stage import Stage
from maskline.lab.platform import LabError

SCENARIOS: dict[str, Callable[[Stage], Awaitable[bool]]] = {"call": calls.play}
"""By name, in the order of `all`."""


def run(settings: dict[str, str] | None = None, keep: Path | None = None, scenarios: Sequence[str] = ("call",)) -> int:
    """Play these scenarios with extra MASKLINE_ settings; 0 only when every check holds. `keep`: a new or empty folder
    to leave the database and log in, else a temporary one that is removed."""
    if keep and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        print(f"demo: {keep} is in use; name a new or empty folder.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="maskline-demo-") as temporary:
        folder = keep.resolve() if keep else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return _run_in(folder, settings or {}, scenarios)


def _run_in(folder: Path, settings: dict[str, str], scenarios: Sequence[str]) -> int:
    stage = Stage(folder, lambda line: print(line, flush=True), settings)
    try:
        good = asyncio.run(_play(stage, scenarios))
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print("\nEvery check held." if good else "\nA check failed; the platform's log:\n" + stage.platform.log_tail(40))
    return 0 if good else 1


async def _play(stage: Stage, scenarios: Sequence[str]) -> bool:
    try:
        await stage.open()
        good = True
        for name in scenarios:
            good = await SCENARIOS[name](stage) and good
        return good
    finally:
        await stage.close()
