"""How much of this machine's time another machine got, while something was measured.

A virtual CPU that is taken away for 50 ms makes every program on it 50 ms late, whoever wrote it. Tests that judge
delay use this to tell "too slow" from "cannot be judged here": they never pass because of it, they skip and say why.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stalls import Stalls

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


CROWDED = 0.6
"""Share of the time in which somebody waited for a CPU from which on the same holds of delays of a second; 0.98 beside
seven other test runs on two cores."""


class Crowd:
    """`share` after the block: how much of its time some program of this machine waited for a CPU, by the kernel's
    pressure figures (0.0 where it keeps none)."""

    def __enter__(self) -> Crowd:
        self._before, self._since = _waited(), time.monotonic()
        self.share = 0.0
        return self

    def __exit__(self, *_: object) -> None:
        self.share = (_waited() - self._before) / (time.monotonic() - self._since)


STALLED = 25.0
"""Milliseconds without a CPU from which on one delay of a tenth of a second says nothing about our programs."""


class Taken:
    """All three over one block, for tests that may try again: whether any of the tries was a fair one."""

    def __init__(self, crowded: float = CROWDED) -> None:
        """`crowded`: for tests whose own programs wait for each other."""
        self._crowded = crowded
        self._tries: list[tuple[float, float, float]] = []

    def __enter__(self) -> Taken:
        self._open = StolenTime().__enter__(), Crowd().__enter__(), Stalls().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        stolen, crowd, stalls = self._open
        for each in self._open:
            each.__exit__(*error)
        self._tries.append((stolen.share, crowd.share, stalls.longest_ms))

    def _is_unfair(self, stolen: float, crowd: float, stall: float) -> bool:
        return stolen > NOISY or crowd > self._crowded or stall > STALLED

    @property
    def now(self) -> bool:
        """Whether too much of the machine was others' in the last try."""
        return self._is_unfair(*self._tries[-1])

    @property
    def always(self) -> bool:
        """The same in each try."""
        return all(self._is_unfair(*each) for each in self._tries)

    @contextlib.contextmanager
    def judged(self, what: str) -> Iterator[None]:
        """Over the assertions on delay alone: where none of the tries was fair, a failing one skips and says `what`."""
        try:
            yield
        except AssertionError:
            if self.always:
                pytest.skip(f"{what}; no delay to judge: {self}")
            raise

    def __str__(self) -> str:
        each = ", ".join(f"{stolen:.0%}, {crowd:.0%} and {stall:.0f} ms" for stolen, crowd, stall in self._tries)
        return f"CPU taken by the hypervisor, time in which programs waited for one, longest stall, in each try: {each}"


def _waited() -> float:
    """Seconds."""
    pressure = Path("/proc/pressure/cpu")
    with contextlib.suppress(OSError):  # older kernels, and those that were told not to count
        return int(pressure.read_text().partition("total=")[2].split()[0]) / 1e6
    return 0.0


def _ticks() -> tuple[int, int]:
    """(steal, all) of /proc/stat's first line, in clock ticks over all CPUs."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[7], sum(fields)
