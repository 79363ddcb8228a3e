"""What a call costs in the media relay: `python tools/bench_media.py [--calls 50,100] [--seconds 10]`.

What it is: the load of tests/wire/test_media_load.py with its figures printed: calls, packets lost, delay added by the
relay ("steady p99": of the median second, which a busy machine disturbs least), CPU of the media process per call (two
G.711 streams, 100 packets/s in and out). What it is not: a limit of the machine; the generator runs on it too.
Who calls it: `make bench`, and whoever changes the path of a packet.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.support.media_harness import EmbeddedHarness, Harness  # noqa: E402
from tests.support.media_load import measure  # noqa: E402
from tests.support.rtpengine_process import RtpengineHarness  # noqa: E402


def _harness(driver: str, folder: Path, calls: int) -> Harness:
    if driver == "embedded":
        return EmbeddedHarness(folder / "m", ports=8 * calls)
    return RtpengineHarness(folder, ports=8 * calls)


async def bench(driver: str, calls: int, seconds: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        media = _harness(driver, Path(folder), calls)
        await media.start()
        try:
            measured = await measure(media, calls, seconds)
        finally:
            await media.stop()
    outcome = measured.outcome
    return (
        f"{driver:<10} {calls:>6} {outcome.sent:>9} {outcome.lost:>6} {outcome.p50_ms:>9.2f} {outcome.p99_ms:>9.2f}"
        f" {outcome.steady_p99_ms:>9.2f}"
        f" {outcome.max_ms:>9.2f} {100 * measured.cpu_per_call:>9.3f} {100 * measured.cpu_per_call * calls:>7.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", default="50", help="one or more numbers of calls, with commas between")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--driver", choices=["embedded", "rtpengine", "both"], default="both")
    options = parser.parse_args()
    drivers = ["embedded", "rtpengine"] if options.driver == "both" else [options.driver]
    if "rtpengine" in drivers and shutil.which("rtpengine") is None:
        print("rtpengine is not installed; only the embedded driver is measured.", file=sys.stderr)
        drivers.remove("rtpengine")
    print("driver      calls   packets   lost    p50 ms    p99 ms steady p99   max ms  % core/call  % core")
    for driver in drivers:
        for calls in options.calls.split(","):
            print(asyncio.run(bench(driver, int(calls), options.seconds)), flush=True)


if __name__ == "__main__":
    main()
