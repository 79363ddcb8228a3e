"""`make crash`: parts of the platform killed -9 under load, one run a seed, and what must hold after it.

What it is: the runs, one line each, and the command that repeats one that failed. What it is not: the run itself
(tests/support/crash_*.py; tests/crash has a short share of it). Exit code 1 when a run failed.

Most of a run is waiting: for a start, for a phone, for a lease. So several platforms stand beside each other, each in a
process of its own with its own ports and database.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.crash_field import KINDS, Field  # noqa: E402
from tests.support.crash_run import Run, Verdict  # noqa: E402
from tests.support.crash_sabotage import KINDS as SABOTAGE_KINDS  # noqa: E402
from tests.support.crash_sabotage import SEEDS as SABOTAGE_SEEDS  # noqa: E402
from tests.support.crash_sabotage import SEEN_AS  # noqa: E402

RUNS_PER_FIELD = 20
JOBS = 4


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kind", choices=KINDS, action="append", help="which databases and processes; default: all")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--runs", type=int, default=1, help="in all")
    parser.add_argument("--jobs", type=int, default=JOBS, help="platforms beside each other; default: %(default)s")
    parser.add_argument("--minutes", type=float, default=30.0, help="no run begins after these")
    parser.add_argument("--sabotage", default="", help="spoil something, to see that it is noticed")
    parser.add_argument("--keep", type=Path, help="a new folder where database and logs stay")
    parser.add_argument("--teeth", action="store_true", help="spoil one thing after the other; all must be noticed")
    options = parser.parse_args(arguments)
    if options.teeth:
        return _show_teeth()
    if options.keep is not None:
        options.keep.mkdir()
    deadline = time.time() + 60 * options.minutes
    verdicts = _run_all(options, deadline)
    failed = [verdict for verdict in verdicts if verdict.wrong]
    print(f"{len(verdicts)} runs, {len(failed)} failed")
    return 1 if failed or len(verdicts) < options.runs else 0


def _run_all(options: argparse.Namespace, deadline: float) -> list[Verdict]:
    """Fields in turn of each kind; `keep` is one folder, and so there is one field at a time."""
    turns = itertools.cycle(options.kind or KINDS)
    firsts = range(options.seed, options.seed + options.runs, RUNS_PER_FIELD)
    fields = [
        (next(turns), range(first, min(first + RUNS_PER_FIELD, options.seed + options.runs)), options.sabotage)
        for first in firsts
    ]
    if len(fields) == 1 or options.keep is not None:
        found = [_on_field(*each, options.keep, deadline) for each in fields]
    else:
        # Not forked: a platform's helpers are threads.
        with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
            running = [pool.submit(_on_field, *each, None, deadline) for each in fields]
            found = [each.result() for each in running]
    return [verdict for some in found for verdict in some]


def _on_field(kind: str, seeds: range, sabotage: str, keep: Path | None, deadline: float) -> list[Verdict]:
    """Until a field cannot be used any more, then the rest on a new one."""
    verdicts: list[Verdict] = []
    while len(verdicts) < len(seeds) and time.time() < deadline:
        left = seeds[len(verdicts) :]
        if keep is not None:
            keep.joinpath(str(left[0])).mkdir(parents=True)
        asyncio.run(_on_one_field(kind, left, sabotage, keep and keep / str(left[0]), deadline, verdicts))
    return verdicts


def _show_teeth() -> int:
    """Each sabotage until it is noticed, in three runs at most."""
    missed = 0
    for sabotage, words in SEEN_AS.items():
        kind = SABOTAGE_KINDS.get(sabotage, "sqlite")
        seen = next(filter(None, (_noticed(kind, seed, sabotage, words) for seed in SABOTAGE_SEEDS)), "")
        print(f"{sabotage}: {seen or 'NOT NOTICED'}", flush=True)
        missed += not seen
    return 1 if missed else 0


def _noticed(kind: str, seed: int, sabotage: str, words: str) -> str:
    (verdict,) = _on_field(kind, range(seed, seed + 1), sabotage, None, float("inf"))
    return next((one for one in verdict.wrong if words in one), "")


async def _on_one_field(
    kind: str, seeds: range, sabotage: str, keep: Path | None, deadline: float, verdicts: list[Verdict]
) -> None:
    with tempfile.TemporaryDirectory(prefix="maskline-crash-") as folder:
        field = Field(keep or Path(folder), kind, sabotage)
        try:
            await field.open()
            for seed in itertools.takewhile(lambda _: time.time() < deadline, seeds):
                verdicts.append(await Run(field, seed)())
                _show(verdicts[-1])
        except Exception:  # noqa: BLE001 - a part that does not come back is what this is about
            seed = verdicts[-1].seed + 1 if verdicts else seeds[0]
            verdicts.append(Verdict(kind, seed, traceback.format_exc().splitlines(), f"FAILED {kind} seed {seed}"))
            _show(verdicts[-1])
        finally:
            await field.close()


def _show(verdict: Verdict) -> None:
    lines = [verdict.line]
    if verdict.wrong:
        lines += [*(f"    {one}" for one in verdict.wrong[-20:]), f"    again: {verdict.again}"]
    # In one piece: several write.
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
