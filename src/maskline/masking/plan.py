"""The capacity planner: how many virtual numbers some traffic needs so that no create is ever refused.

What it is: the shipped rule of allocation (`pool.py`: sticky to the pair's previous numbers, else first-fit) run over
the traffic with pools that never end, once per mode and cool-off; the highest position that was taken is the
need. Pools are per country, as geomatch asks: the first party's country for a shared number, each party's own for
split numbers. What it is not: an estimate from a formula; formulas are printed beside it. Who uses it:
`workflows/plan_pool`; `tests/unit/masking/test_plan.py` holds every single choice against `pool.allocate`, which
asks a database more questions than a planner can afford 100,000 times.

Words (competitors-and-pool-maths.md §5): the *peak* of a party is the largest number of sessions it holds at one
moment, live or in cool-off, D over all parties; a pair that has its numbers back within its cool-off counts once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from maskline.masking.claims import FORGET_AFTER
from maskline.masking.pool import choose
from maskline.masking.session import PoolMode
from maskline.masking.traffic import PlannedSession, grow

PLANNED_MODES = (PoolMode.SHARED, PoolMode.SPLIT)
GROWTH = 0.2
"""The second column of a plan: 20 % more sessions."""


class Cooloff(NamedTuple):
    """Seconds after a session's end during which each party's claim stays held."""

    first: float
    second: float


@dataclass(frozen=True, slots=True)
class Need:
    """What one country's numbers must carry in one mode with one cool-off."""

    sessions: int
    """Those that take a number of this country; in split mode a session may do so in two countries."""
    first_peak: int
    """D_A: the most claims that one first party holds on numbers of this country at one moment."""
    second_peak: int
    """D_B, likewise."""
    open_peak: int
    """The most single-party sessions at one moment; each has a number for itself alone."""
    numbers: int
    """Numbers with which nothing of this traffic is refused."""

    @property
    def peak(self) -> int:
        """D: no scheme whatever can do with fewer numbers (beside those of single-party sessions)."""
        return max(self.first_peak, self.second_peak)

    @property
    def plivo(self) -> int:
        """Plivo's rule for the same traffic, two times the peak less one."""
        return max(0, 2 * self.peak - 1) + self.open_peak

    def bound(self, mode: PoolMode) -> int:
        """What suffices for any traffic with these peaks, whatever the order: D_A + D_B - 1, or D when split."""
        worst = self.peak if mode is PoolMode.SPLIT else self.first_peak + self.second_peak - 1
        return max(0, worst) + self.open_peak


