"""Traffic: sessions as a planner sees them, and the same traffic with more of them.

What it is: the value a capacity plan is made from, and the rule of "+20 %". What it is not: a log format
(`traffic_log.py`) or the plan (`plan.py`). Who uses it: both of these, `workflows/plan_pool` and tests.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_NEAR = 3_600.0
"""Seconds: the same time of the day, for `grow`."""


class PlannedSession(NamedTuple):
    """One session of the past, or one that is expected. A party is any value that names it: never its number."""

    start: float
    """Wall seconds."""
    end: float
    """Wall seconds, after `start`: when a call could no longer be matched."""
    first: int
    second: int | None
    """None: a single-party session, which has a number for itself alone."""
    first_country: str | None
    """ISO 3166-1 alpha-2 of the party's number; None: unknown, any virtual number will do."""
    second_country: str | None


def grow(sessions: Sequence[PlannedSession], share: float, seed: int) -> list[PlannedSession]:
    """The same traffic and `share` (0.2: 20 %) more sessions, by order of their start; the same for the same seed.

    Each added session is made from two that were there, drawn at random among those whose parties have the same
    two countries. From the first it takes the busier party (the one with more sessions in the whole log), the
    length, and the start, moved by up to an hour either way, or by up to the length if that is more; from the
    second, the other party. So a busy restaurant gets its 20 % at its own rush hour, and a customer does not
    suddenly have two orders at one moment, which repeating whole sessions would make of them.
    """
    draw = random.Random(seed)
    counts = Counter(party for one in sessions for party in (one.first, one.second))
    groups: dict[tuple[str | None, str | None, bool], list[PlannedSession]] = defaultdict(list)
    for one in sessions:
        groups[one.first_country, one.second_country, one.second is None].append(one)
    added: list[PlannedSession] = []
    for group in groups.values():
        added += _more_of(group, round(len(group) * share), counts, draw)
    return sorted([*sessions, *added], key=lambda one: one.start)


def _more_of(
    group: Sequence[PlannedSession], count: int, counts: Counter[int | None], draw: random.Random
) -> Iterator[PlannedSession]:
    for _ in range(count):
        model, other = draw.choice(group), draw.choice(group)
        moved = draw.uniform(-1.0, 1.0) * max(_NEAR, model.end - model.start)
        first, second = model.first, other.second
        if second is not None and counts[model.first] < counts[model.second]:
            first, second = other.first, model.second
        if first == second:
            # Who is on both sides of the log met himself: the model's own pair then.
            first, second = model.first, model.second
        yield model._replace(start=model.start + moved, end=model.end + moved, first=first, second=second)
