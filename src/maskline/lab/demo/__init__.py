"""`maskline demo`: masked calls for real, on this machine alone, told from start to end.

What it is: the scenarios by name, and how they are run: one platform for all that are asked for. What it is not: the
scenarios themselves, a module each. Who uses it: `cli/demo.py`, `make demo`.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskline.lab.demo import calls, click, pin, record, say
from maskline.lab.demo.stage import Stage
from maskline.lab.platform import LabError


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing to show."""

    play: Callable[[Stage], Awaitable[bool]]
    """Tells it; True when every check held."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What it needs besides the demo's own."""
    program: str = ""
    """Without this program it is left out of `all`."""


SCENARIOS = {
    "call": Scenario(calls.play),
    "pin": Scenario(pin.play),
    "click": Scenario(click.play),
    "record": Scenario(record.play),
    "say": Scenario(say.play, say.SETTINGS, say.PROGRAM),
}
"""By name, in the order of `all`."""


def everything() -> list[str]:
    """All that this machine can show."""
    return [name for name, scenario in SCENARIOS.items() if not scenario.program or shutil.which(scenario.program)]


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
    needed = {key: value for name in scenarios for key, value in SCENARIOS[name].settings.items()}
    stage = Stage(folder, lambda line: print(line, flush=True), needed | settings)
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
            good = await SCENARIOS[name].play(stage) and good
        return good
    finally:
        await stage.close()