NOTHING = Need(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One line of the plan."""

    country: str | None
    mode: PoolMode
    cooloff: Cooloff
    today: Need
    grown: Need
    """The same with `GROWTH` more sessions."""


def make_plan(sessions: Sequence[PlannedSession], cooloffs: Sequence[Cooloff], seed: int = 1) -> list[PlanRow]:
    """Rows by country, mode and cool-off. `seed` decides which sessions are added for growth, nothing else."""
    today = sorted(sessions, key=lambda one: one.start)
    grown = grow(today, GROWTH, seed)
    rows = []
    for mode in PLANNED_MODES:
        for cooloff in cooloffs:
            now, then = count_numbers(today, mode, cooloff), count_numbers(grown, mode, cooloff)
            rows += [PlanRow(one, mode, cooloff, now.get(one, NOTHING), need) for one, need in then.items()]
    order = {mode: place for place, mode in enumerate(PLANNED_MODES)}
    return sorted(rows, key=lambda row: (row.country or "~", order[row.mode], cooloffs.index(row.cooloff)))


def count_numbers(sessions: Sequence[PlannedSession], mode: PoolMode, cooloff: Cooloff) -> dict[str | None, Need]:
    """The need of each country. `sessions` by order of their start; `mode` is SHARED or SPLIT."""
    pools = Pools(mode, cooloff)
    for one in sessions:
        pools.add(one)
    return pools.needs()


class Place(NamedTuple):
    """One virtual number: its position in its country's pool, from 0."""

    country: str | None
    position: int


class _Past(NamedTuple):
    """A session of a pair, while it is not forgotten: what makes the next one sticky."""

    end: float
    number: int
    """Running number of the session, from 1."""
    places: dict[int, Place]
    """By party."""


class _Pool:
    """One country's numbers: who holds which, and the highest figures so far."""

    __slots__ = ("_claims", "_open_until", "first_peak", "numbers", "open_peak", "second_peak", "sessions")

    def __init__(self) -> None:
        self._claims: defaultdict[int, dict[int, tuple[int, float]]] = defaultdict(dict)
        """Party to position to (session that had it last, until when it holds it)."""
        self._open_until: list[float] = []
        self.sessions = self.first_peak = self.second_peak = self.open_peak = self.numbers = 0

    def need(self) -> Need:
        numbers = self.numbers + self.open_peak
        return Need(self.sessions, self.first_peak, self.second_peak, self.open_peak, numbers)

    def held(self, party: int, now: float, previous: int = 0) -> set[int]:
        """Positions on which a session other than `previous` holds the party's claim."""
        claims = self._claims[party]
        return {position for position, (number, until) in claims.items() if until > now and number != previous}

    def is_known(self, party: int, position: int, number: int, now: float) -> bool:
        """Whether the claim is still session `number`'s, held or at least not forgotten."""
        owner, until = self._claims[party][position]
        return owner == number and until + FORGET_AFTER > now

    def take(self, party: int, position: int, number: int, until: float) -> None:
        self._claims[party][position] = (number, until)
        if position >= self.numbers:
            self.numbers = position + 1

    def peak(self, party: int, now: float, before: int) -> int:
        """How many claims the party holds, if that is more than `before`. Those that it ever had are at least as many,
        and seldom more than the peak: counting is seldom needed."""
        return before if len(self._claims[party]) <= before else max(before, len(self.held(party, now)))

    def add_open(self, now: float, until: float) -> None:
        self.sessions += 1
        self._open_until = [*(other for other in self._open_until if other > now), until]
        self.open_peak = max(self.open_peak, len(self._open_until))


class Pools:
    """The numbers of all countries, without end, while sessions come by order of their start."""

    __slots__ = ("_cooloff", "_number", "_pairs", "_pools", "_split")

    def __init__(self, mode: PoolMode, cooloff: Cooloff) -> None:
        self._pools: defaultdict[str | None, _Pool] = defaultdict(_Pool)
        self._split = mode is PoolMode.SPLIT
        self._cooloff = cooloff
        self._pairs: dict[tuple[int, int], list[_Past]] = {}
        self._number = 0

    def needs(self) -> dict[str | None, Need]:
        return {country: pool.need() for country, pool in self._pools.items()}

    def add(self, one: PlannedSession) -> tuple[Place, Place] | None:
        """Allocate. Returns what the first and the second party dial (one number in shared mode), or None for a
        single-party session, whose number is only counted: `pool.py` takes it from the other end of the pool."""
        if one.second is None:
            self._pools[one.first_country].add_open(one.start, one.end + max(self._cooloff))
            return None
        self._number += 1
        pasts = self._pasts(one.first, one.second, one.start)
        previous = max((past for past in pasts if past.end <= one.start), key=lambda past: past[:2], default=None)
        if self._split:
            first = self._place((one.first,), one.first_country, one.start, previous)
            second = self._place((one.second,), one.second_country, one.start, previous)
        else:
            first = second = self._place((one.first, one.second), one.first_country, one.start, previous)
        self._take(one, one.second, first, second)
        pasts.append(_Past(one.end, self._number, {one.first: first, one.second: second}))
        return first, second

    def _pasts(self, first: int, second: int, now: float) -> list[_Past]:
        """The pair's sessions of which both claims are remembered and no other session's by now."""
        pair = (first, second) if first < second else (second, first)
        pasts = [
            past
            for past in self._pairs.get(pair, ())
            if all(self._pools[at.country].is_known(party, at.position, past.number, now)
                   for party, at in past.places.items())
        ]  # fmt: skip
        self._pairs[pair] = pasts
        return pasts

    def _place(self, parties: tuple[int, ...], country: str | None, now: float, previous: _Past | None) -> Place:
        """The previous session's place, or the first one that these parties do not hold."""
        if previous is not None and previous.places[parties[0]].country == country:
            return previous.places[parties[0]]
        pool, number = self._pools[country], previous.number if previous else 0
        blocked = set().union(*(pool.held(party, now, number) for party in parties))
        # One of so many is free for sure (pigeonhole), and the pool has them: it never ends.
        position = choose(range(len(blocked) + 1), blocked)
        assert position is not None
        return Place(country, position)

    def _take(self, one: PlannedSession, second: int, first_at: Place, second_at: Place) -> None:
        first_pool, second_pool = self._pools[first_at.country], self._pools[second_at.country]
        first_until, second_until = one.end + self._cooloff.first, one.end + self._cooloff.second
        first_pool.take(one.first, first_at.position, self._number, first_until)
        second_pool.take(second, second_at.position, self._number, second_until)
        first_pool.first_peak = first_pool.peak(one.first, one.start, first_pool.first_peak)
        second_pool.second_peak = second_pool.peak(second, one.start, second_pool.second_peak)
        for pool in {first_pool, second_pool}:
            pool.sessions += 1
