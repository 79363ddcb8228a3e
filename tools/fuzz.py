"""Fuzz what reads strangers' bytes, by atheris: `make fuzz` for a while, `make fuzz-corpus` to save what is new.

What it is: one process for each target of tests/support/fuzz_targets.py, with the saved inputs of tests/fuzz/corpus and
the seeds as its beginning, bounded by FUZZ_SECONDS of wall clock for all together. A finding is written to out/fuzz,
its input printed, and the exit status is 1. With `--save` the inputs that reach something new are added to the saved
corpus, the smallest that do. What it is not: the targets, or the test that plays the saved inputs again (tests/fuzz).

Atheris' own notes on coverage: https://github.com/google/atheris (README, "Instrumentation").
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
OUT = ROOT / "out" / "fuzz"
ROOMS = ["maskline.sip", "maskline.sdp", "maskline.engine", "maskline.masking.e164"]
"""What is instrumented: where a stranger's bytes go."""
LARGEST = 8192
"""Bytes of an input: longer messages find nothing that these do not, and cost time."""
_TARGETS = "tests.support.fuzz_targets"
_ONE = "--one"
"""Begins the command of the process of one target; libFuzzer's own arguments follow its name."""
SLOWEST = 20
"""Seconds for one input: such a one is a finding, too."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("targets", nargs="*", help="parser, sdp, agent …; all when none is named")
    parser.add_argument("--seconds", type=float, default=20.0, help="of wall clock, for all targets together")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets that run side by side")
    parser.add_argument("--save", action="store_true", help="add what is new to tests/fuzz/corpus, minimised")
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    if sys.argv[1:2] == [_ONE]:
        return _fuzz(sys.argv[2], sys.argv[3:])
    asked = parser.parse_args()
    if find_spec("atheris") is None:
        print("fuzz: left out, there is no atheris for this machine (decision 0049); the saved inputs are tests anyway")
        return 0
    return _all(asked.targets, asked.seconds, max(1, asked.jobs), save=asked.save)


def _fuzz(target: str, arguments: list[str]) -> int:
    """In a process of its own: libFuzzer ends it."""
    atheris = import_module("atheris")  # has no types, and no wheel for each machine

    with atheris.instrument_imports(include=ROOMS):
        targets = import_module(_TARGETS).TARGETS
    # libFuzzer starts itself again to merge, by what it takes for its own name, through a shell.
    itself = shlex.join([sys.executable, str(Path(__file__).resolve()), _ONE, target])
    atheris.Setup([itself, *arguments], targets[target])
    atheris.Fuzz()
    return 0


def _all(wanted: list[str], seconds: float, jobs: int, *, save: bool) -> int:
    begin = import_module("tests.support.fuzz_seeds")
    targets = wanted or list(import_module(_TARGETS).TARGETS)
    for target in targets:
        _write(OUT / target / "seeds", begin.seeds(target))
        # What is saved must not come of the RFC's own files, which are not ours to ship.
        _write(OUT / target / "rfc", [] if save else begin.rfc4475(target))
        _write(OUT / target / "new", [])
    failed = _rounds(targets, seconds / -(-len(targets) // jobs), jobs)
    for target in targets if save and not failed else ():
        _save(target)
    return 1 if failed else 0


def _rounds(targets: list[str], seconds: float, jobs: int) -> list[str]:
    """`jobs` targets at a time, each for `seconds`; names of those that found something."""
    failed, waiting = list[str](), list(targets)
    running: dict[str, subprocess.Popen[bytes]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            target = waiting.pop(0)
            running[target] = _start(target, [f"-max_total_time={max(1, int(seconds))}"], _folders(target))
        for target, process in list(running.items()):
            if process.poll() is not None:
                del running[target]
                if not _report(target, process.returncode):
                    failed.append(target)
        time.sleep(0.1)
    return failed


def _folders(target: str) -> list[Path]:
    """What is new goes to the first."""
    saved = CORPUS / target
    saved.mkdir(parents=True, exist_ok=True)
    return [OUT / target / "new", saved, OUT / target / "seeds", OUT / target / "rfc"]


def _start(target: str, arguments: list[str], folders: list[Path]) -> subprocess.Popen[bytes]:
    limits = [f"-max_len={LARGEST}", f"-timeout={SLOWEST}", "-rss_limit_mb=1024", f"-artifact_prefix={OUT / target}/"]
    command = [sys.executable, __file__, _ONE, target, *arguments, *limits, *map(str, folders)]
    with (OUT / target / "log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)


def _report(target: str, status: int) -> bool:
    """Whether it found nothing."""
    log = (OUT / target / "log").read_text(errors="replace").splitlines()
    if status == 0:
        last = next((line for line in reversed(log) if line.startswith("Done ")), "done")
        print(f"fuzz {target}: {last.lower()}, nothing found", flush=True)
        return True
    print(f"fuzz {target}: FOUND SOMETHING (its input is in {OUT / target})", *log[-40:], sep="\n", flush=True)
    return False


def _save(target: str) -> None:
    """The fewest inputs that reach all that the others reach, added to what is saved."""
    process = _start(target, ["-merge=1"], [CORPUS / target, OUT / target / "seeds", OUT / target / "new"])
    process.wait()
    files = [path for path in (CORPUS / target).iterdir() if path.is_file()]
    print(f"fuzz {target}: {len(files)} inputs saved, {sum(path.stat().st_size for path in files)} bytes")


def _write(folder: Path, inputs: list[bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for data in inputs:
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
