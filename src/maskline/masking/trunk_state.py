"""What is known of the trunks at this moment: where they are, whether they live, and how much they carry.

What it is: the memory that the choice of a trunk asks and the engine fills. What it is not: DNS, SIP or a clock; times
are the monotonic `now` of the caller. Who uses it: `workflows/trunk_table.py` (choice, targets), `engine/core.py`
(results of calls and of OPTIONS), `workflows/share_usage.py` (what other engines carry), metrics. One object a process.

An address is *down* after `MISSES` health checks in a row without a good answer, and is not dialled until one is good.
It is *avoided* for some seconds after a call to it timed out or got a 503: dialled last, since one call may have failed
for reasons of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from maskline.masking.meter import Bucket
from maskline.masking.trunk import Trunk, own_target
from maskline.sip.flow import Flow
from maskline.sip.locate import Chance, Place, in_order

MISSES = 2
ANSWER_SECONDS = 4.0
"""How long a health check may take, and for how long an INVITE that can go elsewhere is waited for without any answer.
Within it lie four copies of either."""
AVOID_SECONDS = 30.0
LONGEST_AVOID = 300.0
"""A Retry-After above this is a carrier's slip that would cost its customer the day."""
MOST_DEBT = 5.0
"""Seconds: after a database was away for a minute the calls of other engines in that minute must not cost the next."""


class Health(IntEnum):
    UP = 0
    AVOIDED = 1
    DOWN = 2


class AddressState(NamedTuple):
    """What is known of one address of a trunk."""

    target: Flow
    state: str
    """`up`, `avoided`, `down`, or `unchecked`."""
    since: float | None
    """When health checks last made another of it; None: not yet."""
    status: int | None
    """Of the last answer to a health check."""


class _Checked:
    """The health checks of one address."""

    __slots__ = ("answer_by", "due_at", "good", "missed", "since", "status")

    def __init__(self) -> None:
        self.due_at = float("-inf")
        self.answer_by: float | None = None
        self.missed = 0
        self.good: bool | None = None
        """Up or down; None: neither is known yet."""
        self.since: float | None = None
        self.status: int | None = None

    def note(self, status: int | None, good: bool, now: float) -> None:
        """What came of one check; `status` None: no answer."""
        self.answer_by, self.status = None, status
        self.missed = 0 if good else self.missed + 1
        if good is not self.good and (good or self.missed >= MISSES):
            self.good, self.since = good, now


class _Load:
    """What a trunk with limits carries."""

    __slots__ = ("begun", "bucket", "calls", "rate")

    def __init__(self) -> None:
        self.calls = 0
        self.begun = 0
        """Calls since this process began."""
        self.rate = 0.0
        """Calls a second, as last asked for."""
        self.bucket = Bucket()


class Carried(NamedTuple):
    """What one engine has on a trunk with limits."""

    trunk_id: str
    calls: int
    begun: int
    """Since its process began."""


