"""`maskline demo`: masked calls for real, on this machine alone, told from start to end.

What it is: the scenarios by name, and how they are run: one platform for all that are asked for. What it is not: the
scenarios themselves, a module each. Who uses it: `cli/demo.py`, `make demo`.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskline.lab.demo import calls, click, pin, record, say, vca
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
    "vca": Scenario(vca.play, program=vca.PROGRAM),
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
    end = End()
    try:
        good = asyncio.run(_play(stage, scenarios, end))
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        if end.by is None:
            raise
        print(f"demo: ended by {end.by.name}.", file=sys.stderr)
        return 128 + end.by
    print("\nEvery check held." if good else "\nA check failed; the platform's log:\n" + stage.platform.log_tail(40))
    return 0 if good else 1


class End:
    """SIGTERM and SIGHUP end the demo in order, as Ctrl-C does: the platform has a session of its own, so that neither
    the end of this process nor that of the terminal would take it along."""

    def __init__(self) -> None:
        self.by: signal.Signals | None = None

    def watch(self, task: asyncio.Task[bool]) -> None:
        """Cancel `task` at the first of them; another one does not disturb the clearing up."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_IGN:
                continue  # as nohup wants it
            loop.add_signal_handler(number, self._arrived, number, task)

    def _arrived(self, number: signal.Signals, task: asyncio.Task[bool]) -> None:
        if self.by is None:
            self.by = number
            task.cancel()


async def _play(stage: Stage, scenarios: Sequence[str], end: End) -> bool:
    task = asyncio.ensure_future(_tell(stage, scenarios))
    end.watch(task)
    finished = False
    try:
        good = await task
        finished = True
        return good
    finally:
        await stage.close(calls_may_end=finished)


async def _tell(stage: Stage, scenarios: Sequence[str]) -> bool:
    await stage.open()
    good = True
    for name in scenarios:
        good = await SCENARIOS[name].play(stage) and good
    return good
