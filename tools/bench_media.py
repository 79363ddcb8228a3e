"""Calls that one core relays, records and plays prompts to: both media drivers, in turns, `make bench-media`.

What it is: each driver's process alone on one core, the generator (tools/rtp_load.c) on the other; levels of calls from
low to high, each as often as there are turns and the drivers one after the other in each, so that neighbours on the
machine meet both alike. A level is held when the median turn lost no packet and its 99th percentile of added delay is
at most 5 ms. Printed: a line per run, the tables of docs/topics/performance.md, and which promises are met; status 1 if
one is not. What it is not: a limit of the machine; the kernel's loopback and whatever else runs take their part.
Who calls it: `make bench-media`, `make bench` (`--brief`), and whoever changes the path of a packet.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.support.hypervisor import StolenTime  # noqa: E402
from tests.support.media_harness import EmbeddedHarness, Harness  # noqa: E402
from tests.support.media_load import Measured, measure  # noqa: E402
from tests.support.media_players import Played, measure_players  # noqa: E402
from tests.support.rtpengine_process import RtpengineHarness  # noqa: E402
from tests.support.waiting import until  # noqa: E402

P99_MS, START_MS, RATIO = 5.0, 10.0, 0.8
FLOOR, AIM, RECORDED = 300, 500, 250
PLAYERS, PROBES = 200, 40
_SET_UP_WITHIN = 40.0
_PRIORITY = 2
MEDIA_CORE, LOAD_CORE = 0, 1


@dataclass
class Level:
    """What the turns of one driver at one number of calls came to."""

    runs: list[Measured] = field(default_factory=list)

    def median(self, figure: str) -> float:
        return statistics.median(float(getattr(run.outcome, figure)) for run in self.runs)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu_per_call for run in self.runs)

    @property
    def held(self) -> bool:
        return self.median("lost") == 0 and self.median("p99_ms") <= P99_MS


@dataclass
class Results:
    turns: int
    levels: dict[tuple[str, bool, int], Level] = field(default_factory=dict)
    """By driver, whether recorded, calls."""
    players: dict[str, list[Played]] = field(default_factory=dict)
    stolen: float = 0.0

    def held(self, driver: str, *, recorded: bool) -> int:
        """The highest level below which none was missed; 0: not even the lowest."""
        best = 0
        for (who, how, calls), level in sorted(self.levels.items()):
            if (who, how) == (driver, recorded):
                if not level.held:
                    break
                best = calls
        return best

    def start_p99(self, driver: str) -> float:
        return statistics.median(
            sorted(played.starts_ms)[int(0.99 * len(played.starts_ms))] for played in self.players[driver]
        )

    def start_p50(self, driver: str) -> float:
        return statistics.median(statistics.median(played.starts_ms) for played in self.players[driver])

    def cpu_per_player(self, driver: str) -> float:
        return statistics.median(played.cpu_per_player for played in self.players[driver])


# --- running ----------------------------------------------------------------------------------------------------


def build_generator(folder: Path) -> tuple[str, ...]:
    """The command; ends the program when there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("The load generator is written in C: install a compiler (Debian: gcc, libc6-dev).")
    made = folder / "rtp_load"
    subprocess.run([compiler, "-O2", "-o", str(made), str(ROOT / "tools" / "rtp_load.c")], check=True)
    pinned = ("taskset", "-c", str(LOAD_CORE)) if _can_pin() else ()
    return (*pinned, str(made))


def _can_pin() -> bool:
    return len(os.sched_getaffinity(0)) > 1 and shutil.which("taskset") is not None


