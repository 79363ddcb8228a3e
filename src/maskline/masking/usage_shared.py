"""What one account uses, where several engines carry its calls.

What it is: `Usage` that also goes by what the other engines tell, and by places of the limits on calls at a time that
this engine holds of those that all have together. What it is not: the telling (`workflows/share_usage.py`), or the
store where the places are (`storage/usage_store.py`). Who uses it: `usage_book.py`, where engines share a database.

Calls at a time are exact: a call needs a place, and no more are given out than there are. Minutes, money and calls a
second go by what each engine told last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from maskline.masking.facts import Cause
from maskline.masking.limits import Limits
from maskline.masking.meter import Line
from maskline.masking.permit import Permit
from maskline.masking.usage import Usage

PROMISED_FOR = 2.0
"""Seconds that a place is kept for a call that was allowed and does not enter."""
AT_ONCE = 16
"""Of a limit, one part of so many is taken at once: a busy engine asks for places less often than it has calls."""


class Wish(NamedTuple):
    """Places that an engine lacks."""

    account_id: str
    number: str
    """Whose limit: a virtual number in E.164, or empty for the whole account."""
    limit: int
    held: int
    """By this engine so far."""
    least: int
    """What the next call needs."""

    @property
    def most(self) -> int:
        return max(self.least, self.limit // AT_ONCE)


class Running(NamedTuple):
    """What calls in progress use of a day's minutes and money."""

    day: int
    """`limits.Day.key`."""
    seconds: Line
    money: Line
    prefixes: tuple[tuple[str, Line], ...] = ()


class Share(NamedTuple):
    """What one engine has of an account at a moment, or of a trunk."""

    account_id: str
    """Or the name of a trunk, of which places and calls begun are told and nothing else."""
    number: str
    """As in `Wish`."""
    places: int
    begun: int
    """Calls since its process began."""
    running: Running | None = None
    """Of the whole account only."""

    @property
    def is_nothing(self) -> bool:
        return not self.places and (self.running is None or not _talks(self.running))


class SharedUsage(Usage):
    __slots__ = ("_begun", "_held", "_promised")

    def __init__(self, limits: Limits, wall: float) -> None:
        super().__init__(limits, wall)
        self._held: Counter[str] = Counter()
        self._begun: Counter[str] = Counter()
        self._promised: dict[str, list[float]] = {}

    # -- a call -------------------------------------------------------------------------------------------------

    def look(self, permit: Permit, now: float, wall: float) -> Cause | None:
        found = super().look(permit, now, wall)
        return found if found is not None or not self.wishes(permit, now) else Cause.ACCOUNT_FULL

    def enter(self, call_id: str, permit: Permit, now: float, wall: float) -> Cause | None:
        for key in ("", permit.number):
            promised = self._promised.get(key)
            if promised:
                promised.pop(0)
        refused = super().enter(call_id, permit, now, wall)
        if refused is None:
            self._begun[""] += 1
            if self._by_number:
                self._begun[permit.number] += 1
        return refused

    def promise(self, permit: Permit, now: float) -> None:
        """The call is allowed and on its way to enter: its place is nobody else's."""
        for key, limit in self._limits_of(permit.number):
            if limit:
                self._promised.setdefault(key, []).append(now + PROMISED_FOR)

    # -- places -------------------------------------------------------------------------------------------------

    def wishes(self, permit: Permit, now: float) -> list[Wish]:
        """What one more call lacks; nothing: there is a place for it."""
        found = []
        for key, limit in self._limits_of(permit.number):
            lacking = self._needed(key, now) + 1 - self._held[key] if limit else 0
            if lacking > 0:
                found.append(Wish(permit.account_id, key, limit, self._held[key], lacking))
        return found

    def give(self, number: str, places: int) -> None:
        self._held[number] += places

    def shares(self, account_id: str, now: float, wall: float) -> list[Share]:
        """What there is to tell; places that no call needs are given back by it."""
        self._see(now, wall)
        running = Running(
            self._today.key, self._day.talked.line(now), self._day.money.line(now),
            tuple([(prefix, meter.line(now)) for prefix, meter in self._day.prefixes.items() if meter.runs]),
        )  # fmt: skip
        keys = dict.fromkeys(("", *self._held, *self._begun))
        limits = self.limits
        for key in keys:
            is_limited = limits.number_concurrent if key else limits.concurrent
            self._held[key] = self._needed(key, now) if is_limited else 0
        shares = [Share(account_id, key, self._held[key], self._begun[key], None if key else running) for key in keys]
        for key in [key for key in self._promised if not self._promised[key]]:
            del self._promised[key]
        self._held = +self._held
        if not self._by_number:
            self._begun = Counter({"": self._begun[""]})
        return shares

    def _needed(self, key: str, now: float) -> int:
        promised = self._promised.get(key)
        if promised:
            promised[:] = [until for until in promised if until > now]
        used = self._on_number.get(key, 0) if key else self.concurrent
        return used + len(promised or ())

    def _limits_of(self, number: str) -> tuple[tuple[str, int], ...]:
        return ("", self.limits.concurrent), (number, self.limits.number_concurrent)

    @property
    def _by_number(self) -> bool:
        return bool(self.limits.number_calls_per_second)

    # -- the other engines --------------------------------------------------------------------------------------

    def hear(self, running: Iterable[Running], now: float, wall: float) -> None:
        """All that they use at this moment."""
        self._see(now, wall)
        of_today = [one for one in running if one.day == self._today.key]
        self._day.talked.hear([one.seconds for one in of_today], now)
        self._day.money.hear([one.money for one in of_today], now)
        prefixes: dict[str, list[Line]] = {prefix: [] for prefix in self._day.prefixes}
        for one in of_today:
            for prefix, line in one.prefixes:
                prefixes.setdefault(prefix, []).append(line)
        for prefix, lines in prefixes.items():
            self._day.prefix(prefix).hear(lines, now)

    def begun_elsewhere(self, number: str, calls: int, now: float) -> None:
        """Calls of the other engines since they were last heard of use up calls a second here."""
        rate = self.limits.number_calls_per_second if number else self.limits.calls_per_second
        if rate:
            bucket = self._bucket_of(number) if number else self._bucket
            bucket.has_room(rate, now)
            bucket.take(calls)


def _talks(running: Running) -> bool:
    return any(any(line) for line in (running.seconds, running.money, *[line for _, line in running.prefixes]))
