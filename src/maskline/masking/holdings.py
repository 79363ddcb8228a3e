"""Who held which claim, moment by moment: the memory of the replay in `verify.py`.

What it is: claims with their holders while time goes on, the most of them at once, and forgetting what is long free.
What it is not: the rules on them. Who uses it: `verify.py` alone. It knows keyed hashes, never numbers of parties.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from typing import NamedTuple

LAG = 60.0
"""Seconds that claims are remembered after they are free, because facts do not come exactly by their time."""


class Pair(NamedTuple):
    """A claim without its holder."""

    kind: str
    """`party`, `pin` or `anyone`."""
    key: str
    virtual_number: str


class Holding:
    """The session that has a claim, or had it last."""

    __slots__ = ("counted", "session_id", "until")

    def __init__(self, session_id: str, until: float) -> None:
        self.session_id = session_id
        self.until = until
        self.counted = False


class Holdings:
    """All claims held at the latest moment, and those that were `LAG` before."""

    __slots__ = (
        "_anyone", "_by_number", "_by_pair", "_ends", "_free", "_numbers", "_parties", "held", "most_of_party",
        "most_on_number", "now",
    )  # fmt: skip

    def __init__(self) -> None:
        self.now = float("-inf")
        self.held = self.most_on_number = self.most_of_party = 0
        self._by_pair: dict[Pair, Holding] = {}
        self._by_number: defaultdict[str, dict[Pair, Holding]] = defaultdict(dict)
        self._anyone: dict[str, Holding] = {}
        self._ends: list[tuple[float, Pair]] = []
        """A heap; an entry whose time is not its holding's any more has been replaced by a later one."""
        self._free: deque[tuple[float, Pair]] = deque()
        self._parties: Counter[str] = Counter()
        self._numbers: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def of(self, pair: Pair) -> Holding | None:
        return self._by_pair.get(pair)

    def anyone_on(self, virtual_number: str) -> Holding | None:
        """The session that has the number for itself, or had it last."""
        return self._anyone.get(virtual_number)

    def another_on(self, virtual_number: str, session_id: str, at: float) -> Holding | None:
        """A holding of some other session on the number."""
        found = self._by_number.get(virtual_number, {}).values()
        return next((one for one in found if one.session_id != session_id and one.until > at), None)

    def hold(self, pair: Pair, session_id: str, until: float) -> None:
        """The claim is this session's until then, whoever had it; at the moment of the latest `advance`."""
        one = self._by_pair.get(pair)
        if one is None:
            one = self._by_pair[pair] = self._by_number[pair.virtual_number][pair] = Holding(session_id, until)
            if pair.kind == "anyone":
                self._anyone[pair.virtual_number] = one
        elif one.counted:
            self._uncount(pair, one)
        one.session_id, one.until = session_id, until
        if until > self.now:
            self._count(pair, one)
        heapq.heappush(self._ends, (until, pair))

    def advance(self, now: float) -> None:
        """Time goes on; a moment before the latest one changes nothing."""
        self.now = max(now, self.now)
        while self._ends and self._ends[0][0] <= self.now:
            until, pair = heapq.heappop(self._ends)
            one = self._by_pair.get(pair)
            if one is not None and one.until == until:
                if one.counted:
                    self._uncount(pair, one)
                self._free.append((until, pair))
        while self._free and self._free[0][0] <= self.now - LAG:
            until, pair = self._free.popleft()
            one = self._by_pair.get(pair)
            if one is not None and one.until == until:
                self._forget(pair)

    def _forget(self, pair: Pair) -> None:
        del self._by_pair[pair]
        on_number = self._by_number[pair.virtual_number]
        del on_number[pair]
        if not on_number:
            del self._by_number[pair.virtual_number]
        if pair.kind == "anyone":
            del self._anyone[pair.virtual_number]

    def _count(self, pair: Pair, one: Holding) -> None:
        one.counted = True
        self.held += 1
        sessions = self._numbers[pair.virtual_number]
        sessions[one.session_id] += 1
        self.most_on_number = max(self.most_on_number, len(sessions))
        if pair.kind == "party":
            self._parties[pair.key] += 1
            self.most_of_party = max(self.most_of_party, self._parties[pair.key])

    def _uncount(self, pair: Pair, one: Holding) -> None:
        one.counted = False
        self.held -= 1
        sessions = self._numbers[pair.virtual_number]
        sessions[one.session_id] -= 1
        if not sessions[one.session_id]:
            del sessions[one.session_id]
        if not sessions:
            del self._numbers[pair.virtual_number]
        if pair.kind == "party":
            self._parties[pair.key] -= 1
            if not self._parties[pair.key]:
                del self._parties[pair.key]