def _pin(pid: int, core: int) -> None:
    """Also before whatever else runs in real time here: two of one priority take turns of 100 ms."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # one that ends just now, or one that we may not move
            number = int(thread.name)
            os.sched_setaffinity(number, {core})
            if os.sched_getscheduler(number) == os.SCHED_RR:
                os.sched_setscheduler(number, os.SCHED_RR, os.sched_param(_PRIORITY))


def _harness(driver: str, folder: Path, calls: int) -> Harness:
    if driver == "embedded":
        return EmbeddedHarness(folder / "m", ports=4 * calls + 100)
    return RtpengineHarness(folder, ports=8 * calls + 100)


class Bench:
    def __init__(self, generator: Sequence[str], results: Results, seconds: float) -> None:
        self._generator, self._results, self._seconds = generator, results, seconds

    async def load(self, driver: str, calls: int, *, recorded: bool) -> None:
        with tempfile.TemporaryDirectory() as folder, StolenTime() as taken:
            media = await _started(driver, Path(folder), calls)
            try:
                async with asyncio.timeout(_SET_UP_WITHIN + self._seconds):
                    measured = await measure(media, calls, self._seconds, recorded=recorded, generator=self._generator)
            finally:
                await media.stop()
        self._results.levels.setdefault((driver, recorded, calls), Level()).runs.append(measured)
        self._results.stolen = max(self._results.stolen, taken.share)
        outcome = measured.outcome
        print(
            f"{driver:<10} {'recorded' if recorded else 'relayed':<9} {calls:>6} {outcome.lost:>6}"
            f" {outcome.p50_ms:>8.2f} {outcome.p99_ms:>8.2f} {outcome.steady_p99_ms:>8.2f} {outcome.max_ms:>8.2f}"
            f" {100 * measured.cpu_per_call:>8.3f} {100 * measured.cpu_per_call * calls:>6.1f}"
            f" {100 * taken.share:>6.1f}",
            flush=True,
        )

    async def play(self, driver: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            media = await _started(driver, Path(folder), PLAYERS + PROBES)
            try:
                played = await measure_players(media, Path(folder), PLAYERS, PROBES, self._seconds)
            finally:
                await media.stop()
        self._results.players.setdefault(driver, []).append(played)
        starts = sorted(played.starts_ms)
        print(
            f"{driver:<10} players   {PLAYERS:>6} first packet after {statistics.median(starts):.2f} ms (p50),"
            f" {starts[-1]:.2f} ms (latest of {PROBES}); {100 * played.cpu_per_player:.3f} % of a core each",
            flush=True,
        )


async def _started(driver: str, folder: Path, calls: int) -> Harness:
    media = _harness(driver, folder, calls)
    await media.start()
    await until(lambda: media.driver.available, within=20.0)
    if _can_pin():
        _pin(media.pid, MEDIA_CORE)
    return media


async def run_all(bench: Bench, drivers: Sequence[str], options: argparse.Namespace) -> None:
    print("driver     what       calls   lost   p50 ms   p99 ms   steady   max ms  %/call  %core stolen %")
    for _ in range(options.turns):
        for recorded, levels in ((False, options.calls), (True, options.recorded)):
            for calls in levels:
                for driver in drivers:
                    await bench.load(driver, calls, recorded=recorded)
        if not options.brief:
            for driver in drivers:
                await bench.play(driver)


# --- telling ----------------------------------------------------------------------------------------------------


def tables(results: Results, drivers: Sequence[str]) -> Iterable[str]:
    yield "| calls | driver | packets lost (worst turn) | added delay p50 | p99 | of a core | per call |"
    yield "|---|---|---|---|---|---|---|"
    for (driver, recorded, calls), level in sorted(results.levels.items(), key=lambda item: _order(item[0])):
        lost = max(run.outcome.lost for run in level.runs)
        yield (
            f"| {calls}{' recorded' if recorded else ''} | {driver} | {lost} | {level.median('p50_ms'):.2f} ms"
            f" | {level.median('p99_ms'):.1f} ms | {100 * level.cpu * calls:.0f} % | {100 * level.cpu:.3f} % |"
        )
    yield ""
    yield "| | " + " | ".join(drivers) + " |"
    yield "|---" * (len(drivers) + 1) + "|"
    for recorded in (False, True):
        held = [str(results.held(driver, recorded=recorded)) for driver in drivers]
        yield f"| calls {'recorded' if recorded else 'relayed'} by one core | " + " | ".join(held) + " |"
    if results.players:
        starts = [f"{results.start_p50(driver):.1f} / {results.start_p99(driver):.1f} ms" for driver in drivers]
        yield f"| a clip beside {PLAYERS} others is heard after (p50 / p99) | " + " | ".join(starts) + " |"
        costs = [f"{100 * results.cpu_per_player(driver):.3f} %" for driver in drivers]
        yield "| of a core per player | " + " | ".join(costs) + " |"


def _order(key: tuple[str, bool, int]) -> tuple[bool, int, str]:
    driver, recorded, calls = key
    return recorded, calls, driver


def promises(results: Results, drivers: Sequence[str]) -> Iterable[tuple[str, bool]]:
    relayed, recorded = (results.held("embedded", recorded=how) for how in (False, True))
    yield f"{FLOOR} calls relayed by one core (aim {AIM}): {relayed}", relayed >= FLOOR
    yield f"{RECORDED} calls recorded: {recorded}", recorded >= RECORDED
    if results.players:
        latest = results.start_p99("embedded")
        yield f"a clip is heard within {START_MS:.0f} ms beside {PLAYERS}: {latest:.1f} ms", latest <= START_MS
    if "rtpengine" in drivers:
        theirs = results.held("rtpengine", recorded=False)
        ratio = relayed / theirs if theirs else float("inf") if relayed else 0.0
        yield f"{RATIO} of rtpengine's calls ({theirs}): {ratio:.2f}", ratio >= RATIO


def tell(results: Results, drivers: Sequence[str]) -> int:
    print(f"\nMedians of {results.turns} turns; at most {results.stolen:.0%} of the CPU was another machine's.\n")
    print("\n".join(tables(results, drivers)), end="\n\n")
    missed = 0
    for text, met in promises(results, drivers):
        print("met    " if met else "MISSED ", text)
        missed += not met
    return 1 if missed else 0


def _levels(text: str) -> list[int]:
    return sorted(int(word) for word in text.split(",") if word)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--calls", type=_levels, default=[300, 400, 500, 600], help="levels of calls, with commas between"
    )
    parser.add_argument("--recorded", type=_levels, default=[250, 400], help="levels of recorded calls")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run, whole seconds")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--driver", choices=["embedded", "rtpengine", "both"], default="both")
    parser.add_argument("--brief", action="store_true", help="one turn of 50 calls, no promises")
    options = parser.parse_args()
    if options.brief:
        options.calls, options.recorded, options.turns = [50], [], 1
    drivers = ["embedded", "rtpengine"] if options.driver == "both" else [options.driver]
    if "rtpengine" in drivers and shutil.which("rtpengine") is None:
        print("rtpengine is not installed; only the embedded driver is measured.", file=sys.stderr)
        drivers.remove("rtpengine")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the daemon inherits it: four descriptors a call
    results = Results(options.turns)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run_all(Bench(build_generator(Path(folder)), results, options.seconds), drivers, options))
    return 0 if options.brief else tell(results, drivers)


if __name__ == "__main__":
    sys.exit(main())