class TrunkState:
    __slots__ = ("_avoided", "_checked", "_elsewhere", "_load", "_places", "_plain")

    def __init__(self) -> None:
        self._places: dict[str, tuple[Place, ...]] = {}
        """By id of a trunk whose host is a name; none: it was not found."""
        self._plain: dict[str, tuple[Trunk, tuple[Flow, ...]]] = {}
        """Targets that are the same for every call, of the trunk as it was then."""
        self._avoided: dict[Flow, float] = {}
        """Until when."""
        self._checked: dict[Flow, _Checked] = {}
        self._load: dict[str, _Load] = {}
        """Of trunks with limits only, by id."""
        self._elsewhere: dict[str, int] = {}
        """Calls that other engines of the same database have on them, as last heard."""

    # -- where they are -----------------------------------------------------------------------------------------

    def locate(self, trunk_id: str, places: Sequence[Place]) -> None:
        """What DNS says now; replaces what it said before."""
        self._places[trunk_id] = tuple(places)
        self._plain.pop(trunk_id, None)

    def keep_only(self, trunk_ids: frozenset[str]) -> None:
        """Forget trunks that were removed."""
        for known in (self._places, self._plain, self._load):
            for trunk_id in known.keys() - trunk_ids:
                del known[trunk_id]

    def targets(self, trunk: Trunk, chance: Chance) -> tuple[Flow, ...]:
        """Its addresses in the order to be tried; empty while a name has none."""
        plain = self._plain.get(trunk.id)
        if plain is not None and plain[0] is trunk:
            return plain[1]
        if not trunk.named:
            flows: tuple[Flow, ...] = (own_target(trunk),)
        else:
            places = self._places.get(trunk.id, ())
            flows = in_order(places, trunk.tls_name or trunk.host, chance)
            if len(places) > 1:
                return flows
        self._plain[trunk.id] = (trunk, flows)
        return flows

    # -- whether they live --------------------------------------------------------------------------------------

    def health(self, target: Flow, now: float) -> Health:
        if self._checked:
            checked = self._checked.get(target)
            if checked is not None and checked.missed >= MISSES:
                return Health.DOWN
        if self._avoided:
            until = self._avoided.get(target)
            if until is not None and now < until:
                return Health.AVOIDED
        return Health.UP

    def failed(self, target: Flow, now: float, retry_after: float | None = None) -> None:
        """A call to it timed out, could not be sent or got a 503."""
        seconds = AVOID_SECONDS if retry_after is None else min(retry_after, LONGEST_AVOID)
        self._avoided[target] = now + seconds

    def worked(self, target: Flow) -> None:
        """A call to it was answered."""
        if self._avoided:
            self._avoided.pop(target, None)

    # -- health checks ------------------------------------------------------------------------------------------

    def due(self, trunk: Trunk, now: float) -> list[Flow]:
        """The addresses to be checked now; a check that was not answered in time counts as missed. Call it about once
        a second."""
        questions = []
        for target in self.targets(trunk, _first):
            checked = self._checked.get(target)
            if checked is None:
                checked = self._checked[target] = _Checked()
            if checked.answer_by is not None and now >= checked.answer_by:
                checked.note(None, False, now)
            if now >= checked.due_at:
                checked.due_at = now + trunk.options_seconds
                checked.answer_by = now + min(ANSWER_SECONDS, trunk.options_seconds)
                questions.append(target)
        return questions

    def checked(self, target: Flow, status: int, good: bool, now: float) -> None:
        """What came of a check; no answer is nothing, and `due` counts it."""
        checked = self._checked.get(target)
        if checked is None:
            return
        checked.note(status, good, now)
        if good:
            self._avoided.pop(target, None)

    def addresses(self, trunk: Trunk, now: float) -> tuple[AddressState, ...]:
        """All that are known of it at this moment, in the order they are tried; none: its name has none."""
        return tuple([self._address(target, now) for target in self.targets(trunk, _first)])

    def _address(self, target: Flow, now: float) -> AddressState:
        checked, health = self._checked.get(target), self.health(target, now)
        if checked is None:
            return AddressState(target, "avoided" if health is Health.AVOIDED else "unchecked", None, None)
        known = health is not Health.UP or checked.good
        return AddressState(target, health.name.lower() if known else "unchecked", checked.since, checked.status)

    def check_only(self, trunks: Iterable[Trunk], now: float) -> None:
        """Forget addresses that are checked no more, since they are of none of `trunks`, and what is over."""
        targets = {target for trunk in trunks for target in self.targets(trunk, _first)}
        for target in self._checked.keys() - targets:
            del self._checked[target]
        for target in [target for target, until in self._avoided.items() if now >= until]:
            del self._avoided[target]

    def tally(self, now: float) -> dict[Health, int]:
        """How many addresses are in which state: those that are checked, and those that are avoided."""
        known = self._checked.keys() | self._avoided.keys()
        states = [self.health(target, now) for target in known]
        return {health: states.count(health) for health in Health}

    # -- how much they carry ------------------------------------------------------------------------------------

    def has_room(self, trunk: Trunk, now: float) -> bool:
        """Whether one more call is within its limits."""
        limits = trunk.limits
        if not limits.concurrent and not limits.calls_per_second:
            return True
        load = self._loaded(trunk)
        if limits.concurrent and load.calls + self._elsewhere.get(trunk.id, 0) >= limits.concurrent:
            return False
        return not load.rate or load.bucket.has_room(load.rate, now)

    def enter(self, trunk: Trunk, now: float) -> bool:
        """One more call of either direction, unless it is full. Each that entered leaves once."""
        if not self.has_room(trunk, now):
            return False
        load = self._load.get(trunk.id)
        if load is not None:
            load.calls += 1
            load.begun += 1
            load.bucket.take()
        return True

    def restore(self, trunk: Trunk) -> None:
        """A call that an engine before this one began: it is there, whatever the limits are, and leaves as others."""
        self._loaded(trunk).calls += 1

    def leave(self, trunk_id: str) -> None:
        load = self._load.get(trunk_id)
        if load is not None and load.calls:
            load.calls -= 1

    def calls(self, trunk_id: str) -> int:
        """On a trunk with limits."""
        load = self._load.get(trunk_id)
        return 0 if load is None else load.calls

    def _loaded(self, trunk: Trunk) -> _Load:
        load = self._load.get(trunk.id)
        if load is None:
            load = self._load[trunk.id] = _Load()
        load.rate = trunk.limits.calls_per_second
        return load

    # -- other engines of the same database -----------------------------------------------------------------------

    def carried(self) -> list[Carried]:
        """What there is to tell them."""
        return [Carried(trunk_id, load.calls, load.begun) for trunk_id, load in self._load.items()]

    def hear(self, calls: Mapping[str, int]) -> None:
        """What all of them have at this moment, by trunk."""
        self._elsewhere = dict(calls)

    def begun_elsewhere(self, trunk_id: str, calls: int, now: float) -> None:
        """Calls that began there since they were last heard of use up calls a second here, some seconds' at most."""
        load = self._load.get(trunk_id)
        if load is not None and load.rate:
            load.bucket.has_room(load.rate, now)
            load.bucket.take(min(calls, 1 + int(MOST_DEBT * load.rate)))


def _first() -> float:
    return 0.0
