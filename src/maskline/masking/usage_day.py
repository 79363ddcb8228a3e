"""One local day's counts of an account, and the calls that run on its meters.

What it is: values and their arithmetic. What it is not: a limit, or a judgement (`usage.py`, which uses them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from maskline.masking.facts import LegName
from maskline.masking.limits import HOUR, Alarm
from maskline.masking.meter import Meter
from maskline.masking.permit import Dialled, Permit
from maskline.masking.price import charge

_DAYS_KEPT = 4
_SET_RIGHT_WITHIN = HOUR
"""Seconds by the monotonic clock for which a day that was left still knows how often each session was called. It is
asked for that only when a clock was wrong and is set back, and a million sessions a day are 120 MB."""
_NEVER = float("inf")


class Raised(NamedTuple):
    alarm: Alarm
    country: str = ""
    """Of `NEW_COUNTRY`."""


class Past(NamedTuple):
    """What became of a call before its engine died; wall seconds."""

    started: float
    answered: Mapping[LegName, float]


class Spoken(NamedTuple):
    """A leg that was dialled and is over."""

    dialled: Dialled
    seconds: float
    """From its answer to its end; 0: it had none."""
    amount: int
    """Millionths."""
    ended: float
    """Wall seconds."""


class Talk:
    """A leg that we dial: what was set aside for it, and since when it runs on today's meters."""

    __slots__ = ("a_second", "ahead", "begun", "costs", "dialled", "since")

    def __init__(self, dialled: Dialled) -> None:
        self.dialled = dialled
        self.costs = dialled.price is not None
        """False: no money is counted for it."""
        self.ahead = dialled.ahead if self.costs else 0.0
        self.a_second = dialled.a_second if self.costs else 0.0
        self.begun: float | None = None
        """Its answer."""
        self.since = 0.0


class HeldCall:
    __slots__ = ("_current", "permit", "talks")

    def __init__(self, permit: Permit) -> None:
        self.permit = permit
        self.talks = [Talk(dialled) for dialled in permit.dialled]
        self._current: Permit | None = permit

    def changed(self) -> None:
        """Its legs are others from now on."""
        self._current = None

    @property
    def current(self) -> Permit:
        """With the legs that it dials at this moment."""
        if self._current is None:
            self._current = replace(self.permit, dialled=tuple([talk.dialled for talk in self.talks]))
        return self._current


class UsageDay:
    """One local day's counts."""

    __slots__ = ("attempts", "dialled", "hours", "money", "prefixes", "raised", "short", "talked", "talks", "touched")

    def __init__(self) -> None:
        self.talked = Meter()
        """Seconds."""
        self.money = Meter()
        """Millionths."""
        self.prefixes: dict[str, Meter] = {}
        self.attempts: dict[str, int] = {}
        """By session, where that is limited."""
        self.hours: dict[int, int] = {}
        """Calls by hour of the day."""
        self.talks: dict[int, int] = {}
        """Answered legs that ended, by hour."""
        self.short: dict[int, int] = {}
        self.raised: set[Alarm] = set()

    def note(self, hour: int, session_id: str) -> None:
        """One more call."""
        self.hours[hour] = self.hours.get(hour, 0) + 1
        if session_id:
            self.attempts[session_id] = self.attempts.get(session_id, 0) + 1

    def note_talk(self, hour: int, short: bool) -> None:
        """One more answered leg that ended."""
        self.talks[hour] = self.talks.get(hour, 0) + 1
        if short:
            self.short[hour] = self.short.get(hour, 0) + 1

    # -- meters -------------------------------------------------------------------------------------------------

    def hold(self, talk: Talk) -> None:
        """It may come to talk: what its first moment costs is set aside."""
        self.talked.hold(0.0)
        if talk.costs:
            self.money.hold(talk.ahead)
        for prefix in talk.dialled.prefixes:
            self.prefix(prefix).hold(0.0)

    def run(self, talk: Talk, since: float) -> None:
        """It talks."""
        self.talked.run(1.0, since)
        if talk.costs:
            self.money.run(talk.a_second, since)
        for prefix in talk.dialled.prefixes:
            self.prefix(prefix).run(1.0, since)

    def drop(self, talk: Talk) -> None:
        """It is over, or goes on with another day."""
        rate = 0.0 if talk.begun is None else 1.0
        self.talked.drop(0.0, rate, talk.since)
        if talk.costs:
            self.money.drop(talk.ahead, rate * talk.a_second, talk.since)
        for prefix in talk.dialled.prefixes:
            self.prefix(prefix).drop(0.0, rate, talk.since)

    def book(self, talk: Talk, now: float) -> None:
        """What it used of this day."""
        seconds = now - talk.since if now > talk.since else 0.0
        amount = 0.0
        if talk.costs:
            whole = talk.since == talk.begun
            amount = charge(talk.dialled.price, seconds).amount if whole else talk.a_second * seconds
        self.spend(talk.dialled, seconds, amount)

    def spend(self, dialled: Dialled, seconds: float, amount: float) -> None:
        self.talked.book(seconds)
        if amount:
            self.money.book(amount)
        for prefix in dialled.prefixes:
            self.prefix(prefix).book(seconds)

    def prefix(self, prefix: str) -> Meter:
        meter = self.prefixes.get(prefix)
        if meter is None:
            meter = self.prefixes[prefix] = Meter()
        return meter


class Days:
    """The last days' counts: a clock that jumps ahead and back finds them again. The one in use is the last."""

    __slots__ = ("_days", "forgets_at")

    def __init__(self) -> None:
        self._days: dict[int, UsageDay] = {}
        self.forgets_at = _NEVER
        """When `forget` is to be called, by the monotonic clock."""

    def use(self, key: int, now: float) -> UsageDay:
        """The day in use from now on."""
        day = self._days.pop(key) if key in self._days else UsageDay()
        self._days[key] = day
        while len(self._days) > _DAYS_KEPT:
            del self._days[next(iter(self._days))]
        self.forgets_at = now + _SET_RIGHT_WITHIN if len(self._days) > 1 else _NEVER
        return day

    def forget(self) -> None:
        """Of the days that are not in use: how often each session was called. Minutes and money stay."""
        *others, _ = self._days.values()
        for day in others:
            day.attempts = {}
        self.forgets_at = _NEVER
