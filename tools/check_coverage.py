"""Hold the coverage promise: every line and branch of the pure packages, 90 % of every other file.

What it is: a reader of `coverage json` reports. `--pure REPORT` checks the pure packages against what the
core suites alone reached; without it every file is checked. What may stay below is listed with a reason in
tools/coverage-exceptions.txt, and an exception that is not needed any more is an error, so the list shrinks.
Called by `make core` and `make wire`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

EXCEPTIONS = Path(__file__).resolve().parent / "coverage-exceptions.txt"
PACKAGE = "src/maskline/"
PURE = (
    "sip/*",
    "sdp/*",
    "masking/*",
    "engine/announcer.py",
    "engine/call*.py",
    "engine/capture.py",
    "engine/digit_entry.py",
    "engine/pin_prompt.py",
    "webhooks/schedule.py",
    "webhooks/sign.py",
    "webhooks/formats/*",
)
PURE_FLOOR, FLOOR = 100.0, 90.0


@dataclass(frozen=True, slots=True)
class Exemption:
    path: str
    floor: float
    reason: str


def read_exemptions(text: str) -> dict[str, Exemption]:
    """Lines of path, floor and reason; a line without a reason is a `ValueError`."""
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            path, floor, reason = line.split(None, 2)
            found[path] = Exemption(path, float(floor), reason)
    return found


def is_pure(path: str) -> bool:
    return any(fnmatch(path, pattern) for pattern in PURE)


def reached(report: dict[str, Any]) -> dict[str, float]:
    """Percent of lines and branches by path under the package, floored to a tenth so that 99.96 is not 100."""
    result = {}
    for path, data in report["files"].items():
        if PACKAGE in path:
            percent = data["summary"]["percent_covered"]
            result[path.rpartition(PACKAGE)[2]] = int(percent * 10) / 10
    return result


def check(percents: dict[str, float], exemptions: dict[str, Exemption], *, pure_only: bool) -> Iterator[str]:
    for path, percent in sorted(percents.items()):
        if pure_only and not is_pure(path):
            continue
        promised = PURE_FLOOR if is_pure(path) else FLOOR
        exemption = exemptions.get(path)
        if exemption and percent >= promised:
            yield f"{path}: {percent} % reached, its line in {EXCEPTIONS.name} is not needed any more"
        floor = exemption.floor if exemption else promised
        if percent < floor:
            yield f"{path}: {percent} % of lines and branches covered, floor {floor:g} %"
    yield from (
        f"{path}: listed in {EXCEPTIONS.name} but not in the report" for path in exemptions if path not in percents
    )


def main(arguments: list[str]) -> int:
    pure_only = "--pure" in arguments
    report = json.loads(Path(arguments[-1]).read_text())
    percents = reached(report)
    complaints = list(check(percents, read_exemptions(EXCEPTIONS.read_text()), pure_only=pure_only))
    for complaint in complaints:
        print(f"coverage: {complaint}")
    checked = sum(is_pure(path) for path in percents) if pure_only else len(percents)
    total = report["totals"]["percent_covered"]
    print(f"coverage: {checked} files checked, {len(complaints)} complaints, {total:.1f} % in all")
    return 1 if complaints or not percents else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
