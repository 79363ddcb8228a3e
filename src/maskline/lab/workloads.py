"""Made-up days of traffic, the same for the same seed: what a pool of numbers has to stand.

What it is: the workloads of competitors-and-pool-maths.md §5 (Poisson starts, exponential lengths, a busy side and a
quiet one, or everybody with everybody), and the worst order there is for first-fit. What it is not: a model of
somebody's business; take a log of your own for that. Who uses it: `maskline lab workload`, tests of the planner.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

START = 1_700_000_000.0
"""Wall seconds at which every workload begins."""
_COUNTRY = "SG"


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of traffic."""

    sentence: str
    rows: Callable[[int], Iterator[Mapping[str, Any]]]
    """By seed: rows of a session log (`masking.traffic_log`), by order of their start."""
    peaks: tuple[int, ...]
    """D of the published table with cool-offs of 0, 60 and 240 minutes, or with none."""


@dataclass(frozen=True, slots=True)
class _Traffic:
    """Random traffic. Parties are drawn by weight 1 / rank ** skew, so 0 means evenly."""

    sessions: int
    minutes: float
    """Over which the starts are spread."""
    length: float
    """Mean length in minutes."""
    firsts: int
    seconds: int
    skew: float = 0.0
    """Of the first parties."""

    def rows(self, seed: int) -> Iterator[Mapping[str, Any]]:
        draw = random.Random(seed)
        weights = list(accumulate((rank + 1) ** -self.skew for rank in range(self.firsts)))
        start = START
        for _ in range(self.sessions):
            start += draw.expovariate(self.sessions / (self.minutes * 60))
            first = draw.choices(range(self.firsts), cum_weights=weights)[0]
            length = draw.expovariate(1 / (self.length * 60))
            yield _row(start, start + length, first, draw.randrange(self.seconds))


def _adversary(peak: int) -> Iterator[Mapping[str, Any]]:
    """The order in which first-fit needs 2 D - 1 shared numbers although nobody has more than D = `peak` sessions.

    Each of D second parties first fills its numbers 1 … D - 1 with sessions of their own. Then one first party
    opens a session with each of them: every one of these meets D - 1 numbers there, and one more of its own each
    time (Bar-Noy, Motwani, Naor 1992, in competitors-and-pool-maths.md §5).
    """
    pairs = [(1 + hub * (peak - 1) + leaf, hub) for hub in range(peak) for leaf in range(peak - 1)]
    pairs += [(0, hub) for hub in range(peak)]
    for second, (first, hub) in enumerate(pairs):
        yield _row(START + second, START + 3600.0, first, hub)


def _row(start: float, end: float, first: int, second: int) -> Mapping[str, Any]:
    # +999 is given to no country, so nobody's telephone is in a log of the lab.
    return {
        "start": round(start, 3), "end": round(max(end, start + 1.0), 3),
        "first_party": f"+999010{first:06d}", "second_party": f"+999020{second:06d}",
        "first_country": _COUNTRY, "second_country": _COUNTRY,
    }  # fmt: skip


_DAY = 1440.0

WORKLOADS: dict[str, Workload] = {
    "ride": Workload("4,800 rides of a day", _Traffic(4_800, _DAY, 15, 4_000, 1_500).rows, (3, 4, 5)),
    "food": Workload("7,300 orders of a day", _Traffic(7_300, _DAY, 24, 165, 5_000).rows, (6, 9, 20)),
    "marketplace": Workload(
        "6,100 sales of a week and a half day, a few sellers with most of them",
        _Traffic(6_100, 7.5 * _DAY, 520, 100, 3_000, 1.0).rows, (81, 89, 108),
    ),
    "dense-60": Workload("8,000 sessions of 60 with 60", _Traffic(8_000, _DAY, 112, 60, 60).rows, (23,)),
    "dense-200": Workload("18,000 sessions of 200 with 200", _Traffic(18_000, _DAY, 136, 200, 200).rows, (22,)),
    "dense-40": Workload("12,000 sessions of 40 with 40", _Traffic(12_000, _DAY, 149.8, 40, 40).rows, (51,)),
    "adversary-10": Workload("the worst order, ten sessions each", lambda _: _adversary(10), (10,)),
    "adversary-20": Workload("the worst order, twenty sessions each", lambda _: _adversary(20), (20,)),
}  # fmt: skip
