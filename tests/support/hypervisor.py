"""How much of this machine's time another machine got, while something was measured.

A virtual CPU that is taken away for 50 ms makes every program on it 50 ms late, whoever wrote it. Tests that judge
delay use this to tell "too slow" from "cannot be judged here": they never pass because of it, they skip and say why.
"""

from __future__ import annotations

from pathlib import Path

NOISY = 0.02
"""Share of stolen time from which delays in milliseconds say nothing about our programs."""


class StolenTime:
    """`share` after the block: stolen part of all CPU time in it, 0.0 to 1.0 (0.0 where the kernel does not tell)."""

    def __enter__(self) -> StolenTime:
        self._before = _ticks()
        self.share = 0.0
        return self

    def __exit__(self, *_: object) -> None:
        stolen, total = (after - before for after, before in zip(_ticks(), self._before, strict=True))
        self.share = stolen / total if total else 0.0


def _ticks() -> tuple[int, int]:
    """(steal, all) of /proc/stat's first line, in clock ticks over all CPUs."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[7], sum(fields)
